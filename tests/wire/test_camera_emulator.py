"""The emulated camera over HTTP, looked at with OpenCV's own client and byte by byte."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
import zxingcpp
from google.protobuf.duration_pb2 import Duration
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.camera.emulator import CameraEmulator, start
from countertop.emulators.camera.faults import CAMERA_FAULTS
from countertop.emulators.camera.feed import Feed
from countertop.emulators.camera.output import Newest
from countertop.emulators.camera.scenes.motion import LOOP
from countertop.emulators.core.clock import ManualClock
from countertop.emulators.core.faults import FaultBoard

SMALL = {"width": 320, "height": 240, "still_width": 640, "still_height": 480}
FPS = 30.0


@asynccontextmanager
async def camera(**options: Any) -> AsyncIterator[CameraEmulator]:
    emulator = await start({**SMALL, **options})
    before = asyncio.all_tasks()
    try:
        yield emulator
    finally:
        await emulator.close()
        left = asyncio.all_tasks() - before  # those of connections that the test closed end by themselves
        if left:
            _, running = await asyncio.wait(left, timeout=5)
            assert not running, "a task was left behind"


def port_of(emulator: CameraEmulator) -> int:
    found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/stream", emulator.link_url)
    assert found
    return int(found[1])


class Client:
    """A client that reads the wire by the letter."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head: dict[str, str] = {}

    async def get(self, path: str, method: str = "GET") -> int:
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: camera\r\n\r\n".encode())
        status, self.head = await self._headers()
        return int(status.split(" ")[1])

    async def part(self, delimiter: str = "--frame") -> tuple[dict[str, str], bytes]:
        """The next part's headers and as many bytes as it says."""
        line, head = await self._headers()
        assert line == delimiter
        body = await self.exactly(int(head["Content-Length"]))
        assert await self.exactly(2) == b"\r\n"
        return head, body

    async def body(self) -> bytes:
        return await self.exactly(int(self.head["Content-Length"]))

    async def exactly(self, count: int) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readexactly(count)

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(10):
            return await self.reader.readuntil(mark)

    async def rest(self) -> None:
        """Read until the connection is reset."""
        async with asyncio.timeout(10):
            while await self.reader.read(65536):
                pass

    async def _headers(self) -> tuple[str, dict[str, str]]:
        first, *lines = (await self.until(b"\r\n\r\n")).decode().strip().split("\r\n")
        return first, dict(line.split(": ", 1) for line in lines)


@asynccontextmanager
async def client(emulator: CameraEmulator, path: str = "/stream") -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(emulator), limit=2**22)
    one = Client(reader, writer)
    try:
        if path:
            assert await one.get(path) == 200
        yield one
    finally:
        writer.transport.abort()


async def inject(emulator: CameraEmulator, fault: str, times: int = 0, **more: Any) -> None:
    await emulator.inject_fault(bench.InjectFaultRequest(fault=fault, times=times, **more))


def whole(jpeg: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(jpeg, strict=True)
    except ValueError:
        return False
    return True


# OpenCV as it is


def captured(url: str, count: int) -> list[Any]:
    """Frames that an unmodified VideoCapture reads, at most so many."""
    options = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, 5000, cv2.CAP_PROP_READ_TIMEOUT_MSEC, 5000]
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, options)
    try:
        assert capture.isOpened()
        frames = []
        for _ in range(count):
            good, frame = capture.read()
            if not good:
                break
            frames.append(frame)
        return frames
    finally:
        capture.release()


