"""The journal: what it keeps, how it opens, what it does on a disk that fails."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.sdk import CountertopError
from countertop.server.journal import journal as module
from countertop.server.journal.batch import Batch, OperationRow
from countertop.server.journal.file import JournalLocked
from countertop.server.journal.journal import Journal
from countertop.server.journal.schema import SCHEMA_VERSION, migrate
from countertop.v1 import device_pb2, error_pb2, operation_pb2

RUNNING = operation_pb2.OPERATION_STATE_RUNNING
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED


def row(operation_id: str, state: int = RUNNING, ended: float | None = None, **more) -> OperationRow:
    fields = {"digest": b"d" * 32, "committed": False, "queue_until": 5.0, "body": b"", **more}
    return OperationRow(id=operation_id, state=state, ended=ended, **fields)


@pytest.fixture
async def journal(tmp_path):
    opened = Journal(tmp_path / "state")
    yield opened
    opened.close()


def crashed(directory: Path) -> Path:
    """A state directory as the death of its daemon would leave it."""
    copy = directory.with_name(f"{directory.name}-crashed")
    shutil.copytree(directory, copy)
    return copy


async def test_what_was_put_is_there_after_a_crash(journal, tmp_path):
    journal.put_operation(row("a"))
    journal.put_operation(row("b", SUCCEEDED, ended=9e9, result=b"r", evidence='{"n": 1}', committed=True))
    journal.put_event(1, b"event")
    journal.put_fact("key", "value")
    await journal.saved(durable=True)
    after = Journal(crashed(tmp_path / "state"))
    assert after.epoch == journal.epoch
    assert [item.id for item in after.unfinished()] == ["a"]
    assert after.find("b") == row("b", SUCCEEDED, ended=9e9, result=b"r", evidence='{"n": 1}', committed=True)
    assert after.newest_ended(5) == [after.find("b")]
    assert after.events(0, 10) == [(1, b"event")]
    assert after.last_event == 1
    assert after.fact("key") == "value"
    after.close()


async def test_the_last_state_of_an_operation_stands(journal):
    for state in (RUNNING, SUCCEEDED):
        journal.put_operation(row("a", state, ended=1.0 if state == SUCCEEDED else None))
    await journal.saved(durable=False)
    journal.put_operation(row("a", SUCCEEDED, ended=9e9))
    await journal.saved(durable=False)
    assert journal.unfinished() == []
    assert [item.ended for item in journal.newest_ended(5)] == [9e9]


async def test_only_its_owner_may_read_the_file(journal):
    path = Path(journal.status.path)
    modes = [stat.S_IMODE(os.stat(name).st_mode) for name in (path, path.parent)]  # noqa: PTH116
    assert modes == [0o600, 0o700]


async def test_a_second_journal_in_the_directory_is_refused(journal, tmp_path):
    with pytest.raises(JournalLocked, match="another daemon uses the state directory"):
        Journal(tmp_path / "state")


@pytest.mark.parametrize("damage", ["zeros in the middle", "no database", "cut off"])
async def test_a_damaged_file_is_set_aside_and_a_new_one_kept(tmp_path, damage):
    directory = tmp_path / "state"
    before = Journal(directory)
    for number in range(500):
        before.put_event(number + 1, b"x" * 200)
    await before.saved(durable=True)
    before.close()
    path = directory / "journal.db"
    data = bytearray(path.read_bytes())
    if damage == "zeros in the middle":
        data[8192:40960] = bytes(40960 - 8192)
    elif damage == "no database":
        data[:] = b"this is a letter to somebody" * 100
    else:
        del data[20_000:]
    path.write_bytes(data)
    after = Journal(directory)
    assert after.status.state == device_pb2.JOURNAL_STATE_SET_ASIDE
    (aside,) = directory.glob("journal.db.damaged-*")
    assert aside.read_bytes() == data
    assert aside.name in after.status.detail
    assert after.epoch != before.epoch
    after.put_fact("works", "yes")
    await after.saved(durable=True)
    after.close()


async def test_a_file_of_a_newer_daemon_is_left_alone_and_nothing_consuming_is_allowed(tmp_path):
    directory = tmp_path / "state"
    Journal(directory).close()
    with sqlite3.connect(directory / "journal.db") as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    data = (directory / "journal.db").read_bytes()
    journal = Journal(directory)
    assert journal.status.state == device_pb2.JOURNAL_STATE_FAILED
    assert f"version {SCHEMA_VERSION + 1}" in journal.status.detail
    with pytest.raises(CountertopError, match="version") as caught:
        journal.check()
    assert caught.value.reason == error_pb2.REASON_JOURNAL_FAILED
    journal.close()
    assert (directory / "journal.db").read_bytes() == data


async def test_without_a_usable_directory_watchers_go_on_and_nothing_consuming_is_allowed(tmp_path):
    (tmp_path / "file").write_text("no directory")
    journal = Journal(tmp_path / "file" / "state")
    shown: list[int] = []
    journal.on_events = shown.append
    journal.put_event(1, b"")
    with pytest.raises(CountertopError):
        await journal.saved(durable=True)
    await asyncio.sleep(0)
    assert shown == [1]
    assert journal.find("a") is None
    assert journal.unfinished() == []
    journal.close()


async def test_a_full_disk_is_told_to_those_who_wait_and_nothing_is_lost_when_there_is_room_again(journal, monkeypatch):
    monkeypatch.setattr(journal._writer, "_retry_seconds", 0.01)
    real = Batch.write
    full = True

    def write(batch, connection):
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        real(batch, connection)

    monkeypatch.setattr(Batch, "write", write)
    journal.put_operation(row("a"))
    journal.put_event(1, b"one")
    with pytest.raises(CountertopError, match="disk is full") as caught:
        await journal.saved(durable=True)
    assert caught.value.reason == error_pb2.REASON_JOURNAL_FAILED
    with pytest.raises(CountertopError):
        journal.check()
    journal.put_event(2, b"two")
    full = False
    await journal.saved(durable=True)
    journal.check()
    assert [item.id for item in journal.unfinished()] == ["a"]
    assert journal.events(0, 5) == [(1, b"one"), (2, b"two")]


async def test_many_writes_share_a_sync(journal, monkeypatch):
    commits: list[bool] = []
    real = Batch.write

    def write(batch, connection):
        commits.append(batch.durable)
        real(batch, connection)

    monkeypatch.setattr(Batch, "write", write)
    waiting = []
    for number in range(100):
        journal.put_operation(row(str(number)))
        waiting.append(journal.saved(durable=True))
    await asyncio.gather(*waiting)
    assert len(commits) < 20
    assert len(journal.unfinished()) == 100


async def test_old_operations_lose_their_body_and_older_ones_are_gone(tmp_path):
    directory = tmp_path / "state"
    journal = Journal(directory)
    now = module.time.time()
    for name, days in (("new", 1), ("old", module.OPERATION_DAYS + 1), ("ancient", module.ID_DAYS + 1)):
        journal.put_operation(row(name, SUCCEEDED, ended=now - days * 86_400, body=b"body", result=b"r"))
    journal.put_operation(row("open"))
    await journal.saved(durable=True)
    journal.close()
    journal = Journal(directory)
    assert journal.find("new").body == b"body"
    assert (journal.find("old").body, journal.find("old").result) == (None, None)
    assert journal.find("ancient") is None
    assert [item.id for item in journal.newest_ended(9)] == ["new"]
    assert [item.id for item in journal.unfinished()] == ["open"]
    journal.close()


async def test_after_a_power_failure_no_event_number_is_given_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_boot_id", lambda: "one")
    journal = Journal(tmp_path / "state")
    journal.put_event(1, b"seen by a watcher, perhaps more of them")
    await journal.saved(durable=True)
    died = crashed(tmp_path / "state")
    journal.close()
    same_boot = Journal(died)
    assert (same_boot.last_event, same_boot.oldest_event) == (1, 1)
    died = crashed(died)
    same_boot.close()
    monkeypatch.setattr(module, "_boot_id", lambda: "two")
    other_boot = Journal(died)
    assert other_boot.last_event == 1 + module.POWER_LOSS_JUMP
    assert other_boot.oldest_event == other_boot.last_event + 1
    assert other_boot.epoch == journal.epoch
    other_boot.close()
    clean = Journal(died)
    assert clean.last_event == other_boot.last_event
    clean.close()


async def test_a_disk_that_stands_still_holds_no_more_than_the_ring(journal, monkeypatch):
    monkeypatch.setattr(journal, "_wake", lambda linger=0.0: None)
    for number in range(3 * module.EVENTS_KEPT):
        journal.put_event(number + 1, b"")
    assert len(journal._gathering.events) <= module.EVENTS_KEPT
    assert journal._gathering.events[-1][0] == 3 * module.EVENTS_KEPT
    monkeypatch.undo()
    await journal.saved(durable=False)
    numbers = [number for number, _ in journal.events(0, 10**6)]
    assert numbers == list(range(numbers[0], 3 * module.EVENTS_KEPT + 1))


def test_an_empty_file_becomes_one_of_the_present_version(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    migrate(connection)
    migrate(connection)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    connection.close()


@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 8)), max_size=6),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_batches_that_fail_and_are_taken_up_later_leave_what_came_last(batches, failing):
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    last: dict[str, int] = {}
    failed: Batch | None = None
    for index, states in enumerate(batches):
        batch = Batch()
        for name, state in states:
            batch.operations[name] = row(name, state)
            last[name] = state
        if failed is not None:
            batch.take_up(failed)
        failed = batch if index < failing else None
        if failed is None:
            batch.write(connection)
    if failed is not None:
        failed.write(connection)
    assert dict(connection.execute("SELECT id, state FROM operations")) == last
    connection.close()
