"""Hands on the device under test: the emulator's, or a person's."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any, Protocol

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.sdk.plugins import Emulator

__all__ = ["ConsolePerson", "EmulatedHands", "Hands", "Person", "PersonsHands"]


class Person(Protocol):
    """Somebody who stands at a real device."""

    async def do(self, what: str) -> bool:
        """Ask for something to be done: a sentence. False: it cannot be done here, and the step is skipped."""
        ...

    async def sees(self, what: str) -> bool | None:
        """Ask a question. None: they cannot tell."""
        ...


class Hands(Protocol):
    """What can be done to the device."""

    async def do(self, verb: str, **fields: Any) -> Any:
        """A verb of the bench, in snake_case, with the fields of its request: `do("load_paper", empty=True)`. Skips
        the requirement when it cannot be done here.
        """
        ...

    def can(self, verb: str) -> bool:
        """It can be done here."""
        ...


class EmulatedHands:
    """Does it to an emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    def can(self, verb: str) -> bool:
        """The emulator has such a method."""
        return hasattr(self.emulator, verb)

    async def do(self, verb: str, **fields: Any) -> Any:
        """The bench's response."""
        if not self.can(verb):
            pytest.skip(f"the emulator has no hand for {verb.replace('_', ' ')}")
        request = getattr(bench_pb2, "".join(part.capitalize() for part in verb.split("_")) + "Request")
        return await getattr(self.emulator, verb)(request(**fields))


class PersonsHands:
    """Asks a person to do it. Without a person every step is skipped."""

    def __init__(self, person: Person | None) -> None:
        self.person = person

    def can(self, verb: str) -> bool:
        """A person can be asked for it."""
        return self.person is not None and verb in _WORDS

    async def do(self, verb: str, **fields: Any) -> None:
        """Ask, and wait."""
        if self.person is None:
            pytest.skip("needs a person at the device")
        words = _EMPTY.get(verb) if fields.get("empty") or fields.get("absent") else _WORDS.get(verb)
        if verb == "set_scene":
            words = _SCENES.get(fields["scene"])
        if words is None:
            pytest.skip(f"only an emulator can be told to {verb.replace('_', ' ')}")
        if not await self.person.do(words):
            pytest.skip("the person at the device skipped it")


_WORDS = {
    "insert_card": "Lay an ID document on the reader.",
    "remove_card": "Take the document away.",
    "open_cover": "Open the printer's cover.",
    "close_cover": "Close the cover.",
    "load_paper": "Load paper.",
    "sign": "Write on the pad with its pen, then lift the pen.",
    "unplug": "Pull the device's cable.",
    "replug": "Put the cable back, and wait until the device is ready.",
    "power_cycle": "Switch the device off and on, and wait until it is ready.",
    "load_cards": "Put cards into the feeder.",
    "load_ribbon": "Put a ribbon into the printer.",
    "take_card": "Take the card from the exit.",
    "push_card": "Hold a card into the exit.",
    "remove_jam": "Open the device and take out the card.",
    "empty_bin": "Empty the bin of retained cards.",
    "set_scene": "",
}
_SCENES: dict[int, str] = {
    bench_pb2.SCENE_DOCUMENT: "Uncover the lens, and lay a sheet of paper before the camera.",
    bench_pb2.SCENE_EMPTY: "Cover the lens.",
}
"""Of a camera: what to do, by what is to be seen."""
_EMPTY = {
    "load_paper": "Take the paper out, and close the cover.",
    "load_cards": "Take all the cards out of the feeder.",
    "load_ribbon": "Take the ribbon out, and close the cover.",
}


class ConsolePerson:
    """A person at the terminal's standard input: Enter when it is done, `s` to skip; `y` or `n` to a question."""

    async def do(self, what: str) -> bool:
        """See Person."""
        answer = await self._ask(f"\n    {what} [Enter: done, s: skip] ")
        return not answer.lower().startswith("s")

    async def sees(self, what: str) -> bool | None:
        """See Person."""
        answer = await self._ask(f"\n    {what} [y: yes, n: no, s: skip] ")
        return {"y": True, "n": False}.get(answer.lower()[:1])

    @staticmethod
    async def _ask(words: str) -> str:
        print(words, end="", file=sys.stderr, flush=True)
        line = await asyncio.to_thread(sys.stdin.readline)
        return re.sub(r"\s+", " ", line).strip() if line else "s"
