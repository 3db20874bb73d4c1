"""The driver's options."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from countertop.sdk import Options

__all__ = ["EvolisOptions"]


class EvolisOptions(Options):
    """Options of an Evolis printer. Those that are not given are the model's."""

    levels: Literal[32, 64, 128] = 128
    """Steps of each colour that are sent."""
    fed_counter: Literal["", "p", "c", "a", "m", "n", "l"] = "c"
    """Which of its counters (`Rco`) counts cards that were fed; the guide does not explain them. Empty for none."""
    sentinels: bool = False
    """Send start and end sentinels with the data of a track, for firmware that does not add them by itself."""
    print_seconds: float = Field(default=90.0, ge=5, le=600)
    """How long the last panel of a side may take."""
    exit: bool | None = None
    duplex: bool | None = None
    contact: bool | None = None
    contactless: bool | None = None
