"""TCP links."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, ClassVar, Self

from countertop.sdk.links._base import ByteLink, LinkUrl
from countertop.sdk.links._channel import FdChannel
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._translate import translating

__all__ = ["TcpLink"]

# Dead peers are found within 10 + 3 * 5 s; a busy one that only stops reading is not dead and is waited for.
_SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.SOL_SOCKET, socket.SO_SNDBUF, 65536),  # what was sent is then not far from the device
)


class TcpLink(ByteLink):
    """A TCP connection to a device: `tcp://host:port?connect_timeout=5` (seconds, 0.1 to 60)."""

    schemes: ClassVar[tuple[str, ...]] = ("tcp",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["tcp"]

    def __init__(self, url: LinkUrl, connection: socket.socket) -> None:
        self.url = url
        self._connection = connection
        self._channel = FdChannel(url, connection.fileno())

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Connect. Raises LinkFault(DEVICE_OFFLINE): refused, no answer in time, host unknown."""
        limit = cls.query["connect_timeout"](url.query.get("connect_timeout", "5"))
        with translating(url, "open", opening=True):
            async with asyncio.timeout(limit):
                return cls(url, await _connect(url))

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Wait for 1 to `max_bytes` bytes. Raises LinkFault(LINK_LOST) when the device closed the connection."""
        return await self._channel.receive(max_bytes)

    async def send(self, data: bytes) -> None:
        """Return when the operating system took every byte. Raises LinkFault(LINK_LOST)."""
        await self._channel.send(data)

    def discard_input(self) -> bytes:
        """Take what has arrived and nobody received, without waiting."""
        return self._channel.discard_input()

    async def close(self) -> None:
        """Close the connection; safe to call twice. Never raises."""
        self._channel.stop()
        self._connection.close()


async def _connect(url: LinkUrl) -> socket.socket:
    """The first of the host's addresses that takes the connection."""
    loop = asyncio.get_running_loop()
    refused: OSError = OSError("the host has no address")
    for family, kind, proto, _, address in await loop.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, proto)
        try:
            connection.setblocking(False)
            for option in _SOCKET_OPTIONS:
                connection.setsockopt(*option)
            await loop.sock_connect(connection, address)
        except OSError as error:
            connection.close()
            refused = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise refused
