"""A camera in /dev, with clients that do not know it is emulated: v4l2-ctl, ffmpeg, OpenCV, libudev. And with one that
is written here in the preload library's protocol, for what those cannot show.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import json
import os
import shutil
import signal
import struct
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from countertop.emulators.core.clock import Clock, ManualClock
from countertop.emulators.core.v4l2.camera import CameraNode
from countertop.emulators.core.v4l2.faults import IoError, OtherSize, Slow, Stall, Truncated
from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.emulators.core.v4l2.pixels import jpeg_to_yuyv
from countertop.emulators.core.v4l2.preload import UmockdevMissingError, find_library
from countertop.emulators.core.v4l2.root import V4l2Root
from countertop.emulators.core.v4l2.structs import BY_NAME

TIMEOUT = 30.0
FIRST = CameraIdentity("Invented", "Counter Camera", "A1", port="1")
SECOND = CameraIdentity("Invented", "Counter Camera", "B2", port="2")


def needed(found: bool, what: str) -> None:
    if not found:
        assert os.environ.get("COUNTERTOP_REQUIRE_SHARED") != "1", f"{what} must be there"
        pytest.skip(f"needs {what}")


@pytest.fixture
def preload() -> str:
    try:
        return find_library()
    except UmockdevMissingError:
        needed(False, "umockdev's preload library (apt-get install umockdev)")
        raise


@functools.lru_cache(maxsize=400)
def frame(index: int, width: int, height: int) -> bytes:
    """Eight bars, black or white: the index in binary, the lowest bit on the left."""
    bars = np.zeros((height, width), np.uint8)
    for bit in range(8):
        bars[:, width * bit // 8 : width * (bit + 1) // 8] = 255 * (index >> bit & 1)
    return bytes(cv2.imencode(".jpg", bars)[1])


@pytest.fixture
async def root() -> AsyncIterator[V4l2Root]:
    async with V4l2Root(Clock()) as made:
        yield made
    assert not made.folder.exists()


@asynccontextmanager
async def running(root: V4l2Root, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program that sees the root's nodes; it is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *command, env=root.environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def output(root: V4l2Root, *command: str) -> str:
    async with running(root, *command) as process:
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode() + err.decode()


GRAB = """
import cv2, json, sys
cv2.setNumThreads(1)
options = json.loads(sys.argv[1])
camera = cv2.VideoCapture(options["source"], cv2.CAP_V4L2)
camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*options.get("fourcc", "MJPG")))
camera.set(cv2.CAP_PROP_FRAME_WIDTH, options.get("width", 640))
camera.set(cv2.CAP_PROP_FRAME_HEIGHT, options.get("height", 480))
if options.get("raw"):
    camera.set(cv2.CAP_PROP_CONVERT_RGB, 0)
