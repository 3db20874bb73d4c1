"""What drivers of cameras can do wrong (M-01 to M-19)."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

from countertop.drivers.opencv.driver import OpenCvCamera
from countertop.sdk.cameras import Shot, frame_of, frame_size
from countertop.sdk.errors import DeviceFault, LinkFault
from countertop.testing.conformance import CameraConformance
from countertop.v1 import camera_pb2, device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceInfo
from tests.conformance.planted import Planted

__all__ = ["PLANTED"]

EMULATOR = {"width": 320, "height": 240, "still_width": 320, "still_height": 240}
log = logging.getLogger("planted")


class GivesHalfFiles(OpenCvCamera):
    async def shot(self, newer_than: int = 0) -> Shot:
        shot = await super().shot(newer_than)
        data = shot.jpeg()
        return replace(shot, jpeg=lambda: data[: len(data) // 2] + b"\xff\xd9")


class StatesAnotherSize(OpenCvCamera):
    async def shot(self, newer_than: int = 0) -> Shot:
        shot = await super().shot(newer_than)
        return replace(shot, width=shot.height, height=shot.width)


class GivesOneTwice(OpenCvCamera):
    async def shot(self, newer_than: int = 0) -> Shot:
        return await super().shot()


class CountsTimeFromItsStart(OpenCvCamera):
    began = 0

    async def shot(self, newer_than: int = 0) -> Shot:
        shot = await super().shot(newer_than)
        self.began = self.began or shot.monotonic_ns
        return replace(shot, monotonic_ns=shot.monotonic_ns - self.began)


class PromisesMore(OpenCvCamera):
    async def connect(self) -> DeviceInfo:
        info = await super().connect()
        info.camera.still_width, info.camera.still_height = 1920, 1080
        return info


class GivesTheLastFrameFirst(OpenCvCamera):
    """As a queue of one frame does, which nobody empties; with the time at which it was taken out."""

    last: Shot | None = None

    async def shot(self, newer_than: int = 0) -> Shot:
        shot = self.last
        if shot is None or shot.sequence <= newer_than:
            shot = self.last = await super().shot(newer_than)
        return replace(shot, monotonic_ns=time.monotonic_ns())


class TakesTheNewestFrameForAStill(OpenCvCamera):
    async def still(self) -> Shot:
        return await self.shot()


class KeepsItsFirstStill(OpenCvCamera):
    kept: Shot | None = None

    async def still(self) -> Shot:
        self.kept = self.kept or await super().still()
        return self.kept


class LetsOneLookAtATime(OpenCvCamera):
    looking = False

    async def shot(self, newer_than: int = 0) -> Shot:
        if self.looking:
            raise RuntimeError("somebody looks already")
        self.looking = True
        try:
            return await super().shot(newer_than)
        finally:
            self.looking = False


class LetsAllWaitForOneTask(OpenCvCamera):
    pending: asyncio.Future[Shot] | None = None

    async def shot(self, newer_than: int = 0) -> Shot:
        if self.pending is None or self.pending.done():
            self.pending = asyncio.ensure_future(super().shot(newer_than))
        return await self.pending


class StopsTheStreamForAStill(OpenCvCamera):
    async def still(self) -> Shot:
        assert self._slot is not None
        self._slot.fail(LinkFault(error_pb2.REASON_LINK_LOST, "A still is taken.", step="read"))
        await asyncio.sleep(0.1)
        return await super().still()


class DoesNotRest(OpenCvCamera):
    async def rest(self) -> None:
        """Nothing."""


class CountsFromOne(OpenCvCamera):
    before = 0

    async def shot(self, newer_than: int = 0) -> Shot:
        shot = await super().shot(newer_than + self.before)
        self.before = self.before or shot.sequence - 1
        return replace(shot, sequence=shot.sequence - self.before)


class LogsWhatCodesSay(OpenCvCamera):
    async def scan_codes(self, request: Any, run: Any) -> camera_pb2.ScanCodesResult:
        result = await super().scan_codes(request, run)
        log.debug("read %s", [code.text for code in result.codes])
        return result


class ForgetsWhoWaits(OpenCvCamera):
    async def disconnect(self) -> None:
        if self._slot is not None:
            self._slot.fail = lambda fault: None  # type: ignore[method-assign]
        await super().disconnect()


class WaitsForTheCableToComeBack(OpenCvCamera):
    async def shot(self, newer_than: int = 0) -> Shot:
        try:
            return await super().shot(newer_than)
        except DeviceFault:
            return await asyncio.Future()


class RaisesKeyErrorWithoutACable(OpenCvCamera):
    async def shot(self, newer_than: int = 0) -> Shot:
        try:
            return await super().shot(newer_than)
        except DeviceFault as fault:
            raise KeyError(fault.step) from None


class ShowsTheLastFrameOfAStall(OpenCvCamera):
    last: Shot | None = None

    async def shot(self, newer_than: int = 0) -> Shot:
        try:
            self.last = await super().shot(newer_than)
        except DeviceFault:
            if self.last is None:
                raise
        return self.last


class PassesOnWhatComes(OpenCvCamera):
    async def connect(self) -> DeviceInfo:
        info = await super().connect()
        link: Any = self._link
        link._put = lambda picture, slot: slot.put(lambda: picture, *(frame_size(picture) or (0, 0)))
        return info


class DoesNotLookAtItsStills(OpenCvCamera):
    async def capture(self, request: Any, run: Any) -> camera_pb2.CaptureResult:
        still = await frame_of(await self.still())
        return camera_pb2.CaptureResult(still=still, size=len(still.data))


class IsHealthyWithoutALook(OpenCvCamera):
    async def check_health(self, request: Any, run: Any) -> device_pb2.CheckHealthResult:
        internal = device_pb2.CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_INTERNAL)
        return await super().check_health(internal, run)


class CutsMessages(OpenCvCamera):
    async def next_frame(self, request: camera_pb2.GetFrameRequest) -> camera_pb2.Frame:
        frame = await super().next_frame(request)
        frame.data = frame.data[:1000]
        return frame


def _planted(name: str, broken: type[OpenCvCamera], number: str) -> Planted:
    return Planted(name, CameraConformance, broken, number, EMULATOR)


PLANTED = [
    _planted("gives half files", GivesHalfFiles, "M-01"),
    _planted("states another size", StatesAnotherSize, "M-01"),
    _planted("gives one frame twice", GivesOneTwice, "M-02"),
    _planted("counts time from its start", CountsTimeFromItsStart, "M-02"),
    _planted("promises more than it has", PromisesMore, "M-03"),
    _planted("gives the last frame first", GivesTheLastFrameFirst, "M-04"),
    _planted("takes the newest frame for a still", TakesTheNewestFrameForAStill, "M-05"),
    _planted("keeps its first still", KeepsItsFirstStill, "M-06"),
    _planted("lets one look at a time", LetsOneLookAtATime, "M-07"),
    _planted("lets all wait for one task", LetsAllWaitForOneTask, "M-08"),
    _planted("stops the stream for a still", StopsTheStreamForAStill, "M-09"),
    _planted("does not rest", DoesNotRest, "M-10"),
    _planted("counts from one", CountsFromOne, "M-11"),
    _planted("logs what codes say", LogsWhatCodesSay, "M-12"),
    _planted("forgets who waits", ForgetsWhoWaits, "M-13"),
    _planted("waits for the cable to come back", WaitsForTheCableToComeBack, "M-14"),
    _planted("raises KeyError without a cable", RaisesKeyErrorWithoutACable, "M-14"),
    _planted("shows the last frame of a stall", ShowsTheLastFrameOfAStall, "M-15"),
    _planted("passes on what comes", PassesOnWhatComes, "M-16"),
    _planted("does not look at its stills", DoesNotLookAtItsStills, "M-17"),
    _planted("is healthy without a look", IsHealthyWithoutALook, "M-18"),
    _planted("cuts messages", CutsMessages, "M-19"),
]
