"""One link to one printer: jobs, queries, the port's status."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from enum import Enum

from countertop.drivers.magicard.protocol import Answer, AnswerReader, query
from countertop.sdk import ByteLink, LinkFault, NoAnswer, ProtocolFault
from countertop.sdk.links import UsbBulkLink, UsbIpBulkLink
from countertop.v1 import error_pb2

__all__ = ["Port", "Session"]

CHUNK = 65536
NO_ERROR, SELECTED = 0x08, 0x10
"""Bits of the port status. Captured: 18 when ready, 08 while it works, 10 in an error."""
FILL = b"\x05" * 16384
LONGEST_PLANE = 600_000
"""Bytes; more than any plane has."""
WAKE_SECONDS = 1.5
QUIET_SECONDS = 0.1


class Port(Enum):
    """What the port status says; UNTOLD on links that have none."""

    READY = "ready"
    BUSY = "busy"
    ERROR = "error"
    UNTOLD = "untold"


class Session:
    """Sends to a printer and reads its answers."""

    def __init__(self, link: ByteLink, answer_seconds: float) -> None:
        self._link = link
        self._answer_seconds = answer_seconds
        self._reader = AnswerReader()
        self._answers: deque[Answer] = deque()
        self._owed = 0
        """Answers to questions that nobody waits for any longer; they come first, each once."""
        self._cut = False
        """Something was not sent to its end."""
        self._tells_port = isinstance(link, UsbBulkLink | UsbIpBulkLink)

    async def port(self) -> Port:
        """What GET_PORT_STATUS says. Raises LinkFault."""
        if not isinstance(self._link, UsbBulkLink | UsbIpBulkLink) or not self._tells_port:
            return Port.UNTOLD
        try:
            status = await self._link.port_status()
        except LinkFault as fault:
            if fault.reason != error_pb2.REASON_NOT_SUPPORTED:
                raise
            self._tells_port = False
            return Port.UNTOLD
        if not status & NO_ERROR:
            return Port.ERROR
        return Port.READY if status & SELECTED else Port.BUSY

    async def error(self, seconds: float | None = None) -> str:
        """The number of the error that stands, `00:00` for none. Raises NoAnswer, LinkFault, ProtocolFault."""
        within = self._answer_seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(within):
                await self._send(query("ERR"))
                self._owed += 1
                answer = await self._last_owed()
        except TimeoutError:
            self._owed = 0  # it may have been taken for the dots of a job that was cut off
            raise NoAnswer("REQ,ERR", within) from None
        if not answer.number:
            raise ProtocolFault("REQ,ERR", "an answer with an error number", "one without")
        return answer.number

    async def tell(self, name: str) -> None:
        """A request whose answer is not known. Raises NoAnswer, LinkFault."""
        await self.send(query(name), f"REQ,{name}", self._answer_seconds)

    async def send(self, data: bytes, step: str, seconds: float) -> None:
        """Return when all of it was taken. Who is cancelled meanwhile leaves the link unusable."""
        try:
            async with asyncio.timeout(seconds):
                await self._send(data)
        except TimeoutError:
            raise NoAnswer(step, seconds) from None

    async def wake(self) -> str:
        """The error that stands, also of a printer that was left in the middle of a job.

        One that waits for the rest of a plane takes everything for dots. It is given more than a plane of leader bytes:
        these complete no page, since no `1C` is among them, and mean nothing to one that waits for nothing.
        """
        try:
            return await self.error(min(WAKE_SECONDS, self._answer_seconds))
        except NoAnswer:
            self._cut = False
        try:
            async with asyncio.timeout(2 * self._answer_seconds):
                for _ in range(LONGEST_PLANE // len(FILL) + 1):
                    await self._send(FILL)
        except TimeoutError:
            raise NoAnswer("leader", 2 * self._answer_seconds) from None
        number = await self.error()
        await self._let_it_finish()
        return number

    async def _let_it_finish(self) -> None:
        """The first question may be answered late, and must not pass for the answer to another one."""
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(QUIET_SECONDS):
                    await self._link.receive()

    async def _send(self, data: bytes) -> None:
        if self._cut:
            raise LinkFault(error_pb2.REASON_LINK_LOST, "A job was broken off.", step="send")
        self._cut = True
        for at in range(0, len(data), CHUNK):
            await self._link.send(data[at : at + CHUNK])
        self._cut = False

    async def _last_owed(self) -> Answer:
        """The answer to the question that was asked last: an earlier one says nothing of a job that came after it."""
        while True:
            while self._answers:
                answer = self._answers.popleft()
                self._owed -= 1
                if not self._owed:
                    self._answers.clear()
                    return answer
            self._answers.extend(self._reader.feed(await self._link.receive()))
