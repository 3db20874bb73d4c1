"""What a suite has made on an emulated card printer, and where every card is."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
from dataclasses import dataclass
from typing import Any

from countertop.bench.v1.bench_pb2 import CountCardsResponse, Output
from countertop.testing.conformance._requirement import expect
from countertop.testing.conformance._rig import Rig
from countertop.v1 import card_pb2
from countertop.v1.card_design_pb2 import CardBox, CardDesign, CardElement, CardShape, CardSide
from countertop.v1.card_pb2 import CardPlace, CardReport, StripeData
from countertop.v1.card_printer_pb2 import IssueCardRequest
from countertop.v1.device_pb2 import CardPrinterCapabilities
from countertop.v1.error_pb2 import (
    PHYSICAL_EFFECT_COMPLETE,
    PHYSICAL_EFFECT_NONE,
    PHYSICAL_EFFECT_PARTIAL,
    PhysicalEffect,
)

__all__ = [
    "DESIGN",
    "BinChange",
    "Order",
    "Shelf",
    "bears_stripe",
    "expect_agrees",
    "has_no_bin",
    "is_printed",
    "shelf",
]

QUIET_SECONDS = 0.05
REST_SECONDS = 20.0
"""Longest time for cards to come to rest."""
BLOCK = CardBox(x_mm=10, y_mm=10, width_mm=60, height_mm=20)
"""A black block, which any ribbon prints."""
DESIGN = CardDesign(
    name="conformance", front=CardSide(elements=[CardElement(box=BLOCK, shape=CardShape(fill="#000000"))])
)
_NUMBERS = itertools.count(1)
_INSIDE = frozenset(
    {
        card_pb2.CARD_PLACE_PRINT,
        card_pb2.CARD_PLACE_CONTACT,
        card_pb2.CARD_PLACE_CONTACTLESS,
        card_pb2.CARD_PLACE_TRANSPORT,
        card_pb2.CARD_PLACE_JAMMED,
        card_pb2.CARD_PLACE_EXIT,
    }
)
_COUNTED = {
    card_pb2.CARD_PLACE_TAKEN: "taken",
    card_pb2.CARD_PLACE_OUTPUT: "output",
    card_pb2.CARD_PLACE_RETAIN_BIN: "retained",
} | dict.fromkeys(_INSIDE, "inside")
"""Where the bench counts a card, by the place that a report gives."""


@dataclass(frozen=True, slots=True)
class Order:
    """A card as no other one: what is asked of any printer, within what it can do."""

    request: IssueCardRequest
    token: str
    """On track 2, and on no other card; empty where the printer writes no stripe."""

    @classmethod
    def new(cls, has: CardPrinterCapabilities, *, picture: bool = True) -> Order:
        """One that was never made before."""
        request = IssueCardRequest()
        token = f"9999{next(_NUMBERS):012d}=99120000" if 2 in has.tracks else ""
        if token:
            request.stripe.CopyFrom(StripeData(track2=token))
        if has.width and (picture or not token):
            request.artwork.design.CopyFrom(DESIGN)
        request.take_within.seconds = 5
        return cls(request, token)


@dataclass(frozen=True, slots=True)
class BinChange:
    """How many more cards are somewhere than there were before."""

    used: int
    """Blanks that came out of the supply."""
    inside: int
    taken: int
    output: int
    retained: int
    removed: int

    def __str__(self) -> str:
        names = ("used", "inside", "taken", "output", "retained", "removed")
        return ", ".join(f"{name} {getattr(self, name):+d}" for name in names)

    @property
    def given_out(self) -> int:
        """In the customer's hand or the output hopper."""
        return self.taken + self.output


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where every card was at one time."""

    counts: CountCardsResponse

    def until(self, later: Shelf) -> BinChange:
        """What has changed since."""
        before, after = self.counts, later.counts
        blanks = (after.loaded - before.loaded) - (after.unloaded - before.unloaded)
        change = {name: getattr(after, name) - getattr(before, name) for name in BinChange.__slots__ if name != "used"}
        return BinChange(used=blanks - (after.supply - before.supply), **change)


async def shelf(rig: Rig) -> Shelf:
    """Where every card is once all is at rest. Breaks the requirement when a card is nowhere or in two places. Skips it
    on a real device.
    """
    rig.needs_emulator()
    end, counts = asyncio.get_running_loop().time() + REST_SECONDS, await rig.hands.do("count_cards")
    while asyncio.get_running_loop().time() < end:
        await asyncio.sleep(QUIET_SECONDS)
        before, counts = counts, await rig.hands.do("count_cards")
        if counts == before:
            break
    there = counts.supply + counts.unloaded + counts.inside + counts.taken + counts.output
    there += counts.retained + counts.removed
    expect(counts.loaded + counts.pushed == there, "The emulator must account for every card that it ever had.")
    return Shelf(counts)


def expect_agrees(
    has: CardPrinterCapabilities, effect: PhysicalEffect, report: CardReport | None, change: BinChange, who: str
) -> None:
    """Breaks the requirement when what somebody says of one card that was asked for is not what became of the cards.
    UNKNOWN always is; a place, where one is told, must be true all the same.
    """
    name = PhysicalEffect.Name(effect).removeprefix("PHYSICAL_EFFECT_")
    shown = f"{who} says {name}; the cards: {change}"
    expect(change.used <= 1, f"{shown}: more than one blank was used for one card.")
    if effect == PHYSICAL_EFFECT_NONE:
        expect(not change.used, f"{shown}: NONE is right only when no blank was used.")
    elif effect == PHYSICAL_EFFECT_COMPLETE:
        expect(change.given_out == 1, f"{shown}: COMPLETE is right only when the card was given out.")
    elif effect == PHYSICAL_EFFECT_PARTIAL:
        away = change.taken if has_no_bin(has) else change.given_out
        expect(not away, f"{shown}: a card that is said not to be finished was given out.")
    if report is not None and report.place in _COUNTED:
        there = getattr(change, _COUNTED[report.place])
        expect(there == 1, f"{shown}; the report has it {CardPlace.Name(report.place).removeprefix('CARD_PLACE_')}.")
        expect(report.fed == bool(change.used), f"{shown}: the report must tell truly whether a blank was used.")


def has_no_bin(has: CardPrinterCapabilities) -> bool:
    """Cards that went wrong go where the finished ones go, as there is no other place."""
    return not any(unit.kind == card_pb2.CARD_UNIT_KIND_RETAIN for unit in has.units)


def bears_stripe(card: Output, token: str, track: int = 2) -> bool:
    """The card's stripe holds what was asked for."""
    stripe: dict[str, Any] = json.loads(card.text).get("stripe") or {}
    return bool(token) and stripe.get(f"track{track}") == token


def is_printed(card: Output) -> bool:
    """The block of the design is on the card's front, and its corner is free."""
    import numpy as np
    from PIL import Image

    picture = np.asarray(Image.open(io.BytesIO(card.image.data)).convert("L"))
    height, width = picture.shape
    inner = picture[int(height * 0.30) : int(height * 0.45), int(width * 0.20) : int(width * 0.70)]
    corner = picture[int(height * 0.80) : int(height * 0.90), int(width * 0.40) : int(width * 0.60)]
    return bool(inner.mean() < corner.mean() - 100)
