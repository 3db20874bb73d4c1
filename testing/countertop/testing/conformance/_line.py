"""The line between a driver and its device: listens, and goes wrong as it is told."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from countertop.sdk.device import Device
from countertop.sdk.errors import LinkFault
from countertop.sdk.links import ByteLink, HidInfo, HidLink, LinkUrl
from countertop.v1 import error_pb2

__all__ = ["Line"]


@dataclass
class Line:
    """What happens on the line of every driver that `attach` was called for. Each knob may be turned at any time."""

    one_byte_at_a_time: bool = False
    """`receive` gives single bytes."""
    dead: bool = False
    """Nothing comes any more; what is sent goes nowhere."""
    noise: Callable[[bytes], bytes] | None = None
    """What becomes of what comes; of HID reports too."""
    break_after: int | None = None
    """The line breaks when so many more bytes were sent: those before still reach the device."""
    opened: int = 0
    """Links that were opened."""
    sent: list[bytes] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    log: list[tuple[str, bytes]] = field(default_factory=list)
    """Both, in their order: (">", sent) and ("<", received)."""

    def attach(self, driver: Device) -> None:
        """Put the line between a driver, which is not connected yet, and its device."""
        driver.open_link = functools.partial(self._open_bytes, driver.open_link)  # type: ignore[method-assign]
        driver.open_hid_link = functools.partial(self._open_hid, driver.open_hid_link)  # type: ignore[method-assign]

    async def _open_bytes(self, original: Any, **defaults: str) -> ByteLink:
        link = _Bytes(await original(**defaults), self)
        self.opened += 1
        return link

    async def _open_hid(self, original: Any) -> HidLink:
        link = _Hid(await original(), self)
        self.opened += 1
        return link

    def sending(self, data: bytes) -> tuple[bytes, bool]:
        """What of it reaches the device, and whether the line breaks behind it."""
        breaks = self.break_after is not None and len(data) > self.break_after
        if breaks:
            data = data[: self.break_after]
        if self.break_after is not None:
            self.break_after -= len(data)
        self.sent.append(data)
        self.log.append((">", data))
        return data, breaks

    def coming(self, data: bytes) -> bytes:
        """What the driver gets of it."""
        if self.noise is not None:
            data = self.noise(data)
        self.received.append(data)
        self.log.append(("<", data))
        return data


def _broken() -> LinkFault:
    return LinkFault(error_pb2.REASON_LINK_LOST, "The line was cut by the conformance suite.", step="send")


def _unanswered() -> LinkFault:
    """What the SDK's HID links make of a control transfer that nobody answers."""
    return LinkFault(error_pb2.REASON_LINK_LOST, "The device did not answer a request for a report.", step="report")


class _Bytes(ByteLink):
    def __init__(self, link: ByteLink, line: Line) -> None:
        self._link, self._line = link, line
        self._cut = False
        self.url = link.url

    def __getattr__(self, name: str) -> Any:  # what a link of USB can do beside
        return getattr(self._link, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]  # a driver may ask `isinstance` whether its link is of USB
        return type(self._link)

    @classmethod
    async def open(cls, url: LinkUrl) -> Any:
        raise NotImplementedError("a line is put before a link that is open")

    async def receive(self, max_bytes: int = 65536) -> bytes:
        while True:
            if self._cut:
                raise _broken()
            data = await self._link.receive(1 if self._line.one_byte_at_a_time else max_bytes)
            if not self._line.dead and (data := self._line.coming(data)):
                return data

    async def send(self, data: bytes) -> None:
        if self._cut:
            raise _broken()
        if self._line.dead:
            return
        data, breaks = self._line.sending(data)
        if data:
            await self._link.send(data)
        if breaks:
            self._cut = True
            await self._link.close()
            raise _broken()

    def discard_input(self) -> bytes:
        return b"" if self._cut else self._link.discard_input()

    async def close(self) -> None:
        await self._link.close()


class _Hid(HidLink):
    def __init__(self, link: HidLink, line: Line) -> None:
        self._link, self._line = link, line
        self.url, self.info = link.url, link.info

    info: HidInfo

    @classmethod
    async def open(cls, url: LinkUrl) -> Any:
        raise NotImplementedError("a line is put before a link that is open")

    async def receive(self) -> bytes:
        while True:
            data = await self._link.receive()
            if not self._line.dead and (data := self._line.coming(data)):
                return data

    async def report_descriptor(self) -> bytes:
        return await self._link.report_descriptor()

    async def get_feature(self, report_id: int, size: int) -> bytes:
        if self._line.dead:
            raise _unanswered()
        return self._line.coming(await self._link.get_feature(report_id, size))

    async def set_feature(self, report: bytes) -> None:
        await self._send(report, self._link.set_feature)

    async def send(self, report: bytes) -> None:
        await self._send(report, self._link.send)

    async def _send(self, report: bytes, how: Callable[[bytes], Any]) -> None:
        if self._line.dead:
            raise _unanswered()
        report, breaks = self._line.sending(report)
        if breaks:
            await self._link.close()
            raise _broken()
        await how(report)

    def discard_input(self) -> list[bytes]:
        return self._link.discard_input()

    async def close(self) -> None:
        await self._link.close()
