"""A person's hands on an emulator that runs alone: words on standard input."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from countertop.cli.output import complain, say

if TYPE_CHECKING:
    from countertop.sdk.plugins import Emulator

__all__ = ["WORDS", "Hands"]

WORDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "insert-card": ("insert_card", "InsertCardRequest", {}),
    "remove-card": ("remove_card", "RemoveCardRequest", {}),
    "open-cover": ("open_cover", "OpenCoverRequest", {}),
    "close-cover": ("close_cover", "CloseCoverRequest", {}),
    "load-paper": ("load_paper", "LoadPaperRequest", {}),
    "sign": ("sign", "SignRequest", {}),
    "accept": ("press_pad_button", "PressPadButtonRequest", {"button": "PAD_BUTTON_ACCEPT"}),
    "clear": ("press_pad_button", "PressPadButtonRequest", {"button": "PAD_BUTTON_CLEAR"}),
    "cancel": ("press_pad_button", "PressPadButtonRequest", {"button": "PAD_BUTTON_CANCEL"}),
    "load-cards": ("load_cards", "LoadCardsRequest", {"count": 50}),
    "load-ribbon": ("load_ribbon", "LoadRibbonRequest", {}),
    "empty-bin": ("empty_bin", "EmptyBinRequest", {}),
    "take-card": ("take_card", "TakeCardRequest", {}),
    "push-card": ("push_card", "PushCardRequest", {}),
    "remove-jam": ("remove_jam", "RemoveJamRequest", {}),
    **{
        scene: ("set_scene", "SetSceneRequest", {"scene": f"SCENE_{scene.upper().replace('-', '_')}"})
        for scene in (
            "person",
            "other-person",
            "phone-replay",
            "print",
            "empty",
            "two-people",
            "code",
            "document",
            "mat",
        )
    },
    "unplug": ("unplug", "UnplugRequest", {}),
    "replug": ("replug", "ReplugRequest", {}),
    "power-cycle": ("power_cycle", "PowerCycleRequest", {}),
}
"""Each word, the emulator's method, its request and what is in it."""


class Hands:
    """Does to an emulator what standard input says, one word a line."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._rest = b""
        self._tasks: set[asyncio.Task[None]] = set()
        self._listens = False

    def listen(self) -> None:
        """Begin; where standard input cannot be waited for (a file, nothing) there are no hands."""
        try:
            if _in_foreground(sys.stdin.fileno()):
                asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)
                self._listens = True
        except (OSError, ValueError, AttributeError):
            return

    async def close(self) -> None:
        """Take the hands off."""
        self._stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _stop(self) -> None:
        if self._listens:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._listens = False

    def _read(self) -> None:
        descriptor = sys.stdin.fileno()
        data = os.read(descriptor, 4096) if _in_foreground(descriptor) else b""
        if not data:
            self._stop()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[-256:]
        for line in lines:
            task = asyncio.create_task(self._do(line.decode(errors="replace").strip()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _do(self, word: str) -> None:
        from google.protobuf import json_format

        from countertop.bench.v1 import bench_pb2

        if not word:
            return
        method, request, fields = WORDS.get(word, ("", "", {}))
        hand: Any = getattr(self._emulator, method, None) if method else None
        if hand is None:
            known = [name for name, (found, _, _) in WORDS.items() if hasattr(self._emulator, found)]
            complain(f"This emulator has no part for {word!r}.", f"One of: {', '.join(known)}")
            return
        try:
            await hand(json_format.ParseDict(fields, getattr(bench_pb2, request)()))
        except ValueError as error:
            complain(f"{word}: {error}")
            return
        say(f"done: {word}")


def _in_foreground(descriptor: int) -> bool:
    """What is typed is meant for this process; one in the background would be stopped by the terminal for reading."""
    return not os.isatty(descriptor) or os.tcgetpgrp(descriptor) == os.getpgrp()
