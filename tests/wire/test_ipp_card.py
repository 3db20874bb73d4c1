"""The driver for driverless card printers, against `ippeveprinter` of CUPS: a printer that is not ours."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from countertop.sdk.cards.planes import CardImage, Planes
from countertop.sdk.cards.printer import OnePassCard
from countertop.sdk.device import Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault
from countertop.sdk.links import parse_link
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.operation_pb2 import Operation
from tests.wire.test_evolis_driver import StubRun

REQUIRED = bool(os.environ.get("COUNTERTOP_REQUIRE_IPP"))
DAEMONS = (
    (Path("/run/dbus"), "system_bus_socket", ["dbus-daemon", "--system", "--nofork", "--nopidfile"]),
    (Path("/run/avahi-daemon"), "socket", ["avahi-daemon", "--no-drop-root", "--no-chroot"]),
)
"""Where each one lives, the socket it listens at, and how it is started."""
SECONDS = 15.0
CONF = """
ATTR keyword media-supported "iso_id-1_53.98x85.6mm"
ATTR keyword media-default "iso_id-1_53.98x85.6mm"
ATTR keyword media-ready "iso_id-1_53.98x85.6mm"
ATTR collection media-size-supported { MEMBER integer x-dimension 5398 MEMBER integer y-dimension 8560 }
ATTR keyword sides-supported one-sided,two-sided-long-edge,two-sided-short-edge
ATTR keyword sides-default one-sided
ATTR resolution printer-resolution-supported 300dpi
ATTR resolution printer-resolution-default 300dpi
ATTR resolution pwg-raster-document-resolution-supported 300dpi
ATTR keyword pwg-raster-document-type-supported srgb_8,sgray_8
ATTR keyword pwg-raster-document-sheet-back normal
ATTR boolean color-supported true
ATTR name marker-names "YMCKO ribbon"
ATTR integer marker-levels 80
ATTR keyword marker-types ribbon-wax
"""
SCRIPT = """#!{python}
import pathlib, sys, time
folder = pathlib.Path({folder!r})
state = folder / "state"
if state.exists():
    print("STATE: +" + state.read_text(), file=sys.stderr, flush=True)
    while state.exists():
        time.sleep(0.05)
    print("STATE: -media-empty,media-jam", file=sys.stderr, flush=True)
(folder / "printed").write_bytes(pathlib.Path(sys.argv[1]).read_bytes())
"""


def missing(what: str) -> None:
    if REQUIRED:
        pytest.fail(f"{what} is missing")
    pytest.skip(f"{what} is not here: apt-get install cups-ipp-utils dbus avahi-daemon")


def until(found: Any, what: str) -> None:
    """Wait for a process of others to come up."""
    end = time.monotonic() + SECONDS
    while not found():
        if time.monotonic() > end:
            missing(what)
        time.sleep(0.05)


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@dataclass
class Printer:
    """What runs, and where its command script looks."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"ipp://127.0.0.1:{self.port}/ipp/print"

    def say(self, state: str) -> None:
        (self.folder / "state").write_text(state)

    def mend(self) -> None:
        (self.folder / "state").unlink(missing_ok=True)

    @property
    def printed(self) -> bytes:
        return (self.folder / "printed").read_bytes()


