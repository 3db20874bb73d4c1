"""The audit as the daemon uses it: durable when asked, bounded when the disk fails, signed, rotated, kept so long."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from countertop.sdk import CountertopError
from countertop.sdk.ink.signer import Ed25519Signer
from countertop.server.audit import chain as chain_module
from countertop.server.audit import writer as module
from countertop.server.audit.chain import Chain
from countertop.server.audit.checkpoint import CHECKPOINT_RECORDS
from countertop.server.audit.files import AppendFile, audit_files
from countertop.server.audit.log import AuditLog
from countertop.server.audit.reading import find
from countertop.server.audit.record import Entry
from countertop.server.audit.verify import verify
from countertop.server.caller import INSIDE, Caller
from countertop.server.signing_key import SigningKey
from countertop.v1 import error_pb2

TELLER = Caller("unix", "uid=1000", "pid=7", frozenset({"teller"}))
KEY = Ed25519Signer.generate()
DAY_NS = 86_400 * 10**9


class Disk:
    """Opens files that fail as the test says."""

    def __init__(self) -> None:
        self.full = threading.Event()
        self.tries = 0

    def open(self, path: Path) -> AppendFile:
        disk = self

        class File(AppendFile):
            def write(self, data: bytes) -> None:
                if disk.full.is_set():
                    disk.tries += 1
                    super().write(data[: len(data) // 2])  # as much as there was room for
                    raise OSError(errno.ENOSPC, "No space left on device")
                super().write(data)

        return File(path)


@pytest.fixture
def audit(tmp_path):
    made: list[AuditLog] = []

    def make(**options: Any) -> AuditLog:
        log = AuditLog(tmp_path / "audit", lambda: KEY, **{"terminal_id": "till-3", **options})
        made.append(log)
        return log

    yield make
    for log in made:
        log.close()


def kinds(audit: AuditLog) -> list[str]:
    return [found.record["what"] for found in find(audit.folder)]


def record(audit: AuditLog, number: int) -> None:
    audit.record("call", TELLER, method="IdReaderService.Read", operation_id=f"op-{number}", outcome="SUCCEEDED")


async def test_what_was_recorded_is_on_the_disk_after_a_flush(audit):
    log = audit()
    for number in range(700):
        record(log, number)
    await log.flush()
    assert kinds(log) == ["start", *["call"] * 700]
    (first, *_) = find(log.folder, what=("call",))
    assert first.record["identity"] == "uid=1000"
    assert first.record["roles"] == ["teller"]


async def test_a_whole_life_is_signed_at_its_end_and_goes_on_with_the_next(audit):
    for life in range(2):
        log = audit()
        record(log, life)
        log.close()
    verdict = verify(log.folder, [KEY.public_key])
    assert kinds(log) == ["start", "call", "stop", "checkpoint"] * 2
    assert (verdict.intact, verdict.checkpoints, verdict.signed_to) == (True, 2, 7)
    starts = [found.record["details"]["clean"] for found in find(log.folder, what=("start",))]
    assert starts == [True, True]


async def test_there_is_a_checkpoint_after_so_many_records(audit):
    log = audit()
    for number in range(2 * CHECKPOINT_RECORDS + 1):
        record(log, number)
        if number % CHECKPOINT_RECORDS == 0:
            await log.flush()
    await log.flush()
    assert kinds(log).count("checkpoint") == 2


async def test_and_after_so_long_when_there_was_anything_new(audit, monkeypatch):
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0)
    log = audit()
    await log.flush()
    await log.flush()
    before = kinds(log)
    assert before == ["start", "checkpoint"]
    record(log, 1)
    await log.flush()
    assert kinds(log) == [*before, "call", "checkpoint"]


async def test_records_come_from_any_thread(audit):
    log = audit()
    threads = [
        threading.Thread(target=lambda: [record(log, number) for number in range(300)], name=f"caller {index}")
        for index in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await log.flush()
    assert kinds(log).count("call") == 1200
    assert verify(log.folder).intact


@pytest.mark.parametrize("only_grows", [False, True])
async def test_on_a_full_disk_records_wait_and_nothing_blocks(audit, caplog, monkeypatch, only_grows):
    if only_grows:  # chattr +a

        def refuse(*args: object) -> None:
            raise PermissionError

        monkeypatch.setattr("os.ftruncate", refuse)
    disk = Disk()
    log = audit(open_file=disk.open)
    record(log, 0)
    await log.flush()
    disk.full.set()
    for number in range(1, 40):
        record(log, number)
    with caplog.at_level(logging.ERROR), pytest.raises(CountertopError, match="No space left") as refused:
        await log.flush()
    assert refused.value.reason == error_pb2.REASON_JOURNAL_FAILED
    with pytest.raises(CountertopError):
        await log.flush()
    assert len(caplog.records) == 1, "told once"
    disk.full.clear()
    record(log, 40)
    await log.flush()
    calls = [found.record["operation_id"] for found in find(log.folder, what=("call",))]
    assert calls == [f"op-{number}" for number in range(41)], "each once, in order"
    log.close()
    verdict = verify(log.folder, [KEY.public_key])
    assert verdict.intact, verdict.problems
    assert verdict.lost == 0


async def test_what_finds_no_room_while_the_disk_is_full_is_counted(audit, monkeypatch):
    monkeypatch.setattr(module, "WAITING", 100)
    disk = Disk()
    disk.full.set()
    log = audit(open_file=disk.open)
    with pytest.raises(CountertopError):
        await log.flush()
    for number in range(1000):
        record(log, number)
    assert log._writer._queue.qsize() <= 100
    for _ in range(20):  # each try fails, and none makes more wait
        with pytest.raises(CountertopError):
            await log.flush()
    assert log._writer._queue.qsize() <= 100
    disk.full.clear()
    await log.flush()
    record(log, 1000)
    await log.flush()
    verdict = verify(log.folder)
    assert verdict.intact, verdict.problems
    written = kinds(log)
    assert written[-2:] == ["lost", "call"]
    assert written.count("call") - 1 + verdict.lost == 1000


async def test_a_folder_that_cannot_be_made_takes_nothing_down(tmp_path, caplog):
    (tmp_path / "audit").write_text("somebody's file")
    log = AuditLog(tmp_path / "audit", lambda: KEY, terminal_id="till-3")
    record(log, 1)
    with pytest.raises(CountertopError):
        await log.flush()
    log.close()
    assert "2 records that are not written" in caplog.text
    with pytest.raises(CountertopError, match="stopping"):
        await log.flush()


async def test_a_second_daemon_keeps_out_of_the_folder(audit):
    first = audit()
    await first.flush()
    second = audit()
    with pytest.raises(CountertopError, match="another daemon"):
        await second.flush()
    first.close()
    await second.flush()
    assert verify(second.folder).intact


async def test_without_a_usable_key_the_chain_goes_on(tmp_path, caplog):
    (tmp_path / "signing-key.pem").write_text("no key")
    log = AuditLog(tmp_path / "audit", SigningKey(tmp_path), terminal_id="till-3")
    for number in range(2 * CHECKPOINT_RECORDS):
        record(log, number)
    await log.flush()
    log.close()
    told = [line for line in caplog.messages if "without signed checkpoints" in line]
    assert len(told) == 1
    verdict = verify(log.folder)
    assert (verdict.intact, verdict.checkpoints) == (True, 0)


async def test_a_large_file_is_followed_by_another(audit, monkeypatch):
    monkeypatch.setattr(module, "ROTATE_BYTES", 30_000)
    monkeypatch.setattr(chain_module, "GROUP_BYTES", 10_000)
    log = audit()
    for number in range(300):
        record(log, number)
        if number % 50 == 0:
            await log.flush()
    log.close()
    files = audit_files(log.folder)
    assert len(files) >= 2
    verdict = verify(log.folder, [KEY.public_key])
    assert verdict.intact, verdict.problems
    assert kinds(log).count("rotated") == len(files) - 1
    files[0].path.unlink()
    assert verify(log.folder, [KEY.public_key]).problems[0].what == "missing"


def old_chain(folder: Path, *ages: int) -> None:
    """A file of three records for each age in days."""
    chain = Chain(folder)
    chain.open()
    for index, age in enumerate(ages):
        if index:
            chain.begin_file()
        chain.append([Entry(time.time_ns() - age * DAY_NS, "call", TELLER)] * 3)
    chain.close()


async def test_files_go_when_all_in_them_is_old_and_the_chain_says_so(audit, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    old_chain(tmp_path / "audit", 500, 450, 420, 10)
    log = audit()
    await log.flush()
    await log.flush()
    assert [file.first for file in audit_files(log.folder)] == [7, 10], "records of 420 days may be younger than 400"
    (told,) = find(log.folder, what=("deleted",))
    assert (told.record["details"]["first"], told.record["details"]["last"]) == (1, 6)
    verdict = verify(log.folder, [KEY.public_key])
    assert verdict.intact, verdict.problems
    assert verdict.first == 7
    audit_files(log.folder)[0].path.unlink()
    problems = verify(log.folder, [KEY.public_key]).problems
    assert (problems[0].number, problems[0].what) == (1, "missing"), "that one was not old"


async def test_a_record_costs_its_caller_no_disk(audit):
    """It returns while the disk stands still."""
    disk, gate = Disk(), threading.Event()

    def slow(path: Path) -> AppendFile:
        gate.wait(10)
        return disk.open(path)

    log = audit(open_file=slow)
    for number in range(10):
        record(log, number)
    waiting = asyncio.ensure_future(log.flush())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    await waiting
    assert kinds(log).count("call") == 10


async def test_the_daemon_itself_may_be_the_caller(audit):
    log = audit()
    log.record("maintenance", INSIDE, device_id="reader", begin=True, reason="new cable")
    await log.flush()
    (found,) = find(log.folder, what=("maintenance",))
    assert (found.record["door"], found.record["identity"]) == ("inside", "daemon")
    assert found.record["details"] == {"begin": True, "reason": "new cable"}
