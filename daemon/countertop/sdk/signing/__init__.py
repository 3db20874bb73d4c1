"""Signature pads: what their drivers build on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy

if TYPE_CHECKING:
    from countertop.sdk.signing.pad import PadScreen, SignaturePad
    from countertop.sdk.signing.samples import ButtonPress, PadEvent, PenSample

__all__ = ["ButtonPress", "PadEvent", "PadScreen", "PenSample", "SignaturePad"]

__getattr__ = lazy(__name__, {"pad": "PadScreen SignaturePad", "samples": "ButtonPress PadEvent PenSample"})
