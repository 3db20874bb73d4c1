"""Serial links: ports of this machine, and ports on the network (RFC 2217)."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, Self, TypeVar

import serial
from serial.tools.list_ports import comports

from countertop.sdk.links._base import ByteLink, LinkUrl
from countertop.sdk.links._channel import FdChannel
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._rfc2217 import READ_TIMEOUT, ThreadChannel
from countertop.sdk.links._translate import FOREIGN, translating
from countertop.sdk.links._usb_find import identity_of, pick

__all__ = ["SerialLink"]

T = TypeVar("T")

DSR_PIECE = 128
"""Bytes that go out between two looks at DSR; small, since the host has no DSR flow control of its own."""
DSR_LOOK = 0.01
"""Seconds between two looks at a DSR that holds the sender."""
CLOSE_DRAIN = 0.5
"""Seconds that closing waits for the line to take what was sent, before it is dropped."""


class SerialLink(ByteLink):
    """A serial port: `serial:///dev/ttyUSB0?baud=115200`, by its USB adapter `serial://?usb=0403:6001/SERIAL`, or on
    the network `rfc2217://host:port?baud=9600`.

    Settings: baud (50 to 4000000; 9600), parity (N, E, O, M, S; N), bytesize (5 to 8; 8), stopbits (1, 1.5, 2; 1),
    xonxoff, rtscts, dsrdtr (0, 1; 0). With dsrdtr the device's DSR holds `send`; a port without that line (a pty)
    counts as always ready. The port is opened for this link alone: a second opener is told that it is busy.
    """

    schemes: ClassVar[tuple[str, ...]] = ("serial", "rfc2217")
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["serial"]

    def __init__(self, url: LinkUrl, port: serial.Serial) -> None:
        self.url = url
        self._port = port
        self._closed = False
        self._closing: asyncio.Future[None] | None = None
        self._channel = FdChannel(url, port.fileno()) if url.scheme == "serial" else ThreadChannel(url, port)

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Open the port. Raises LinkFault(DEVICE_OFFLINE): missing, no right, busy, not a serial port, refused."""
        settings: dict[str, Any] = {
            name: cls.query[name](text) for name, text in url.query.items() if name in cls.query
        }
        settings.pop("usb", None)
        settings["baudrate"] = settings.pop("baud", 9600)
        if url.scheme == "serial":
            target = url.path or await _in_thread(lambda: port_of(url))
            if _is_pty(target):
                # it has neither, and once it was asked for parity it refuses the same settings for good (EINVAL)
                settings.pop("parity", None)
                settings.pop("bytesize", None)
            settings |= {
                "exclusive": True,
                "timeout": 0,
                "inter_byte_timeout": 0,
            }  # the last: no bytes is EAGAIN, not b""
        else:
            host = f"[{url.host}]" if ":" in url.host else url.host
            target = f"rfc2217://{host}:{url.port}"
            settings |= {"timeout": READ_TIMEOUT}
        with translating(url, "open", opening=True):
            port = await _in_thread(lambda: serial.serial_for_url(target, **settings), undo=_close_port)
            return cls(url, port)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for 1 to `max_bytes` bytes. Raises LinkFault(LINK_LOST) when the port is gone."""
        return await self._channel.receive(max_bytes)

    async def send(self, data: bytes) -> None:
        """Return when the operating system took every byte; XOFF, CTS and DSR hold it. Raises LinkFault(LINK_LOST)."""
        if not self._port.dsrdtr:
            await self._channel.send(data)
            return
        for start in range(0, len(data), DSR_PIECE):
            while self.dsr() is False:  # noqa: ASYNC110 - the kernel has no event for it that a loop could wait on
                await asyncio.sleep(DSR_LOOK)
            await self._channel.send(data[start : start + DSR_PIECE])

    def discard_input(self) -> bytes:
        """Take what has arrived and nobody received, without waiting."""
        return self._channel.discard_input()

    def dsr(self) -> bool | None:
        """The device's DSR line; None where the port has no such line or nothing is known of it.

        Raises LinkFault(LINK_LOST) after `close`.
        """
        if self._closed:
            with translating(self.url, "DSR"):
                raise serial.PortNotOpenError
        try:
            return bool(self._port.dsr)
        except FOREIGN:  # ENOTTY on a pty; RFC 2217 before the first notification
            return None

    async def set_baud(self, baud: int) -> None:
        """Change the speed, 50 to 4000000 baud, once the device has been told to. Raises LinkFault(LINK_LOST)."""
        self.query["baud"](str(baud))

        def change() -> None:
            self._port.baudrate = baud

        with translating(self.url, f"set {baud} baud"):
            await _in_thread(change)

    async def close(self) -> None:
        """Close the port; safe to call twice, and whoever calls it waits until the port is free. Never raises."""
        self._closed = True
        if self._closing is None:
            self._channel.stop()
            close = self._channel.join if isinstance(self._channel, ThreadChannel) else self._close_fd
            self._closing = asyncio.ensure_future(_in_thread(close))
        await asyncio.shield(self._closing)

    def _close_fd(self) -> None:
        """Close a port of this machine; blocks.

        Linux holds the closer of a real UART for up to 30 s while flow control holds its output, so what the line
        does not take is dropped before.
        """
        fd = self._port.fileno()
        deadline = time.monotonic() + CLOSE_DRAIN
        with suppress(*FOREIGN):
            while unsent(fd) and time.monotonic() < deadline:
                time.sleep(0.01)  # a worker thread's; tcdrain would have no time limit
            if unsent(fd):
                termios.tcflush(fd, termios.TCOFLUSH)
        _close_port(self._port)


def _is_pty(path: str) -> bool:
    return os.path.realpath(path).startswith("/dev/pts/")


def port_of(url: LinkUrl) -> str:
    """The path of the port whose USB adapter the URL names; blocks. Raises LinkFault(DEVICE_OFFLINE)."""
    vendor, product, serial_number = identity_of(replace(url, path=url.query["usb"]))
    found = [port for port in comports() if (port.vid, port.pid) == (vendor, product)]
    return str(pick(url, [(port.serial_number or "", port.device) for port in found], serial_number))


def unsent(fd: int) -> int:
    """Bytes in the port's output buffer; 0 on a pty."""
    count: int = struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return count


def _close_port(port: serial.Serial) -> None:
    with suppress(*FOREIGN):
        port.close()


async def _in_thread(call: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """Do a blocking call in a worker thread. It goes on when the caller is cancelled, and is undone then."""
    loop = asyncio.get_running_loop()
    work = loop.run_in_executor(None, call)

    def abandoned(done: asyncio.Future[T]) -> None:
        if not done.cancelled() and done.exception() is None and undo is not None:
            loop.run_in_executor(None, undo, done.result())

    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        work.add_done_callback(abandoned)
        raise
