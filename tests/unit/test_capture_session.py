"""One capture, on a pad that fails when it should be wiped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from countertop.sdk import DeviceFault, LinkFault, PenSample
from countertop.sdk.signing import ButtonPress
from countertop.sdk.signing.session import CaptureSession
from countertop.v1 import error_pb2
from countertop.v1.ink_pb2 import InkSpace
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT, PAD_BUTTON_CANCEL, CaptureSignatureRequest, SignDocument


class FailingPad:
    """Hears what it is given once, and cannot be wiped."""

    space = InkSpace(width=100, height=100, units_per_mm=10)
    screen = None

    def __init__(self, events: list[Any], fault: DeviceFault) -> None:
        self._events, self._fault = events, fault
        self.closed = False

    async def open_capture(self, operation_id: str) -> None:
        pass

    async def hear(self) -> list[Any]:
        if not self._events:
            await asyncio.Event().wait()
        events, self._events = self._events, []
        return events

    async def close_capture(self) -> None:
        self.closed = True
        raise self._fault


class Run:
    """As much of a run as a capture needs."""

    operation_id = "op"
    time_left = 5.0

    def emit(self, event: Any) -> None:
        pass

    def prompt(self, kind: int) -> None:
        pass

    async def instruction(self) -> Any:
        await asyncio.Event().wait()


FAULTS = [LinkFault(error_pb2.REASON_LINK_LOST), DeviceFault(error_pb2.REASON_PAD_FAULT)]
INK = [PenSample(1, 2, True), PenSample(3, 4, True), PenSample(3, 4, False)]


def session(pad: Any) -> CaptureSession:
    run: Any = Run()
    return CaptureSession(pad, CaptureSignatureRequest(document=SignDocument(text="x")), run)


@pytest.mark.parametrize("fault", FAULTS)
async def test_accepted_ink_is_kept_when_the_pad_cannot_be_wiped(fault: DeviceFault) -> None:
    pad = FailingPad([*INK, ButtonPress(PAD_BUTTON_ACCEPT)], fault)
    result = await session(pad).carry_out()
    assert [(point.x, point.y) for point in result.ink.strokes[0].points] == [(1, 2), (3, 4)]
    assert pad.closed


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_declined_signature_is_declined_when_the_pad_cannot_be_wiped(fault: DeviceFault) -> None:
    pad = FailingPad([ButtonPress(PAD_BUTTON_CANCEL)], fault)
    with pytest.raises(Exception, match="did not sign"):
        await session(pad).carry_out()
    assert pad.closed
