"""The ring of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from countertop.server.events import EventLog, FellBehind
from countertop.server.journal.journal import Journal
from countertop.v1.device_pb2 import Event, MediaChanged, WatchEventsResponse


@pytest.fixture
async def new_log(tmp_path: Path) -> Iterator[Callable[..., EventLog]]:
    journals: list[Journal] = []

    def new(**how: int) -> EventLog:
        while journals:
            journals.pop().close()
        journals.append(Journal(tmp_path))
        return EventLog(journals[-1], **how)

    yield new
    journals[-1].close()


def event(number: int) -> Event:
    return Event(media_changed=MediaChanged(device_id=str(number)))


async def collect(log: EventLog, after: int, count: int) -> list[int]:
    found = []
    async for sequence, item in log.follow(after, idle=5):
        assert item is not None
        found.append(sequence)
        if len(found) == count:
            break
    return found


async def test_events_are_numbered_without_holes_and_reach_every_watcher(new_log):
    log = new_log()
    watchers = [asyncio.create_task(collect(log, 0, 100)) for _ in range(3)]
    for number in range(100):
        log.append(event(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    assert await asyncio.gather(*watchers) == [list(range(1, 101))] * 3


async def test_the_ring_keeps_its_length_and_tells_what_is_gone(new_log):
    log = new_log(capacity=10)
    for number in range(25):
        log.append(event(number))
    await log.until(25)
    assert (log.sequence, log.oldest) == (25, 16)
    assert [sequence for sequence, _ in log.after(20)] == [21, 22, 23, 24, 25]
    assert len(log.after(15)) == 10
    with pytest.raises(FellBehind) as caught:
        log.after(14)
    assert caught.value.oldest == 16


async def test_a_watcher_slower_than_the_ring_is_told_instead_of_skipping(new_log):
    log = new_log(capacity=4)
    log.append(event(0))
    watch = log.follow(0, idle=5)
    assert (await anext(watch))[0] == 1
    for number in range(10):
        log.append(event(number))
    await log.until(log.sequence)
    with pytest.raises(FellBehind):
        await anext(watch)


async def test_a_quiet_log_yields_heartbeats_with_the_last_sequence(new_log):
    log = new_log()
    log.append(event(0))
    await log.until(1)
    watch = log.follow(1, idle=0.01)
    assert await anext(watch) == (1, None)
    await watch.aclose()


async def test_closing_ends_watchers_after_what_there_is(new_log):
    log = new_log()
    log.append(event(0))
    await log.until(1)
    waiting = asyncio.create_task(collect(log, 1, 99))
    await asyncio.sleep(0)
    log.close()
    assert await asyncio.wait_for(waiting, 5) == []
    assert [sequence async for sequence, _ in log.follow(0, idle=5)] == [1]


async def test_an_event_comes_as_the_response_that_carries_it(new_log):
    log = new_log()
    log.append(event(7))
    _, body = await anext(log.follow(0, idle=5))
    response = WatchEventsResponse.FromString(body)
    assert (response.sequence, response.bookmark) == (1, f"{log.epoch}:1")
    assert response.event.media_changed.device_id == "7"
    assert response.event.HasField("time")


async def test_a_new_log_goes_on_where_the_journal_ends_and_has_the_old_events_still(new_log):
    log = new_log()
    for number in range(1200):
        log.append(event(number))
    await log.until(1200)
    epoch = log.epoch
    log = new_log()
    log.append(event(1200))
    assert (log.epoch, log.oldest, log.sequence) == (epoch, 1, 1201)
    assert await collect(log, 0, 1201) == list(range(1, 1202))


async def test_the_ring_keeps_its_length_over_restarts(new_log):
    log = new_log(capacity=10)
    for number in range(25):
        log.append(event(number))
    await log.until(25)
    log = new_log(capacity=10)
    assert log.oldest == 16
    log.append(event(25))
    assert log.oldest == 17
    assert await collect(log, 16, 10) == list(range(17, 27))
    with pytest.raises(FellBehind):
        log.after(15)


async def test_no_event_is_shown_before_the_journal_has_it(new_log, monkeypatch):
    log = new_log()
    monkeypatch.setattr(log._journal, "put_event", lambda sequence, body, hurry: None)
    log.append(event(0))
    assert log.after(0) == []
    log._written(1)
    assert [sequence for sequence, _ in log.after(0)] == [1]


async def test_an_event_that_nobody_watches_is_written_soon_and_one_that_is_waited_for_at_once(new_log):
    log = new_log()
    log.append(event(0))
    async with asyncio.timeout(5):
        while log.published < 1:
            await log._arrival(None)
    watch = asyncio.create_task(collect(log, 1, 3))
    for number in range(3):
        log.append(event(number))
    assert await asyncio.wait_for(watch, 5) == [2, 3, 4]
