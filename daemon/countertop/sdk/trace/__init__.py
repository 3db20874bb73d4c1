"""Recording of link traffic, and reading it back: docs/recording.md. Names are imported when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy

if TYPE_CHECKING:
    from countertop.sdk.trace.masking import Masker
    from countertop.sdk.trace.reading import read_trace
    from countertop.sdk.trace.recorder import Recorder

__all__ = ["Masker", "Recorder", "read_trace"]

__getattr__ = lazy(__name__, {"masking": "Masker", "reading": "read_trace", "recorder": "Recorder"})
