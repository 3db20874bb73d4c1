"""The driver on the emulated camera: all that a daemon does with it, over the wire."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import pytest
from countertop.bench.v1.bench_pb2 import SCENE_CODE
from countertop.client import CountertopError
from countertop.client.sync import Bench, Camera, Counter
from countertop.sdk.cameras import frame_size, is_whole
from countertop.v1.device_pb2 import DEVICE_STATE_OFFLINE, DEVICE_STATE_READY, DeviceState

QUICK = {"width": 320, "height": 240, "fps": 30}
pytestmark = pytest.mark.terminal(
    devices=[
        {"id": "acme", "emulator": "acme", "emulator_options": QUICK, "options": {"stall_seconds": 1.5}},
    ]
)


def test_who_is_there_is_told(counter: Counter) -> None:
    device = counter.device("acme")
    assert (device.info.vendor, device.info.model, device.info.serial) == ("Acme", "AV-1", "AV100001")
    assert (device.info.camera.width, device.info.camera.height) == (320, 240)


def test_frames_come_one_after_the_other_and_whole(camera: Camera) -> None:
    frames = list(islice(camera.frames(), 5))
    assert [frame.sequence for frame in frames] == sorted({frame.sequence for frame in frames})
    for frame in frames:
        assert is_whole(frame.data)
        assert frame_size(frame.data) == (320, 240) == (frame.width, frame.height)


def test_a_still_is_what_the_camera_sent(camera: Camera, bench: Bench) -> None:
    still = camera.capture()
    assert (still.width, still.height) == (320, 240)
    newest = bench.last_output("acme")
    assert newest is not None
    assert is_whole(newest.image.data)


def test_a_code_before_the_camera_is_read(camera: Camera, bench: Bench) -> None:
    bench.set_scene(SCENE_CODE, "acme", text="https://example.org/pay", size=0.8)
    assert [code.text for code in camera.scan(timeout=20).codes] == ["https://example.org/pay"]


def test_a_camera_that_hangs_is_noticed(camera: Camera, bench: Bench) -> None:
    bench.inject_fault("acme", "sensor-stall")
    with pytest.raises(CountertopError, match="CAMERA_STALLED"):
        camera.capture(timeout=20)


def test_pictures_that_are_cut_off_are_never_shown(camera: Camera, bench: Bench) -> None:
    bench.inject_fault("acme", "truncated")
    with pytest.raises(CountertopError, match="CAMERA_PICTURE_DAMAGED"):
        camera.capture(timeout=20)


@pytest.mark.parametrize("fault", ["mute", "corrupt-reply", "noise"])
def test_one_fault_of_the_line_costs_a_picture_at_most(camera: Camera, bench: Bench, fault: str) -> None:
    bench.inject_fault("acme", fault, times=1)
    assert is_whole(camera.capture(timeout=20).data)


def test_a_plug_that_is_pulled_and_put_back(camera: Camera, bench: Bench, until: Callable[[DeviceState], None]) -> None:
    assert is_whole(camera.capture(timeout=20).data)
    bench.unplug("acme")
    until(DEVICE_STATE_OFFLINE)
    bench.replug("acme")
    until(DEVICE_STATE_READY)
    assert is_whole(camera.capture(timeout=20).data)
