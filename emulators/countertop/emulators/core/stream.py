"""Non-blocking bytes over a file descriptor: what the buses have in common."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

__all__ = ["READ_SIZE", "Stream"]

READ_SIZE = 4096
"""Most bytes that are taken in at once."""


class Stream:
    """Non-blocking bytes over a file descriptor, which it does not own.

    `on_data` gets what comes in while reading is on (at first it is off), `on_end` is called when the other side ended
    the connection, `on_drop` with the number of bytes that found no room among the `output_limit` that may wait.
    """

    def __init__(
        self,
        fd: int,
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
        on_drop: Callable[[int], None],
        output_limit: int,
    ) -> None:
        self._fd = fd
        self._on_data = on_data
        self._on_end = on_end
        self._on_drop = on_drop
        self._limit = output_limit
        self._loop = asyncio.get_running_loop()
        self._reading = False
        self._closed = False
        self._output = bytearray()
        os.set_blocking(fd, False)

    @property
    def waiting(self) -> int:
        """Bytes of output that the kernel has not taken yet."""
        return len(self._output)

    def set_reading(self, wanted: bool) -> None:
        """Turn reading on or off."""
        if wanted == self._reading or self._closed:
            return
        self._reading = wanted
        if wanted:
            self._loop.add_reader(self._fd, self._readable)
        else:
            self._loop.remove_reader(self._fd)

    def write(self, data: bytes) -> None:
        """Send, without waiting. Does nothing once closed."""
        if self._closed or not data:
            return
        taken = 0
        if not self._output:
            taken = self._try_write(data)
        kept = data[taken : taken + self._limit - len(self._output)]
        if taken + len(kept) < len(data):
            self._on_drop(len(data) - taken - len(kept))
        if kept:
            self._output += kept
            self._loop.add_writer(self._fd, self._writable)

    def close(self) -> None:
        """Leave the descriptor alone from now on; what waits is lost."""
        if not self._closed:
            self.set_reading(False)
            self._loop.remove_writer(self._fd)
            self._output.clear()
            self._closed = True

    def _try_write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # the reader learns of the end in its turn

    def _writable(self) -> None:
        del self._output[: self._try_write(self._output)]
        if not self._output:
            self._loop.remove_writer(self._fd)

    def _readable(self) -> None:
        try:
            data = os.read(self._fd, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._on_data(data)
        else:
            self._on_end()
