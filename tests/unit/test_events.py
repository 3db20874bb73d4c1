"""The ring of events."""

from __future__ import annotations

import asyncio

import pytest

from countertop.server.events import EventLog, FellBehind
from countertop.v1.device_pb2 import Event, MediaChanged


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


async def test_events_are_numbered_without_holes_and_reach_every_watcher():
    log = EventLog()
    watchers = [asyncio.create_task(collect(log, 0, 100)) for _ in range(3)]
    for number in range(100):
        log.append(event(number))
        if number % 7 == 0:
            await asyncio.sleep(0)
    assert await asyncio.gather(*watchers) == [list(range(1, 101))] * 3


def test_the_ring_keeps_its_length_and_tells_what_is_gone():
    log = EventLog(capacity=10)
    for number in range(25):
        log.append(event(number))
    assert (log.sequence, log.oldest) == (25, 16)
    assert [sequence for sequence, _ in log.after(20)] == [21, 22, 23, 24, 25]
    assert len(log.after(15)) == 10
    with pytest.raises(FellBehind) as caught:
        log.after(14)
    assert caught.value.oldest == 16


async def test_a_watcher_slower_than_the_ring_is_told_instead_of_skipping():
    log = EventLog(capacity=4)
    log.append(event(0))
    watch = log.follow(0, idle=5)
    assert (await anext(watch))[0] == 1
    for number in range(10):
        log.append(event(number))
    with pytest.raises(FellBehind):
        await anext(watch)


async def test_a_quiet_log_yields_heartbeats_with_the_last_sequence():
    log = EventLog()
    log.append(event(0))
    watch = log.follow(1, idle=0.01)
    assert await anext(watch) == (1, None)
    await watch.aclose()


async def test_closing_ends_watchers_after_what_there_is():
    log = EventLog()
    log.append(event(0))
    waiting = asyncio.create_task(collect(log, 1, 99))
    await asyncio.sleep(0)
    log.close()
    assert await asyncio.wait_for(waiting, 5) == []
    assert [sequence async for sequence, _ in log.follow(0, idle=5)] == [1]