for _ in range(options["frames"]):
    ok, picture = camera.read()
    told = {"ok": ok, "opened": camera.isOpened()}
    if ok:
        told |= {"shape": picture.shape, "time": camera.get(cv2.CAP_PROP_POS_MSEC)}
        if options.get("raw"):
            told |= {"hex": picture.tobytes().hex()}
        else:
            middle = picture[4, :, 1]
            width = len(middle)
            told |= {"index": sum((int(middle[width * (2 * bit + 1) // 16]) > 127) << bit for bit in range(8))}
            told |= {"bottom": int(picture[-4, 4, 1])}
    print(json.dumps(told), flush=True)
    if not ok and options.get("stop_at_loss", True):
        break
camera.release()
"""


def grabbing(root: V4l2Root, source: int | str | None, frames: int, **options: Any) -> Any:
    """A process with OpenCV that prints a line of JSON for each frame that it reads."""
    options = {"source": source, "frames": frames, **options}
    return running(root, sys.executable, "-c", GRAB, json.dumps(options))


async def told(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "the client ended before its frames were through"
    return json.loads(line)


async def grabbed(root: V4l2Root, source: int | str | None, frames: int, **options: Any) -> list[dict[str, Any]]:
    async with grabbing(root, source, frames, **options) as process:
        return [await told(process) for _ in range(frames)]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another process brings about."""
    async with asyncio.timeout(TIMEOUT):
        while not holds():  # noqa: ASYNC110  # the nodes tell nobody of their clients
            await asyncio.sleep(0.002)


async def closed(camera: CameraNode) -> None:
    """Wait until nobody has the camera's nodes open."""
    await until(lambda: not camera.openers)
    assert camera.streaming is None


async def silent(process: asyncio.subprocess.Process, seconds: float) -> None:
    """Take the frames that are still on their way, until none came for so long."""
    while True:
        try:
            await asyncio.wait_for(told(process), seconds)
        except TimeoutError:
            return


async def test_v4l2_ctl_sees_a_webcam_and_streams_from_it(preload: str, root: V4l2Root) -> None:
    needed(shutil.which("v4l2-ctl") is not None, "v4l2-ctl (apt-get install v4l-utils)")
    camera = root.add(FIRST, frame)
    text = await output(
        root, "v4l2-ctl", "--info", "--list-formats-ext", "--stream-mmap", "--stream-count=30", "--verbose"
    )
    assert "Driver name      : uvcvideo" in text
    assert "Card type        : Counter Camera" in text
    assert "'MJPG' (Motion-JPEG, compressed)" in text
    assert "Size: Discrete 1920x1080" in text
    assert "(30.000 fps)" in text
    assert "Some interface is missing" not in text
    sequences = [
        int(line.split("seq:")[1].split()[0]) for line in text.splitlines() if "seq:" in line and "cap" in line
    ]
    assert len(sequences) == 30
    assert sequences == sorted(set(sequences))
    await closed(camera)


async def test_v4l2_ctl_lists_two_cameras_with_two_nodes_each(preload: str, root: V4l2Root) -> None:
    needed(shutil.which("v4l2-ctl") is not None, "v4l2-ctl (apt-get install v4l-utils)")
    root.add(FIRST, frame)
    root.add(SECOND, frame)
    text = await output(root, "v4l2-ctl", "--list-devices")
    blocks = [block.split() for block in text.strip().split("\n\n")]
    assert [block[-2:] for block in blocks] == [["/dev/video0", "/dev/video1"], ["/dev/video2", "/dev/video3"]]
    info = await output(root, "v4l2-ctl", "--info", "-d", "/dev/video1")
    assert "Video Capture" not in info.split("Device Caps")[1]
    assert "Metadata Capture" in info.split("Device Caps")[1]


async def test_ffmpeg_copies_the_frames(preload: str, root: V4l2Root, tmp_path: Path) -> None:
    needed(shutil.which("ffmpeg") is not None, "ffmpeg (apt-get install ffmpeg)")
    root.add(FIRST, frame)
    target = tmp_path / "frames.mjpeg"
    await output(
        root,
        *(
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "v4l2",
            "-input_format",
            "mjpeg",
            "-video_size",
            "640x480",
            "-i",
            "/dev/video0",
        ),
        *("-frames:v", "20", "-c", "copy", "-f", "mjpeg", str(target)),
    )
    copied = target.read_bytes()
    pictures = [b"\xff\xd8" + piece for piece in copied.split(b"\xff\xd8") if piece]
    assert len(pictures) == 20
    assert set(pictures) <= {frame(index, 640, 480) for index in range(256)}


async def test_opencv_reads_the_frames_in_order(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    got = await grabbed(root, 0, 45)
    assert all(one["ok"] and one["shape"] == [480, 640, 3] for one in got)
    indices = [one["index"] for one in got]
    assert indices == sorted(set(indices))
    times = [one["time"] for one in got]
    assert times == sorted(set(times))
    rate = (indices[-1] - indices[0]) / (times[-1] - times[0]) * 1000
    assert rate == pytest.approx(30, rel=0.1)
    await closed(camera)


async def test_opencv_passes_the_jpegs_on_as_they_are(preload: str, root: V4l2Root) -> None:
    root.add(FIRST, frame)
    for one in await grabbed(root, 0, 5, raw=True, width=1280, height=720):
        jpeg = bytes.fromhex(one["hex"])
        assert one["shape"] == [1, len(jpeg)]
        assert jpeg in {frame(index, 1280, 720) for index in range(60)}


async def test_opencv_reads_raw_frames(preload: str, root: V4l2Root) -> None:
    root.add(FIRST, frame)
    got = await grabbed(root, 0, 10, fourcc="YUYV", width=320, height=240)
    assert all(one["shape"] == [240, 320, 3] for one in got)
    indices = [one["index"] for one in got]
    assert indices == sorted(set(indices))
    assert indices[-1] < 30


def blank(level: int) -> Any:
    return lambda index, width, height: bytes(cv2.imencode(".jpg", np.full((height, width), level, np.uint8))[1])


async def test_two_cameras_of_one_model_never_swap(preload: str, root: V4l2Root) -> None:
    first = root.add(FIRST, blank(40))
    second = root.add(SECOND, blank(200))
    first.unplug()
    second.unplug()
    second.replug()
    first.replug()
    assert (second.path, first.path) == ("/dev/video0", "/dev/video2")
    for link, level in ((first.by_id, 40), (second.by_id, 200), (first.by_path, 40), (second.by_path, 200)):
        got = await grabbed(root, link, 2)
        assert [one["bottom"] for one in got] == [pytest.approx(level, abs=4)] * 2, link


async def test_an_unplugged_camera_fails_at_once_and_comes_back_under_its_link(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    async with grabbing(root, camera.by_id, 1000) as process:
        assert (await told(process))["ok"]
        camera.unplug()
        last = await told(process)
        while last["ok"]:  # what was already on its way
            last = await told(process)
        assert last == {"ok": False, "opened": True}
        _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    assert (camera.path, camera.streaming) == (None, None)
    assert not list(root.folder.glob("dev/video*"))
    assert not list(root.folder.glob("dev/v4l/by-*/*"))
    await closed(camera)
    camera.replug()
    assert camera.path == "/dev/video0"
    assert (await grabbed(root, camera.by_id, 2))[1]["ok"]


async def test_an_io_error_fails_the_read(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    async with grabbing(root, 0, 1000) as process:
        assert (await told(process))["ok"]
        camera.fault = IoError()
        last = await told(process)
        while last["ok"]:
            last = await told(process)
        await process.communicate()
    camera.fault = None
    assert (await grabbed(root, 0, 2))[1]["ok"]


async def test_a_stalled_client_can_be_killed_and_the_camera_used_again(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    async with grabbing(root, 0, 1000) as process:
        assert (await told(process))["ok"]
        camera.fault = Stall()
        await silent(process, 1.0)
        process.kill()
        await process.communicate()
        assert process.returncode == -signal.SIGKILL
    await closed(camera)
    camera.fault = None
    assert (await grabbed(root, 0, 2))[1]["ok"]


async def test_a_stall_that_ends_lets_the_stream_go_on(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    async with grabbing(root, 0, 1000) as process:
        assert (await told(process))["ok"]
        camera.fault = Stall()
        await silent(process, 0.5)
        camera.fault = None
        assert (await told(process))["ok"]


async def test_truncated_jpegs_arrive_as_they_are(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    camera.fault = Truncated(0.5)
    for one in await grabbed(root, 0, 3, raw=True):
        half = bytes.fromhex(one["hex"])
        assert half in {frame(index, 640, 480)[: len(frame(index, 640, 480)) // 2] for index in range(60)}


async def test_a_slow_camera_and_one_of_another_size(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    camera.fault = Slow(5.0)
    times = [one["time"] for one in await grabbed(root, 0, 4)]
    assert (times[-1] - times[0]) / 3 == pytest.approx(200, rel=0.2)
    camera.fault = OtherSize(320, 240)
    for one in await grabbed(root, 0, 2, raw=True):
        decoded = cv2.imdecode(np.frombuffer(bytes.fromhex(one["hex"]), np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape == (240, 320, 3)


LISTEN = """
import warnings; warnings.simplefilter("error")
import pyudev
context = pyudev.Context()
for device in context.list_devices(subsystem="video4linux"):
    properties = device.properties
    print(device.device_node, properties.get("ID_SERIAL"), properties.get("ID_V4L_CAPABILITIES"),
          device.find_parent("usb", "usb_device").attributes.asstring("serial"), flush=True)
monitor = pyudev.Monitor.from_netlink(context)
monitor.filter_by("video4linux")
monitor.start()
print("listening", flush=True)
while True:
    device = monitor.poll()
    print(device.action, device.device_node, device.properties["ID_SERIAL"], flush=True)
"""


async def test_libudev_finds_the_cameras_and_hears_them_come_and_go(preload: str, root: V4l2Root) -> None:
    camera = root.add(FIRST, frame, metadata=False)
    root.add(SECOND, frame)
    async with running(root, sys.executable, "-c", LISTEN) as process:
        assert process.stdout is not None

        async def line() -> str:
            return (await process.stdout.readline()).decode().strip()  # type: ignore[union-attr]

        assert {await line() for _ in range(3)} == {
            "/dev/video0 Invented_Counter_Camera_A1 :capture: A1",
            "/dev/video1 Invented_Counter_Camera_B2 :capture: B2",
            "/dev/video2 Invented_Counter_Camera_B2 : B2",
        }
        assert await line() == "listening"
        camera.unplug()
        assert await line() == "remove /dev/video0 Invented_Counter_Camera_A1"
        camera.replug()
        assert await line() == "add /dev/video0 Invented_Counter_Camera_A1"


class FakeClient:
    """One open file, in the words of libumockdev-preload.c, written here by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.memory = bytearray()

    @classmethod
    async def open(cls, root: V4l2Root, path: str | None) -> FakeClient:
        assert path is not None
        return cls(*await asyncio.open_unix_connection(f"{root.folder}/ioctl/{path}"))

    async def ioctl(self, number: int, memory: bytes, argument: int = 0x7000_0000) -> tuple[int, int]:
        """The result and the errno; `memory` is what the argument points to before, self.memory after."""
        self.memory[:] = memory
        self.writer.write(struct.pack("LLL", 1, number, argument))
        while True:
            command, first, second = struct.unpack("LLL", await self.reader.readexactly(24))
            if command == 3:
                return (first if first < 1 << 63 else first - (1 << 64)), second
            assert (first, second) == (argument, len(memory)), "memory outside of the structure"
            if command == 5:
                self.writer.write(bytes(self.memory))
            else:
                assert command == 6
                self.memory[:] = await self.reader.readexactly(second)

    async def call(self, name: str, **fields: Any) -> Any:
        """The structure's fields, or the errno."""
        ioctl = BY_NAME[name]
        result, number = await self.ioctl(ioctl.number, ioctl.layout.pack(fields))
        assert result == (-1 if number else 0)
        return number or ioctl.layout.unpack(bytes(self.memory))

    async def stream(self) -> None:
        assert (await self.call("REQBUFS", count=4, type=1, memory=1))["count"] == 4
        for index in range(4):
            assert (await self.call("QBUF", index=index, type=1, memory=1))["index"] == index
        assert await self.call("STREAMON", value=1) == {"value": 1}

    async def dequeue(self) -> Any:
        async with asyncio.timeout(TIMEOUT):
            return await self.call("DQBUF", type=1, memory=1)

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def test_a_waiting_client_hears_of_the_unplugging_and_keeps_the_number(root: V4l2Root) -> None:
    camera = root.add(FIRST, frame, metadata=False)
    client = await FakeClient.open(root, camera.path)
    camera.fault = Stall()
    await client.stream()
    waiting = asyncio.create_task(client.dequeue())
    await until(lambda: camera.waiting)
    camera.unplug()
    assert await waiting == errno.ENODEV
    assert await client.call("QUERYCAP") == errno.ENODEV
    assert await client.ioctl(0x12345678, b"") == (-1, errno.ENODEV)
    camera.replug()
    assert camera.path == "/dev/video1", "the old node is still open"
    assert (root.folder / camera.by_id[1:]).readlink() == Path("../../video1")
    camera.unplug()
    await client.close()
    await closed(camera)
    camera.replug()
    assert camera.path == "/dev/video0"


async def test_one_client_streams_and_another_looks(root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    first, second = await FakeClient.open(root, camera.path), await FakeClient.open(root, camera.by_id)
    await first.stream()
    got = [await first.dequeue() for _ in range(3)]
    assert [one["sequence"] for one in got] == [0, 1, 2]
    node = (root.folder / "dev/video0").read_bytes()
    for one in got:
        filled = node[one["offset"] : one["offset"] + one["bytesused"]]
        assert filled == frame(one["sequence"], 1920, 1080)
    assert await second.call("REQBUFS", count=1, type=1, memory=1) == errno.EBUSY
    assert (await second.call("QUERYCAP"))["bus_info"].rstrip(b"\0") == b"usb-0000:00:14.0-1"
    await first.close()
    await until(lambda: camera.openers == 1)
    await second.stream()
    assert (await second.dequeue())["sequence"] == 0
    await second.close()


async def test_frames_come_by_the_clock_that_is_passed_in() -> None:
    clock, gate = ManualClock(), threading.Event()

    def slow_at_3(index: int, width: int, height: int) -> bytes:
        if index == 3:
            assert gate.wait(TIMEOUT)
        return frame(index, width, height)

    async with V4l2Root(clock) as root:
        camera = root.add(FIRST, slow_at_3)
        client = await FakeClient.open(root, camera.path)
        await client.stream()
        for sequence in range(3):
            waiting = asyncio.create_task(client.dequeue())
            await until(lambda: camera.waiting)
            await clock.advance(0.9 / 30)
            assert camera.waiting
            await clock.advance(0.1 / 30 + 1e-6)
            assert (await waiting)["sequence"] == sequence
        for index in range(3):
            await client.call("QBUF", index=index, type=1, memory=1)
        await clock.advance(10 / 30)
        gate.set()
        assert (await client.dequeue())["sequence"] == 3
        assert (await client.dequeue())["sequence"] == 12, "eight passed while the source was at work"
        await client.close()


async def test_calls_that_no_camera_has_and_pointers_to_nothing(root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    client = await FakeClient.open(root, camera.path)
    assert await client.ioctl(0x5401, b"") == (-1, errno.ENOTTY)
    assert await client.ioctl(BY_NAME["QUERYCAP"].number, b"", argument=0) == (-1, errno.EFAULT)
    client.writer.write(struct.pack("LLL", 7, 0x7000_0000, 100))
    assert struct.unpack("LLL", await client.reader.readexactly(24)) == (3, 2**64 - 1, errno.EINVAL)
    await client.close()


async def test_garbage_ends_its_own_connection_only(root: V4l2Root) -> None:
    camera = root.add(FIRST, frame)
    bad, good = await FakeClient.open(root, camera.path), await FakeClient.open(root, camera.path)
    bad.writer.write(b"\xee" * 100)
    assert await bad.reader.read() == b""
    assert (await good.call("G_FMT", type=1))["width"] == 1920
    await bad.close()
    await good.close()


async def test_a_frame_source_that_fails_is_an_io_error_and_is_told_of(root: V4l2Root) -> None:
    def broken(index: int, width: int, height: int) -> bytes:
        raise LookupError("no scene")

    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda _loop, context: heard.append(context))
    try:
        camera = root.add(FIRST, broken)
        client = await FakeClient.open(root, camera.path)
        await client.stream()
        assert await client.dequeue() == errno.EIO
        assert [type(context["exception"]) for context in heard] == [LookupError]
        await client.close()
    finally:
        loop.set_exception_handler(handler)


async def test_a_link_of_two_cameras_without_numbers_is_the_last_ones(root: V4l2Root) -> None:
    first = root.add(CameraIdentity("Invented", "Twin", port="1"), frame, metadata=False)
    second = root.add(CameraIdentity("Invented", "Twin", port="2"), frame, metadata=False)
    link = root.folder / first.by_id[1:]
    assert first.by_id == second.by_id
    assert link.readlink() == Path("../../video1")
    second.unplug()
    assert link.readlink() == Path("../../video0")
    assert (root.folder / first.by_path[1:]).readlink() == Path("../../video0")
    with pytest.raises(ValueError, match="port"):
        root.add(CameraIdentity("Invented", "Third", port="2"), frame)


async def test_a_folder_with_a_long_path_is_refused(tmp_path: Path) -> None:
    async with V4l2Root(Clock(), tmp_path / ("x" * 80)) as root:
        with pytest.raises(ValueError, match="shorter"):
            root.add(FIRST, frame)
        assert not root.cameras


def test_raw_pictures_have_two_bytes_a_pixel_and_the_right_brightness() -> None:
    white = jpeg_to_yuyv(frame(255, 64, 32))
    assert len(white) == 64 * 32 * 2
    assert abs(white[0] - 235) < 3
    assert abs(white[1] - 128) < 3
    for wrong in (b"", b"no picture"):
        with pytest.raises(ValueError, match="expected a JPEG"):
            jpeg_to_yuyv(wrong)
