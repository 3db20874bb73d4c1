"""The driver's options."""

from __future__ import annotations

import codecs
from typing import Literal

from pydantic import Field, field_validator

from countertop.drivers.escpos.profiles import profile_names
from countertop.sdk.device import Options

__all__ = ["EscPosOptions"]


class EscPosOptions(Options):
    """What an operator can set; the defaults suit most printers."""

    profile: str = "auto"
    """Name of the printer's profile; "auto" asks the printer for its model."""
    text: Literal["auto", "raster"] = "auto"
    """"raster" draws all text, in the daemon's own font; "auto" draws only lines that the printer's fonts cannot do."""
    confirm: Literal["auto", "process-id", "fence", "written"] = "auto"
    """How a print is confirmed; "auto" takes the best that the profile has."""
    code_pages: dict[int, str] = Field(default_factory=dict)
    """Instead of the profile's: argument of ESC t to the name of a Python codec, in order of preference."""
    kanji: Literal["", "gb18030", "gbk", "gb2312", "none"] = ""
    """Instead of the profile's: what the printer's Chinese font has."""
    clear: bool | None = None
    """Instead of the profile's: the printer obeys DLE DC4 8 (clear buffers)."""
    cut_feed_mm: float = Field(default=0, ge=0, le=30)
    """Paper fed beyond the cutter before a cut."""
    cut_leftover: bool = True
    """Cut off what a print that failed half-way has left, before the next one."""
    counters_survive_power_loss: bool = False
    """The printer's maintenance counters lose nothing when its power fails: counters that have not changed then prove
    that nothing was printed. Most printers save them now and then only."""
    window_bytes: int = Field(default=0, ge=0, le=1_000_000)
    """Most bytes on the way unconfirmed; at most what the printer's receive buffer takes, else a fault cannot be
    answered by clearing it. 0 takes the profile's, or 16 KiB on TCP (Epson UB-E02), less 512."""
    first_process_id: str = Field(default="", pattern=r"^([ -~]{4})?$")
    """The process id that the first print after connecting begins with, for the replay of a recording that begins so;
    "" draws one, which no answer to an earlier connection's can be taken for."""
    answer_seconds: float = Field(default=1.0, gt=0, le=30)
    """Time for the answer to a real-time command."""
    identify_seconds: float = Field(default=0.5, gt=0, le=30)
    """Time for the answer to GS I, which many printers do not know."""
    busy_seconds: float = Field(default=4.0, gt=0, le=60)
    """Time for a printer that answers real-time commands to print what it was sent before it was connected anew."""
    stall_seconds: float = Field(default=8.0, gt=0, le=120)
    """Time for a confirmation, beside the time that paper and wire take."""
    slowest_mm_per_second: float = Field(default=20.0, gt=0, le=1000)
    """Slowest speed at which the printer feeds."""
    drawer_on_ms: int = Field(default=100, ge=2, le=510)
    """Length of the drawer pulse."""
    drawer_off_ms: int = Field(default=200, ge=2, le=510)
    """Pause after it."""
    drawer_open_level: Literal["auto", "high", "low"] = "auto"
    """Level of the drawer's switch while it is open; "auto" takes any change after the pulse for opening."""
    drawer_seconds: float = Field(default=0.6, ge=0, le=10)
    """Longest time for the drawer to spring open."""

    @field_validator("profile")
    @classmethod
    def _known_profile(cls, value: str) -> str:
        if value != "auto" and value not in profile_names():
            raise ValueError(f"expected auto or one of {', '.join(profile_names())}")
        return value

    @field_validator("code_pages")
    @classmethod
    def _known_codecs(cls, value: dict[int, str]) -> dict[int, str]:
        for page, codec in value.items():
            if not 0 <= page <= 255:
                raise ValueError(f"expected a code page number of 0 to 255, not {page}")
            try:
                codecs.lookup(codec)
            except LookupError:
                raise ValueError(f"expected the name of a Python codec for code page {page}") from None
        return value
