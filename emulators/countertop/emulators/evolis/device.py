"""The printer behind its link: commands one after the other, answers, power."""

from __future__ import annotations

from collections.abc import Callable

from countertop.emulators.core.cards.queued import QueuedPeer
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


class Device(QueuedPeer[Command]):
    """Answers each command when it is done."""

    def __init__(self, state: State, clock: Clock, *, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        super().__init__(state.board, pause=pause, resume=resume)
        self._state = state
        self._worker = Worker(state, clock)
        self._tokenizer = Tokenizer()

    def _take(self, data: bytes) -> None:
        self._queue.extend((self._connection, command) for command in self._tokenizer.feed(data))

    def _is_full(self) -> bool:
        size = sum(len(command.data) for _, command in self._queue)
        return len(self._queue) >= MAX_QUEUE or size > 2 * MAX_BITMAP

    def _forget_received(self) -> None:
        self._tokenizer.clear()

    def _lose_memory(self) -> None:
        self._worker.stopped()
        self._tokenizer.reset()
        self._state.memory = Memory()

    async def _do(self, connection: int, item: Command) -> None:
        answer = await self._carry_out(item)
        if item.name != "Rlr":
            self._state.memory.last_answer = answer
        asked, mode = item.name in QUERIES, self._state.memory.error_mode
        if mode == 4 and not asked:
            self._say(connection, ACK if answer == "OK" else NACK + _nack(answer))
        elif mode or asked:
            self._say(connection, answer.encode("ascii", "replace") + b"\0")

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


def _nack(answer: str) -> bytes:
    """The code of an error in ACK/NACK mode."""
    return next((code for start, code in _NACKS if answer.startswith(start)), b"T")
