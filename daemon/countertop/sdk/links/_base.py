"""The seam between drivers and the world: what every link has, and the two shapes that links come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Self

__all__ = ["ByteLink", "HidInfo", "HidLink", "Link", "LinkUrl"]


@dataclass(frozen=True, slots=True)
class LinkUrl:
    """A parsed link URL: `serial:///dev/ttyUSB0?baud=115200`, `tcp://host:port`, `hid://056A:00A4`.

    With `usb` and `hid` the path is `VID:PID` or `VID:PID/SERIAL`, and host and port are empty.
    """

    text: str
    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)


class Link(ABC):
    """One open way to one device. Its class names the `schemes` of the URLs that it opens."""

    schemes: ClassVar[tuple[str, ...]] = ()
    url: LinkUrl

    @classmethod
    @abstractmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Open the channel. Raises LinkFault(DEVICE_OFFLINE) that says what to do (missing rights, busy, refused)."""

    @abstractmethod
    async def close(self) -> None:
        """Close the channel; safe to call twice. Never raises."""


class ByteLink(Link):
    """A byte channel to one device.

    One task receives and one sends at a time. After any error the link is dead: close it and open another.
    Cancelling `receive` loses no byte.
    """

    @abstractmethod
    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for 1 to `max_bytes` bytes. Raises LinkFault(LINK_LOST) when the channel ended."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Return when the operating system took every byte: the device's flow control holds the caller.

        Raises LinkFault(LINK_LOST) when the channel ended; how many bytes left is then not known.
        """

    @abstractmethod
    def discard_input(self) -> bytes:
        """Take what has arrived and nobody received, without waiting."""


@dataclass(frozen=True, slots=True)
class HidInfo:
    """What a HID device says of itself when it is plugged in."""

    vendor_id: int
    product_id: int
    release: int = 0
    """bcdDevice: 0x0103 is 1.03."""
    manufacturer: str = ""
    product: str = ""
    serial: str = ""


class HidLink(Link):
    """HID reports to and from one device (HID 1.11). Every report begins with its id; where the device does not number
    its reports, input reports come as they are, and feature and output reports are given with a 0 before them.

    One task receives input; feature and output reports go at the same time, one after another. A refused request
    (STALL) leaves the link as it is; after any other error it is dead.
    """

    info: HidInfo

    @abstractmethod
    async def receive(self) -> bytes:
        """Wait for the next input report. Cancelling loses none. Raises LinkFault(LINK_LOST)."""

    @abstractmethod
    async def report_descriptor(self) -> bytes:
        """What the device says of the shape of its reports (HID 1.11, 6.2.2). Raises LinkFault(LINK_LOST)."""

    @abstractmethod
    async def get_feature(self, report_id: int, size: int) -> bytes:
        """Read a feature report of at most `size` bytes, id included. Raises ReportRefused, LinkFault(LINK_LOST)."""

    @abstractmethod
    async def set_feature(self, report: bytes) -> None:
        """Write a feature report, its id first. Raises ReportRefused, LinkFault(LINK_LOST)."""

    @abstractmethod
    async def send(self, report: bytes) -> None:
        """Write an output report, its id first. Raises ReportRefused, LinkFault(LINK_LOST)."""

    @abstractmethod
    def discard_input(self) -> list[bytes]:
        """Take the input reports that nobody received, without waiting."""