@pytest.mark.parametrize("boundary", ["standard", "dashes", "quoted"])
@pytest.mark.parametrize("content_length", [True, False])
async def test_opencv_streams_and_frames_go_on(boundary: str, content_length: bool) -> None:
    async with camera(boundary=boundary, content_length=content_length) as emulator:
        known = [
            cv2.imdecode(np.frombuffer(emulator.source.frame(index, 320, 240), np.uint8), cv2.IMREAD_COLOR)
            for index in range(LOOP)
        ]
        frames = await asyncio.to_thread(captured, emulator.link_url, 20)
    numbers = [int(np.argmin([cv2.norm(frame, one, cv2.NORM_L1) for one in known])) for frame in frames]
    steps = [(after - before) % LOOP for before, after in pairwise(numbers)]
    assert len(frames) == 20
    assert frames[0].shape == (240, 320, 3)
    assert all(0 < step < LOOP // 2 for step in steps), numbers


async def test_opencv_sees_the_code_that_the_bench_shows() -> None:
    async with camera(width=1280, height=720) as emulator:
        await emulator.set_scene(bench.SetSceneRequest(scene=bench.SCENE_CODE, text="pay:7"))
        frame = (await asyncio.to_thread(captured, emulator.link_url, 3))[-1]
    assert [found.text for found in zxingcpp.read_barcodes(frame)] == ["pay:7"]


async def test_opencv_hears_of_an_unplugged_camera_at_once_and_opens_it_again() -> None:
    async with camera() as emulator:

        def lose() -> tuple[int, float]:
            capture = cv2.VideoCapture(emulator.link_url, cv2.CAP_FFMPEG)
            assert capture.read()[0]
            asyncio.run_coroutine_threadsafe(emulator.unplug(bench.UnplugRequest()), loop).result(5)
            began, more = time.monotonic(), 0
            while capture.read()[0]:
                more += 1
            capture.release()
            return more, time.monotonic() - began

        loop = asyncio.get_running_loop()
        more, seconds = await asyncio.to_thread(lose)
        assert more < 10
        assert seconds < 3
        assert not (await asyncio.to_thread(cv2.VideoCapture, emulator.link_url, cv2.CAP_FFMPEG)).isOpened()
        await emulator.replug(bench.ReplugRequest())
        assert len(await asyncio.to_thread(captured, emulator.link_url, 3)) == 3


# The wire


async def test_parts_say_their_length_and_when_they_were_taken() -> None:
    async with camera() as emulator, client(emulator) as one:
        assert one.head["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        assert "Transfer-Encoding" not in one.head
        times = []
        for _ in range(5):
            head, body = await one.part()
            times.append(float(head["X-Timestamp"]))
            index = round(times[-1] * FPS)
            assert head["Content-Type"] == "image/jpeg"
            assert body == emulator.source.frame(index, 320, 240)
        assert times == sorted(set(times))


@pytest.mark.parametrize(("boundary", "told"), [("dashes", "--frame"), ("quoted", '"frame"')])
async def test_boundaries_are_told_as_real_cameras_tell_them(boundary: str, told: str) -> None:
    async with camera(boundary=boundary) as emulator, client(emulator) as one:
        assert one.head["Content-Type"] == f"multipart/x-mixed-replace; boundary={told}"
        assert whole((await one.part())[1])


async def test_without_lengths_the_boundary_alone_ends_a_part() -> None:
    async with camera(content_length=False) as emulator, client(emulator) as one:
        await one.until(b"--frame\r\n")
        part = (await one.until(b"\r\n--frame\r\n"))[: -len(b"\r\n--frame\r\n")]
        head, _, body = part.partition(b"\r\n\r\n")
        assert b"Content-Length" not in head
        assert whole(body)


async def test_a_still_has_its_own_size() -> None:
    async with camera() as emulator, client(emulator, "/snapshot.jpg") as one:
        with PilImage.open(io.BytesIO(await one.body())) as still:
            assert (still.format, still.size) == ("JPEG", (640, 480))
        assert one.head["Content-Type"] == "image/jpeg"
        assert await one.get("/snapshot.jpg") == 200  # on the same connection


async def test_the_page_shows_the_stream_and_other_requests_are_refused() -> None:
    async with camera() as emulator, client(emulator, "/") as one:
        assert b'<img src="/stream"' in await one.body()
        assert await one.get("/no-such-path") == 404
        await one.body()
        assert await one.get("/stream", "POST") == 405
        assert one.head["Allow"] == "GET"


@settings(max_examples=25)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_leave_the_camera_alive(request: bytes) -> None:
    async def knock() -> None:
        async with camera(fps=60) as emulator:
            async with client(emulator, "") as one:
                one.writer.write(request + b"\r\n\r\n")
                await one.writer.drain()
            async with client(emulator) as other:
                assert whole((await other.part())[1])

    asyncio.run(knock())


async def test_two_clients_see_the_same_frames() -> None:
    async with camera() as emulator, client(emulator) as one, client(emulator) as other:
        seen = [{(await each.part())[0]["X-Timestamp"] for _ in range(10)} for each in (one, other)]
        assert seen[0]
        assert seen[1]


async def test_a_slow_reader_gets_the_newest_frame() -> None:
    """Behind by what fits into the kernel's buffers, not by all that was taken meanwhile."""
    async with camera(width=1280, height=720, speed=4) as emulator, client(emulator, "") as one:
        one.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        one.reader._limit = 32768  # type: ignore[attr-defined]  # else it reads ahead by megabytes
        assert await one.get("/stream") == 200
        first = float((await one.part())[0]["X-Timestamp"])
        while emulator._feed.newest < 150:
            await emulator._feed.newer_than(emulator._feed.newest)
        sent = emulator.newest.number
        assert sent < 40, "frames wait nowhere: what the kernel does not take is not sent"
        stamps = [float((await one.part())[0]["X-Timestamp"]) for _ in range(sent + 3)]
    assert stamps[-1] > 145 / FPS > first


# Faults


@pytest.mark.parametrize("fault", ["truncated", "truncated-eoi"])
async def test_half_a_frame_comes_with_its_true_length(fault: str) -> None:
    async with camera() as emulator, client(emulator) as one:
        assert whole((await one.part())[1])
        await inject(emulator, fault, times=2)
        parts = [await one.part() for _ in range(12)]
    broken = [(head, body) for head, body in parts if not whole(body)]
    assert len(broken) == 2
    for head, body in broken:
        index = round(float(head["X-Timestamp"]) * FPS)
        full = emulator.source.frame(index, 320, 240)
        body = body.removesuffix(b"\xff\xd9") if fault == "truncated-eoi" else body
        assert full.startswith(body)
        assert len(body) < 0.7 * len(full)
    assert all(body.endswith(b"\xff\xd9") == (fault == "truncated-eoi") for _, body in broken)
    decoded = [cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR) for _, body in broken]
    assert all((picture is not None) == (fault == "truncated-eoi") for picture in decoded)


async def test_a_stalled_camera_keeps_the_connection_and_sends_nothing() -> None:
    async with camera(speed=10) as emulator, client(emulator) as one:
        await one.part()
        await inject(emulator, "stall")
        sent = emulator.newest.number
        with pytest.raises(TimeoutError):
            await silent(one)
        assert not one.reader.at_eof()
        assert emulator.newest.number <= sent + 2  # those that were on their way
        async with client(emulator, "") as other:
            other.writer.write(b"GET /snapshot.jpg HTTP/1.1\r\nHost: camera\r\n\r\n")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await other.reader.read(1)
            await emulator.clear_fault(bench.ClearFaultRequest(fault="stall"))
            assert (await other.until(b"\r\n")).startswith(b"HTTP/1.1 200")
        assert await one.exactly(1)


async def silent(one: Client) -> None:
    """Read on for three tenths of a second, in which ten times as fast a camera would send 90 frames."""
    async with asyncio.timeout(0.3):
        while await one.reader.read(65536):
            pass


async def test_a_slow_camera_gives_two_frames_a_second() -> None:
    clock = ManualClock()
    board = FaultBoard(CAMERA_FAULTS, clock)
    feed = Feed(clock, FPS, board)
    feed.start()
    numbers = []

    async def count(seconds: float) -> int:
        before = len(set(numbers))
        for _ in range(round(seconds * 200)):
            await clock.advance(0.005)
            numbers.append(feed.newest)
        return len(set(numbers)) - before

    assert await count(1.0) == pytest.approx(31, abs=2)
    board.inject("slow")
    assert await count(3.0) == pytest.approx(6, abs=1)
    assert feed.newest == pytest.approx(120, abs=16)  # time went on
    board.clear("slow")
    assert await count(1.0) == pytest.approx(30, abs=2)
    await feed.stop()
    assert feed.newest == pytest.approx(150, abs=2)


@pytest.mark.parametrize("path", ["/stream", "/snapshot.jpg"])
async def test_a_connection_is_reset_in_the_middle_of_a_frame_and_can_be_made_again(path: str) -> None:
    async with camera() as emulator:
        await inject(emulator, "disconnect", times=1)
        async with client(emulator, path) as one:
            with pytest.raises(ConnectionResetError):
                await one.rest()
        async with client(emulator, path) as other:
            assert whole(await other.body() if path == "/snapshot.jpg" else (await other.part())[1])


async def test_garbage_comes_between_parts_and_the_parts_are_whole() -> None:
    async with camera() as emulator, client(emulator) as one:
        await one.part()
        await inject(emulator, "garbage", times=3)
        stray = []
        while len(stray) < 3:
            before = await one.until(b"--frame\r\n")
            head = await one.until(b"\r\n\r\n")
            length = re.search(rb"Content-Length: (\d+)", head)
            assert length
            assert whole(await one.exactly(int(length[1])))
            assert await one.exactly(2) == b"\r\n"
            if before != b"--frame\r\n":
                stray.append(before)
        assert all(3 <= len(one) - len(b"--frame\r\n") <= 2050 for one in stray)


async def test_opencv_reads_nothing_more_after_garbage_until_it_is_opened_again() -> None:
    """What FFmpeg's reader does, so that drivers know: it reports failures, and says that it is open."""

    def read_on() -> tuple[list[bool], bool]:
        capture = cv2.VideoCapture(emulator.link_url, cv2.CAP_FFMPEG)
        try:
            assert capture.read()[0]
            asyncio.run_coroutine_threadsafe(inject(emulator, "garbage", times=1), loop).result(5)
            goods = [capture.read()[0] for _ in range(30)]
            return goods, capture.isOpened()
        finally:
            capture.release()

    async with camera() as emulator:
        loop = asyncio.get_running_loop()
        goods, is_open = await asyncio.to_thread(read_on)
        assert not any(goods[-10:])
        assert is_open
        assert len(await asyncio.to_thread(captured, emulator.link_url, 5)) == 5


async def test_an_error_is_a_503_and_passes() -> None:
    async with camera() as emulator, client(emulator, "") as one:
        await inject(emulator, "error", times=2)
        for path in ("/stream", "/snapshot.jpg"):
            assert await one.get(path) == 503
            await one.body()
        assert await one.get("/snapshot.jpg") == 200


async def test_a_fault_can_wait_for_requests_and_end_by_time() -> None:
    async with camera(speed=20) as emulator, client(emulator, "") as one:
        await inject(emulator, "error", after_bytes=30, duration=Duration(seconds=2))
        assert await one.get("/") == 200
        await one.body()
        assert await one.get("/a/path/that/is/rather/long") == 404
        await one.body()
        assert await one.get("/") == 503
        await one.body()
        while await one.get("/") == 503:
            await one.body()


async def test_faults_are_listed_and_unknown_ones_refused() -> None:
    async with camera() as emulator:
        await inject(emulator, "slow")
        listed = (await emulator.list_faults(bench.ListFaultsRequest())).faults
        names = ["stall", "slow", "truncated", "truncated-eoi", "disconnect", "garbage", "error"]
        assert [fault.name for fault in listed] == names
        assert [fault.name for fault in listed if fault.active] == ["slow"]
        with pytest.raises(ValueError, match="fault: expected one of stall, slow"):
            await inject(emulator, "no-such")


# Hands


async def test_unplugging_closes_the_port_and_replugging_opens_the_same() -> None:
    async with camera() as emulator:
        url = emulator.link_url
        async with client(emulator) as one:
            await one.part()
            await emulator.unplug(bench.UnplugRequest())
            await emulator.unplug(bench.UnplugRequest())
            with pytest.raises(ConnectionResetError):
                await one.rest()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port_of(emulator))
        await emulator.power_cycle(bench.PowerCycleRequest())  # without power nothing happens
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port_of(emulator))
        await emulator.replug(bench.ReplugRequest())
        await emulator.replug(bench.ReplugRequest())
        assert emulator.link_url == url
        async with client(emulator) as one:
            assert float((await one.part())[0]["X-Timestamp"]) < 1


