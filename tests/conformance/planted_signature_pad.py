"""Signature pads whose drivers are broken on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from countertop.drivers.topaz.driver import TopazPad
from countertop.drivers.wacom_stu.driver import StuPad
from countertop.sdk import PenSample, Run
from countertop.sdk.signing import PadEvent
from countertop.testing.conformance import SignaturePadConformance
from countertop.v1 import signature_pad_pb2
from countertop.v1.device_pb2 import DeviceInfo
from countertop.v1.signature_pad_pb2 import CaptureSignatureRequest, CaptureSignatureResult
from tests.conformance.planted import Planted


class SaysTwiceItsWidth(TopazPad):
    async def connect(self) -> DeviceInfo:
        info = await super().connect()
        info.signature_pad.width_mm *= 2
        return info


class AsksTooSoon(StuPad):
    async def capture_signature(self, request: CaptureSignatureRequest, run: Run) -> CaptureSignatureResult:
        run.emit(signature_pad_pb2.InkCleared())
        return await super().capture_signature(request, run)


class Mirrored(TopazPad):
    async def hear(self) -> Sequence[PadEvent]:
        return [
            replace(event, x=self.space.width - 1 - event.x) if isinstance(event, PenSample) else event
            for event in await super().hear()
        ]


class DropsPoints(TopazPad):
    heard = 0

    async def hear(self) -> Sequence[PadEvent]:
        while True:
            events = []
            for event in await super().hear():
                self.heard += 1
                if self.heard % 50:
                    events.append(event)
            if events:
                return events


class BesideTheSpace(TopazPad):
    async def hear(self) -> Sequence[PadEvent]:
        return [
            replace(event, x=event.x + self.space.width) if isinstance(event, PenSample) else event
            for event in await super().hear()
        ]


class LiveInkTwice(TopazPad):
    async def capture_signature(self, request: CaptureSignatureRequest, run: Run) -> CaptureSignatureResult:
        emit = run.emit

        def twice(event: Any) -> None:
            emit(event)
            if isinstance(event, signature_pad_pb2.InkWritten):
                emit(event)

        run.emit = twice  # type: ignore[method-assign]
        return await super().capture_signature(request, run)


class NeverClears(TopazPad):
    async def capture_signature(self, request: CaptureSignatureRequest, run: Run) -> CaptureSignatureResult:
        instruction = run.instruction

        async def deaf() -> Any:
            while True:
                said = await instruction()
                if getattr(said, "button", None) != signature_pad_pb2.PAD_BUTTON_CLEAR:
                    return said
                run.emit(signature_pad_pb2.InkCleared())

        run.instruction = deaf  # type: ignore[method-assign]
        return await super().capture_signature(request, run)


class AcceptsWhatWasDeclined(TopazPad):
    async def capture_signature(self, request: CaptureSignatureRequest, run: Run) -> CaptureSignatureResult:
        instruction = run.instruction

        async def accepting() -> Any:
            said = await instruction()
            return signature_pad_pb2.PressButtonRequest(button=signature_pad_pb2.PAD_BUTTON_ACCEPT) if said else said

        run.instruction = accepting  # type: ignore[method-assign]
        return await super().capture_signature(request, run)


class WaitsForEver(TopazPad):
    async def capture_signature(self, request: CaptureSignatureRequest, run: Run) -> CaptureSignatureResult:
        try:
            return await super().capture_signature(request, run)
        except Exception:
            await asyncio.Future()
            raise


class KeepsOldInk(TopazPad):
    async def open_capture(self, operation_id: str) -> None:
        return


class KeepsTheScreen(StuPad):
    async def close_capture(self) -> None:
        return


class DeafToItsButtons(StuPad):
    async def capture_signature(self, request: CaptureSignatureRequest, run: Run) -> CaptureSignatureResult:
        result = await super().capture_signature(request, run)
        result.accepted_by_app = True
        return result


SUITE = SignaturePadConformance
PLANTED = [
    Planted("twice as wide as its space", SUITE, SaysTwiceItsWidth, "S-01"),
    Planted("something comes before CaptureStarted", SUITE, AsksTooSoon, "S-02"),
    Planted("ink that is mirrored", SUITE, Mirrored, "S-03"),
    Planted("a point lost now and then", SUITE, DropsPoints, "S-03"),
    Planted("points beside the space", SUITE, BesideTheSpace, "S-04"),
    Planted("live ink twice", SUITE, LiveInkTwice, "S-05"),
    Planted("clear clears nothing", SUITE, NeverClears, "S-06"),
    Planted("ink of a signer who declined", SUITE, AcceptsWhatWasDeclined, "S-07"),
    Planted("a capture without an end", SUITE, WaitsForEver, "S-08"),
    Planted("ink from before the capture", SUITE, KeepsOldInk, "S-09"),
    Planted("the document stays on the screen", SUITE, KeepsTheScreen, "S-10"),
    Planted("the app is said to have accepted", SUITE, DeafToItsButtons, "S-11"),
]
