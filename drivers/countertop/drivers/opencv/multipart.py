"""Cuts a stream of `multipart/x-mixed-replace` (RFC 2046, as cameras speak it) into pictures. Bytes in, pictures out.

Cameras differ: the boundary is announced with or without its dashes, and written with two, four or none; a part has a
Content-Length or has not. All that is understood. What is not a part is skipped, and the next boundary looked for.
"""

from __future__ import annotations

import re
from email.message import Message

__all__ = ["MAX_PART", "MjpegParser"]

MAX_PART = 32 * 2**20
"""Bytes of a picture at most; a longer one is skipped."""
MAX_HEAD = 8192
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,10})[ \t]*\r?$")
_TYPE = re.compile(rb"(?im)^content-type:[ \t]*([^;\r\n]*)")
_MOST_DASHES = 8


class MjpegParser:
    """Reads one response. It keeps one unfinished part at most."""

    def __init__(self, content_type: str) -> None:
        head = Message()
        head["content-type"] = content_type
        core = (head.get_boundary() or "").strip().lstrip("-").encode("latin-1", "replace")
        self._delimiter = re.compile(rb"-{0,%d}" % _MOST_DASHES + re.escape(core) if core else rb"--")
        self._line = re.compile(rb"\r?\n-{0,%d}" % _MOST_DASHES + re.escape(core) if core else rb"\r?\n--")
        self._tail = len(core) + _MOST_DASHES + 2
        self._buffer = bytearray()
        self._state = self._seek
        self._length: int | None = None
        self._wanted = True
        self._looked = 0
        self.skipped = 0
        """Bytes that belonged to no picture."""

    def feed(self, data: bytes) -> list[bytes]:
        """The pictures that end in these bytes."""
        self._buffer += data
        found: list[bytes] = []
        while self._state(found):
            pass
        return found

    def _drop(self, count: int) -> None:
        self.skipped += count
        del self._buffer[:count]

    def _seek(self, found: list[bytes]) -> bool:
        """Look for a boundary."""
        match = self._delimiter.search(self._buffer)
        if match is None or match.end() == len(self._buffer):  # it may yet go on
            self._drop(max(0, len(self._buffer) - self._tail))
            return False
        self._drop(match.end())
        self._state = self._head
        return True

    def _head(self, found: list[bytes]) -> bool:
        """Read a part's headers."""
        match = _HEAD_END.search(self._buffer, 0, MAX_HEAD)
        if match is None:
            if len(self._buffer) < MAX_HEAD:
                return False
            self._state = self._seek
            return True
        head = bytes(self._buffer[: match.start()]) + b"\n"
        length, kind = _LENGTH.search(head), _TYPE.search(head)
        self._length = int(length[1]) if length is not None else None
        self._wanted = kind is None or kind[1].strip().lower() in (b"image/jpeg", b"image/jpg")
        self._drop(match.end())
        self._looked = 0
        too_long = self._length is not None and self._length > MAX_PART
        self._state = self._seek if too_long else self._counted if self._length is not None else self._uncounted
        return True

    def _counted(self, found: list[bytes]) -> bool:
        """Take a part whose length is known."""
        assert self._length is not None
        if len(self._buffer) < self._length:
            return False
        self._take(self._length, found)
        return True

    def _uncounted(self, found: list[bytes]) -> bool:
        """Take a part that ends where the next boundary begins."""
        match = self._line.search(self._buffer, self._looked)
        end = len(self._buffer) - self._tail if match is None else match.start()
        if end > MAX_PART:
            self._state = self._seek
            return True
        if match is None:
            self._looked = max(0, end)
            return False
        self._take(match.start(), found)
        return True

    def _take(self, count: int, found: list[bytes]) -> None:
        if self._wanted:
            found.append(bytes(self._buffer[:count]))
            del self._buffer[:count]
        else:
            self._drop(count)
        self._state = self._seek
