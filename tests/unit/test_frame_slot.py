"""The slot between a camera's reader and those who look."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from countertop.sdk.cameras import FrameSlot, Shot, shot_of
from countertop.sdk.errors import DeviceFault, LinkFault
from countertop.v1 import error_pb2


def put(slot: FrameSlot, text: str) -> None:
    slot.put(lambda: text.encode(), 4, 3)


async def test_a_frame_that_nobody_took_is_forgotten() -> None:
    slot = FrameSlot()
    for text in ("one", "two", "three"):
        put(slot, text)
    shot = await slot.newer_than(0)
    assert shot.jpeg() == b"three"
    again = await slot.newer_than(shot.sequence - 1)
    assert again is shot, "it is the newest still"


async def test_a_waiter_gets_the_next_one_from_another_thread() -> None:
    slot = FrameSlot()
    put(slot, "old")
    old = await slot.newer_than(0)
    waiting = [asyncio.create_task(slot.newer_than(old.sequence)) for _ in range(3)]
    await asyncio.sleep(0)
    thread = threading.Thread(target=put, args=(slot, "new"))
    thread.start()
    shots = await asyncio.wait_for(asyncio.gather(*waiting), 5)
    thread.join()
    assert {shot.jpeg() for shot in shots} == {b"new"}
    assert shots[0].sequence == old.sequence + 1
    assert shots[0].monotonic_ns >= old.monotonic_ns


async def test_every_frame_is_heard_of_by_one_who_is_fast_enough() -> None:
    slot = FrameSlot()
    stop = threading.Event()
    taken = threading.Semaphore(1)

    def write() -> None:
        for number in range(500):
            taken.acquire()
            put(slot, str(number))
        stop.set()

    thread = threading.Thread(target=write)
    thread.start()
    sequence, seen = 0, []
    async with asyncio.timeout(20):
        while len(seen) < 500:
            shot = await slot.newer_than(sequence)
            sequence = shot.sequence
            seen.append(int(shot.jpeg()))
            taken.release()
    thread.join()
    assert seen == list(range(500))


async def test_the_fault_that_ends_the_frames_is_told_to_all_until_there_are_frames_again() -> None:
    slot = FrameSlot()
    put(slot, "last")
    waiting = asyncio.create_task(slot.newer_than((await slot.newer_than(0)).sequence))
    await asyncio.sleep(0)
    slot.fail(LinkFault(error_pb2.REASON_LINK_LOST, "gone", step="read"))
    with pytest.raises(DeviceFault) as caught:
        await waiting
    assert caught.value.reason == error_pb2.REASON_LINK_LOST
    with pytest.raises(DeviceFault):
        await slot.newer_than(0)
    put(slot, "back")
    assert (await slot.newer_than(0)).jpeg() == b"back"


async def test_a_cancelled_waiter_leaves_nothing_behind() -> None:
    slot = FrameSlot()
    waiting = asyncio.create_task(slot.newer_than(0))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    put(slot, "one")
    assert (await slot.newer_than(0)).jpeg() == b"one"
    assert not slot._waiting


async def test_a_later_slot_numbers_its_frames_higher() -> None:
    first = FrameSlot()
    put(first, "one")
    sequence = (await first.newer_than(0)).sequence
    while time.monotonic_ns() // 1_000_000 <= sequence:
        pass  # numbers begin with the clock's milliseconds
    second = FrameSlot()
    put(second, "two")
    assert (await second.newer_than(sequence)).jpeg() == b"two"


async def test_wiped_there_is_nothing_to_see() -> None:
    slot = FrameSlot()
    put(slot, "face")
    slot.wipe()
    assert slot.newest is None


def test_a_shot_needs_a_jpeg_file() -> None:
    with pytest.raises(DeviceFault) as caught:
        shot_of(1, b"<html>")
    assert caught.value.reason == error_pb2.REASON_CAMERA_PICTURE_DAMAGED
    assert Shot.__slots__
