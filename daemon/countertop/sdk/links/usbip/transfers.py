"""Transfers that are on their way, told apart by their numbers. No I/O, no clock, no threads."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from countertop.sdk.links.usbip import wire

__all__ = ["Done", "Transfers"]

Done = Callable[[int, bytes, int], None]
"""Called once with the status (0 or a negative errno), the data of an IN transfer, and how many bytes went over."""


@dataclass(frozen=True, slots=True)
class _Pending:
    incoming: bool
    done: Done


class Transfers:
    """What has been asked of one imported device and has not ended. Whoever uses it writes the bytes that it makes, in
    order, and feeds it what comes back.
    """

    def __init__(self, device_id: int) -> None:
        self._device_id = device_id
        self._decoder = wire.ReplyDecoder()
        self._numbers = count(1)
        self._pending: dict[int, _Pending] = {}
        self._unlinks: dict[int, int] = {}

    def begin(
        self, endpoint: int, length: int, done: Done, setup: bytes = bytes(8), data: bytes = b""
    ) -> tuple[int, bytes]:
        """A transfer's number, and the bytes that begin it."""
        seqnum = next(self._numbers) & 0xFFFFFFFF
        incoming = bool(endpoint & 0x80)
        self._pending[seqnum] = _Pending(incoming, done)
        if incoming:
            self._decoder.incoming[seqnum] = length
        return seqnum, wire.submit(seqnum, self._device_id, endpoint, length, setup, data)

    def take_back(self, seqnum: int) -> bytes:
        """The bytes that take a transfer back; empty when it has ended. It still ends by its `done`: with -ECONNRESET,
        or as it does by itself when that was faster, so that nothing is lost.
        """
        if seqnum not in self._pending:
            return b""
        number = next(self._numbers) & 0xFFFFFFFF
        self._unlinks[number] = seqnum
        return wire.unlink(number, self._device_id, seqnum)

    def feed(self, data: bytes) -> None:
        """Take in what the server sent. Raises UsbIpError."""
        for reply in self._decoder.feed(data):
            if reply.unlinked:
                # some servers answer 0 here though they took it back; had it ended by itself, that came first
                self._end(self._unlinks.pop(reply.seqnum, 0), -errno.ECONNRESET, b"", 0)
            else:
                self._end(reply.seqnum, reply.status, reply.data, reply.actual)

    def fail(self, code: int) -> None:
        """The connection is gone: everything ends with a negative errno."""
        for seqnum in list(self._pending):
            self._end(seqnum, code, b"", 0)

    def _end(self, seqnum: int, status: int, data: bytes, actual: int) -> None:
        pending = self._pending.pop(seqnum, None)
        self._decoder.incoming.pop(seqnum, None)
        if pending is not None:
            pending.done(status, data, actual)
