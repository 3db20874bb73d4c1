"""What is before a camera and what its pictures show, for the suite for cameras."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.bench.v1.bench_pb2 import Scene
from countertop.sdk.cameras import Shot
from countertop.testing.conformance._requirement import RequirementBroken, expect
from countertop.testing.conformance._rig import REPLY_SECONDS, Rig

__all__ = ["BARE", "LAID", "apart", "faults_of", "frames", "gone_by", "show", "waiting", "whole"]

LAID, BARE = bench_pb2.SCENE_DOCUMENT, bench_pb2.SCENE_EMPTY
"""Two scenes that nobody takes for one another."""
CHANGED = 5.0
"""Mean difference, in levels of 255, from which two pictures show two things. What moves in one scene makes less."""
FRAMES_GONE_BY = 12
GONE_BY_SECONDS = 2.0
QUIET_SECONDS = 0.25


async def show(rig: Rig, scene: Scene, **fields: Any) -> None:
    """Put something before the camera; skips the requirement where it cannot be done."""
    try:
        await rig.hands.do("set_scene", scene=scene, **fields)
    except ValueError as error:
        pytest.skip(f"the emulator has no such scene: {error}")


async def gone_by(rig: Rig) -> None:
    """Let some frames go by, of whatever is before the camera now; 2 s of a camera that does not count them."""
    loop = asyncio.get_running_loop()
    until = loop.time() + GONE_BY_SECONDS
    first = await _sent(rig)
    while loop.time() < until:
        await asyncio.sleep(0.02)
        if first is not None and (await _sent(rig) or 0) >= first + FRAMES_GONE_BY:
            return


async def _sent(rig: Rig) -> int | None:
    """How many frames the camera has sent, where it can tell."""
    if not rig.hands.can("get_output"):
        return None
    total: int = (await rig.hands.do("get_output", text_only=True, skip=2**31)).total
    return total


def whole(shot: Shot) -> bytes:
    """The frame's file, decoded to its last line. Breaks the requirement when it is not whole, or of another size."""
    from countertop.sdk.cameras.stills import check_still
    from countertop.sdk.errors import CountertopError

    data = shot.jpeg()
    try:
        size = check_still(data)
    except CountertopError as error:
        raise RequirementBroken(f"A frame must be a whole JPEG file; got {len(data)} bytes: {error.message}") from None
    stated = (shot.width, shot.height)
    expect(size == stated, f"A frame must have the size that it states, {_by(stated)}; it has {_by(size)}.")
    return data


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def apart(one: bytes, other: bytes) -> bool:
    """Two JPEG files show two things."""
    import cv2

    from countertop.sdk.cameras.stills import decode

    small = [cv2.resize(decode(data, gray=True), (64, 48), interpolation=cv2.INTER_AREA) for data in (one, other)]
    return float(cv2.absdiff(*small).mean()) >= CHANGED


async def frames(rig: Rig, driver: Any, count: int, newer_than: int = 0) -> list[Shot]:
    """So many frames, one after another, each newer than the one before."""
    found: list[Shot] = []
    for _ in range(count):
        shot = await rig.within(REPLY_SECONDS, "a frame", driver.shot(newer_than))
        newer_than = shot.sequence
        found.append(shot)
    return found


async def waiting(rig: Rig, driver: Any) -> asyncio.Future[Shot]:
    """Somebody who waits for a frame: of a camera that gives none, where the emulator can do that."""
    stalls = await faults_of(rig, "stall") if rig.hands.can("list_faults") else []
    for fault in stalls[:1]:
        await rig.hands.do("inject_fault", fault=fault)
    sequence = (await rig.within(REPLY_SECONDS, "a frame", driver.shot())).sequence
    while True:
        task: asyncio.Future[Shot] = asyncio.ensure_future(driver.shot(sequence))
        done, _ = await asyncio.wait({task}, timeout=QUIET_SECONDS if stalls else 0)
        if not done:
            return task
        sequence = task.result().sequence


async def faults_of(rig: Rig, word: str) -> list[str]:
    """Names of the emulator's faults that have a word in them; skips the requirement where it lists none at all."""
    listed = await rig.hands.do("list_faults")
    return [fault.name for fault in listed.faults if word in fault.name]
