"""The seam between drivers and the world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

__all__ = ["Link", "LinkUrl"]


@dataclass(frozen=True, slots=True)
class LinkUrl:
    """A parsed link URL: `serial:///dev/ttyUSB0?baud=115200`, `rfc2217://host:port?baud=9600`, `tcp://host:port`."""

    text: str
    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)


class Link(ABC):
    """A byte channel to one device.

    One task receives and one sends at a time. After any error the link is dead: close it and open another.
    Cancelling `receive` loses no byte.
    """

    url: LinkUrl

    @classmethod
    @abstractmethod
    async def open(cls, url: LinkUrl) -> Link:
        """Open the channel. Raises LinkFault(DEVICE_OFFLINE) that says what to do (missing rights, busy, refused)."""

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

    @abstractmethod
    async def close(self) -> None:
        """Close the channel; safe to call twice. Never raises."""
