"""Nothing that belongs to a customer is anywhere but in what the client asked for."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest

from countertop.v1 import device_pb2, identity_pb2
from tests.faults.canary import Canary
from tests.faults.canary_visit import DEVICES, Client, Visit

ROOT = Path(__file__).parents[2]
CONFIG = """
[terminal]
id = "canary"
state_dir = "{folder}/state"
drain_seconds = 1.0
[listen]
addresses = ["unix:{socket}"]
[[devices]]
id = "reader"
emulator = "sdt"
[[devices]]
id = "apart"
emulator = "sdt"
isolation = "process"
[[devices]]
id = "printer"
emulator = "escpos"
emulator_options = {{ speed = 8 }}
[[devices]]
id = "pad"
emulator = "wacom-stu"
[[devices]]
id = "cards"
emulator = "evolis"
emulator_options = {{ speed = 60 }}
[[devices]]
id = "camera"
emulator = "camera"
[[devices]]
id = "telling"
driver = "telling"
link = "tcp://127.0.0.1:9"
[[devices]]
id = "telling-apart"
driver = "telling"
link = "tcp://127.0.0.1:9"
isolation = "process"
"""


class Place:
    """A folder for everything that a daemon writes, and the daemon."""

    def __init__(self, folder: Path, sockets: Path) -> None:
        self.folder = folder
        self.address = f"unix:{sockets}/c.sock"
        (folder / "tmp").mkdir(parents=True)
        (folder / "countertop.toml").write_text(CONFIG.format(folder=folder, socket=f"{sockets}/c.sock"))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *how: str) -> None:
        told = {"TMPDIR": f"{self.folder}/tmp", "XDG_STATE_HOME": f"{self.folder}/home", "PYTHONASYNCIODEBUG": "1"}
        with (self.folder / "stdout").open("ab") as out, (self.folder / "stderr").open("ab") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.canary_daemon", f"{self.folder}/countertop.toml", *how],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=os.environ | told,
            )  # fmt: skip

    async def end(self, signum: int) -> int:
        self.alive.send_signal(signum)
        return await asyncio.to_thread(self.alive.wait, 20)

    @property
    def alive(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        return self.process

    def child(self) -> int:
        """The process of an isolated driver."""
        children = Path(f"/proc/{self.alive.pid}/task/{self.alive.pid}/children").read_text().split()
        assert children, "drivers have processes of their own"
        return int(children[0])


@asynccontextmanager
async def connected(place: Place, canary: Canary, devices: tuple[str, ...]) -> AsyncIterator[Client]:
    client = Client(place.address, canary)
    died = asyncio.create_task(asyncio.to_thread(place.alive.wait))
    ready = asyncio.create_task(client.watch(devices))
    await asyncio.wait({died, ready}, return_when=asyncio.FIRST_COMPLETED)
    assert not died.done(), (place.folder / "stderr").read_text()
    await ready
    events = asyncio.create_task(client.listen())
    try:
        yield client
    finally:
        events.cancel()
        await asyncio.wait({events})
        for what, told in client.told.items():
            canary.search(what, b"\n".join(told))
        await client.close()


@pytest.fixture
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory):
    made = Place(tmp_path / "canary", tmp_path_factory.mktemp("s"))
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


async def test_no_mark_is_anywhere(place: Place):
    """A visit, its mistakes and faults, a crash of a driver and of the daemon: every byte that was written is searched,
    and every answer but those that were asked for.
    """
    canary = Canary(Random(20260101))
    place.start()
    async with connected(place, canary, DEVICES) as client:
        visit = Visit(client, canary)
        recorded = asyncio.create_task(
            client.call("DeviceService.RecordLink", device_pb2.RecordLinkRequest(device_id="reader"))
        )
        done = {
            "read": await visit.read(),
            "read, in a process of its own": await visit.read("apart"),
            "preview": await visit.preview(),
            "sign": await visit.sign(),
            "print": await visit.print(),
            "pay": await visit.pay(),
            "issue": await visit.issue(),
            "ask": await visit.ask("telling"),
            "ask, in a process of its own": await visit.ask("telling-apart"),
        }
        assert all(done.values()), (done, client.refusals)
        recorded.cancel()
        await asyncio.wait({recorded})
        await visit.mistakes()
        for device in ("telling", "telling-apart"):
            assert not await visit.print(device)
            assert not await visit.ask(device, fail=True)
        await visit.cancelled()
        faults = await visit.under("reader", lambda: visit.read(seconds=2.0))
        faults += await visit.under("apart", lambda: visit.read("apart", seconds=2.0), most=2)
        faults += await visit.under("printer", visit.print)
        faults += await visit.under("camera", visit.pay)
        assert faults >= 10
        os.kill(place.child(), signal.SIGKILL)
        await visit.read("apart", seconds=2.0)
        await visit.look()
        printing = asyncio.create_task(visit.print(lines=40))
        await asyncio.wait({printing}, timeout=0.1)
        assert await place.end(signal.SIGKILL) == -signal.SIGKILL
        await asyncio.wait({printing})
    canary.search_folder(place.folder / "state")
    place.start()
    async with connected(place, canary, ("reader",)) as client:
        await Visit(client, canary).look()
        assert await Visit(client, canary).read()
    assert await place.end(signal.SIGTERM) == 0
    assert canary.search_folder(place.folder) >= 5
    assert len(canary.patterns) > 1500
    assert not canary.findings, "\n".join(map(str, sorted(set(canary.findings), key=str)))


PLANTED = (
    "stderr",
    "stdout",
    "state/journal",
    "tmp/leak",
    "WatchEvents",
    "the error of",
    "ListOperations",
    "GetDevice",
)
"""Where the driver puts it that leaks on purpose."""


async def test_a_leak_is_found_wherever_it_is(place: Place):
    """With a driver that leaks on purpose, and a log that masks nothing."""
    canary = Canary(Random(7))
    place.start("--planted")
    async with connected(place, canary, ("telling",)) as client:
        visit = Visit(client, canary)
        await visit.print("telling")
        await visit.look()
        assert await place.end(signal.SIGKILL) == -signal.SIGKILL
    canary.search_folder(place.folder)
    places = {finding.where for finding in canary.findings}
    missing = [planted for planted in PLANTED if not any(planted in found for found in places)]
    assert not missing, places


def contexts(text: str) -> dict[str, bytes]:
    """How others write it down, with something before and behind."""
    around = f"of ü{text} and so on"
    message = identity_pb2.Person(name=around)
    shown = {"json": json.dumps({"x": around}), "url": f"/?q={quote(around)}", "python": repr(around.encode())}
    shown |= {"protobuf": str(message), "plain": around, "hex": around.encode().hex(), "dump": around.encode().hex(" ")}
    coded = {name: value.encode() for name, value in shown.items()}
    coded |= {encoding: around.encode(encoding) for encoding in ("utf-16-le", "utf-16-be", "gbk", "gb18030")}
    coded |= {f"base64 {skip}": base64.b64encode(bytes(skip) + around.encode()) for skip in range(3)}
    coded |= {
        f"urlsafe {skip}": base64.urlsafe_b64encode(bytes(skip) + around.encode("utf-16-le")) for skip in range(3)
    }
    return coded | {"utf-16 hex": around.encode("utf-16-le").hex().upper().encode()}


@pytest.mark.parametrize("seed", range(5))
def test_a_mark_is_found_in_every_encoding(seed: int):
    canary = Canary(Random(seed))
    texts = [canary.latin(), "鬱龘李王陈张赵刘", canary.latin(4) + "客户姓名地址"]
    assert not canary.findings
    for text in texts:
        canary.watch("mark", text)
        for name, data in contexts(text).items():
            canary.findings.clear()
            canary.search(name, data)
            assert canary.findings, (text, name)
    raw = canary.raw(200)
    canary.watch("raw", raw)
    for data in (raw, raw.hex().encode(), base64.b64encode(b"x" + raw), repr(raw).encode(), raw[40:80]):
        canary.findings.clear()
        canary.search("raw", data)
        assert canary.findings


def test_a_deleted_row_and_a_log_of_writes_are_searched(tmp_path: Path):
    canary = Canary(Random(1))
    mark, other = canary.latin(), canary.latin()
    for value in (mark, other):
        canary.watch(value, value)
    connection = sqlite3.connect(tmp_path / "j.db", isolation_level=None)
    with closing(connection):
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES (?)", (mark * 50,))
        connection.execute("DELETE FROM t")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO t VALUES (?)", (other,))
        canary.search_folder(tmp_path)
    found = {(finding.where, finding.mark) for finding in canary.findings}
    assert {("j.db", mark), ("j.db-wal", other)} <= found


def test_what_is_marked_in_a_message_is_looked_for():
    canary = Canary(Random(1))
    canary.harvest(identity_pb2.IdentityDocument(person=identity_pb2.Person(name="a mark of mine"), number="short"))
    canary.search("here", b"what is a mark of mine")
    assert [finding.mark for finding in canary.findings] == ["IdentityDocument.person.name"]


async def test_a_fault_of_the_daemon_is_not_told(place: Place):
    """An exception that no code of ours expects: the client is told that it was, the log where."""
    canary = Canary(Random(11))
    place.start("--broken")
    async with connected(place, canary, ()) as client:
        await Visit(client, canary).preview()
        (refusal,) = client.refusals
        assert await place.end(signal.SIGTERM) == 0
    canary.search_folder(place.folder)
    assert refusal == "ReceiptPrinterService.Preview: INTERNAL The terminal's software failed."
    assert b"ReceiptPrinterService.Preview failed: ArithmeticError at " in (place.folder / "stderr").read_bytes()
    assert not canary.findings
