"""Commands that do something: S and D. Each takes its time; what it answers comes when it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from countertop.emulators.core.cards.machine import MoveError, Station
from countertop.emulators.core.clock import Clock
from countertop.emulators.evolis.bitmaps import expand_dye, expand_resin, from_bmp, unpack, upright
from countertop.emulators.evolis.framing import BITS, HEIGHT, WIDTH, Command
from countertop.emulators.evolis.printing import PANEL_SECONDS, Job, Pending, PrintError
from countertop.emulators.evolis.state import Failure, State

__all__ = ["WORK", "Worker"]

FEED_SECONDS, STATION_SECONDS, FLIP_SECONDS, OUT_SECONDS, RETAIN_SECONDS = 1.6, 0.8, 2.0, 1.0, 1.4
STRIPE_SECONDS, CLEAN_SECONDS = 1.5, 8.0
_ANSWERS = {
    "empty": "FEEDER EMPTY",
    "jam": "CARD JAM",
    "cover": "COVER OPEN",
    "full": "HOPPER FULL",
    "nothing": "ERROR TIME OUT",
    "occupied": "ERROR",
}
"""What movements that do not come about are answered with."""
PANELS = "ymckos"
_ALPHABETS = {1: (range(0x20, 0x60), 76), 2: (range(0x30, 0x40), 37), 3: (range(0x30, 0x40), 104)}
"""Characters of a track, and how many fit without sentinels and LRC (ISO/IEC 7811-6)."""


class Worker:
    """Carries out commands of one printer."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._moving = False

    @property
    def _job(self) -> Job:
        return self._state.memory.job

    def stopped(self) -> None:
        """The power fails while something is carried out: a card that moves is between stations."""
        if self._moving:
            self._state.machine.stop()

    # --- movements -------------------------------------------------------------------------------------------------

    @contextmanager
    def _motion(self) -> Iterator[None]:
        """A card moves; when it fails the answer tells why."""
        self._moving = True
        try:
            yield
        except MoveError as error:
            raise Failure(_ANSWERS[str(error)]) from None
        finally:
            self._moving = False

    async def _feed(self) -> None:
        if self._state.board.take("needs-cleaning"):
            raise Failure("NEED CLEANING")
        with self._motion():
            await self._clock.sleep(FEED_SECONDS / 2)
            self._state.machine.feed()
            await self._clock.sleep(FEED_SECONDS / 2)

    async def _go(self, seconds: float, move: Callable[[], None]) -> None:
        with self._motion():
            await self._clock.sleep(seconds)
            move()

    async def _bring(self, station: Station) -> None:
        """The card inside, or one from the supply or the bezel, to a station."""
        machine = self._state.machine
        if machine.station is Station.EXIT and self._state.memory.first("Pcim", "F") in "BIM":
            await self._go(STATION_SECONDS, machine.pull_in)
        elif machine.station in (Station.NONE, Station.EXIT):
            await self._feed()
        if machine.station is not station:
            await self._go(STATION_SECONDS, lambda: machine.move(station))

    async def insert(self, command: Command) -> None:
        """`Si`, `Sis`, `Sic`."""
        stations = {"Si": Station.PRINT, "Sis": Station.CONTACT, "Sic": Station.CONTACTLESS}
        await self._bring(stations[command.name])

    async def insert_from_back(self, command: Command) -> None:
        """`Sib`: the card at the bezel, or in the manual slot."""
        await self._go(STATION_SECONDS, self._state.machine.pull_in)

    async def insert_and_eject(self, command: Command) -> None:
        """`Sie`."""
        await self._bring(Station.PRINT)
        await self._eject()

    async def _eject(self) -> None:
        machine = self._state.machine
        await self._go(OUT_SECONDS, machine.present if self._state.model.exit else machine.eject)

    async def eject_back(self, command: Command) -> None:
        """`Seb`: to the bezel of a kiosk's printer; else under the feeder, which is where rejected cards go."""
        if self._state.model.exit:
            await self._eject()
        else:
            await self.reject(command)

    async def reject(self, command: Command) -> None:
        """`Ser`."""
        await self._go(RETAIN_SECONDS, self._state.machine.retain)

    async def clean(self, command: Command) -> None:
        """`Scp`: with a cleaning card, which somebody puts in and takes out."""
        if self._state.machine.station is not Station.NONE:
            raise Failure("ERROR")
        await self._clock.sleep(CLEAN_SECONDS)
        self._state.uncleaned = 0

    async def adjust(self, command: Command) -> None:
        """`Sa`."""
        await self._clock.sleep(STATION_SECONDS)

    async def reset(self, command: Command) -> None:
        """`Srs`: bitmaps and the sequence are forgotten; settings stay."""
        self._job.start()
        self._state.memory.banks.clear()

    async def clear_status(self, command: Command) -> None:
        """`Scs`."""
        self._state.memory.last_answer = "OK"

    # --- printing --------------------------------------------------------------------------------------------------

    async def start(self, command: Command) -> None:
        """`Ss`."""
        self._job.start()

    async def front(self, command: Command) -> None:
        """`Sr`: what comes now is the front."""
        self._job.back = False

    async def back(self, command: Command) -> None:
        """`Sv`: print what waits, turn the card over; what comes now is the back."""
        if not self._state.duplex:
            raise Failure("OPT NOT AVAILABLE")
        await self._print_pending()
        await self._bring(Station.PRINT)
        await self._go(FLIP_SECONDS, self._state.machine.flip)
        self._job.turn(self._state.ribbon)

    async def end(self, command: Command) -> None:
        """`Se`: print what waits, and eject unless that is switched off."""
        banks = self._state.memory.banks
        for panel in [panel for panel in "ko" if panel in banks and banks[panel].getbbox()]:
            await self._take(panel, _dots(banks.pop(panel)))
        await self._print_pending()
        self._job.end(self._state.ribbon)
        if self._state.memory.settings.get("Pneab", ("A", "1")) != ("E",):
            await self._eject()

    async def print_now(self, command: Command) -> None:
        """`Sp;panel`: print the bitmap of this panel."""
        if self._job.pending is not None and command.parameters != (self._job.pending.panel,):
            raise Failure("ERROR PARAMETRES")
        await self._print_pending()

    async def bitmap(self, command: Command) -> None:
        """`Db`, `Dbc`, `Dbp`, `Dbpc`, `Dbmp`."""
        if command.cut:
            raise Failure("ERROR PARAMETRES")
        panel = command.parameters[0]
        if panel not in PANELS or len(panel) != 1:
            raise Failure("ERROR PARAMETRES")
        try:
            plane = await asyncio.to_thread(_plane, command)
        except ValueError:
            raise Failure("ERROR PARAMETRES") from None
        await self._take(panel, plane, partial=command.name in ("Dbp", "Dbpc"))

    async def _take(self, panel: str, plane: Any, *, partial: bool = False) -> None:
        try:
            Job.check(panel, self._state.ribbon)
        except PrintError as error:
            raise Failure(str(error)) from None
        waiting = self._job.pending
        if partial and waiting is not None and waiting.panel == panel:
            waiting.plane = waiting.plane | plane
            return
        await self._print_pending()
        self._job.pending = Pending(panel, plane)

    async def _print_pending(self) -> None:
        state, pending = self._state, self._job.pending
        if pending is None:
            return
        await self._bring(Station.PRINT)
        for fault, answer in (("head-error", "ERROR HEAD"), ("ribbon-break", "ERROR RIBBON")):
            if state.board.take(fault):
                self._job.pending = None
                raise Failure(answer)
        if state.machine.cover_open:
            raise Failure("COVER OPEN")
        await self._clock.sleep(PANEL_SECONDS[pending.panel])
        card = state.machine.card
        if card is None or self._job.pending is not pending:
            raise Failure("ERROR")  # somebody took the card out, or pulled the ribbon
        if not card.front.printed and not card.back.printed:
            state.printed += 1
            state.uncleaned += 1
        self._job.print_on(card)

    # --- stripe ----------------------------------------------------------------------------------------------------

    async def load_track(self, command: Command) -> None:
        """`Dm;track;data`."""
        track = {"1": 1, "2": 2, "3": 3}.get(command.parameters[0] if command.parameters else "", 0)
        if track not in self._state.tracks:
            raise Failure("OPT NOT AVAILABLE" if track else "ERROR PARAMETRES")
        text = ";".join(command.parameters[1:])
        start = "%" if track == 1 else ";"
        if text.startswith(start) and text.endswith("?"):
            text = text[1:-1]
        alphabet, most = _ALPHABETS[track]
        if len(text) > most or any(ord(character) not in alphabet for character in text):
            raise Failure("ERROR MAGN DATA")
        self._state.memory.tracks_to_write[track] = text

    async def write_stripe(self, command: Command) -> None:
        """`Smw`: write the tracks that were loaded, and read them again."""
        state = self._state
        tracks = dict(state.memory.tracks_to_write)
        if not tracks:
            raise Failure("ERROR MAGN DATA")
        await self._bring(Station.PRINT)
        await self._clock.sleep(STRIPE_SECONDS)
        card = state.machine.card
        if card is None:
            raise Failure("ERROR")
        state.memory.tracks_to_write.clear()
        high = state.memory.first("Pmc", "h") == "h"
        failed, spoilt = state.board.take("stripe-write"), state.board.take("stripe-spoilt")
        for track, text in tracks.items():
            card.write(track, text, high=high, spoilt=failed or spoilt)
        state.written += 1
        if failed:
            raise Failure("ERROR MAGN")
        if not spoilt and any(card.tracks[track].damaged for track in tracks):
            raise Failure("ERROR MAGN CHECKSUM")

    async def read_stripe(self, command: Command) -> None:
        """`Smr;track`: into the buffer that `Rmb` tells."""
        state = self._state
        number = {"1": 1, "2": 2, "3": 3}.get(";".join(command.parameters), 0)
        if number not in state.tracks:
            raise Failure("OPT NOT AVAILABLE" if number else "ERROR PARAMETRES")
        state.memory.tracks_read.pop(number, None)
        await self._bring(Station.PRINT)
        await self._clock.sleep(STRIPE_SECONDS)
        card = state.machine.card
        if card is None:
            raise Failure("ERROR")
        if state.board.take("stripe-read"):
            raise Failure("ERR READ")
        track = card.tracks.get(number)
        if track is None or not track.text:
            raise Failure("ERROR MAGN DATA")
        if track.damaged:
            raise Failure("ERROR MAGN CHECKSUM")
        state.memory.tracks_read[number] = track.text


