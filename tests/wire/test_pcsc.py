"""The PC/SC link against a real pcscd with the vsmartcard project's driver; the card is played here.

Needs Debian's pcscd and vsmartcard-vpcd, pyscard, and the right to make /run/pcscd; no other pcscd may run. Skipped
without these, unless COUNTERTOP_REQUIRE_PCSC=1 asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from countertop.sdk.cards.chip import PcscChipLink
from countertop.sdk.errors import DeviceFault, LinkFault
from countertop.v1 import error_pb2

REQUIRED = os.environ.get("COUNTERTOP_REQUIRE_PCSC") == "1"
SERVICE_SOCKET = Path("/run/pcscd/pcscd.comm")
PCSCD = shutil.which("pcscd") or shutil.which("pcscd", path="/usr/sbin:/usr/local/sbin")
DRIVERS = [path for path in Path("/usr").glob("lib*/**/libifdvpcd.so") if path.is_file()]
NAME = "Countertop Virtual"
URL = "pcsc://Countertop%20Virtual%2000%2000"
GET_ATR = b"\x04"
T0_ATR = bytes.fromhex("3B6500009C11010103")
T1_ATR = bytes.fromhex("3BF81300008131FE454A434F5076323431B7")
BOTH_ATR = bytes.fromhex("3B8180018080")
SELECT = bytes.fromhex("00A4040002010200")
OK = b"\x90\x00"


def _missing() -> str:
    if find_spec("smartcard") is None:
        return "pyscard"
    if PCSCD is None:
        return "pcscd"
    if not DRIVERS:
        return "the driver of vsmartcard-vpcd"
    if not os.access("/run", os.W_OK):
        return "the right to make /run/pcscd"
    return ""


if _missing() and not REQUIRED:
    pytest.skip(f"{_missing()} is missing", allow_module_level=True)


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """There is one place for a pcscd on a machine: tests in other processes wait, the machine's own is let be."""
    assert not _missing(), f"COUNTERTOP_REQUIRE_PCSC=1, but {_missing()} is missing"
    with (Path(tempfile.gettempdir()) / "countertop-pcscd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if answers():
            (pytest.fail if REQUIRED else pytest.skip)("a pcscd runs on this machine already")
        yield


def answers() -> bool:
    """A pcscd listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(SERVICE_SOCKET)) == 0


def two_ports() -> int:
    """A port that is free, as is the next: the driver has two slots."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("", 0))
            port = int(first.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("", port + 1))
                return port


class Pcscd:
    """A pcscd of our own with one virtual reader."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        assert process.stdout is not None
        self._output = process.stdout
        self._draining: asyncio.Task[bytes] | None = None

    @classmethod
    async def start(cls, folder: Path) -> Pcscd:
        port = two_ports()
        (folder / "vpcd").write_text(
            f'FRIENDLYNAME "{NAME}"\nDEVICENAME /dev/null:{port}\nLIBPATH {DRIVERS[0]}\nCHANNELID {port}\n'
        )
        assert PCSCD is not None
        process = await asyncio.create_subprocess_exec(
            *(PCSCD, "--foreground", "--info", "--config", str(folder)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        service = cls(process, port)
        try:
            async with asyncio.timeout(10):
                await service._until_it_listens()
        except BaseException:
            await service.stop()
            raise
        return service

    async def _until_it_listens(self) -> None:
        while b"daemon ready" not in (line := await self._output.readline()):
            assert line, "pcscd ended before it was ready"
        self._draining = asyncio.create_task(self._output.read())
        while not answers():  # noqa: ASYNC110 - it says that it is ready before it listens, and then nothing more
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(10):
            await self.process.wait()
            if self._draining is not None:
                await self._draining


class Card:
    """A virtual card as vicc plays it: it connects to the reader's port and answers."""

    def __init__(self, port: int, atr: bytes) -> None:
        self.atr = atr
        self.answer: Callable[[bytes], bytes] = lambda apdu: OK
        self.got: list[bytes] = []
        self._port = port
        self._heard = asyncio.Condition()
        self._writer: asyncio.StreamWriter | None = None
        self._serving: asyncio.Task[None] | None = None

    async def insert(self) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._serving = asyncio.create_task(self._serve(reader, self._writer))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                message = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                async with self._heard:
                    if message != GET_ATR:  # the service asks for it all the time
                        self.got.append(message)
                    self._heard.notify_all()
                if len(message) == 1 and message != GET_ATR:
                    continue
                answer = self.atr if message == GET_ATR else self.answer(message)
                writer.write(len(answer).to_bytes(2, "big") + answer)

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self._heard:
            await self._heard.wait_for(happened)

    async def remove(self) -> None:
        if self._writer is not None and self._serving is not None:
            self._writer.close()
            await self._serving


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Pcscd]:
    service = await Pcscd.start(tmp_path)
    yield service
    await service.stop()


Insert = Callable[[bytes], Awaitable[Card]]


@pytest.fixture
async def insert(service: Pcscd) -> AsyncIterator[Insert]:
    cards: list[Card] = []

    async def inserted(atr: bytes) -> Card:
        cards.append(Card(service.port, atr))
        await cards[-1].insert()
        return cards[-1]

    yield inserted
    for card in cards:
        await card.remove()


