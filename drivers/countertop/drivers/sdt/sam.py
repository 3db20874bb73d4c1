"""One command, one answer: the conversation with the module."""

from __future__ import annotations

import asyncio

from countertop.drivers.sdt import protocol
from countertop.drivers.sdt.protocol import Command, Decoder, Malformed, Response
from countertop.sdk import ByteLink, DeviceFault, NoAnswer, ProtocolFault
from countertop.v1 import error_pb2

__all__ = ["Sam", "refusal"]

SETTLE = 0.2
"""Seconds that a good answer may take to come after a broken one, which is noise more often than a lost answer."""

BITS = 10  # of a byte on the line


class Sam:
    """A SAM_V module on an open link. One command at a time.

    A command whose `ask` was cancelled is still owed an answer. The next one waits for that, as long as the first
    would have done, rather than take it for its own.
    """

    def __init__(self, link: ByteLink, *, baud: int, answer_seconds: float, read_seconds: float) -> None:
        self._link = link
        self._baud = baud
        self._answer_seconds = answer_seconds
        self._read_seconds = read_seconds
        self._owed: tuple[Decoder, float] | None = None

    def patience(self, command: Command) -> float:
        """Seconds that the command's answer may take: the module's time and the line's."""
        own = self._read_seconds if command.on_air else self._answer_seconds
        return own + command.longest * BITS / self._baud

    async def ask(self, command: Command, seconds: float | None = None) -> Response:
        """Send a command and wait for its answer, `seconds` or the command's own patience.

        Raises NoAnswer, ProtocolFault when bytes came but no answer, LinkFault.
        """
        loop = asyncio.get_running_loop()
        await self._settle_debt()
        self._link.discard_input()
        patience = self.patience(command) if seconds is None else seconds
        decoder = Decoder(command.longest)
        self._owed = decoder, loop.time() + patience
        broken: list[Malformed] = []
        response: Response | None = None
        try:
            async with asyncio.timeout(patience) as limit:
                await self._link.send(protocol.encode(command))
                while response is None:
                    response = _first(decoder.feed(await self._link.receive()), broken)
                    if broken:
                        limit.reschedule(min(limit.when() or 0.0, loop.time() + SETTLE))
        except TimeoutError:
            response = _first(decoder.give_up(), broken)
        self._owed = None
        if response is not None:
            return response
        if broken or decoder.skipped:
            got = broken[0].broken.value if broken else f"{decoder.skipped} bytes without one"
            raise ProtocolFault(command.step, "an answer", got)
        raise NoAnswer(command.step, patience)

    async def _settle_debt(self) -> None:
        """Wait for the answer to a command that was cut short, and drop it."""
        if self._owed is None:
            return
        decoder, until = self._owed
        try:
            async with asyncio.timeout_at(until):
                while _first(decoder.feed(await self._link.receive()), []) is None:
                    pass
        except TimeoutError:
            pass  # it will not come any more
        self._owed = None


def refusal(command: Command, response: Response) -> DeviceFault:
    """The fault that a status word amounts to, where the driver does not know better."""
    _, reason = protocol.STATUS_WORDS.get(response.sw3, ("", error_pb2.REASON_PROTOCOL_ERROR))
    got = protocol.describe(response)
    if reason in (error_pb2.REASON_UNSPECIFIED, error_pb2.REASON_PROTOCOL_ERROR):
        return ProtocolFault(command.step, "a status word that fits the command", got)
    return DeviceFault(reason, step=command.step, expected="success", got=got)


def _first(events: list[protocol.Event], broken: list[Malformed]) -> Response | None:
    """The first answer among the events; what stood before it goes to `broken`."""
    for event in events:
        if isinstance(event, Response):
            return event
        broken.append(event)
    return None
