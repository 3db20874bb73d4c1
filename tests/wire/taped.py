"""Links that keep what went over them, and links that play it again."""

from __future__ import annotations

import asyncio
from collections import deque

from countertop.sdk.device import Device
from countertop.sdk.links import ByteLink, LinkUrl
from countertop.sdk.trace import Masker
from tests.unit.masked_links import Piece, run

__all__ = ["Player", "Tape", "masked_tape", "play", "tape"]


class Tape(ByteLink):
    """Keeps what is sent and received, in order."""

    schemes = ()

    def __init__(self, link: ByteLink) -> None:
        self._link = link
        self.url = link.url
        self.pieces: list[Piece] = []

    @classmethod
    async def open(cls, url: LinkUrl) -> Tape:
        raise NotImplementedError

    async def close(self) -> None:
        await self._link.close()

    async def receive(self, max_bytes: int = 65536) -> bytes:
        data = await self._link.receive(max_bytes)
        self.pieces.append((False, data))
        return data

    async def send(self, data: bytes) -> None:
        self.pieces.append((True, bytes(data)))
        await self._link.send(data)

    def discard_input(self) -> bytes:
        data = self._link.discard_input()
        self.pieces.append((False, data))
        return data


class Player(ByteLink):
    """Gives what was received once as much was sent as before; keeps what is sent."""

    schemes = ()

    def __init__(self, url: LinkUrl, pieces: list[Piece]) -> None:
        self.url = url
        self.pieces: list[Piece] = []
        self._sent = 0
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._more = asyncio.Event()
        sent = 0
        for is_sent, data in pieces:
            if is_sent:
                sent += len(data)
            elif data:
                self._waiting.append((sent, data))

    @classmethod
    async def open(cls, url: LinkUrl) -> Player:
        raise NotImplementedError

    async def close(self) -> None:
        return

    @property
    def ended(self) -> bool:
        """All was received."""
        return not self._waiting

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while not (self._waiting and self._waiting[0][0] <= self._sent):
            self._more.clear()
            await self._more.wait()
        data = self._waiting.popleft()[1]
        self.pieces.append((False, data))
        return data

    async def send(self, data: bytes) -> None:
        self.pieces.append((True, bytes(data)))
        self._sent += len(data)
        self._more.set()

    def discard_input(self) -> bytes:
        found = b""
        while self._waiting and self._waiting[0][0] <= self._sent:
            found += self._waiting.popleft()[1]
        return found


def tape(device: Device) -> list[Tape]:
    """From now on the device's links are taped; the list is filled as they are opened."""
    tapes: list[Tape] = []
    opened = device.open_link

    async def open_link(**defaults: str) -> ByteLink:
        tapes.append(Tape(await opened(**defaults)))
        return tapes[-1]

    device.open_link = open_link  # type: ignore[method-assign]
    return tapes


def play(device: Device, pieces: list[Piece]) -> Player:
    """The device's next link plays these pieces."""
    player = Player(device.url, pieces)

    async def open_link(**defaults: str) -> ByteLink:
        return player

    device.open_link = open_link  # type: ignore[method-assign]
    return player


def masked_tape(masker: Masker, pieces: list[Piece]) -> list[Piece]:
    """The same pieces as they may be kept."""
    streams, places, kept = dict(zip((True, False), run(masker, pieces), strict=True)), {True: 0, False: 0}, []
    for is_sent, data in pieces:
        start = places[is_sent]
        places[is_sent] += len(data)
        kept.append((is_sent, streams[is_sent][start : places[is_sent]]))
    return kept
