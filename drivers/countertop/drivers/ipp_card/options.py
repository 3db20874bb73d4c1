"""The driver's options."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from countertop.sdk import Options

__all__ = ["IppCardOptions"]


class IppCardOptions(Options):
    """Options of a driverless printer."""

    rotation: Literal[90, 270] = 90
    """By which the card, which we draw lying, is turned clockwise into the page, which stands."""
    print_seconds: float = Field(default=120.0, ge=5, le=600)
    """How long a card may take."""
    mend_seconds: float = Field(default=10.0, ge=0, le=600)
    """How long a job that is held up (no cards, a jam) may wait for somebody before it is cancelled."""