async def test_a_power_cycle_resets_connections_and_counts_anew() -> None:
    async with camera(speed=20) as emulator, client(emulator) as one:
        while float((await one.part())[0]["X-Timestamp"]) < 3:
            pass
        await emulator.power_cycle(bench.PowerCycleRequest())
        with pytest.raises(ConnectionResetError):
            await one.rest()
        async with client(emulator) as other:
            assert float((await other.part())[0]["X-Timestamp"]) < 3


async def test_close_frees_the_port_and_may_come_twice_even_amid_a_stream() -> None:
    async with camera() as emulator, client(emulator) as one:
        await one.part()
        port = port_of(emulator)
        await emulator.close()
        await emulator.close()
        again = await start({**SMALL, "http": f"127.0.0.1:{port}"})
        assert again.link_url == emulator.link_url
        await again.close()


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind() -> None:
    async with camera() as emulator:
        tasks = asyncio.all_tasks()
        with pytest.raises(OSError, match="in use"):
            await start({"http": f"127.0.0.1:{port_of(emulator)}"})
        assert asyncio.all_tasks() == tasks


async def test_without_http_there_is_a_camera_all_the_same() -> None:
    async with camera(http=False) as emulator:
        assert whole(emulator.source.frame(0, 320, 240))
        assert emulator.doors == []
        with pytest.raises(RuntimeError, match="no link"):
            _ = emulator.link_url
        await emulator.unplug(bench.UnplugRequest())
        await emulator.replug(bench.ReplugRequest())


