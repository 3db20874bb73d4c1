"""What every driver of a camera must do."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.sdk.cameras import Camera
from countertop.sdk.errors import CountertopError
from countertop.testing.conformance._camera_troubles import CameraTroubles
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import REPLY_SECONDS, Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.testing.conformance._seeing import BARE, LAID, apart, frames, gone_by, show, whole
from countertop.testing.conformance._watching import logged
from countertop.v1 import camera_pb2, device_pb2, error_pb2

__all__ = ["CameraConformance"]

AGE_SECONDS = 1.0
"""How old a frame may be that somebody gets who has looked for none before."""
AT_ONCE = 6
"""How many look at once."""
CODE = "KANARIENVOGEL-4711-QR"


class CameraConformance(CameraTroubles):
    """The suite for cameras."""

    kind = device_pb2.DEVICE_KIND_CAMERA
    base = Camera
    capabilities = "camera"

    async def use(self, rig: Rig, driver: Any, run: RecordingRun) -> camera_pb2.CaptureResult:
        """Take a still."""
        result: camera_pb2.CaptureResult = await driver.capture(camera_pb2.CaptureRequest(), run)
        return result

    @requirement("M-01", "Every frame is a whole JPEG file of the size that it states.")
    async def test_m01_whole(self, rig: Rig) -> None:
        """Clients show and keep `jpeg()` as it is. Frames are decoded to their last line; what a driver says to be a
        JPEG file already is given without being encoded.
        """
        async with rig.connected() as driver:
            for shot in await frames(rig, driver, 4):
                data = whole(shot)
                expect(not shot.is_jpeg or shot.jpeg() == data, "A frame is one JPEG file, however often it is asked.")

    @requirement("M-02", "Each frame is newer than the one before.")
    async def test_m02_order(self, rig: Rig) -> None:
        """`shot(newer_than)` gives a higher sequence than it was given, and with it a later time on both clocks, which
        are those of the terminal: clients tell by them what they missed, and how old a picture is.
        """
        async with rig.connected() as driver:
            began = time.monotonic_ns()
            found = await frames(rig, driver, 10)
        for before, after in itertools.pairwise(found):
            expect(after.sequence > before.sequence, "shot(newer_than) must give a higher sequence; it did not rise.")
            expect(after.monotonic_ns > before.monotonic_ns, "A later frame must have a later monotonic_ns.")
        last = found[-1]
        expect(began < last.monotonic_ns <= time.monotonic_ns(), "monotonic_ns must be of the terminal's own clock.")
        expect(abs(last.time_ns - time.time_ns()) < 60e9, "time_ns must be the time since the epoch.")

    @requirement("M-03", "Frames and stills have the sizes that the capabilities tell.")
    async def test_m03_sizes(self, rig: Rig) -> None:
        """Apps lay out their pages by them. Stills are as large as the camera takes them."""
        async with rig.connected() as driver:
            said = rig.info.camera
            expect(said.width and said.height, "The capabilities must tell the frames' size.")
            expect(said.still_width and said.still_height, "The capabilities must tell the stills' size.")
            expect(said.format, "The capabilities must tell the pixel format.")
            for what, shot, size in (
                ("A frame", await rig.within(REPLY_SECONDS, "a frame", driver.shot()), (said.width, said.height)),
                ("A still", await rig.perform("a still", driver.still()), (said.still_width, said.still_height)),
            ):
                expect((shot.width, shot.height) == size, f"{what} must be as large as the capabilities tell, {size}.")

    @requirement("M-04", "After a pause the first frame is of now.")
    async def test_m04_after_a_pause(self, rig: Rig) -> None:
        """Cameras and their libraries queue frames: whoever looks again after a while gets one of then. Nobody looks
        while another thing is laid before the camera and its frames go by; the next frame is younger than a second, and
        shows the new thing.
        """
        await show(rig, LAID)
        async with rig.connected() as driver:
            before = (await frames(rig, driver, 3))[-1]
            await show(rig, BARE)
            await gone_by(rig)
            asked = time.monotonic_ns()
            after = await rig.within(REPLY_SECONDS, "a frame", driver.shot())
            expect(asked - after.monotonic_ns < AGE_SECONDS * 1e9, "The first frame after a pause must be a new one.")
            changed = apart(before.jpeg(), after.jpeg())
        expect(changed, "The first frame after a pause must show what is before the camera now.")

    @requirement("M-05", "A still is whole, and taken after the call.")
    async def test_m05_still(self, rig: Rig) -> None:
        """A still is evidence. It counts among the frames: its sequence is higher than theirs before it, and lower than
        theirs after it. The result of `capture` has its digest and size.
        """
        async with rig.connected() as driver:
            before = await rig.within(REPLY_SECONDS, "a frame", driver.shot())
            asked = time.monotonic_ns()
            still = await rig.perform("a still", driver.still())
            whole(still)
            expect(still.monotonic_ns >= asked, "A still must be taken after the call.")
            expect(still.sequence > before.sequence, "A still's sequence must be higher than of the frames before it.")
            after = await rig.within(REPLY_SECONDS, "a frame", driver.shot(still.sequence))
            expect(after.sequence > still.sequence, "Frames after a still must have a higher sequence.")
            result = await rig.perform("the capture", self.use(rig, driver, rig.run()))
        data = result.still.data
        expect(result.still.sha256 == hashlib.sha256(data).digest(), "The still's digest must be that of its data.")
        expect(result.size == len(data), "The size must be that of the still's data.")
        expect(result.still.media_type == "image/jpeg", "A still must be an image/jpeg.")

    @requirement("M-06", "A still shows what is before the camera when it is taken.")
    async def test_m06_shows(self, rig: Rig) -> None:
        """Two stills of two things, by one driver: the second is not one that was kept of the first."""
        await show(rig, LAID)
        async with rig.connected() as driver:
            first = await rig.perform("the first still", driver.still())
            await show(rig, BARE)
            await gone_by(rig)
            second = await rig.perform("the second still", driver.still())
            expect(apart(first.jpeg(), second.jpeg()), "The second still must show what was before the camera then.")

    @requirement("M-07", "Several look at once, and each gets its frames.")
    async def test_m07_several(self, rig: Rig) -> None:
        """A page shows the picture while a verb looks for codes on it: nobody takes a frame away from another."""
        async with rig.connected() as driver:
            looking = (frames(rig, driver, 5) for _ in range(AT_ONCE))
            for found in await asyncio.gather(*looking):
                sequences = [shot.sequence for shot in found]
                expect(sequences == sorted(set(sequences)), "Each of those who look must get frames that rise.")

    @requirement("M-08", "Who gives up waiting leaves the others their frames.")
    async def test_m08_given_up(self, rig: Rig) -> None:
        """Clients go at any moment. Of those who wait for the same frame some are cancelled; the others get it."""
        async with rig.connected() as driver:
            for goes in range(AT_ONCE):
                newest = await rig.within(REPLY_SECONDS, "a frame", driver.shot())
                wait = [asyncio.ensure_future(driver.shot(newest.sequence)) for _ in range(AT_ONCE)]
                await asyncio.sleep(0)
                wait[goes].cancel()
                done, late = await asyncio.wait(wait, timeout=REPLY_SECONDS)
                for task in late:
                    task.cancel()
                expect(not late, "Those who go on waiting must get their frame.")
                for task in done - {wait[goes]}:
                    expect(not task.cancelled(), "Who gives up must not take the frame away from the others.")
                    expect(task.result().sequence > newest.sequence, "The frame must be newer than the one before.")

    @requirement("M-09", "Frames go on while and after a still is taken.")
    async def test_m09_beside_stills(self, rig: Rig) -> None:
        """Many cameras stop their stream for a larger still. Who looks sees a pause, not an error."""
        async with rig.connected() as driver:
            looking = asyncio.ensure_future(frames(rig, driver, 20))
            await rig.perform("a still", driver.still())
            still = await rig.perform("another still", driver.still())
            found = await rig.perform("the frames beside the stills", looking)
            (after,) = await frames(rig, driver, 1, max(still.sequence, found[-1].sequence))
            whole(after)
            size = (after.width, after.height)
            expect(size == (found[0].width, found[0].height), "After a still, frames must have their own size again.")

    @requirement("M-10", "When a claim has ended, nothing is left of what its holder showed.")
    async def test_m10_rested(self, rig: Rig) -> None:
        """After `rest` the first frame is one that was taken later: never the last customer."""
        await show(rig, LAID)
        async with rig.connected() as driver:
            before = (await frames(rig, driver, 2))[-1]
            await rig.within(REPLY_SECONDS, "rest", driver.rest())
            await show(rig, BARE)
            rested = time.monotonic_ns()
            after = await rig.within(REPLY_SECONDS, "a frame", driver.shot())
            expect(after.monotonic_ns >= rested, "The first frame after `rest` must be taken after it.")
            expect(after.sequence > before.sequence, "Sequences must go on rising after `rest`.")
            expect(apart(before.jpeg(), after.jpeg()), "The first frame after `rest` must not show what was before.")

    @requirement("M-11", "Sequences go on rising when the camera is connected anew.")
    async def test_m11_connected_anew(self, rig: Rig) -> None:
        """A client asks for what is newer than its last frame, whatever happened to the camera meanwhile."""
        async with rig.connected() as driver:
            last = (await frames(rig, driver, 3))[-1]
        async with rig.connected() as driver:
            first = await rig.within(REPLY_SECONDS, "a frame", driver.shot())
        expect(first.sequence > last.sequence, "A fresh driver's sequences must be higher than those before.")
        expect(first.monotonic_ns > last.monotonic_ns, "A fresh driver's first frame must be a new one.")

    @requirement("M-12", "It reads the code that it is shown, and tells nobody else.")
    async def test_m12_code(self, rig: Rig) -> None:
        """What a customer's code says is in the result; it is in no log record and in nothing that is kept of the
        operation.
        """
        rig.needs_emulator()
        await show(rig, bench_pb2.SCENE_CODE, text=CODE)
        async with rig.connected() as driver:
            run = rig.run(20.0)
            with logged() as records:
                try:
                    result = await rig.perform("the scan", driver.scan_codes(camera_pb2.ScanCodesRequest(), run))
                except CountertopError as error:
                    if error.reason != error_pb2.REASON_NOT_CONFIGURED:
                        raise
                    pytest.skip(f"cannot read codes here: {error.message}")
        expect([code.text for code in result.codes] == [CODE], "The code must be read as it is shown.")
        told = [run.said(), *(record.getMessage() + str(record.exc_info or "") for record in records)]
        expect(not any(CODE in text for text in told), "What a code says was found in a log or in the progress.")
