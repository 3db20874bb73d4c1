"""Options of Magicard printers: what the printer is not known to tell, and what sources leave open."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from countertop.sdk import Options
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = ["REASON_NAMES", "MagicardOptions"]

ErrorNumber = Annotated[str, StringConstraints(pattern=r"^\d{2,3}:\d{2,3}$")]
ErrorName = Literal[
    "CARDS_OUT", "CARD_JAMMED", "COVER_OPEN", "OUTPUT_FULL", "RIBBON_OUT", "RIBBON_WRONG", "STRIPE_WRITE_FAILED",
    "CLEANING_DUE", "HEAD_OVERHEATED", "PRINTER_FAULT",
]  # fmt: skip
REASON_NAMES: dict[ErrorName, Reason] = {
    "CARDS_OUT": error_pb2.REASON_CARDS_OUT,
    "CARD_JAMMED": error_pb2.REASON_CARD_JAMMED,
    "COVER_OPEN": error_pb2.REASON_COVER_OPEN,
    "OUTPUT_FULL": error_pb2.REASON_OUTPUT_FULL,
    "RIBBON_OUT": error_pb2.REASON_RIBBON_OUT,
    "RIBBON_WRONG": error_pb2.REASON_RIBBON_WRONG,
    "STRIPE_WRITE_FAILED": error_pb2.REASON_STRIPE_WRITE_FAILED,
    "CLEANING_DUE": error_pb2.REASON_CLEANING_DUE,
    "HEAD_OVERHEATED": error_pb2.REASON_HEAD_OVERHEATED,
    "PRINTER_FAULT": error_pb2.REASON_PRINTER_FAULT,
}
Power = Annotated[int, Field(ge=0, le=100)]


class MagicardOptions(Options):
    """Options of a Magicard printer. Those that are not given are the model's."""

    model: Literal["Enduro", "Pronto"] = "Enduro"
    ribbon: Literal["YMCKO", "YMCK", "KO", "K"] = "YMCKO"
    """The ribbon that is in it. Each side takes a set of its own."""
    duplex: bool | None = None
    stripe: bool = True
    """It has an encoder."""
    verify: bool = True
    """Let it read the stripe back (`MGVON`), so that a bad one is an error."""
    encode_only: Literal["NOC0", "NOC1"] = "NOC0"
    """How a card is counted whose stripe alone is written; the vendor's driver sends NOC1 to Enduros."""
    width: int | None = Field(default=None, ge=100, le=1016)
    """Dots of a line."""
    height: int | None = Field(default=None, ge=100, le=642)
    """Lines."""
    head: Literal["KGE2", "KEE1", "KEE4", "KGE"] | None = None
    head_position: int = Field(default=50, ge=35, le=65)
    """Moves the picture by so many dots less 50 across the card (`DDD`)."""
    turned: bool = False
    """The front lies the other way round (by 180 degrees)."""
    turned_back: bool = False
    """The back does."""
    power_color: Power | None = None
    """`CPW`; the printer's own when it is not given."""
    power_black: Power | None = None
    """`KPW`."""
    power_overlay: Power | None = None
    """`OPW`."""
    icc: int | None = Field(default=None, ge=0, le=9)
    """`ICC`; its meaning is not known."""
    language: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "ENG"
    """Of the texts on the printer's display; those in its answers are not read."""
    errors: dict[ErrorNumber, ErrorName] = Field(default_factory=dict)
    """What the printer's error numbers mean, where it is known on site: `{"12:01" = "CARD_JAMMED"}`."""
    answer_seconds: float = Field(default=4.0, ge=0.5, le=60)
    """For an answer."""
    print_seconds: float = Field(default=120.0, ge=5, le=600)
    """For a card."""
    start_seconds: float = Field(default=5.0, ge=0, le=60)
    """USB: how long the printer may stay ready after a job before it begins."""
    card_seconds: float = Field(default=0.0, ge=0, le=600)
    """TCP: how long after a job an error is looked for. 0 for printers that answer a question only after the jobs that
    came before it.
    """
