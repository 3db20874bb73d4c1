"""TCP ports of emulated devices, which stay theirs while they are unplugged.

A port that is bound refuses connections as one does that nobody has, but the kernel gives it to nobody else.
"""

from __future__ import annotations

import asyncio
import socket

__all__ = ["Address", "address_of", "bound"]

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


async def address_of(host: str, port: int) -> Address:
    """Where to listen; an empty host is all interfaces. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, _, _, _, address = found[0]
    return family, address


def bound(address: Address, port: int = 0, *, receive_buffer: int = 0) -> socket.socket:
    """A socket that can listen there, on the address's port or another. Raises OSError when it is taken or not ours."""
    family, (host, own, *more) = address
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        held.setblocking(False)
        held.bind((host, port or own, *more))
    except BaseException:
        held.close()
        raise
    return held
