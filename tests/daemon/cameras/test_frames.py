"""Frames: one for each credit, never an old one, and again after the camera was lost."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from countertop.bench.v1 import bench_pb2
from countertop.client import CountertopError, DeviceUnavailable, InvalidRequest, OperationFailed
from countertop.sdk.cameras import is_whole
from countertop.sdk.cameras.stills import check_still
from countertop.sdk.errors import DeviceFault
from countertop.server import frame_watch, operations
from countertop.server.services import cameras as service
from countertop.v1 import camera_pb2, device_pb2, error_pb2
from countertop.v1.camera_pb2 import Frame, WatchFramesRequest

CAMERA = "camera"
SECONDS = 15.0
LOST = (
    error_pb2.REASON_LINK_LOST,
    error_pb2.REASON_DEVICE_OFFLINE,
)


@pytest.fixture(autouse=True)
async def in_time() -> Any:
    async with asyncio.timeout(60):
        yield


async def take(camera: Any, count: int) -> list[Frame]:
    found: list[Frame] = []
    async with aclosing(camera.frames()) as frames:
        async for frame in frames:
            found.append(frame)
            if len(found) == count:
                break
    return found


async def drain(frames: Any) -> None:
    async for _ in frames:
        pass


async def watched_on(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        await call.write(WatchFramesRequest())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - inside of a driver there is nothing to wait for
            await asyncio.sleep(0.01)


class TestWatching:
    async def test_a_camera_says_what_it_does(self, terminal: SimpleNamespace) -> None:
        (device,) = await terminal.counter.devices()
        assert device.kind == device_pb2.DEVICE_KIND_CAMERA
        assert (device.info.camera.width, device.info.camera.height) == (320, 240)
        assert device.info.camera.format == "MJPG"

    async def test_each_frame_is_newer_than_the_one_before_and_whole(self, terminal: SimpleNamespace) -> None:
        frames = await take(terminal.camera, 12)
        sequences = [frame.sequence for frame in frames]
        assert sequences == sorted(set(sequences))
        assert [frame.monotonic_ns for frame in frames] == sorted(frame.monotonic_ns for frame in frames)
        assert all(is_whole(frame.data) and (frame.width, frame.height) == (320, 240) for frame in frames)
        assert frames[0].media_type == "image/jpeg"

    async def test_no_frame_comes_without_a_credit(self, terminal: SimpleNamespace) -> None:
        call = terminal.counter._connection.exchange(WatchFramesRequest)
        await call.write(WatchFramesRequest(device_id=CAMERA, credits=2))
        await call.read()
        await call.read()
        third = asyncio.create_task(call.read())
        await take(terminal.camera, 10)
        assert not third.done(), "ten frames have gone by"
        await call.write(WatchFramesRequest(credits=1))
        assert (await third).skipped >= 8
        call.cancel()

    async def test_a_slow_client_gets_the_newest_frame_and_is_told_what_it_missed(
        self, terminal: SimpleNamespace
    ) -> None:
        async with aclosing(terminal.camera.watch()) as slow:
            first = (await anext(slow)).frame
            gone_by = await take(terminal.camera, 10)
            second = await anext(slow)
        assert second.frame.sequence >= gone_by[-1].sequence, "not one of those that waited"
        assert second.skipped == second.frame.sequence - first.sequence - 1

    async def test_many_watch_at_once(self, terminal: SimpleNamespace) -> None:
        found = await asyncio.gather(*(take(terminal.camera, 5) for _ in range(8)))
        assert all(len(frames) == 5 for frames in found)

    async def test_half_closing_ends_the_stream(self, terminal: SimpleNamespace) -> None:
        call = terminal.counter._connection.exchange(WatchFramesRequest)
        await call.write(WatchFramesRequest(device_id=CAMERA))
        await call.read()
        await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass
        assert await call.code() is grpc.StatusCode.OK

    @pytest.mark.parametrize(
        ("request_", "kind"),
        [
            (WatchFramesRequest(), InvalidRequest),
            (WatchFramesRequest(device_id="nothing"), CountertopError),
            (WatchFramesRequest(device_id=CAMERA, credits=9), InvalidRequest),
        ],
    )
    async def test_mistakes_are_named(
        self, terminal: SimpleNamespace, request_: WatchFramesRequest, kind: type[Exception]
    ) -> None:
        with pytest.raises(kind):
            async with aclosing(terminal.camera._credits(request_)) as responses:
                await anext(responses)

    async def test_one_frame_can_be_asked_for(self, terminal: SimpleNamespace) -> None:
        first = await terminal.camera.frame()
        second = await terminal.camera.frame(newer_than=first.sequence)
        assert second.sequence > first.sequence
        with pytest.raises(CountertopError) as caught:
            await terminal.camera.frame(newer_than=2**60, max_wait=0.1)
        assert caught.value.reason == error_pb2.REASON_CAMERA_STALLED

    async def test_a_frame_that_no_message_holds_says_what_to_do(
        self, terminal: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(frame_watch, "MAX_FRAME", 1000)
        for asked in (terminal.camera.frame(), take(terminal.camera, 1)):
            with pytest.raises(CountertopError) as caught:
                await asked
            assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED
            assert "smaller" in str(caught.value)


class TestLosingTheCamera:
    async def test_a_stream_comes_back_by_itself_after_the_plug_was_pulled(self, terminal: SimpleNamespace) -> None:
        async with aclosing(terminal.camera.watch()) as responses:
            before = (await anext(responses)).frame
            await terminal.bench.unplug(CAMERA)
            interrupted = await self._interruption(responses)
            assert interrupted.reason in LOST
            assert "camera" in interrupted.message
            with pytest.raises(DeviceUnavailable):
                await self._refused(terminal)
            await terminal.bench.replug(CAMERA)
            after = (await anext(responses)).frame
            assert after.sequence > before.sequence

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ("stall", error_pb2.REASON_CAMERA_STALLED),
            ("truncated", error_pb2.REASON_CAMERA_PICTURE_DAMAGED),
        ],
    )
    async def test_a_camera_that_stalls_or_sends_half_pictures_is_told_and_comes_back(
        self, terminal: SimpleNamespace, fault: str, reason: int
    ) -> None:
        async with aclosing(terminal.camera.watch()) as responses:
            before = (await anext(responses)).frame
            await terminal.bench.inject_fault(CAMERA, fault)
            assert (await self._interruption(responses)).reason == reason
            await terminal.bench.clear_fault(CAMERA, fault)
            async for response in responses:
                if response.HasField("frame"):
                    assert response.frame.sequence > before.sequence
                    assert is_whole(response.frame.data)
                    break

    async def test_a_loss_that_is_over_when_one_looks_does_not_end_the_frames(self, terminal: SimpleNamespace) -> None:
        """The camera gives frames again before anybody has asked how it is."""
        runner = terminal.daemon.terminal.runners[CAMERA]
        driver: Any = runner.reached()
        shown = driver.next_frame
        lost = DeviceFault(error_pb2.REASON_CAMERA_STALLED, step="read")

        async def lost_once(request: Any) -> Frame:
            driver.next_frame = shown
            raise lost

        async with aclosing(terminal.camera.watch()) as responses:
            await anext(responses)
            driver.next_frame = lost_once
            assert (await self._interruption(responses)).reason == error_pb2.REASON_CAMERA_STALLED
            assert (await anext(responses)).HasField("frame")
        assert runner.reached() is not driver, "it was connected anew, as after an operation that fails so"

    async def test_half_a_picture_among_others_is_left_out(self, terminal: SimpleNamespace) -> None:
        await terminal.bench.inject_fault(CAMERA, "truncated", times=3)
        frames = await take(terminal.camera, 12)
        assert all(is_whole(frame.data) for frame in frames)

    async def test_garbage_between_the_pictures_does_no_harm(self, terminal: SimpleNamespace) -> None:
        await terminal.bench.inject_fault(CAMERA, "garbage")
        assert all(is_whole(frame.data) for frame in await take(terminal.camera, 12))

    async def test_the_end_of_the_connection_is_not_the_end_of_the_stream(self, terminal: SimpleNamespace) -> None:
        async with aclosing(terminal.camera.frames()) as frames:
            before = await anext(frames)
            await terminal.bench.inject_fault(CAMERA, "disconnect", times=1)
            for _ in range(5):
                after = await anext(frames)
            assert after.sequence > before.sequence

    async def test_a_device_in_maintenance_shows_nothing(self, terminal: SimpleNamespace) -> None:
        await terminal.counter.set_maintenance(CAMERA, True, "cleaning")
        with pytest.raises(CountertopError) as caught:
            await terminal.camera.frame()
        assert caught.value.reason == error_pb2.REASON_DEVICE_IN_MAINTENANCE

    @staticmethod
    async def _interruption(responses: Any) -> camera_pb2.FramesInterrupted:
        async for response in responses:
            if response.HasField("interrupted"):
                found: camera_pb2.FramesInterrupted = response.interrupted
                return found
        raise AssertionError("the stream ended")

    @staticmethod
    async def _refused(terminal: SimpleNamespace) -> None:
        """The first frames asked for may still be on their way."""
        while True:
            await terminal.camera.frame(max_wait=1.0)


class TestTheEndOfTheDaemon:
    async def test_watchers_are_told_that_it_stops(self, start: Any) -> None:
        async with start() as terminal:
            call = terminal.counter._connection.exchange(WatchFramesRequest)
            await call.write(WatchFramesRequest(device_id=CAMERA))
            await call.read()
            stopping = asyncio.create_task(terminal.daemon.stop())
            await call.write(WatchFramesRequest())
            with pytest.raises(grpc.RpcError) as caught:
                await watched_on(call)
            await stopping
        assert caught.value.details() == "The terminal is restarting."


class TestClaims:
    async def test_a_claimed_camera_shows_nothing_to_others(self, terminal: SimpleNamespace) -> None:
        async with aclosing(terminal.camera.frames()) as frames:
            await anext(frames)
            async with terminal.counter.claim(CAMERA, label="counter 1") as claim:
                with pytest.raises(CountertopError) as caught:
                    await drain(frames)
                assert caught.value.reason == error_pb2.REASON_CLAIMED_BY_OTHER
                with pytest.raises(CountertopError):
                    await terminal.camera.frame()
                assert (await terminal.camera.frame(claim_token=claim.token)).data

    async def test_the_holders_stream_ends_with_the_claim_and_the_camera_forgets(
        self, terminal: SimpleNamespace
    ) -> None:
        async with terminal.counter.claim(CAMERA, label="counter 1") as claim:
            frames = terminal.camera.frames(claim_token=claim.token)
            await anext(frames)
            driver: Any = terminal.daemon.terminal.runners[CAMERA].reached()
        with pytest.raises(CountertopError) as caught:
            await drain(frames)
        assert caught.value.reason in (error_pb2.REASON_CLAIM_LOST, error_pb2.REASON_CLAIMED_BY_OTHER)
        await until(lambda: not driver._on and driver._slot.newest is None)


class TestStills:
    async def test_a_still_is_whole_and_has_its_digest(self, terminal: SimpleNamespace) -> None:
        still = await terminal.camera.capture()
        assert check_still(still.data) == (still.width, still.height) == (320, 240)
        assert still.sha256 == hashlib.sha256(still.data).digest()
        assert still.time.ToNanoseconds() > 1.7e18

    async def test_the_cameras_own_address_for_stills_gives_larger_ones(self, start: Any) -> None:
        async with start({"still_width": 4000, "still_height": 3000}) as first:
            (device,) = await first.counter.devices()
            port = device.link.rpartition(":")[2].partition("/")[0]
            url = f"http://127.0.0.1:{port}/snapshot.jpg"
            runner = first.daemon.terminal.runners[CAMERA]
            driver: Any = runner.reached()
            driver._options = driver._options.model_copy(update={"still_url": url})
            still = await first.camera.capture()
            assert (still.width, still.height) == (4000, 3000)
            assert check_still(still.data) == (4000, 3000)

    @pytest.mark.parametrize("fault", ["truncated", "truncated-eoi"])
    async def test_half_a_picture_is_never_given_as_a_still(self, terminal: SimpleNamespace, fault: str) -> None:
        await terminal.bench.inject_fault(CAMERA, fault, times=2)
        still = await terminal.camera.capture()
        assert check_still(still.data)
        await terminal.bench.inject_fault(CAMERA, fault)
        with pytest.raises(OperationFailed) as caught:
            await terminal.camera.capture()
        assert caught.value.reason == error_pb2.REASON_CAMERA_PICTURE_DAMAGED

    async def test_a_large_picture_is_fetched_in_parts(
        self, terminal: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(service, "MAX_INLINE", 1000)
        monkeypatch.setattr(service, "PART", 1500)
        still = await terminal.camera.capture(operation_id="one")
        assert hashlib.sha256(still.data).digest() == still.sha256
        record = terminal.daemon.terminal.operations.get("one")
        assert record.picture == still.data
        record.forget_result()
        with pytest.raises(CountertopError) as caught:
            await terminal.camera._whole(Frame(), "one", "")
        assert caught.value.reason == error_pb2.REASON_OPERATION_EXPIRED

    async def test_a_camera_in_a_process_of_its_own_gives_the_same(self, start: Any) -> None:
        async with start(isolation="process") as terminal:
            frames = await take(terminal.camera, 5)
            assert len({frame.sequence for frame in frames}) == 5
            still = await terminal.camera.capture()
            assert check_still(still.data)

    async def test_a_camera_whose_process_is_killed_comes_back(self, start: Any) -> None:
        async with start(isolation="process") as terminal, aclosing(terminal.camera.watch()) as responses:
            before = (await anext(responses)).frame
            terminal.daemon.terminal.runners[CAMERA].reached()._kill()
            async for response in responses:
                if response.HasField("frame") and response.frame.sequence > before.sequence + 30:
                    break


class TestPower:
    async def test_it_is_off_when_nobody_looks_and_on_again_at_once(self, start: Any) -> None:
        async with start(options={"idle_seconds": 0.2}) as terminal:
            driver: Any = terminal.daemon.terminal.runners[CAMERA].reached()
            first = await terminal.camera.frame()
            await until(lambda: not driver._on and driver._slot.newest is None)
            assert (await terminal.camera.frame()).sequence > first.sequence
            (device,) = await terminal.counter.devices()
            assert device.state == device_pb2.DEVICE_STATE_READY

    async def test_one_that_is_switched_off_while_somebody_waits_is_switched_on_again(
        self, terminal: SimpleNamespace
    ) -> None:
        driver: Any = terminal.daemon.terminal.runners[CAMERA].reached()
        first = await terminal.camera.frame()
        driver._began -= 60  # it is on for long
        waiting = asyncio.create_task(driver.shot(first.sequence + 10_000))
        await until(lambda: bool(driver._slot._waiting))
        await driver.rest()
        await until(lambda: driver._on or waiting.done())
        assert not waiting.done()
        waiting.cancel()

    async def test_a_camera_that_is_off_and_unplugged_is_offline(self, start: Any) -> None:
        async with start(options={"idle_seconds": 0.2}) as terminal:
            driver: Any = terminal.daemon.terminal.runners[CAMERA].reached()
            await until(lambda: not driver._on)
            await terminal.bench.unplug(CAMERA)
            async with asyncio.timeout(SECONDS):
                async for response in terminal.counter.watch():
                    changed = response.event.device_changed
                    if changed.id == CAMERA and changed.state == device_pb2.DEVICE_STATE_OFFLINE:
                        break


class TestCodes:
    async def test_a_code_is_found(self, terminal: SimpleNamespace) -> None:
        await terminal.bench.set_scene(bench_pb2.SCENE_CODE, CAMERA, text="payment 00421 转账", size=0.7)
        result = await terminal.camera.scan(timeout=20.0)
        assert [code.text for code in result.codes] == ["payment 00421 转账"]
        assert result.codes[0].format == camera_pb2.CODE_FORMAT_QR
        assert len(result.codes[0].corners) == 4

    async def test_one_that_comes_later_is_found_too(self, terminal: SimpleNamespace) -> None:
        handle = terminal.camera.start_scan(timeout=20.0)
        async for update in handle:
            if update.operation.prompt:
                await terminal.bench.set_scene(bench_pb2.SCENE_CODE, CAMERA, text="later", size=0.7)
                break
        assert (await handle.result()).codes[0].text == "later"

    async def test_none_is_an_error_that_says_what_to_do(self, terminal: SimpleNamespace) -> None:
        await terminal.bench.set_scene(bench_pb2.SCENE_EMPTY, CAMERA)
        with pytest.raises(OperationFailed) as caught:
            await terminal.camera.scan(timeout=0.5)
        assert caught.value.reason == error_pb2.REASON_NO_CODE_FOUND

    async def test_formats_are_checked(self, terminal: SimpleNamespace) -> None:
        with pytest.raises(CountertopError) as caught:
            await terminal.camera.scan([99])
        assert caught.value.reason == error_pb2.REASON_INVALID_REQUEST


class TestHealth:
    async def test_a_check_takes_a_picture(self, terminal: SimpleNamespace) -> None:
        external = device_pb2.HEALTH_LEVEL_EXTERNAL
        result = await terminal.counter.check_health(CAMERA, external)
        assert result.healthy
        assert {finding.item: finding.detail for finding in result.findings}["picture"] == "320 x 240, whole"
        await terminal.bench.inject_fault(CAMERA, "truncated-eoi")
        result = await terminal.counter.check_health(CAMERA, external)
        assert not result.healthy
        assert [finding.item for finding in result.findings if not finding.passed] == ["picture"]
        with pytest.raises(CountertopError) as caught:
            await terminal.counter.check_health(CAMERA, device_pb2.HEALTH_LEVEL_INTERACTIVE)
        assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED


class TestMemory:
    async def test_pictures_that_nobody_fetches_are_dropped_when_they_are_too_many(
        self, terminal: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        size = len((await terminal.camera.capture(operation_id="first")).data)
        monkeypatch.setattr(operations, "MAX_RESULTS_BYTES", 3 * size)
        for _ in range(4):
            await terminal.camera.capture()
        store = terminal.daemon.terminal.operations
        assert store.get("first").result_dropped
        assert sum(record.result is not None for record in store) in (2, 3)
        with pytest.raises(CountertopError) as caught:
            await terminal.camera.capture(operation_id="first")
        assert caught.value.reason == error_pb2.REASON_OPERATION_EXPIRED
