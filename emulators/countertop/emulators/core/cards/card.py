"""A card: its stripe, its chip, and what was put on both sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from countertop.emulators.core.cards.chip import Chip
from countertop.emulators.core.cards.picture import Side, to_png
from countertop.v1.card_pb2 import StripeData

__all__ = ["Blank", "Card", "Track"]


@dataclass(frozen=True, slots=True)
class Track:
    """What is on a track."""

    text: str
    """Without sentinels; empty for a track that was never written."""
    high: bool = True
    """Written with high coercivity."""
    damaged: bool = False
    """It does not read back: parity or LRC would not fit."""


@dataclass(frozen=True, slots=True)
class Blank:
    """What the cards of a supply are like."""

    tracks: tuple[str, str, str] = ("", "", "")
    atr: bytes = b""
    """Empty for the emulator's own."""
    has_chip: bool = True
    high: bool = True
    """The stripe is of high coercivity; what is written with low does not stay."""

    @classmethod
    def of(cls, stripe: StripeData, atr: bytes, *, has_chip: bool) -> Blank:
        """From a bench request."""
        return cls((stripe.track1, stripe.track2, stripe.track3), atr, has_chip)

    def card(self, serial: int) -> Card:
        """One of them."""
        tracks = {number: Track(text) for number, text in enumerate(self.tracks, 1) if text}
        return Card(serial, self.high, tracks, Chip(self.atr) if self.has_chip else None)


@dataclass(slots=True)
class Card:
    """One card. `place` is where it is in the words of `describe`."""

    serial: int
    """Counted from 1 in this emulator."""
    high: bool
    tracks: dict[int, Track]
    chip: Chip | None
    front: Side = field(default_factory=Side)
    back: Side = field(default_factory=Side)
    place: str = "supply"

    def write(self, number: int, text: str, *, high: bool, spoilt: bool) -> None:
        """Write a track. What does not suit the stripe's coercivity, or is spoilt, does not read back."""
        self.tracks[number] = Track(text, high, damaged=spoilt or (self.high and not high))

    def describe(self) -> dict[str, Any]:
        """What it is now, as plain data: `place`, `stripe`, `chip`, `front`, `back`."""
        stripe = {f"track{number}": track.text for number, track in sorted(self.tracks.items()) if not track.damaged}
        damaged = sorted(number for number, track in self.tracks.items() if track.damaged)
        coercivity = sorted({"high" if track.high else "low" for track in self.tracks.values()})
        return {
            "serial": self.serial,
            "place": self.place,
            "stripe": stripe | {"damaged": damaged, "coercivity": coercivity},
            "chip": None if self.chip is None else self.chip.describe(),
            "front": self.front.describe(),
            "back": self.back.describe(),
        }

    def png(self, *, back: bool = False) -> bytes:
        """One side as the customer sees it."""
        return to_png(self.back if back else self.front)
