"""The contacts of a machine as a virtual card that a reader connects to.

The protocol of the vsmartcard project's `vpcd`, with the card listening: each message is a length of two bytes, most
significant first, and so many bytes. One byte alone is a control: 0 power off, 1 power on, 2 reset, 4 asks for the ATR,
which alone is answered, with nothing when no card is there. Anything else is a command APDU, answered by its response.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from countertop.emulators.core.cards.chip import Chip
from countertop.emulators.core.faults import FaultBoard, FaultSpec

__all__ = ["CHIP_FAULTS", "Contacts", "MessageReader"]

POWER_OFF, POWER_ON, RESET, GET_ATR = 0, 1, 2, 4
CHIP_FAULTS = (
    FaultSpec("chip-mute", "The chip does not answer its reset."),
    FaultSpec("chip-tears", "The chip answers with status words that mean it has lost its power."),
)
_TORN = b"\x64\x00"


class MessageReader:
    """Puts messages together from bytes as they come; a message is at most 65535 bytes."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that are complete now."""
        self._rest += data
        while len(self._rest) >= 2:
            length = int.from_bytes(self._rest[:2])
            if len(self._rest) < 2 + length:
                return
            message = bytes(self._rest[2 : 2 + length])
            del self._rest[: 2 + length]
            yield message


class Contacts:
    """Listens for one reader at a time; `card` tells the chip that lies at the contacts now."""

    def __init__(self, card: Callable[[], Chip | None], board: FaultBoard) -> None:
        self._card = card
        self._board = board
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.address = ("127.0.0.1", 0)

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port)
        self.address = self._server.sockets[0].getsockname()[:2]

    async def close(self) -> None:
        """Listen no more, and hang up."""
        if self._server is None:
            return
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        messages = MessageReader()
        self._writers.add(writer)
        try:
            while data := await reader.read(4096):
                for message in messages.feed(data):
                    answer = self.answer(message)
                    if answer is not None:
                        writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        except ConnectionError:
            pass  # the reader has gone
        finally:
            self._writers.discard(writer)
            writer.close()

    def answer(self, message: bytes) -> bytes | None:
        """What is said to one message; None for nothing. Total on any bytes."""
        chip = self._card()
        if len(message) == 1:
            return self._control(message[0], chip)
        if chip is None or not message:
            return b""
        if self._board.take("chip-tears"):
            chip.power_off()
            return _TORN
        return chip.transmit(message)

    def _control(self, control: int, chip: Chip | None) -> bytes | None:
        if chip is not None and control == POWER_OFF:
            chip.power_off()
        elif chip is not None and control in (POWER_ON, RESET):
            chip.reset()
        elif control == GET_ATR:
            if chip is None or self._board.take("chip-mute"):
                return b""
            return chip.atr
        return None
