"""The printer behind its link: jobs and queries one after the other, errors that hold a job up, power."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from countertop.emulators.core.cards.machine import Station
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


class Device:
    """A Peer. An answer goes only to the connection that asked; what is under way is finished without."""

    def __init__(self, state: State, clock: Clock, *, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._state = state
        self._clock = clock
        self._worker = Worker(state, clock)
        self._pause, self._resume = pause, resume
        self._tokenizer = Tokenizer()
        self._queue: deque[tuple[int, Query | Job]] = deque()
        self._front: Page | None = None
        self._held: Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._write: Callable[[bytes], None] | None = None
        self._connection = 0
        self._paused = False
        self._powered = True
        self._idle = asyncio.Event()
        self._idle.set()
        state.board.subscribe(self._fault_changed)

    # --- the link --------------------------------------------------------------------------------------------------

    def connected(self, write: Callable[[bytes], None]) -> None:
        """See Peer."""
        self._connection += 1
        self._write = write

    def disconnected(self) -> None:
        """See Peer. A page that was cut off still waits for the rest of its bytes."""
        self._write = None

    def received(self, data: bytes) -> None:
        """See Peer."""
        if not self._powered:
            return
        for event in self._tokenizer.feed(data):
            self._take(event)
        self.go_on()

    def go_on(self) -> None:
        """Do what waits, as far as no error stands; also when somebody has been at the printer."""
        self._flow()
        if self._queue and self._task is None and self._powered:
            self._idle.clear()
            self._task = asyncio.get_running_loop().create_task(self._work())

    def port_status(self) -> int:
        """Of the USB printer class, as captured."""
        if self._state.standing:
            return ERROR
        return BUSY if self._task is not None or self._tokenizer.in_page or self._front is not None else READY

    def soft_reset(self) -> None:
        """The USB printer class's SOFT_RESET: what was received and not begun is forgotten."""
        self._tokenizer.clear()
        self._queue.clear()
        self._front = None
        self._flow()

    async def wait_idle(self) -> None:
        """Wait until all that was received is done, or held up by an error."""
        await self._idle.wait()

    # --- power -----------------------------------------------------------------------------------------------------

    def power_off(self) -> None:
        """Memory is lost, and the error with its job; a card that moves stays where it is."""
        self._powered = False
        self._worker.stopped()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._tokenizer.clear()
        self._queue.clear()
        self._front = self._held = None
        self._state.error = ""
        self._idle.set()
        self._flow()

    def power_on(self) -> None:
        """Begin anew. Nothing moves."""
        self._powered = True

    def power_cycle(self) -> None:
        """Off and on."""
        self.power_off()
        self.power_on()

    def _fault_changed(self, name: str, began: bool) -> None:
        if name == "power-cycle" and began:
            self.power_cycle()
            self._state.board.clear(name)

    # --- what comes in ---------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
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

    def _flow(self) -> None:
        """Take in no more while too much waits; in an error everything is, or nobody could mend it."""
        jobs = sum(isinstance(item, Job) for _, item in self._queue)
        full = not self._state.standing and (len(self._queue) >= MAX_QUEUE or jobs > 1)
        if full and not self._paused:
            self._paused = True
            self._pause()
        elif self._paused and not full:
            self._paused = False
            self._resume()

    # --- work ------------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[int, Query | Job] | None:
        """What comes first; while an error stands, the first query."""
        for at, (_, item) in enumerate(self._queue):
            if isinstance(item, Query) or not self._state.standing:
                found = self._queue[at]
                del self._queue[at]
                return found
        return None

    async def _work(self) -> None:
        while (found := self._next()) is not None:
            connection, item = found
            self._flow()
            if isinstance(item, Job):
                await self._print(item)
            else:
                await self._answer(connection, item.name)
            self._flow()
        self._task = None
        self._idle.set()

    async def _print(self, job: Job) -> None:
        self._state.language = job.first.language or self._state.language
        try:
            await self._worker.carry_out(job)
        except Failure as failure:
            self._state.error, self._held = str(failure), job

    async def _answer(self, connection: int, name: str) -> None:
        """ERR alone is answered: what others are answered with is not known."""
        if name == "ERR" and connection == self._connection and self._write is not None:
            self._write(status_text(self._state.standing, self._state.language))
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
