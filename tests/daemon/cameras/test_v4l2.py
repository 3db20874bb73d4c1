"""The daemon, in a process of its own, on V4L2 cameras in user space: OpenCV's V4L2 back end runs unmodified."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from countertop.client import Camera, Counter, CountertopError, OperationFailed, connect
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.v4l2.camera import CameraNode
from countertop.emulators.core.v4l2.faults import IoError, OtherSize, Slow, Stall, StreamFault, Truncated
from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.emulators.core.v4l2.preload import UmockdevMissingError, find_library
from countertop.emulators.core.v4l2.root import V4l2Root
from countertop.sdk.cameras import frame_size, is_whole
from countertop.v1 import device_pb2, error_pb2

SECONDS = 20.0
CONFIG = """
[listen]
addresses = ["unix:{socket}"]
[terminal]
state_dir = "{state}"
drain_seconds = 0.0
"""
DEVICE = """
[[devices]]
id = "{id}"
driver = "opencv"
link = "v4l2://{path}"
isolation = "process"
[devices.options]
width = 640
height = 480
{options}
"""


@pytest.fixture(autouse=True)
async def in_time() -> Any:
    async with asyncio.timeout(90):
        yield


@pytest.fixture
async def root(tmp_path: Path) -> AsyncIterator[V4l2Root]:
    try:
        find_library()
    except UmockdevMissingError as error:
        if os.environ.get("COUNTERTOP_REQUIRE_SHARED"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    async with V4l2Root(Clock()) as made:
        yield made


def painted(colour: tuple[int, int, int]) -> Callable[[int, int, int], bytes]:
    """Frames of one colour."""
    kept: dict[tuple[int, int], bytes] = {}

    def frame(index: int, width: int, height: int) -> bytes:
        size = (width, height)
        if size not in kept:
            kept[size] = cv2.imencode(".jpg", np.full((height, width, 3), colour, np.uint8))[1].tobytes()
        return kept[size]

    return frame


def added(
    root: V4l2Root, serial: str = "SN1", port: str = "1", colour: tuple[int, int, int] = (0, 0, 200)
) -> CameraNode:
    return root.add(CameraIdentity("Acme", "Twin Cam", serial, port=port), painted(colour))


@asynccontextmanager
async def served(
    root: V4l2Root, tmp_path: Path, cameras: dict[str, str], *, options: str = ""
) -> AsyncIterator[Counter]:
    """A daemon that sees the root as /dev, with cameras by id and path."""
    socket, config = tmp_path / "t.sock", tmp_path / "countertop.toml"
    text = CONFIG.format(socket=socket, state=tmp_path / "state")
    text += "".join(DEVICE.format(id=name, path=path, options=options) for name, path in cameras.items())
    config.write_text(text)
    words = ("-m", "countertop.cli", "serve", "--config", str(config))
    daemon = await asyncio.create_subprocess_exec(
        sys.executable,
        *words,
        env=root.environment(),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert daemon.stderr is not None
    reading: asyncio.Task[bytes] | None = None
    try:
        while b"listening" not in (line := await daemon.stderr.readline()):
            assert line, "the daemon did not start"
        reading = asyncio.create_task(daemon.stderr.read())
        async with connect(f"unix:{socket}") as counter:
            yield counter
    finally:
        if daemon.returncode is None:
            daemon.terminate()
        await daemon.wait()
        if reading is not None:
            await reading


async def until(counter: Counter, device_id: str, state: int) -> device_pb2.Device:
    async with asyncio.timeout(SECONDS):
        async for response in counter.watch():
            changed = [response.event.device_changed] if response.event.HasField("device_changed") else []
            for device in [*response.snapshot.devices, *changed]:
                if device.id == device_id and device.state == state:
                    return device
    raise AssertionError("the event stream ended")


async def ready(counter: Counter, device_id: str = "camera") -> device_pb2.Device:
    return await until(counter, device_id, device_pb2.DEVICE_STATE_READY)


def colour_of(jpeg: bytes) -> str:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return "bgr"[int(np.argmax(picture.reshape(-1, 3).mean(axis=0)))]


async def test_frames_go_through_as_the_camera_made_them(root: V4l2Root, tmp_path: Path) -> None:
    camera = added(root)
    async with served(root, tmp_path, {"camera": camera.by_id}) as counter:
        device = await ready(counter)
        assert (device.info.vendor, device.info.model, device.info.serial) == ("Acme", "Twin Cam", "SN1")
        assert (device.info.camera.width, device.info.camera.height) == (640, 480)
        assert device.info.camera.format == "MJPG"
        assert device.info.camera.fps == 30
        assert device.id_basis == device_pb2.ID_BASIS_SERIAL
        frame = await counter.camera("camera").frame()
        assert frame.data == painted((0, 0, 200))(0, 640, 480), "byte for byte"


async def test_the_metadata_node_is_skipped_or_refused_with_the_right_one_named(root: V4l2Root, tmp_path: Path) -> None:
    camera = added(root)
    stem = camera.by_id.rpartition("-video-index")[0]
    wrong = f"{stem}-video-index1"
    async with served(root, tmp_path, {"camera": stem, "wrong": wrong}) as counter:
        await ready(counter)
        assert (await counter.camera("camera").frame()).data
        device = await until(counter, "wrong", device_pb2.DEVICE_STATE_OFFLINE)
        assert device.failure.reason == error_pb2.REASON_WRONG_DEVICE
        assert f"{stem}-video-index0" in device.failure.message


async def test_two_of_one_model_never_swap(root: V4l2Root, tmp_path: Path) -> None:
    red, blue = added(root, "SN1", "1"), added(root, "SN2", "2", (200, 0, 0))
    async with served(root, tmp_path, {"red": red.by_id, "blue": blue.by_id}) as counter:
        await asyncio.gather(ready(counter, "red"), ready(counter, "blue"))
        assert colour_of((await counter.camera("red").frame()).data) == "r"
        assert colour_of((await counter.camera("blue").frame()).data) == "b"
        red.unplug()
        blue.unplug()
        await asyncio.gather(*(until(counter, name, device_pb2.DEVICE_STATE_OFFLINE) for name in ("red", "blue")))
        blue.replug()  # the other one first: the numbers of the nodes change
        red.replug()
        await asyncio.gather(ready(counter, "red"), ready(counter, "blue"))
        assert colour_of((await counter.camera("red").frame()).data) == "r"
        assert colour_of((await counter.camera("blue").frame()).data) == "b"


FAULTS: list[tuple[StreamFault | None, set[int]]] = [
    (Stall(), {error_pb2.REASON_CAMERA_STALLED}),
    (Truncated(), {error_pb2.REASON_CAMERA_PICTURE_DAMAGED}),
    (IoError(), {error_pb2.REASON_LINK_LOST, error_pb2.REASON_DEVICE_OFFLINE}),
    (None, {error_pb2.REASON_LINK_LOST, error_pb2.REASON_DEVICE_OFFLINE}),
]
"""None: the plug is pulled."""


async def test_each_fault_is_told_and_the_stream_comes_back_by_itself(root: V4l2Root, tmp_path: Path) -> None:
    camera = added(root)
    async with (
        served(root, tmp_path, {"camera": camera.by_id}) as counter,
        aclosing(counter.camera("camera").watch()) as responses,
    ):
        await ready(counter)
        before = (await anext(responses)).frame
        while not before.data:  # it was not reached yet when the stream began
            before = (await anext(responses)).frame
        for fault, reasons in FAULTS:
            if fault is None:
                camera.unplug()
            camera.fault = fault
            async for response in responses:
                if response.HasField("interrupted"):
                    assert response.interrupted.reason in reasons, fault
                    break
            camera.fault = None
            camera.replug()
            async for response in responses:
                if response.HasField("frame"):
                    assert response.frame.sequence > before.sequence, fault
                    assert is_whole(response.frame.data), fault
                    before = response.frame
                    break


async def frames_for_ever(camera: Camera) -> None:
    sequence = 0
    while True:
        sequence = (await camera.frame(newer_than=sequence)).sequence


async def test_a_camera_that_hangs_is_ended_without_touching_the_other(root: V4l2Root, tmp_path: Path) -> None:
    hangs, works = added(root, "SN1", "1"), added(root, "SN2", "2")
    async with served(root, tmp_path, {"hangs": hangs.by_id, "works": works.by_id}) as counter:
        await asyncio.gather(ready(counter, "hangs"), ready(counter, "works"))
        hangs.fault = Stall()
        with pytest.raises(CountertopError):
            await frames_for_ever(counter.camera("hangs"))
        assert (await counter.camera("works").capture()).data
        hangs.fault = None
        await ready(counter, "hangs")


async def test_frames_of_another_size_say_so(root: V4l2Root, tmp_path: Path) -> None:
    camera = added(root)
    async with served(root, tmp_path, {"camera": camera.by_id}) as counter:
        await ready(counter)
        camera.fault = OtherSize(320, 240)
        async with aclosing(counter.camera("camera").frames()) as frames:
            async for frame in frames:
                assert (frame.width, frame.height) == frame_size(frame.data)
                if frame.width == 320:
                    break


async def test_a_slow_camera_is_no_stalled_one(root: V4l2Root, tmp_path: Path) -> None:
    camera = added(root)
    async with served(root, tmp_path, {"camera": camera.by_id}, options="stall_seconds = 6.0") as counter:
        await ready(counter)
        camera.fault = Slow(2.0)
        async with aclosing(counter.camera("camera").watch()) as responses:
            for _ in range(5):
                assert (await anext(responses)).HasField("frame")


async def test_a_still_may_be_larger_than_the_stream(root: V4l2Root, tmp_path: Path) -> None:
    camera = added(root)
    options = "still_width = 1920\nstill_height = 1080\nsettle_seconds = 0.1"
    async with served(root, tmp_path, {"camera": camera.by_id}, options=options) as counter:
        await ready(counter)
        before = await counter.camera("camera").frame()
        still = await counter.camera("camera").capture()
        assert (still.width, still.height) == (1920, 1080)
        after = await counter.camera("camera").frame(newer_than=still.sequence)
        assert (after.width, after.height) == (640, 480), "the stream goes on in its own size"
        assert before.sequence < still.sequence < after.sequence
        camera.fault = Truncated()
        with pytest.raises(OperationFailed) as caught:
            await counter.camera("camera").capture(timeout=30.0)
        assert caught.value.reason in (
            error_pb2.REASON_CAMERA_PICTURE_DAMAGED,
            error_pb2.REASON_CAMERA_STALLED,
        )


async def test_a_camera_without_mjpg_is_encoded_here(root: V4l2Root, tmp_path: Path) -> None:
    camera = added(root, colour=(200, 0, 0))
    async with served(root, tmp_path, {"camera": camera.by_id}, options='format = "YUYV"') as counter:
        device = await ready(counter)
        assert device.info.camera.format == "YUYV"
        still = await counter.camera("camera").capture()
        assert colour_of(still.data) == "b"
