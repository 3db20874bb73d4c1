"""What drivers of cameras must do when something goes wrong: the second half of the suite."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from countertop.sdk.cameras import is_whole
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.testing.conformance._device import LINK_REASONS, DeviceConformance
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import REPLY_SECONDS, Rig
from countertop.testing.conformance._seeing import faults_of, frames, gone_by, waiting
from countertop.v1 import camera_pb2, device_pb2, error_pb2

__all__ = ["CameraTroubles"]

DAMAGED, STALLED = error_pb2.REASON_CAMERA_PICTURE_DAMAGED, error_pb2.REASON_CAMERA_STALLED
STALL_SECONDS = 10.0
"""From the last frame of a camera that stalls until it is told."""
GONE_SECONDS = 3.0
"""From the plug's being pulled until those who look are told."""
LET_GO_SECONDS = 1.0
EXTERNAL = device_pb2.CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_EXTERNAL)


class CameraTroubles(DeviceConformance):
    """Requirements M-13 to M-19."""

    @requirement("M-13", "Who waits for a frame is told when the driver lets the camera go.")
    async def test_m13_let_go(self, rig: Rig) -> None:
        """`disconnect` while somebody waits, of a camera that gives no frame: they get a typed error within a second,
        else their call would hang for ever.
        """
        driver = rig.fresh()
        try:
            await rig.within(15, "connect", driver.connect())
            wait = await waiting(rig, driver)
        finally:
            await rig.within(REPLY_SECONDS, "disconnect", driver.disconnect())
        done, _ = await asyncio.wait({wait}, timeout=LET_GO_SECONDS)
        wait.cancel()
        expect(done, f"Who waits for a frame must be told within {LET_GO_SECONDS:g} s of `disconnect`.")
        error = wait.exception()
        expect(error is None or isinstance(error, CountertopError), f"A typed error must come; got {error!r}.")

    @requirement("M-14", "A pulled plug is told to all who look, at once.")
    async def test_m14_unplugged(self, rig: Rig) -> None:
        """Each of three who look for frame after frame gets a DeviceFault within 3 s, with a reason that lets the
        daemon connect anew; a fresh driver gives frames when the plug is back.
        """
        async with rig.connected() as driver:
            await frames(rig, driver, 2)
            looking = [asyncio.ensure_future(_for_ever(driver)) for _ in range(3)]
            await rig.hands.do("unplug")
            done, late = await asyncio.wait(looking, timeout=GONE_SECONDS)
            for task in late:
                task.cancel()
            expect(not late, f"All who look must be told within {GONE_SECONDS:g} s of the plug's being pulled.")
            for task in done:
                error = task.exception()
                expect(isinstance(error, DeviceFault), f"A pulled plug is a DeviceFault; got {type(error).__name__}.")
                known = isinstance(error, DeviceFault) and error.reason in (*LINK_REASONS, STALLED)
                expect(known, f"A pulled plug must be told as one; got {error}.")
        await rig.hands.do("replug")
        async with rig.connected() as driver:
            await frames(rig, driver, 1)

    @requirement("M-15", "A camera that stalls is told, and gives frames again when it does.")
    async def test_m15_stalled(self, rig: Rig) -> None:
        """The link stands, and no frame comes: within 10 s who looks gets CAMERA_STALLED, and not the last frame again.
        When the camera works again a fresh driver, which the daemon makes, gives frames.
        """
        (fault, *_) = await _needed(rig, "stall")
        async with rig.connected() as driver:
            await frames(rig, driver, 2)
            await rig.hands.do("inject_fault", fault=fault)
            with rig.refuses("looking through a camera that stalls", STALLED):
                await rig.within(STALL_SECONDS, "looking through a camera that stalls", _for_ever(driver))
            await rig.hands.do("clear_fault", fault=fault)
        async with rig.connected() as driver:
            await frames(rig, driver, 2)

    @requirement("M-16", "Half a picture among whole ones is left out.")
    async def test_m16_half_among_whole(self, rig: Rig) -> None:
        """A loose cable cuts a picture off now and then. No frame without its end is given, and a still is whole."""
        for fault in await _needed(rig, "truncated"):
            async with rig.connected() as driver:
                await rig.hands.do("inject_fault", fault=fault, times=2)
                for shot in await frames(rig, driver, 6):
                    expect(is_whole(shot.jpeg()), f"With {fault} no frame may be given that lacks its end.")
                await rig.hands.do("inject_fault", fault=fault, times=2)
                request = camera_pb2.CaptureRequest()
                result = await rig.perform("the capture", driver.capture(request, rig.run()))
                await rig.hands.do("clear_fault")
            expect(_decodes(result.still.data), f"With {fault} the still must be a whole one.")

    @requirement("M-17", "When all pictures are cut off there is no still, and it is told why.")
    async def test_m17_half_only(self, rig: Rig) -> None:
        """Many decoders fill what is missing with grey and say nothing. `capture` fails with CAMERA_PICTURE_DAMAGED,
        also where an end is glued on; a fresh driver takes stills when the cable is sound.
        """
        for fault in await _needed(rig, "truncated"):
            async with rig.connected() as driver:
                await rig.hands.do("inject_fault", fault=fault)
                await gone_by(rig)  # whole ones that were under way
                with rig.refuses(f"a capture with {fault}", DAMAGED):
                    await rig.perform("the capture", driver.capture(camera_pb2.CaptureRequest(), rig.run()))
                await rig.hands.do("clear_fault")
            async with rig.connected() as driver:
                await rig.perform("the next capture", driver.capture(camera_pb2.CaptureRequest(), rig.run()))

    @requirement("M-18", "The health check looks at a picture.")
    async def test_m18_health(self, rig: Rig) -> None:
        """EXTERNAL takes a still: a camera that answers and gives none is not healthy."""
        async with rig.connected() as driver:
            result = await rig.perform("check_health", driver.check_health(EXTERNAL, rig.run()))
            expect(result.healthy and result.findings, "A sound camera must be healthy, with findings.")
            for fault in await _needed(rig, "truncated"):
                await rig.hands.do("inject_fault", fault=fault)
                await gone_by(rig)
                with suppress(DeviceFault):  # says it as well
                    result = await rig.perform("check_health", driver.check_health(EXTERNAL, rig.run()))
                    expect(not result.healthy, f"With {fault} a camera is not healthy.")
                    expect(not all(one.passed for one in result.findings), "A finding must say what is wrong.")
                await rig.hands.do("clear_fault")

    @requirement("M-19", "Frames come out of a process of its own.")
    async def test_m19_isolated(self, rig: Rig) -> None:
        """With `isolation = "process"` a camera that hangs takes nothing with it. `next_frame` gives whole frames, each
        newer than the one before, and a typed error when the plug is pulled.
        """
        from countertop.server.isolation.remote import IsolatedDriver

        cls, last = rig.driver_class, 0
        isolated = IsolatedDriver(cls.name, f"{cls.__module__}:{cls.__name__}", rig.link, rig.options)

        async def look() -> None:
            nonlocal last
            asked = camera_pb2.GetFrameRequest(newer_than=last)
            frame = await rig.within(REPLY_SECONDS, "a frame", isolated.next_frame(asked))
            expect(frame.sequence > last, "Each frame must be newer than the one before.")
            expect(_decodes(frame.data), "A frame must be a whole JPEG file.")
            last = frame.sequence

        try:
            await rig.within(60, "connect in a process", isolated.connect())
            for _ in range(4):
                await look()
            if rig.hands.can("unplug"):
                await rig.hands.do("unplug")
                with rig.refuses("a frame of a camera without a plug", *LINK_REASONS, STALLED):
                    while True:  # what was under way may yet come
                        await look()
        finally:
            await isolated.disconnect()


async def _for_ever(driver: Any) -> None:
    """Look at frame after frame, until there are none."""
    sequence = 0
    while True:
        shot = await driver.shot(sequence)
        expect(shot.sequence > sequence, "Each frame must be newer than the one before.")
        sequence = shot.sequence


async def _needed(rig: Rig, word: str) -> list[str]:
    """The emulator's faults of that name; skips the requirement where it has none."""
    found = await faults_of(rig, word)
    if not found:
        pytest.skip(f"the emulator has no fault named {word}")
    return found


def _decodes(data: bytes) -> bool:
    """It is a whole JPEG file, to its last line."""
    from countertop.sdk.cameras.stills import check_still

    try:
        check_still(data)
    except CountertopError:
        return False
    return True
