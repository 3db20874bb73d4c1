"""Plays a recording's script to a driver: when things come, and what is said where the driver deviates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Self

from countertop.sdk.errors import LinkFault
from countertop.sdk.links._base import LinkUrl
from countertop.sdk.trace.format import FAULT, RECEIVED, Entry
from countertop.sdk.trace.masking import Masker
from countertop.sdk.trace.script import Deviation, Script, ScriptEnded
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Reason

__all__ = ["MEND", "Player", "recorded_fault"]

MEND = "Mend the recording or the driver; docs/recording.md tells what each line means."


def recorded_fault(url: LinkUrl, entry: Entry) -> LinkFault:
    """The fault that the recording has here."""
    name, _, got = entry.text.partition(" ")
    known = f"REASON_{name}" in Reason.DESCRIPTOR.values_by_name
    reason: Any = Reason.Value(f"REASON_{name}") if known else error_pb2.REASON_LINK_LOST
    message = f"The recording {url.path} has a fault of the link at line {entry.line}: {entry.text}."
    return LinkFault(reason, message, step=entry.verb, expected="an open link", got=got)


class Player:
    """What both kinds of link do with a script. Once something was raised, it is raised for good."""

    def __init__(self, url: LinkUrl, script: Script, masker: Masker | None) -> None:
        self.url = url
        self._script = script
        self._masker = masker
        self._paced = url.query.get("pace") == "recorded"
        self._anchor = (asyncio.get_running_loop().time(), 0)
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._broken: Callable[[], LinkFault] | None = None

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """A recording is opened for a driver, which has its masker."""
        raise TypeError("open_replay opens it")

    async def close(self) -> None:
        """End it."""
        self._break(lambda: self._fault("the link is closed", "an open link", "a closed one"))

    async def play(self, data: bytes, verb: str = "") -> Entry | None:
        """The driver sends something."""
        self.check()
        judged = data if self._masker is None or verb in ("get", "descriptor") else self._masker.sent(data)
        try:
            reply = self._script.send(judged, len(data), verb)
        except Deviation as found:
            place = f"line {found.line}, byte {found.at}"
            text = f"the driver sent something else than it has at {place}: expected {found.expected}, got {found.got}"
            fault = partial(self._fault, text, f"{place}: {found.expected}", found.got)
            raise self._break(fault) from None
        except ScriptEnded:
            raise self._break(self._ended) from None
        self._move(self._script.at)
        if reply is not None:
            await self._until(reply)
            if reply.mark == FAULT:
                raise self._break(partial(recorded_fault, self.url, reply))
        return reply

    async def input(self) -> Entry:
        """The next thing that comes by itself; it is still there when this is cancelled."""
        while True:
            self.check()
            if not self._script.inputs:
                if self._script.ended:
                    raise self._break(self._ended)
                await asyncio.shield(self._news)
                continue
            entry = self._script.inputs[0]
            await self._until(entry)
            if not self._script.inputs or self._script.inputs[0] is not entry:
                continue  # it was discarded meanwhile
            self._script.inputs.popleft()
            self._move(entry.at)
            if entry.mark == FAULT:
                raise self._break(partial(recorded_fault, self.url, entry))
            self.seen(entry.data)
            return entry

    def arrived(self) -> list[bytes]:
        """What has come by now."""
        found = []
        inputs = self._script.inputs
        while inputs and inputs[0].mark == RECEIVED and self._left(inputs[0]) <= 0:
            entry = inputs.popleft()
            self._move(entry.at)
            self.seen(entry.data)
            found.append(entry.data)
        return found

    def seen(self, data: bytes) -> None:
        """What came tells the masker what the driver's next bytes are about."""
        if self._masker is not None:
            self._masker.received(data)

    def _move(self, at: int) -> None:
        self._anchor = (asyncio.get_running_loop().time(), at)
        self._tell()

    def _left(self, entry: Entry) -> float:
        """Seconds until it comes."""
        began, at = self._anchor
        return began + (entry.at - at) / 1000 - asyncio.get_running_loop().time() if self._paced else 0.0

    async def _until(self, entry: Entry) -> None:
        await asyncio.sleep(max(0.0, self._left(entry)))

    def _tell(self) -> None:
        self._news.set_result(None)
        self._news = asyncio.get_running_loop().create_future()

    def check(self) -> None:
        if self._broken is not None:
            raise self._broken()

    def _break(self, fault: Callable[[], LinkFault]) -> LinkFault:
        if self._broken is None:
            self._broken = fault
            self._tell()
        return self._broken()

    def _ended(self) -> LinkFault:
        text = f"it has ended (line {self._script.line})"
        return self._fault(text, "what the recording has", "more than that")

    def _fault(self, text: str, expected: str, got: str) -> LinkFault:
        message = f"The recording {self.url.path}: {text}."
        return LinkFault(error_pb2.REASON_LINK_LOST, message, step="replay", expected=expected, got=got, action=MEND)