@pytest.fixture
async def link(service: Pcscd) -> AsyncIterator[PcscChipLink]:
    link = await PcscChipLink.open(URL)
    yield link
    await link.close()


async def test_a_card_that_comes_a_moment_later_is_powered_and_answers(link: PcscChipLink, insert: Insert) -> None:
    powering = asyncio.create_task(link.power_on(()))
    card = await insert(BOTH_ATR)
    assert await powering == (BOTH_ATR, 0)
    assert link.reader == f"{NAME} 00 00"
    card.answer = lambda apdu: apdu[:1] + OK
    assert await link.transmit(bytes.fromhex("00B0000001")) == b"\x00" + OK
    await link.power_off()
    await card.until(lambda: b"\x00" in card.got)
    assert card.got[0] == b"\x01"


async def test_over_t_0_the_chip_gets_tpdus_and_its_answer_is_fetched(link: PcscChipLink, insert: Insert) -> None:
    card = await insert(T0_ATR)
    assert await link.power_on(()) == (T0_ATR, 0)
    card.got.clear()
    answers = {"00A40400020102": "6105", "00C0000005": "6C02", "00C0000002": "AABB9000", "00A40400": "9000"}
    card.answer = lambda apdu: bytes.fromhex(answers[apdu.hex().upper()])
    assert await link.transmit(SELECT) == bytes.fromhex("AABB9000")
    assert await link.transmit(SELECT[:4]) == OK
    assert [message.hex().upper() for message in card.got] == list(answers)


async def test_over_t_1_whole_commands_of_any_length_go_both_ways(link: PcscChipLink, insert: Insert) -> None:
    card = await insert(T1_ATR)
    assert await link.power_on(()) == (T1_ATR, 1)
    card.answer = lambda apdu: apdu + OK
    assert await link.transmit(SELECT) == SELECT + OK
    command = SELECT[:4] + b"\x00\x10\x00" + bytes(4096) + b"\x00\x00"
    assert await link.transmit(command) == command + OK
    card.answer = lambda apdu: b"\x61\x05"
    assert await link.transmit(SELECT) == b"\x61\x05"


async def test_the_protocol_can_be_chosen_and_kept_over_a_warm_reset(link: PcscChipLink, insert: Insert) -> None:
    card = await insert(BOTH_ATR)
    assert await link.power_on([1]) == (BOTH_ATR, 1)
    card.got.clear()
    assert await link.reset() == (BOTH_ATR, 1)
    assert card.got == [b"\x02"]
    assert await link.power_on([0]) == (BOTH_ATR, 0)


async def test_a_chip_without_the_protocol_is_not_answering(link: PcscChipLink, insert: Insert) -> None:
    await insert(T0_ATR)
    with pytest.raises(DeviceFault) as fault:
        await link.power_on([1])
    assert fault.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING
    assert await link.power_on(()) == (T0_ATR, 0)


async def test_no_card_is_not_answering(link: PcscChipLink) -> None:
    link.card_seconds = 0.3
    with pytest.raises(DeviceFault, match="there is no card at the contacts") as fault:
        await link.power_on(())
    assert fault.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING
    with pytest.raises(DeviceFault, match="not powered"):
        await link.transmit(SELECT)


async def test_a_card_that_is_taken_away_stops_answering_and_another_can_be_powered(
    link: PcscChipLink, insert: Insert
) -> None:
    card = await insert(T1_ATR)
    await link.power_on(())
    await card.remove()
    with pytest.raises(DeviceFault) as fault:
        await link.transmit(SELECT)
    assert fault.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING
    link.card_seconds = 10
    powering = asyncio.create_task(link.power_on(()))
    await insert(BOTH_ATR)
    assert await powering == (BOTH_ATR, 0)
    assert await link.transmit(SELECT) == OK


async def test_a_card_that_another_program_holds_says_so(link: PcscChipLink, insert: Insert) -> None:
    await insert(BOTH_ATR)
    await link.power_on(())
    other = await PcscChipLink.open(URL)
    try:
        with pytest.raises(LinkFault, match="another program has the card open") as busy:
            await other.power_on(())
        assert busy.value.reason == error_pb2.REASON_DEVICE_OFFLINE
        await link.power_off()
        assert await other.power_on(()) == (BOTH_ATR, 0)
    finally:
        await other.close()


@pytest.mark.usefixtures("service")
async def test_a_reader_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(LinkFault, match=f"no such reader; there are: {NAME} 00 00; {NAME} 00 01") as missing:
        await PcscChipLink.open("pcsc://Other")
    assert missing.value.reason == error_pb2.REASON_DEVICE_OFFLINE
    with pytest.raises(LinkFault, match="several readers begin so"):
        await PcscChipLink.open("pcsc://Countertop")


async def test_a_service_that_ends_is_a_lost_link(service: Pcscd, link: PcscChipLink, insert: Insert) -> None:
    await insert(BOTH_ATR)
    await link.power_on(())
    await service.stop()
    with pytest.raises(LinkFault) as lost:
        await link.transmit(SELECT)
    assert lost.value.reason == error_pb2.REASON_LINK_LOST


async def test_without_a_service_it_says_how_to_start_one() -> None:
    with pytest.raises(LinkFault, match=r"the PC/SC service does not run\. Start the service") as missing:
        await PcscChipLink.open(URL)
    assert missing.value.reason == error_pb2.REASON_DEVICE_OFFLINE
