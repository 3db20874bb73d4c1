"""Links that tell a tape what goes over them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol, Self, TypeVar

from countertop.sdk.errors import DeviceFault, ReportRefused
from countertop.sdk.links._base import ByteLink, HidLink, LinkUrl
from countertop.sdk.trace.format import RECEIVED, SENT

__all__ = ["ByteTap", "HidTap", "OnTape"]

T = TypeVar("T")


class OnTape(Protocol):
    """What a tap tells; none of it raises."""

    def note(self, mark: str, data: bytes, verb: str = "") -> None:
        """Bytes went over the link."""
        ...

    def fault(self, operation: str, fault: DeviceFault) -> None:
        """The link broke."""
        ...

    def remark(self, what: str) -> None:
        """Something that is of use to a reader."""
        ...

    def end(self) -> None:
        """The link is closed."""
        ...


class _Tap:
    """Passes for the link itself: drivers ask for its class, and for what only that class has."""

    _link: Any
    _tape: OnTape

    @property  # type: ignore[misc]  # nobody sets a link's class
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return type(self._link)

    def __getattr__(self, name: str) -> Any:
        if name in ("_link", "_tape"):
            raise AttributeError(name)
        return getattr(self._link, name)

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Taps are put around open links."""
        raise TypeError("a tap is put around a link that is open")

    async def close(self) -> None:
        """Close the link."""
        await self._link.close()
        self._tape.remark("closed")
        self._tape.end()

    async def _begun(self, work: Awaitable[T]) -> T:
        """Something that the driver has begun, and that was noted."""
        try:
            return await work
        except ReportRefused:
            self._tape.note(RECEIVED, b"", "refused")
            raise
        except DeviceFault as fault:
            self._tape.fault("send", fault)
            raise
        except asyncio.CancelledError:
            self._tape.remark("cancelled")
            raise

    async def _awaited(self, work: Awaitable[T]) -> T:
        """Something that comes by itself."""
        try:
            return await work
        except DeviceFault as fault:
            self._tape.fault("receive", fault)
            raise


class ByteTap(_Tap, ByteLink):
    """A byte link on tape."""

    def __init__(self, link: ByteLink, tape: OnTape) -> None:
        self._link = link
        self._tape = tape
        self.url = link.url

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """As the link does."""
        data: bytes = await self._awaited(self._link.receive(max_bytes))
        self._tape.note(RECEIVED, data)
        return data

    async def send(self, data: bytes) -> None:
        """As the link does. Noted before it leaves: its answer may be there before this returns."""
        if data:
            self._tape.note(SENT, bytes(data))
        await self._begun(self._link.send(data))

    def discard_input(self) -> bytes:
        """As the link does."""
        data: bytes = self._link.discard_input()
        if data:
            self._tape.note(RECEIVED, data)
        return data


class HidTap(_Tap, HidLink):
    """A HID link on tape."""

    def __init__(self, link: HidLink, tape: OnTape) -> None:
        self._link = link
        self._tape = tape
        self.url = link.url
        self.info = link.info

    async def receive(self) -> bytes:
        """As the link does."""
        report: bytes = await self._awaited(self._link.receive())
        self._tape.note(RECEIVED, report, "in")
        return report

    async def report_descriptor(self) -> bytes:
        """As the link does."""
        self._tape.note(SENT, b"", "descriptor")
        descriptor: bytes = await self._begun(self._link.report_descriptor())
        self._tape.note(RECEIVED, descriptor, "descriptor")
        return descriptor

    async def get_feature(self, report_id: int, size: int) -> bytes:
        """As the link does."""
        self._tape.note(SENT, bytes([report_id & 0xFF]) + (size & 0xFFFF).to_bytes(2, "big"), "get")
        report: bytes = await self._begun(self._link.get_feature(report_id, size))
        self._tape.note(RECEIVED, report, "got")
        return report

    async def set_feature(self, report: bytes) -> None:
        """As the link does."""
        self._tape.note(SENT, bytes(report), "set")
        await self._begun(self._link.set_feature(report))

    async def send(self, report: bytes) -> None:
        """As the link does."""
        self._tape.note(SENT, bytes(report), "out")
        await self._begun(self._link.send(report))

    def discard_input(self) -> list[bytes]:
        """As the link does."""
        reports: list[bytes] = self._link.discard_input()
        for report in reports:
            self._tape.note(RECEIVED, report, "in")
        return reports
