"""The printer behind its link: jobs and queries one after the other, errors that hold a job up, power."""

from __future__ import annotations

from collections.abc import Callable

from countertop.emulators.core.cards.machine import Station
from countertop.emulators.core.cards.queued import QueuedPeer
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultSpec
from countertop.emulators.core.usb.printer_class import BUSY, ERROR, READY
from countertop.emulators.magicard.framing import Broken, Event, Page, Query, Tokenizer
from countertop.emulators.magicard.header import HeaderError, parse
from countertop.emulators.magicard.printing import Job, Worker
from countertop.emulators.magicard.state import Failure, State, status_text

__all__ = ["DEVICE_FAULTS", "MAX_QUEUE", "Device"]

DEVICE_FAULTS = (
    FaultSpec("stripe-write", "The stripe is not written; a printer that was asked to verify says so."),
    FaultSpec("stripe-spoilt", "The stripe is written badly, and the printer does not notice."),
    FaultSpec("ribbon-break", "The ribbon tears at the next panel."),
    FaultSpec("head-error", "The print head fails at the next panel."),
    FaultSpec("power-cycle", "The power fails for a moment: memory is lost, a card that moves stays where it is."),
)
MAX_QUEUE = 16
"""Queries and jobs that wait; beyond, nothing more is taken in. Of jobs only one: beside it the next is received."""
CLEAN_SECONDS = 20.0


class Device(QueuedPeer[Query | Job]):
    """Makes cards and answers queries, in their order; an error holds up the cards, not the queries."""

    def __init__(self, state: State, clock: Clock, *, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        super().__init__(state.board, pause=pause, resume=resume)
        self._state = state
        self._clock = clock
        self._worker = Worker(state, clock)
        self._tokenizer = Tokenizer()
        self._front: Page | None = None
        self._held: Job | None = None

    def port_status(self) -> int:
        """Of the USB printer class, as captured."""
        if self._state.standing:
            return ERROR
        return BUSY if self.busy or self._tokenizer.in_page or self._front is not None else READY

    def _forget_received(self) -> None:
        self._tokenizer.clear()
        self._front = None

    def _lose_memory(self) -> None:
        self._worker.stopped()
        self._held = None
        self._state.error = ""

    # --- what comes in ---------------------------------------------------------------------------------------------

    def _take(self, data: bytes) -> None:
        for event in self._tokenizer.feed(data):
            self._take_event(event)

    def _take_event(self, event: Event) -> None:
        if isinstance(event, Query):
            if len(self._queue) < 4 * MAX_QUEUE:
                self._queue.append((self._connection, event))
        elif isinstance(event, Broken):
            self._front = None
        else:
            self._take_page(event)

    def _take_page(self, page: Page) -> None:
        """A front waits for its back; a page that cannot be understood is an error of its own."""
        front, self._front = self._front, None
        try:
            header = parse(page.fields)
            if header.page == 2 and front is not None:
                job = Job(((parse(front.fields), front), (header, page)))
            elif header.duplex and header.page == 1 and not header.back_only and page.planes:
                self._front = page
                return
            else:
                job = Job(((header, page),))
        except HeaderError:
            self._state.error = self._state.error or "data"
            return
        waiting = sum(isinstance(item, Job) for _, item in self._queue)
        if not self._state.standing or not waiting:  # else there is no room until somebody has been there
            self._queue.append((self._connection, job))

    def _is_full(self) -> bool:
        """In an error everything is taken in, or nobody could mend it."""
        jobs = sum(isinstance(item, Job) for _, item in self._queue)
        return not self._state.standing and (len(self._queue) >= MAX_QUEUE or jobs > 1)

    # --- work ------------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[int, Query | Job] | None:
        """What comes first; while an error stands, the first query."""
        for at, (_, item) in enumerate(self._queue):
            if isinstance(item, Query) or not self._state.standing:
                found = self._queue[at]
                del self._queue[at]
                return found
        return None

    async def _do(self, connection: int, item: Query | Job) -> None:
        if isinstance(item, Job):
            await self._print(item)
        else:
            await self._answer(connection, item.name)

    async def _print(self, job: Job) -> None:
        self._state.language = job.first.language or self._state.language
        try:
            await self._worker.carry_out(job)
        except Failure as failure:
            self._state.error, self._held = str(failure), job

    async def _answer(self, connection: int, name: str) -> None:
        """ERR alone is answered: what others are answered with is not known."""
        if name == "ERR":
            self._say(connection, status_text(self._state.standing, self._state.language))
        elif name == "CAN":
            self._held = None
            await self._clear_error()
        elif name == "OKY":
            held, self._held = self._held, None
            untouched = self._state.error == "empty"
            await self._clear_error()
            if held is not None and untouched:
                await self._print(held)
        elif name == "CLN" and not self._state.standing:
            await self._clock.sleep(CLEAN_SECONDS)

    async def _clear_error(self) -> None:
        """The error is over, unless a card is stuck; one that is inside, unfinished as it is, is put out."""
        machine = self._state.machine
        self._state.error = ""
        if not self._state.standing and machine.station is not Station.NONE:
            try:
                await self._worker.put_out()
            except Failure as failure:
                self._state.error = str(failure)
