"""The driver on the emulated pad: all that a daemon does with it, over the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from countertop.bench.v1.bench_pb2 import SignRequest
from countertop.client import CountertopError
from countertop.client.sync import Bench, Counter, SignaturePad
from countertop.v1.device_pb2 import DEVICE_STATE_OFFLINE, DEVICE_STATE_READY, DeviceState
from countertop.v1.ink_pb2 import Ink
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, PAD_BUTTON_CLEAR

pytestmark = pytest.mark.terminal(devices=["acme"])
QUICK = SignRequest(speed=0)


def begun(pad: SignaturePad) -> Any:
    """A capture whose pad listens."""
    capture = pad.start_capture("Please sign.", timeout=20)
    for update in capture:
        if update.HasField("started"):
            return capture
    raise AssertionError("the capture ended before it began")


def places(ink: Ink) -> list[list[tuple[int, int]]]:
    """Where the pen was, stroke by stroke."""
    return [[(point.x, point.y) for point in stroke.points] for stroke in ink.strokes]


def test_who_is_there_is_told(counter: Counter) -> None:
    device = counter.device("acme")
    assert (device.info.vendor, device.info.model, device.info.serial) == ("Acme", "AP-1", "AP100001")
    assert device.info.signature_pad.width_mm == pytest.approx(120)


def test_ink_is_what_the_pen_wrote(signature_pad: SignaturePad, bench: Bench) -> None:
    capture = begun(signature_pad)
    written = bench.sign("acme", QUICK)
    bench.press_pad_button(PAD_BUTTON_ACCEPT, "acme")
    result = capture.result()
    assert places(result.ink) == places(written)
    assert result.ink.space.pressure_levels == 1024


def test_the_clear_key_wipes_the_ink(signature_pad: SignaturePad, bench: Bench) -> None:
    capture = begun(signature_pad)
    bench.sign("acme", QUICK)
    bench.press_pad_button(PAD_BUTTON_CLEAR, "acme")
    written = bench.sign("acme", SignRequest(svg_path="M 0 0 L 10 5", speed=0))
    bench.press_pad_button(PAD_BUTTON_ACCEPT, "acme")
    assert places(capture.result().ink) == places(written)


def test_the_cancel_key_declines(signature_pad: SignaturePad, bench: Bench) -> None:
    capture = begun(signature_pad)
    bench.press_pad_button(PAD_BUTTON_CANCEL, "acme")
    with pytest.raises(CountertopError, match="SIGNATURE_DECLINED"):
        capture.result()


def test_lost_samples_are_counted(signature_pad: SignaturePad, bench: Bench) -> None:
    capture = begun(signature_pad)
    bench.sign("acme", QUICK)
    bench.inject_fault("acme", "lost-sample", times=3)
    bench.sign("acme", QUICK)
    bench.press_pad_button(PAD_BUTTON_ACCEPT, "acme")
    assert capture.result().quality.samples_lost == 3


def test_a_pad_that_lost_its_power_in_a_capture_is_noticed(signature_pad: SignaturePad, bench: Bench) -> None:
    capture = begun(signature_pad)
    bench.power_cycle("acme")
    with pytest.raises(CountertopError, match="PAD_FAULT"):
        capture.result()


def test_a_broken_digitizer_refuses(signature_pad: SignaturePad, bench: Bench) -> None:
    bench.inject_fault("acme", "digitizer-broken")
    with pytest.raises(CountertopError, match="PAD_FAULT"):
        signature_pad.capture("Please sign.", timeout=5)


@pytest.mark.parametrize("fault", ["mute", "corrupt-reply", "noise", "split-replies"])
def test_one_fault_of_the_line_costs_nothing(signature_pad: SignaturePad, bench: Bench, fault: str) -> None:
    bench.inject_fault("acme", fault, times=1)
    capture = begun(signature_pad)
    written = bench.sign("acme", QUICK)
    bench.press_pad_button(PAD_BUTTON_ACCEPT, "acme")
    assert places(capture.result().ink) == places(written)


def test_a_plug_that_is_pulled_and_put_back(
    signature_pad: SignaturePad, bench: Bench, until: Callable[[DeviceState], None]
) -> None:
    capture = begun(signature_pad)
    bench.unplug("acme")
    with pytest.raises(CountertopError, match="LINK_LOST"):
        capture.result()
    until(DEVICE_STATE_OFFLINE)
    bench.replug("acme")
    until(DEVICE_STATE_READY)
    capture = begun(signature_pad)
    bench.press_pad_button(PAD_BUTTON_CANCEL, "acme")
    with pytest.raises(CountertopError, match="SIGNATURE_DECLINED"):
        capture.result()
