"""What umockdev's preload library and its server say to each other about one open file: sans-IO.

Messages are three native unsigned long: a command and two arguments. The library asks, then carries out what the
server orders until it hears DONE or ABORT; it says nothing meanwhile that was not ordered. Source: umockdev 0.17.16,
src/libumockdev-preload.c, remote_emulate().
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "MAX_MEMORY",
    "MESSAGE",
    "Command",
    "Conversation",
    "Event",
    "IoctlRequest",
    "Memory",
    "ReadRequest",
    "Result",
    "WireError",
    "WriteRequest",
]

MESSAGE = struct.Struct("@LLL")
MAX_MEMORY = 1 << 16  # of the client's memory in one transfer; the structures of V4L2 take up to 232 bytes

_ULONG = (1 << 8 * struct.calcsize("@L")) - 1


class Command(enum.IntEnum):
    """The first word of a message."""

    IOCTL = 1
    RESULT = 2
    DONE = 3
    RUN = 4
    READ_MEM = 5
    WRITE_MEM = 6
    READ = 7
    WRITE = 8
    ABORT = 0xFF


class WireError(Exception):
    """The peer does not follow the protocol."""


@dataclass(frozen=True, slots=True)
class IoctlRequest:
    """The client called ioctl(fd, number, argument)."""

    number: int
    argument: int


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """The client called read(fd, address, length)."""

    address: int
    length: int


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """The client called write(fd, address, length)."""

    address: int
    length: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What `read_memory` asked for."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What the real call gave, after `run`."""

    value: int
    errno: int


Event = IoctlRequest | ReadRequest | WriteRequest | Memory | Result

_REQUESTS: dict[int, type[IoctlRequest | ReadRequest | WriteRequest]] = {
    Command.IOCTL: IoctlRequest,
    Command.READ: ReadRequest,
    Command.WRITE: WriteRequest,
}


class _State(enum.Enum):
    IDLE = "the client may ask"
    ASKED = "the server owes an order or an answer"
    READING = "the client owes memory"
    RUNNING = "the client owes a result"
    ENDED = "aborted, or the protocol was broken"


class Conversation:
    """The server's side of one open file. Orders and answers come back as bytes to send, each in one piece.

    The order methods raise ValueError when the client waits for nothing: the server's own mistake.
    """

    __slots__ = ("_buffer", "_expected", "_state")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._state = _State.IDLE
        self._expected = MESSAGE.size

    @property
    def buffered(self) -> int:
        """Bytes held; below the larger of a message and the memory that was asked for."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take bytes from the client. Act on each event before taking the next one.

        Raises WireError, and for good, for a command that is not due and for bytes that nobody ordered.
        """
        self._buffer += data
        while self._buffer:
            if self._state in (_State.ASKED, _State.ENDED):
                raise self._broken("bytes that were not ordered")
            if len(self._buffer) < self._expected:
                return
            piece = bytes(self._buffer[: self._expected])
            del self._buffer[: self._expected]
            yield self._event(piece)

    def read_memory(self, address: int, length: int) -> bytes:
        """Order: send so many bytes, 1 to MAX_MEMORY, from there. A `Memory` follows."""
        self._check(length)
        return self._order(Command.READ_MEM, address, length, then=_State.READING, expected=length)

    def write_memory(self, address: int, data: bytes) -> bytes:
        """Order: put these bytes, 1 to MAX_MEMORY, there. Nothing follows; go on with the next order."""
        self._check(len(data))
        return self._order(Command.WRITE_MEM, address, len(data), then=_State.ASKED) + data

    def run(self) -> bytes:
        """Order: make the call on the real file. A `Result` follows."""
        return self._order(Command.RUN, 0, 0, then=_State.RUNNING)

    def done(self, result: int, errno: int = 0) -> bytes:
        """Answer: the client's call returns this. The client may ask again."""
        return self._order(Command.DONE, result, errno, then=_State.IDLE)

    def abort(self) -> bytes:
        """Answer: the client's process ends itself."""
        return self._order(Command.ABORT, 0, 0, then=_State.ENDED)

    def _event(self, piece: bytes) -> Event:
        if self._state is _State.READING:
            self._state = _State.ASKED
            return Memory(piece)
        command, first, second = MESSAGE.unpack(piece)
        if self._state is _State.RUNNING:
            if command != Command.RESULT:
                raise self._broken(f"command {command} in place of a result")
            self._state = _State.ASKED
            return Result(_signed(first), second)
        request = _REQUESTS.get(command)
        if request is None:
            raise self._broken(f"command {command} in place of a request")
        self._state = _State.ASKED
        return request(first, second)

    def _order(self, command: Command, first: int, second: int, then: _State, expected: int = MESSAGE.size) -> bytes:
        if self._state is not _State.ASKED:
            raise ValueError(f"expected a client that waits, got one in the state: {self._state.value}")
        self._state, self._expected = then, expected
        return MESSAGE.pack(command, first & _ULONG, second & _ULONG)

    def _broken(self, what: str) -> WireError:
        self._state = _State.ENDED
        self._buffer.clear()
        return WireError(f"expected the protocol of umockdev's preload library, got {what}")

    @staticmethod
    def _check(length: int) -> None:
        if not 0 < length <= MAX_MEMORY:
            raise ValueError(f"length: expected 1 to {MAX_MEMORY}, got {length}")


def _signed(value: int) -> int:
    return value - _ULONG - 1 if value > _ULONG >> 1 else value
