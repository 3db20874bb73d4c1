"""The talk with a device over its link: commands and their answers, and what comes unasked."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping
from enum import Enum

from countertop.sdk import ByteLink, DeviceFault, NoAnswer
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

from acme.framing import Frame, FrameDecoder, encode

__all__ = ["Session"]

REFUSAL = "N"
TRIES = 2


class Session:
    """Asks one thing at a time. One task at a time uses it.

    `longest` is the longest payload that the device sends; `refusals` tells what its refusals mean; of the frames that
    come unasked the newest `kept` wait to be taken.
    """

    def __init__(
        self, link: ByteLink, longest: int, refusals: Mapping[int, Reason], seconds: float, kept: int = 4096
    ) -> None:
        self._link = link
        self._decoder = FrameDecoder(longest)
        self._refusals = refusals
        self._seconds = seconds
        self._number = secrets.randbelow(255)  # not where the process before has ended: its last answer may still come
        self._answers: deque[Frame] = deque(maxlen=16)
        self._unasked: deque[Frame] = deque(maxlen=kept)

    async def ask(self, command: Enum, payload: bytes = b"", *, seconds: float = 0.0) -> bytes:
        """Send a command; what its answer carries. `seconds` is for commands that take longer.

        When no whole answer comes it is sent once more under the same number: a device that has carried it out sends
        its answer again, and does nothing twice.

        Raises NoAnswer, LinkFault(LINK_LOST), DeviceFault with the reason of a refusal.
        """
        limit, step = seconds or self._seconds, command.name.lower().replace("_", " ")
        self._number = self._number % 255 + 1
        self._answers.clear()
        for _ in range(TRIES):
            try:
                async with asyncio.timeout(limit):  # a device that takes nothing in holds up the sending
                    await self._link.send(encode(Frame(self._number, str(command.value), payload)))
                    return self._carried(await self._answer(), step)
            except TimeoutError:
                self._decoder.reset()
        raise NoAnswer(step, limit * TRIES)

    async def unasked(self) -> list[Frame]:
        """Wait for what the device sends by itself. Cancelling loses none. Raises LinkFault(LINK_LOST)."""
        while not self._unasked:
            await self._receive()
        frames = list(self._unasked)
        self._unasked.clear()
        return frames

    def forget(self) -> None:
        """Drop what has come unasked."""
        self._take(self._link.discard_input())
        self._unasked.clear()

    async def close(self) -> None:
        """Close the link."""
        await self._link.close()

    def _carried(self, answer: Frame, step: str) -> bytes:
        if answer.letter != REFUSAL:
            return answer.payload
        code = answer.payload[0] if answer.payload else 0
        raise DeviceFault(
            self._refusals.get(code, error_pb2.REASON_PROTOCOL_ERROR),
            step=step,
            expected="the command to be carried out",
            got=f"refusal {code:02X}",
        )

    async def _answer(self) -> Frame:
        while not self._answers:
            await self._receive()
        return self._answers.popleft()

    async def _receive(self) -> None:
        self._take(await self._link.receive())

    def _take(self, data: bytes) -> None:
        for frame in self._decoder.feed(data):
            if frame.number == 0:
                self._unasked.append(frame)
            elif frame.number == self._number:
                self._answers.append(frame)