async def test_the_output_is_the_newest_frame_that_was_sent() -> None:
    async with camera() as emulator:
        assert await emulator.get_output(bench.GetOutputRequest()) == bench.GetOutputResponse()
        async with client(emulator, "/snapshot.jpg") as one:
            still = await one.body()
        answer = await emulator.get_output(bench.GetOutputRequest())
        (output,) = answer.outputs
        assert (answer.total, output.number, output.finished) == (1, 1, True)
        assert output.image.data == still
        assert (output.image.width, output.image.height) == (640, 480)
        assert output.image.sha256 == hashlib.sha256(still).digest()
        assert not (await emulator.get_output(bench.GetOutputRequest(skip=1))).outputs
        (text_only,) = (await emulator.get_output(bench.GetOutputRequest(text_only=True))).outputs
        assert not text_only.HasField("image")


def test_an_output_fits_into_a_message() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2000, 3000, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", noise)[1].tobytes()
    newest = Newest()
    newest.keep(jpeg, 3000, 2000)
    data, width, height = newest.picture()
    assert len(data) <= 768 * 1024 < len(jpeg)
    with PilImage.open(io.BytesIO(data)) as picture:
        assert picture.size == (width, height)
        assert width / height == pytest.approx(1.5)
    newest.keep(bytes(2_000_000), 10, 10)
    assert len(newest.picture()[0]) == 768 * 1024


