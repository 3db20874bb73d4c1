"""One command, one answer."""

from __future__ import annotations

import asyncio
from collections import deque

from countertop.drivers.evolis.protocol import ReplyReader, command, number, reason_of
from countertop.sdk import ByteLink, DeviceFault, LinkFault, NoAnswer
from countertop.v1 import error_pb2

__all__ = ["MAGNETIC", "MOVE", "PLAIN", "Session"]

PLAIN, MAGNETIC, MOVE = 4.0, 30.0, 15.0
"""Seconds for an answer, by what is done, as three banks' programs have them; a movement ends with its answer."""
CHUNK = 65536
ASK_AGAIN = 3
"""How often a number is asked for that is answered with OK, as some models do."""


class Session:
    """Talks to one printer in host error mode: it answers every command, once, in order."""

    def __init__(self, link: ByteLink) -> None:
        self._link = link
        self._reader = ReplyReader()
        self._replies: deque[str] = deque()
        self._owed = 0
        """Answers to commands that nobody waits for any longer; they come first."""
        self._cut = False
        """A command was not sent to its end."""

    async def ask(self, name: str, *parameters: str | int, seconds: float = PLAIN) -> str:
        """The answer to a command, be it an error or not. Raises NoAnswer, LinkFault, ProtocolFault."""
        return await self.send(command(name, *parameters), name, seconds)

    async def do(self, name: str, *parameters: str | int, seconds: float = PLAIN) -> None:
        """A command that must be answered with OK. Raises DeviceFault with the reason that the answer means."""
        self.check(await self.ask(name, *parameters, seconds=seconds), name)

    async def number(self, name: str, *parameters: str | int) -> int | None:
        """A number, or None when the printer does not tell it."""
        for _ in range(ASK_AGAIN):
            reply = await self.ask(name, *parameters)
            found = number(reply)
            if found is not None:
                return found
            if reply != "OK":
                return None
        return None

    async def send(self, data: bytes, step: str, seconds: float) -> str:
        """The answer to bytes that are one command. Who is cancelled while they are sent leaves the link unusable."""
        if self._cut:
            raise LinkFault(error_pb2.REASON_LINK_LOST, "A command was broken off.", step=step)
        try:
            async with asyncio.timeout(seconds):
                self._cut = True
                for at in range(0, len(data), CHUNK):
                    await self._link.send(data[at : at + CHUNK])
                self._cut = False
                self._owed += 1
                return await self._last_owed()
        except TimeoutError:
            self._owed = 0  # it may have been taken for the pixels of a bitmap that was cut off
            self._cut = False
            raise NoAnswer(step, seconds) from None

    async def _last_owed(self) -> str:
        """The answer to the command that was sent last."""
        while True:
            while self._replies:
                reply = self._replies.popleft()
                self._owed -= 1
                if not self._owed:
                    self._replies.clear()
                    return reply
            self._replies.extend(self._reader.feed(await self._link.receive()))

    @staticmethod
    def check(reply: str, step: str) -> None:
        """Raises DeviceFault unless an answer is OK."""
        if reply == "OK":
            return
        reason = reason_of(reply) or error_pb2.REASON_PROTOCOL_ERROR
        raise DeviceFault(reason, step=step, expected="OK", got=_told(reply))


def _told(reply: str) -> str:
    """An error's own words; of anything else only its length, since it may be a track."""
    return reply if reason_of(reply) is not None else f"{len(reply)} characters"
