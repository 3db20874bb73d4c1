"""The printer behind its link: commands one after the other, answers, power."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultSpec
from countertop.emulators.evolis.drawing import DRAWINGS, draw
from countertop.emulators.evolis.framing import MAX_BITMAP, Command, Tokenizer
from countertop.emulators.evolis.queries import QUERIES, ask
from countertop.emulators.evolis.settings import SETTINGS, take_note
from countertop.emulators.evolis.state import Failure, Memory, State
from countertop.emulators.evolis.work import WORK, Worker

__all__ = ["DEVICE_FAULTS", "Device"]

DEVICE_FAULTS = (
    FaultSpec("stripe-write", "The stripe is not written, and the printer says so."),
    FaultSpec("stripe-spoilt", "The stripe is written badly, and the printer does not notice."),
    FaultSpec("stripe-read", "The stripe cannot be read."),
    FaultSpec("ribbon-break", "The ribbon tears at the next panel."),
    FaultSpec("head-error", "The print head fails at the next panel."),
    FaultSpec("needs-cleaning", "The printer takes no card before it was cleaned."),
    FaultSpec("number-quirk", "The ribbon's numbers are answered with OK."),
    FaultSpec("power-cycle", "The power fails for a moment: memory is lost, a card that moves stays where it is."),
)
MAX_QUEUE = 64
"""Commands that wait; beyond, nothing more is taken in. Bitmaps count by their size too."""
_NACKS = (
    ("ERROR CDE", b"1"),
    ("ERROR PARAMETRES", b"2"),
    ("COVER OPEN", b"C"),
    ("FEEDER EMPTY", b"F"),
    ("ERROR RIBBON", b"R"),
    ("ERR RIB", b"R"),
    ("ERROR MAGN CHECKSUM", b"K"),
    ("ERROR MAGN DATA", b"D"),
    ("ERROR MAGN", b"W"),
)
ACK, NACK = b"\x06", b"\x15"


class Device:
    """A Peer. An answer goes only to the connection that sent the command; what is under way is finished without."""

    def __init__(self, state: State, clock: Clock, *, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._state = state
        self._worker = Worker(state, clock)
        self._pause, self._resume = pause, resume
        self._tokenizer = Tokenizer()
        self._queue: deque[tuple[int, Command]] = deque()
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
        """See Peer. A bitmap that was cut off still waits for the rest of its bytes."""
        self._write = None

    def received(self, data: bytes) -> None:
        """See Peer."""
        if not self._powered:
            return
        for command in self._tokenizer.feed(data):
            self._queue.append((self._connection, command))
        self._flow()
        if self._queue and self._task is None:
            self._idle.clear()
            self._task = asyncio.get_running_loop().create_task(self._work())

    def soft_reset(self) -> None:
        """The USB printer class's SOFT_RESET: what was received and not begun is forgotten."""
        self._tokenizer.clear()
        self._queue.clear()
        self._flow()

    @property
    def busy(self) -> bool:
        """Something is carried out."""
        return self._task is not None

    async def wait_idle(self) -> None:
        """Wait until all that was received is done."""
        await self._idle.wait()

    # --- power -----------------------------------------------------------------------------------------------------

    def power_off(self) -> None:
        """Memory is lost; a card that moves stays where it is."""
        self._powered = False
        self._worker.stopped()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        self._tokenizer.reset()
        self._queue.clear()
        self._state.memory = Memory()
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

    # --- work ------------------------------------------------------------------------------------------------------

    def _flow(self) -> None:
        """Take in no more while too much waits."""
        size = sum(len(command.data) for _, command in self._queue)
        full = len(self._queue) >= MAX_QUEUE or size > 2 * MAX_BITMAP
        if full and not self._paused:
            self._paused = True
            self._pause()
        elif self._paused and not full:
            self._paused = False
            self._resume()

    async def _work(self) -> None:
        while self._queue:
            connection, command = self._queue.popleft()
            answer = await self._carry_out(command)
            self._answer(connection, command, answer)
            self._flow()
        self._task = None
        self._idle.set()

    async def _carry_out(self, command: Command) -> str:
        try:
            if command.name in QUERIES:
                return ask(self._state, command)
            if command.name in SETTINGS or command.name == "Psc":
                return take_note(self._state, command)
            if command.name in DRAWINGS:
                return draw(self._state, command)
            if command.name in WORK:
                await WORK[command.name](self._worker, command)
                return "OK"
        except Failure as failure:
            return str(failure)
        return "ERROR CDE"

    def _answer(self, connection: int, command: Command, answer: str) -> None:
        memory = self._state.memory
        if command.name != "Rlr":
            memory.last_answer = answer
        if connection != self._connection or self._write is None:
            return
        asked = command.name in QUERIES
        if memory.error_mode == 4 and not asked:
            self._write(ACK if answer == "OK" else NACK + _nack(answer))
        elif memory.error_mode or asked:
            self._write(answer.encode("ascii", "replace") + b"\0")


def _nack(answer: str) -> bytes:
    """The code of an error in ACK/NACK mode."""
    return next((code for start, code in _NACKS if answer.startswith(start)), b"T")
