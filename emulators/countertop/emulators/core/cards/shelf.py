"""Where finished cards are laid down: as PNG and JSON files of a folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from countertop.emulators.core.cards.card import Card

__all__ = ["Shelf"]


class Shelf:
    """`NNN-front.png`, `NNN-back.png` and `NNN.json` of each card, written beside the event loop. Without a folder it
    keeps nothing.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = Path(folder) if folder else None
        self._writing: set[asyncio.Task[None]] = set()
        self._count = 0

    def open(self) -> None:
        """Make the folder. Raises OSError."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    def keep(self, card: Card) -> None:
        """Lay down a card."""
        self._count += 1
        if self._folder is not None:
            task = asyncio.create_task(asyncio.to_thread(_write, card, self._folder / f"{self._count:03d}"))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Wait until all is written."""
        await asyncio.gather(*self._writing)


def _write(card: Card, place: Path) -> None:
    place.with_name(f"{place.name}-front.png").write_bytes(card.png())
    place.with_name(f"{place.name}-back.png").write_bytes(card.png(back=True))
    text = json.dumps(card.describe(), ensure_ascii=False, indent=2)
    place.with_name(f"{place.name}.json").write_text(text, encoding="utf-8")
