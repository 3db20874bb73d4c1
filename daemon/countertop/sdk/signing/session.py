"""One capture on one pad, from showing the document to accepted ink."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault
from countertop.sdk.ink.quality import assess
from countertop.sdk.signing.capture import Capture
from countertop.sdk.signing.samples import PadEvent
from countertop.sdk.signing.screen import SignScreen, compose
from countertop.v1 import error_pb2, ink_pb2, operation_pb2, signature_pad_pb2
from countertop.v1.signature_pad_pb2 import CaptureSignatureRequest, CaptureSignatureResult, PadButton

if TYPE_CHECKING:
    from countertop.sdk.signing.pad import SignaturePad

__all__ = ["CaptureSession"]

SILENT_SECONDS = 0.02
"""A pad that sends nothing for so long has sent all that it had."""
CATCH_UP_SECONDS = 1.0
"""How long the app waits for a pen that goes on and on."""
CLOSE_SECONDS = 2.0
"""How long a pad may take to become blank again when its capture is given up."""


class CaptureSession:
    """Drives a pad through one capture."""

    def __init__(self, pad: SignaturePad, request: CaptureSignatureRequest, run: Run) -> None:
        self._pad = pad
        self._request = request
        self._run = run
        self._picture: SignScreen | None = None
        self._capture = Capture(pad.space)
        self._result: CaptureSignatureResult | None = None
        self._began = 0.0

    async def carry_out(self) -> CaptureSignatureResult:
        """Raises CountertopError."""
        screen = self._pad.screen
        if screen is not None:
            self._picture = await asyncio.to_thread(compose, self._request, screen.width, screen.height, screen.bits)
            self._capture.buttons = self._picture.buttons(self._pad.space)
        try:
            await self._pad.open_capture(self._run.operation_id)
            if self._picture is not None:
                await self._pad.show(self._picture.pixels)
            self._tell_started()
            result = await self._take()
        except LinkFault:
            raise
        except BaseException:
            with suppress(DeviceFault, TimeoutError):  # what went wrong before matters more
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._pad.close_capture()
            raise
        with suppress(
            DeviceFault
        ):  # accepted ink is not lost for a pad that cannot be wiped; the next poll tells of it
            await self._pad.close_capture()
        return result

    def _tell_started(self) -> None:
        picture = self._picture.png() if self._picture is not None else None
        self._run.emit(signature_pad_pb2.CaptureStarted(space=self._pad.space, screen=picture))
        self._run.prompt(operation_pb2.PROMPT_KIND_SIGN)
        self._began = _now()

    async def _take(self) -> CaptureSignatureResult:
        """Follow pen and app until the ink is accepted."""
        pen: asyncio.Future[Sequence[PadEvent]] = asyncio.ensure_future(self._pad.hear())
        app: asyncio.Future[Message] = asyncio.ensure_future(self._run.instruction())
        try:
            while self._result is None:
                both: set[asyncio.Future[Any]] = {pen, app}
                await asyncio.wait(both, timeout=self._patience(), return_when=asyncio.FIRST_COMPLETED)
                if pen.done():
                    await self._heard(pen.result())
                    pen = asyncio.ensure_future(self._pad.hear())
                if app.done() and self._result is None:
                    pen = await self._hear_out(pen)
                    await self._told(app.result())
                    app = asyncio.ensure_future(self._run.instruction())
                if self._result is None:
                    self._look_at_the_clock()
            return self._result
        finally:
            pen.cancel()
            app.cancel()
            await asyncio.gather(pen, app, return_exceptions=True)

    async def _hear_out(self, pen: asyncio.Future[Sequence[PadEvent]]) -> asyncio.Future[Sequence[PadEvent]]:
        """What the signer wrote before the app spoke counts before it: take what is still on its way."""
        until = _now() + CATCH_UP_SECONDS
        while _now() < until:
            await asyncio.wait({pen}, timeout=SILENT_SECONDS)
            if not pen.done():
                break
            await self._heard(pen.result())
            pen = asyncio.ensure_future(self._pad.hear())
        return pen

    def _patience(self) -> float:
        """Seconds until a time limit strikes."""
        return max(0.0, min(limit for limit, _ in self._limits()))

    def _limits(self) -> list[tuple[float, str]]:
        limits = [(self._run.time_left, "timeout")]
        if self._request.HasField("start_within") and not self._capture.written:
            limits.append((self._began + _seconds(self._request.start_within) - _now(), "start_within"))
        if self._request.HasField("accept_after_pause") and self._capture.written and not self._capture.pen_down:
            up_since = self._capture.last_touch / 1e6
            limits.append((up_since + _seconds(self._request.accept_after_pause) - _now(), "accept_after_pause"))
        return limits

    def _look_at_the_clock(self) -> None:
        for left, limit in self._limits():
            if left > 0:
                continue
            if limit == "accept_after_pause":
                self._accept(by_app=False)
                return
            raise CountertopError(error_pb2.REASON_NO_SIGNATURE)

    async def _heard(self, events: Sequence[PadEvent]) -> None:
        live, presses = self._capture.hear(events, round(_now() * 1e6))
        self._emit_ink(live)
        for button in presses:
            await self._press(button, by_app=False)

    async def _told(self, instruction: Message) -> None:
        if isinstance(instruction, signature_pad_pb2.PressButtonRequest):
            await self._press(instruction.button, by_app=True)

    async def _press(self, button: PadButton, *, by_app: bool) -> None:
        if self._result is not None:
            return
        if button == signature_pad_pb2.PAD_BUTTON_CANCEL:
            raise CountertopError(error_pb2.REASON_SIGNATURE_DECLINED)
        if button == signature_pad_pb2.PAD_BUTTON_ACCEPT:
            if self._capture.written:
                self._accept(by_app=by_app)
        elif button == signature_pad_pb2.PAD_BUTTON_CLEAR:
            self._run.emit(self._capture.clear(by_app=by_app))
            if self._picture is not None:
                await self._pad.show(self._picture.pixels)

    def _accept(self, *, by_app: bool) -> None:
        self._emit_ink(self._capture.lift())
        capture = self._capture
        quality = assess(capture.ink, capture.samples_lost)
        if capture.cut_off:
            quality.flaws.append(ink_pb2.INK_FLAW_CUT_OFF)
        self._result = CaptureSignatureResult(ink=capture.ink, quality=quality, accepted_by_app=by_app)

    def _emit_ink(self, live: list[Message]) -> None:
        if self._request.live_ink:
            for event in live:
                self._run.emit(event)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _seconds(duration: Duration) -> float:
    return float(duration.seconds + duration.nanos / 1e9)
