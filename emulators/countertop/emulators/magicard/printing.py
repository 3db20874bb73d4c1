"""A job: what its pages say, and how a card is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from countertop.emulators.core.cards.card import Card
from countertop.emulators.core.cards.machine import MoveError, Station
from countertop.emulators.core.cards.picture import Side
from countertop.emulators.core.clock import Clock
from countertop.emulators.magicard.bitmaps import area_of, on_canvas, unpack
from countertop.emulators.magicard.framing import Page
from countertop.emulators.magicard.header import Header, TrackWrite
from countertop.emulators.magicard.models import Model
from countertop.emulators.magicard.state import Failure, State

__all__ = ["Job", "Worker"]

FEED_SECONDS, STRIPE_SECONDS, FLIP_SECONDS, OUT_SECONDS = 2.0, 2.5, 2.5, 1.5
PANEL_SECONDS = {"y": 5.0, "m": 5.0, "c": 5.0, "k": 4.0, "o": 4.5}
"""How long the head takes; a card of four panels and overlay takes some 30 s."""
_PANELS = {"B": "y", "G": "m", "R": "c", "K": "k"}
_COLOR_BITS, _COLOR_MOST = 6, 63
_ALPHABETS = {7: (range(0x20, 0x60), 76), 5: (range(0x30, 0x40), 104)}
"""By bits of a character: what a track takes, and how many (ISO/IEC 7811-6)."""
_DENSE = {75: 37, 210: 104}
"""By bits an inch: how many characters of five bits there is room for."""


@dataclass(frozen=True, slots=True)
class Job:
    """The pages of one card, the front first."""

    pages: tuple[tuple[Header, Page], ...]

    @property
    def first(self) -> Header:
        """The header that tells of the whole card."""
        return self.pages[0][0]


class Worker:
    """Makes cards of jobs. A job that fails leaves its card where it is."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._moving = False

    def stopped(self) -> None:
        """The power fails while a job is carried out: a card that moves is between stations."""
        if self._moving:
            self._state.machine.stop()

    async def carry_out(self, job: Job) -> None:
        """Raises Failure."""
        pictures = [await asyncio.to_thread(_panels, header, page, self._state.model) for header, page in job.pages]
        self._check(job)
        for _ in range(job.first.copies):
            await self._make(job, pictures)

    async def put_out(self) -> None:
        """A card that is inside, finished or not, into the hopper. Raises Failure."""
        await self._go(OUT_SECONDS, self._state.machine.eject)

    def _check(self, job: Job) -> None:
        for track in job.first.tracks:
            alphabet, most = _ALPHABETS.get(track.bits, (range(0), 0))
            most = min(most, _DENSE.get(track.bits_per_inch, 0))
            fits = len(track.text) <= most and all(ord(character) in alphabet for character in track.text)
            if not self._state.tracks or not fits:
                raise Failure("stripe" if self._state.tracks else "data")
        if (job.first.duplex or job.first.back_only) and not self._state.duplex:
            raise Failure("data")

    async def _make(self, job: Job, pictures: list[dict[str, Any]]) -> None:
        if self._state.standing:
            raise Failure(self._state.standing)
        await self._go(FEED_SECONDS, self._state.machine.feed)
        if job.first.tracks:
            await self._write(job.first, job.first.tracks)
        if not job.first.encode_only:
            for place, panels in enumerate(pictures):
                back = place == 1 or job.first.back_only
                if back:
                    await self._go(FLIP_SECONDS, self._state.machine.flip)
                await self._print(panels, back=back)
        await self.put_out()

    async def _go(self, seconds: float, move: Callable[[], None]) -> None:
        self._moving = True
        try:
            await self._clock.sleep(seconds)
            move()
        except MoveError as error:
            raise Failure(str(error)) from None
        finally:
            self._moving = False

    def _card(self) -> Card:
        """The card at the head. Raises Failure when somebody has taken it out."""
        card = self._state.machine.card
        if card is None or self._state.machine.station is not Station.PRINT:
            raise Failure("nothing")
        return card

    async def _write(self, header: Header, tracks: list[TrackWrite]) -> None:
        await self._clock.sleep(STRIPE_SECONDS * (2 if header.verify else 1))
        card, board = self._card(), self._state.board
        failed, spoilt = board.take("stripe-write"), board.take("stripe-spoilt")
        for track in tracks:
            card.write(track.number, track.text, high=header.high, spoilt=failed or spoilt)
        unread = any(card.tracks[track.number].damaged for track in tracks)
        if header.verify and unread and not spoilt:
            raise Failure("stripe")

    async def _print(self, panels: dict[str, Any], *, back: bool) -> None:
        state = self._state
        for panel, picture in panels.items():
            if state.board.take("head-error"):
                raise Failure("head")
            ribbon = state.ribbon
            if ribbon is None or not ribbon.left or state.board.take("ribbon-break"):
                raise Failure("ribbon")
            if panel not in ribbon.panels:
                raise Failure("panel")
            if state.machine.cover_open:
                raise Failure("cover")
            await self._clock.sleep(PANEL_SECONDS[panel])
            card = self._card()
            side: Side = card.back if back else card.front
            side.put(panel, picture)
        if panels and state.ribbon is not None:
            state.ribbon.use()
            state.printed += 1


def _panels(header: Header, page: Page, model: Model) -> dict[str, Any]:
    """What goes onto one side, by panel, in the ribbon's order. Raises Failure."""
    found: dict[str, Any] = {}
    try:
        for letter in "BGRK":
            if letter not in page.planes:
                continue
            bits = 1 if letter == "K" else _COLOR_BITS
            picture = unpack(
                page.planes[letter],
                bits,
                width=header.width,
                height=header.height,
                position=header.position,
                straight=model.straight,
            )
            if letter == "K":
                picture = picture > 0
                if not picture.any():
                    continue
            else:
                picture = (picture.astype("uint16") * 255 // _COLOR_MOST).astype("uint8")
            found[_PANELS[letter]] = on_canvas(picture)
    except ValueError:
        raise Failure("data") from None
    if header.overlay:
        whole = [(0, 0, header.width - 1, header.height - 1)]
        cover = area_of(header.areas or whole, header.width, header.height)
        found["o"] = on_canvas(cover & ~area_of(header.holes, header.width, header.height))
    return found
