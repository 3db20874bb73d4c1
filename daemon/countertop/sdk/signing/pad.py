"""The base of signature pad drivers: a driver shows a picture and hears the pen, all else is done here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from countertop.sdk.device import Device, Run
from countertop.sdk.signing.samples import PadEvent
from countertop.v1 import device_pb2, ink_pb2, signature_pad_pb2

__all__ = ["PadScreen", "SignaturePad"]


@dataclass(frozen=True, slots=True)
class PadScreen:
    """A pad's screen. It lies under the whole writing area: pixel (0, 0) is the corner at device unit (0, 0)."""

    width: int
    height: int
    bits: int
    """Bits per pixel: 1, 16 or 24."""


class SignaturePad(Device):
    """Base of signature pad drivers.

    A driver gives the members below; the picture with its buttons, taking the ink, prompts, time limits, live events
    and results are done here. Between `open_capture` and `close_capture` nothing else is asked of the driver but `show`
    and `hear`; `show` also comes while `hear` waits, when an app wipes the ink.
    """

    kind = device_pb2.DEVICE_KIND_SIGNATURE_PAD

    @property
    @abstractmethod
    def space(self) -> ink_pb2.InkSpace:
        """Where its points lie; known once connected."""

    @property
    @abstractmethod
    def screen(self) -> PadScreen | None:
        """Its screen; None when it has none; known once connected."""

    @abstractmethod
    async def open_capture(self, operation_id: str) -> None:
        """Let the pad send its pen; encrypted, where that is asked for."""

    @abstractmethod
    async def show(self, pixels: bytes) -> None:
        """Wipe the ink and show a picture: RGB, 3 bytes a pixel, rows from the top, `width * height * 3` bytes of the
        screen. The pad draws what is written over it. Never called for a pad without a screen.
        """

    @abstractmethod
    async def hear(self) -> Sequence[PadEvent]:
        """Wait for what the pad sends next: one event or more. Cancelling loses none. Raises DeviceFault."""

    @abstractmethod
    async def close_capture(self) -> None:
        """Leave the pad blank and quiet, and forget the ink; called when a capture ended in any way but a lost link.
        Raises DeviceFault.
        """

    async def capture_signature(
        self, request: signature_pad_pb2.CaptureSignatureRequest, run: Run
    ) -> signature_pad_pb2.CaptureSignatureResult:
        """Take a signature. Emits CaptureStarted, InkWritten, InkCleared. Raises CountertopError with
        SIGNATURE_DECLINED, NO_SIGNATURE, or whatever the driver raised.
        """
        from countertop.sdk.signing.session import CaptureSession  # draws; needed for a capture only

        return await CaptureSession(self, request, run).carry_out()