def _dots(picture: Any) -> Any:
    import numpy as np

    return np.asarray(picture, dtype=bool)


def _plane(command: Command) -> Any:
    """The picture that a bitmap command carries. Raises ValueError."""
    import numpy as np

    name, (panel, *numbers) = command.name, command.parameters
    if name == "Dbmp":
        x, y = int(numbers[0]), int(numbers[1])
        picture = from_bmp(command.data)
        canvas = np.zeros((WIDTH, HEIGHT), bool)
        # y counts from the lower edge, as in the file itself; a picture of the whole card is sent with 648
        top = WIDTH - y
        part = picture[: max(0, WIDTH - max(0, top)), : max(0, HEIGHT - x)]
        canvas[max(0, top) : max(0, top) + part.shape[0], x : x + part.shape[1]] = part
        return canvas
    levels = int(numbers[0])
    first = int(numbers[1]) if name in ("Dbp", "Dbpc") else 0
    if levels not in BITS or (panel not in "ymc" and levels != 2):
        raise ValueError("levels: expected 2, 32, 64 or 128, and 2 for a panel without shades")
    if name in ("Db", "Dbp"):
        lines = unpack(command.data, levels)
    else:
        lines = expand_resin(command.data) if levels == 2 else expand_dye(command.data, levels)
    if first + len(lines) > HEIGHT:
        raise ValueError(f"first line: expected at most {HEIGHT} lines in all")
    whole = np.zeros((HEIGHT, WIDTH), np.uint8)
    whole[first : first + len(lines)] = lines
    if panel in "ymc":
        return upright((whole.astype(np.uint16) * 255 // (levels - 1)).astype(np.uint8))
    return upright(whole > 0)


_Handler = Callable[[Worker, Command], Awaitable[None]]
WORK: dict[str, _Handler] = {
    "Si": Worker.insert,
    "Sis": Worker.insert,
    "Sic": Worker.insert,
    "Sib": Worker.insert_from_back,
    "Sie": Worker.insert_and_eject,
    "Seb": Worker.eject_back,
    "Ser": Worker.reject,
    "Scp": Worker.clean,
    "Sa": Worker.adjust,
    "Srs": Worker.reset,
    "Scs": Worker.clear_status,
    "Ss": Worker.start,
    "Sr": Worker.front,
    "Sv": Worker.back,
    "Se": Worker.end,
    "Sp": Worker.print_now,
    "Db": Worker.bitmap,
    "Dbc": Worker.bitmap,
    "Dbp": Worker.bitmap,
    "Dbpc": Worker.bitmap,
    "Dbmp": Worker.bitmap,
    "Dm": Worker.load_track,
    "Smw": Worker.write_stripe,
    "Smr": Worker.read_stripe,
}