@pytest.fixture(scope="module")
def service_discovery() -> Iterator[None]:
    """`ippeveprinter` does not start without Avahi, nor that without D-Bus."""
    pytest.importorskip("pyipp")
    for command in ("ippeveprinter", "dbus-daemon", "avahi-daemon"):
        if shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
            missing(command)
    if os.geteuid() != 0:
        missing("the right to start D-Bus and Avahi")
    with Path(tempfile.gettempdir(), "countertop-service-discovery.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of those who test at the same time one starts them
        started: list[subprocess.Popen[bytes]] = []
        try:
            for folder, name, words in DAEMONS:
                if not listens(folder / name):
                    folder.mkdir(exist_ok=True)
                    (folder / "pid").unlink(missing_ok=True)  # of one that was killed
                    started.append(subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                    until(lambda folder=folder, name=name: listens(folder / name), words[0])
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield
        finally:
            if started:
                fcntl.flock(lock, fcntl.LOCK_EX)  # the others are done with them
            for process in reversed(started):
                process.terminate()
                process.wait(timeout=10)


@pytest.fixture
def ippeveprinter(service_discovery: None, tmp_path: Path) -> Iterator[Printer]:
    folder = tmp_path
    (folder / "card.conf").write_text(CONF)
    script = folder / "command"
    script.write_text(SCRIPT.format(python=sys.executable, folder=str(folder)))
    script.chmod(0o755)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    words = [shutil.which("ippeveprinter", path=path) or "ippeveprinter", "-a", "card.conf", "-c", str(script)]
    (folder / "spool").mkdir()
    words += ["-d", str(folder / "spool"), "-p", str(port), "-n", "localhost", "Cards"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: process.poll() is not None or answers(port), "ippeveprinter")
            assert process.poll() is None, "ippeveprinter did not start"
            yield Printer(port, folder)
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture
async def driver(ippeveprinter: Printer) -> AsyncIterator[Any]:
    from countertop.drivers.ipp_card.driver import IppCardOptions, IppCardPrinter

    made = IppCardPrinter(parse_link(ippeveprinter.url), IppCardOptions())
    await made.connect()
    yield made
    ippeveprinter.mend()
    await made.disconnect()


def drawn() -> CardImage:
    rng = np.random.default_rng(3)
    front, back = (rng.integers(0, 256, (638, 1011, 3)).astype(np.uint8) for _ in range(2))
    front[100:200] = (255, 0, 0)
    return CardImage(front=Planes(front, None, None, None), back=Planes(back, None, None, None))


def card() -> OnePassCard:
    return OnePassCard(drawn(), None, card_pb2.COERCIVITY_UNSPECIFIED)


async def seen(driver: Any, reasons: set[int]) -> None:
    """Look, as the daemon does, until just these stand."""
    async with asyncio.timeout(20):
        async for _ in looks():
            if {found.reason for found in (await driver.look()).conditions} == reasons:
                return


async def looks() -> AsyncIterator[None]:
    """Ten a second."""
    while True:
        yield
        await asyncio.sleep(0.1)


async def test_a_driverless_printer_is_known_by_its_attributes(driver: Any, ippeveprinter: Printer) -> None:
    has = driver.capabilities
    assert (has.width, has.height, has.dpi) == (1011, 638, 300)
    assert has.color
    assert has.duplex
    assert has.one_pass
    assert not has.tracks
    sight = await driver.look()
    assert (sight.consumables[0].type, sight.consumables[0].remaining) == ("YMCKO ribbon", 80)
    assert not sight.conditions


async def test_a_card_is_a_job_of_two_pages_that_the_printers_own_tool_reads(
    driver: Any, ippeveprinter: Printer
) -> None:
    """`ippeveps`, of CUPS, turns the raster into PostScript: its pixels are those that were drawn."""
    await driver.make_in_one_pass(card())
    found = ippeveprinter.printed
    assert found.startswith(b"RaS2PwgRaster")
    tool = shutil.which("ippeveps", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if tool is None:
        missing("ippeveps")
    path = ippeveprinter.folder / "printed"
    environment = {"CONTENT_TYPE": "image/pwg-raster", "PATH": "/usr/bin:/bin:/usr/sbin"}
    words = [str(tool), str(path)]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, env=environment, timeout=60, check=True)
    pages = _images(done.stdout)
    assert [page.shape for page in pages] == [(1011, 638, 3)] * 2
    image = drawn()
    for page, side in zip(pages, (image.front, image.back), strict=True):
        assert side is not None
        assert (page == np.rot90(side.rgb, -1)).all()


def _images(postscript: bytes) -> list[np.ndarray]:
    """The pictures in what `ippeveps` writes: a row at a time, by its number from below, RGB in ASCII85."""
    found = []
    for page in postscript.split(b"%%Page:")[1:]:
        rows = {
            int(number): base64.a85decode(b"".join(data.split()))
            for number, data in re.findall(rb"^(\d+) L\n(.*?)~>", page, re.DOTALL | re.MULTILINE)
        }
        pixels = b"".join(rows[number] for number in sorted(rows, reverse=True))
        found.append(np.frombuffer(pixels, np.uint8).reshape(len(rows), -1, 3))
    return found


async def test_a_whole_card_is_issued_and_lands_in_the_output_hopper(driver: Any, ippeveprinter: Printer) -> None:
    request = card_printer_pb2.IssueCardRequest(device_id="p")
    request.artwork.design.name = "card"
    element = request.artwork.design.front.elements.add()
    element.box.width_mm, element.box.height_mm = 85.6, 53.98
    element.shape.fill = "#0055AA"
    run = StubRun()
    result = await driver.issue_card(request, run)
    assert run.steps == ["one pass"]
    assert result.card.place == card_pb2.CARD_PLACE_OUTPUT
    assert bytes((0x00, 0x55, 0xAA)) in ippeveprinter.printed


async def test_without_cards_the_job_is_cancelled_and_no_card_is_used(driver: Any, ippeveprinter: Printer) -> None:
    driver._options = driver._options.model_copy(update={"print_seconds": 2.0})
    ippeveprinter.say("media-empty")  # told as a warning: the last card may be on its way
    with pytest.raises(DeviceFault) as caught:
        await driver.make_in_one_pass(card())
    assert caught.value.reason == error_pb2.REASON_CARDS_OUT
    assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_NONE
    sight = await driver.look()
    assert [found.reason for found in sight.conditions] == [error_pb2.REASON_CARDS_OUT]


async def test_a_jam_that_is_mended_in_time_does_no_harm(driver: Any, ippeveprinter: Printer) -> None:
    ippeveprinter.say("media-jam")
    printing = asyncio.create_task(driver.make_in_one_pass(card()))
    await seen(driver, {error_pb2.REASON_CARD_JAMMED})
    ippeveprinter.mend()
    await printing


async def test_after_a_crash_the_printer_is_asked_for_the_operations_job(driver: Any, ippeveprinter: Printer) -> None:
    driver._job_name = "countertop op-crashed"
    await driver.make_in_one_pass(card())
    settled = await driver.reconcile(Unsettled("issue_card", Operation(id="op-crashed")))
    assert settled.effect == error_pb2.PHYSICAL_EFFECT_COMPLETE
    assert settled.result.card.place == card_pb2.CARD_PLACE_OUTPUT
    settled = await driver.reconcile(Unsettled("issue_card", Operation(id="op-never-sent")))
    assert settled.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN


async def test_a_jam_that_nobody_mends_ends_the_job(driver: Any, ippeveprinter: Printer) -> None:
    driver._options = driver._options.model_copy(update={"mend_seconds": 0.5})
    ippeveprinter.say("cover-open")
    with pytest.raises(DeviceFault) as caught:
        await driver.make_in_one_pass(card())
    assert caught.value.reason == error_pb2.REASON_COVER_OPEN
    assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
    assert not (ippeveprinter.folder / "printed").exists()


async def test_what_ipp_cannot_do_is_refused(driver: Any) -> None:
    for primitive in (driver.feed(""), driver.move(card_pb2.CARD_PLACE_PRINT), driver.accept()):
        with pytest.raises(CountertopError, match="ipp-card cannot"):
            await primitive


async def test_a_printer_that_is_not_there_is_offline() -> None:
    pytest.importorskip("pyipp")
    from countertop.drivers.ipp_card.driver import IppCardOptions, IppCardPrinter

    made = IppCardPrinter(parse_link("ipp://127.0.0.1:1/ipp/print"), IppCardOptions())
    with pytest.raises(LinkFault):
        await made.connect()
    await made.disconnect()
