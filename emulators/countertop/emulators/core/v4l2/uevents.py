"""What udev tells its listeners, in the form in which libudev reads it.

Under the preload library a listener's netlink socket is a datagram socket `eventN` in the root. The form: systemd,
src/libsystemd/sd-device/device-monitor.c, monitor_netlink_header.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from pathlib import Path

__all__ = ["broadcast", "message", "string_hash32"]

_HEADER = struct.Struct("@8sIIIIIIII")
_MAGIC = 0xFEEDCAFE
_MASK = 0xFFFFFFFF


def message(properties: Mapping[str, str]) -> bytes:
    """One event. `properties` begin with ACTION, DEVPATH and SUBSYSTEM."""
    body = b"".join(f"{name}={value}".encode() + b"\0" for name, value in properties.items())
    devtype = properties.get("DEVTYPE")
    header = _HEADER.pack(
        b"libudev\0",
        socket.htonl(_MAGIC),
        _HEADER.size,
        _HEADER.size,
        len(body),
        socket.htonl(string_hash32(properties["SUBSYSTEM"].encode())),
        socket.htonl(string_hash32(devtype.encode())) if devtype else 0,
        0,
        0,
    )
    return header + body


def string_hash32(data: bytes) -> int:
    """MurmurHash2 with seed 0, by which listeners' socket filters compare."""
    multiplier = 0x5BD1E995
    value = len(data)
    whole = len(data) & ~3
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        word = word * multiplier & _MASK
        word = (word ^ word >> 24) * multiplier & _MASK
        value = value * multiplier & _MASK ^ word
    if len(data) > whole:
        value = (value ^ int.from_bytes(data[whole:], "little")) * multiplier & _MASK
    value = (value ^ value >> 13) * multiplier & _MASK
    return value ^ value >> 15


def broadcast(root: Path, data: bytes) -> int:
    """Send to all who listen in this root; returns how many. Those that are gone, and those whose queue is full, do
    not hear it, as with the kernel.
    """
    heard = 0
    for listener in root.glob("event[0-9]*"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto(data, str(listener))
            except ConnectionRefusedError:
                listener.unlink(missing_ok=True)  # its socket was closed
            except (FileNotFoundError, BlockingIOError):
                continue
            else:
                heard += 1
    return heard
