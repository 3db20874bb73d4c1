"""The device's end of its line: one command after another, and the memory of the last answer."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from acme.emulator.wire import Command, CommandReader, pack

__all__ = ["HELLO", "Line"]

HELLO, REFUSAL = "H", "N"
WAITING = 8
"""Commands that may wait; more are lost."""
GAP_SECONDS = 0.2
"""A frame that stops for longer than this is forgotten."""


class Line:
    """A `Peer` of the bus. `execute` is called with one command at a time, and answers it by `answer` or `refuse`, at
    once or later. A command that comes again under its number is not carried out again; its answer is sent again.
    `now` tells the seconds of a steady clock: the line's own, however fast the device's runs.
    """

    def __init__(self, execute: Callable[[Command], None], now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._execute = execute
        self._reader = CommandReader()
        self._heard_at = 0.0
        self._write: Callable[[bytes], None] = _nowhere
        self._waiting: deque[Command] = deque()
        self._in_work: Command | None = None
        self._last: tuple[int, bytes] = (0, b"")

    def connected(self, write: Callable[[bytes], None]) -> None:
        """See Peer."""
        self._write = write
        self._reader.reset()

    def disconnected(self) -> None:
        """See Peer. What is in work goes on."""
        self._write = _nowhere
        self._waiting.clear()

    def received(self, data: bytes) -> None:
        """See Peer."""
        now = self._now()
        if now - self._heard_at > GAP_SECONDS:
            self._reader.reset()
        self._heard_at = now
        for command in self._reader.feed(data):
            self._take(command)
        self._work()

    def reset(self) -> None:
        """The power fails: everything is forgotten."""
        self._reader.reset()
        self._waiting.clear()
        self._in_work, self._last = None, (0, b"")

    def answer(self, data: bytes = b"") -> None:
        """Answer the command in work, and go on to the next."""
        if self._in_work is not None:
            self._end(self._in_work, pack(self._in_work.number, self._in_work.letter, data))

    def refuse(self, code: int) -> None:
        """Say why the command in work is not carried out, and go on to the next."""
        if self._in_work is not None:
            self._end(self._in_work, pack(self._in_work.number, REFUSAL, bytes([code])))

    def tell(self, letter: str, data: bytes) -> None:
        """Send something unasked."""
        self._write(pack(0, letter, data))

    def _take(self, command: Command) -> None:
        number, answer = self._last
        if command.number == number and command.letter != HELLO:
            self._write(answer)
        elif any(one is not None and one.number == command.number for one in (self._in_work, *self._waiting)):
            pass  # it will be answered
        elif len(self._waiting) < WAITING:
            self._waiting.append(command)

    def _work(self) -> None:
        while self._waiting and self._in_work is None:
            self._in_work = self._waiting.popleft()
            self._execute(self._in_work)

    def _end(self, command: Command, answer: bytes) -> None:
        self._in_work = None
        self._last = (command.number, answer)
        self._write(answer)
        self._work()


def _nowhere(data: bytes) -> None:
    """Nobody is connected."""
