"""The thread that reads a camera: it also releases it, and one that hangs is left behind."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from countertop.drivers.opencv import grabber as module
from countertop.drivers.opencv.grabber import FAILURES, Grabber
from countertop.sdk import DeviceFault, LinkFault
from countertop.v1 import error_pb2


class Capture:
    """What is used of `cv2.VideoCapture`."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.reading = threading.Event()
        self.released_by: list[str] = []

    def release(self) -> None:
        self.released_by.append(threading.current_thread().name)


class Reader(Grabber):
    """Reads what it is told to: True, False, an exception, or "hang"."""

    def __init__(self, *script: Any) -> None:
        super().__init__("trial")
        self.capture = Capture()
        self.script = list(script)
        self.faults: list[DeviceFault] = []
        self.over, self.hundred = threading.Event(), threading.Event()
        self.reads = 0

    def open(self) -> Any:
        return self.capture

    def read(self, capture: Any) -> bool:
        self.reads += 1
        if self.reads == 100:
            self.hundred.set()
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if step == "hang":
            capture.reading.set()
            capture.go_on.wait(30)
            return False
        if isinstance(step, Exception):
            raise step
        return bool(step)

    def failed(self, fault: DeviceFault) -> None:
        self.faults.append(fault)
        self.over.set()


async def over(reader: Reader) -> DeviceFault:
    assert await asyncio.to_thread(reader.over.wait, 10)
    await reader.end()
    (fault,) = reader.faults
    return fault


async def test_it_reads_until_it_is_ended_and_releases_in_its_own_thread() -> None:
    reader = Reader(True)
    reader.start()
    assert await asyncio.to_thread(reader.hundred.wait, 10)
    await reader.end()
    assert reader.capture.released_by == ["camera trial"]
    assert not reader.faults


async def test_some_failures_in_a_row_are_a_lost_camera() -> None:
    reader = Reader(True, *[False] * (FAILURES - 1), True, False)
    reader.start()
    fault = await over(reader)
    assert isinstance(fault, LinkFault)
    assert fault.reason == error_pb2.REASON_LINK_LOST
    assert reader.reads == 1 + (FAILURES - 1) + 1 + FAILURES
    assert reader.capture.released_by == ["camera trial"]


async def test_whatever_the_library_raises_reaches_those_who_wait(caplog: pytest.LogCaptureFixture) -> None:
    reader = Reader(True, RuntimeError("a picture of somebody"))
    reader.start()
    fault = await over(reader)
    assert fault.reason == error_pb2.REASON_DRIVER_FAILED
    assert "RuntimeError" in caplog.text
    assert "somebody" not in caplog.text + str(fault)


async def test_a_fault_of_ours_is_told_as_it_is() -> None:
    reader = Reader(LinkFault(error_pb2.REASON_DEVICE_OFFLINE, "busy", step="switch on"))
    reader.start()
    assert (await over(reader)).message == "busy"


async def test_one_that_hangs_is_left_behind_and_releases_when_it_wakes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "END_SECONDS", 0.05)
    reader = Reader(True, "hang")
    reader.start()
    thread = reader._thread
    assert thread is not None
    await asyncio.to_thread(reader.capture.reading.wait, 10)
    with caplog.at_level(logging.WARNING):
        await reader.end()
    assert 'isolation = "process"' in caplog.text
    assert not reader.capture.released_by, "release would hang too"
    reader.capture.go_on.set()
    await asyncio.to_thread(thread.join, 10)
    assert reader.capture.released_by == ["camera trial"]
    assert not reader.faults, "nobody is told what was given up"