async def test_a_scene_can_be_there_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "page.png"
    PilImage.new("RGB", (300, 400), (20, 200, 30)).save(file)
    async with camera(scene="document", picture=str(file), turned=10, flaw="dark") as emulator:
        scene = emulator.source.scene
        assert (scene.scene, scene.flaw, scene.turned) == (bench.SCENE_DOCUMENT, bench.SCENE_FLAW_DARK, 10)
        assert scene.picture == file.read_bytes()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"width": 5000}, "width"),
        ({"fps": 0}, "fps"),
        ({"speed": 0}, "speed"),
        ({"scene": "nothing"}, "scene"),
        ({"flaw": "odd"}, "flaw"),
        ({"picture": "/no/such/file"}, "picture"),
        ({"boundary": "odd"}, "boundary"),
        ({"http": True}, "http"),
        ({"size": 0.01}, "size"),
        ({"resolution": 1}, "resolution"),
    ],
)
async def test_wrong_options_are_named(options: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: expected"):
        await start({**SMALL, **options})


async def test_a_scene_that_cannot_be_shown_leaves_the_old_one() -> None:
    async with camera() as emulator:
        before = emulator.source.scene
        with pytest.raises(ValueError, match="turned: expected"):
            await emulator.set_scene(bench.SetSceneRequest(scene=bench.SCENE_MAT, turned=400))
        assert emulator.source.scene is before
