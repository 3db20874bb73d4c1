"""Looks for what must not be anywhere: marks in every encoding in which they could have been written down."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

from google.protobuf import any_pb2
from google.protobuf.message import Message

__all__ = ["Canary", "Finding", "forms"]

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LEAST = 8
"""Characters or bytes; what is shorter could be there by chance."""
NO_MARKS = ("media_type", "sha256")
"""Fields of marked messages that say nothing of a person by themselves."""
MOST = 12
SLICE = 20
"""Bytes of a picture that are looked for."""


@dataclass(frozen=True)
class Finding:
    """A mark where it must not be."""

    where: str
    mark: str
    form: str


@dataclass
class Canary:
    """Makes marks, remembers them, and looks for them."""

    rng: Random
    patterns: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    """What is looked for: which mark it is, and in which form."""
    findings: list[Finding] = field(default_factory=list)
    _kinds: Counter[str] = field(default_factory=Counter)

    def latin(self, length: int = 16) -> str:
        """A mark of letters and digits, in no test but this one."""
        return "".join(self.rng.choices(LETTERS, k=length))

    def chinese(self, length: int = 8) -> str:
        """A mark of characters that GBK has too."""
        return "".join(chr(self.rng.randrange(0x4E00, 0x9FA5)) for _ in range(length))

    def raw(self, length: int) -> bytes:
        """A mark of bytes: any part of it is one."""
        return self.rng.randbytes(length)

    def watch(self, what: str, value: str | bytes) -> None:
        """Look for it from now on; of long bytes for three parts of it, and of many of a kind for the first ones."""
        if len(value) < LEAST or self._kinds[what] >= MOST:
            return
        self._kinds[what] += 1
        parts: list[str | bytes] = [value]
        if isinstance(value, bytes) and len(value) > 3 * SLICE:
            parts = [value[at : at + SLICE] for at in (len(value) // 4, len(value) // 2, len(value) * 3 // 4)]
            parts = [part for part in parts if len(set(part)) > SLICE // 2]  # zeros and runs are no marks
        for part in parts:
            for form, pattern in forms(part):
                self.patterns.setdefault(pattern, (what, form))

    def harvest(self, message: Message, above: str = "", *, marked: bool = False) -> None:
        """Look for everything that the protos mark in a message that was sent or received."""
        if isinstance(message, any_pb2.Any):
            self.watch(f"{above} (packed)", message.value)
            return
        for found, value in message.ListFields():
            if found.name in NO_MARKS:
                continue
            inside = marked or found.GetOptions().debug_redact
            name = f"{above or message.DESCRIPTOR.name}.{found.name}"
            for item in _items(found, value):
                if isinstance(item, Message):
                    self.harvest(item, name, marked=inside)
                elif inside and isinstance(item, str | bytes):
                    self.watch(name, item)

    def search(self, where: str, data: bytes) -> None:
        """Look for every mark in what was written or told."""
        for pattern, (mark, form) in self.patterns.items():
            if pattern in data:
                self.findings.append(Finding(where, mark, form))

    def search_message(self, where: str, message: Message) -> None:
        """In a message that may hold none: as bytes, and as its text shows it."""
        self.search(where, message.SerializeToString() + b"\n" + str(message).encode())

    def search_folder(self, folder: Path) -> int:
        """In every file below. Returns how many there are."""
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        for file in files:
            self.search(str(file.relative_to(folder)), file.read_bytes())
            self.search("the name of a file", str(file.relative_to(folder)).encode())
        return len(files)


def _items(found: Any, value: Any) -> list[Any]:
    if found.message_type is not None and found.message_type.GetOptions().map_entry:
        return list(value.values())
    return list(value) if found.is_repeated else [value]


def forms(mark: str | bytes) -> Iterator[tuple[str, bytes]]:
    """A mark in each of its encodings, named."""
    if isinstance(mark, bytes):
        yield from _binary_forms("bytes", mark)
        return
    yield from _binary_forms("UTF-8", mark.encode())
    yield from _binary_forms("UTF-16LE", mark.encode("utf-16-le"))
    yield "UTF-16BE", mark.encode("utf-16-be")
    yield "GB 18030", mark.encode("gb18030")
    escaped = json.dumps(mark)[1:-1]
    yield "JSON", escaped.encode()
    yield "JSON, large", escaped.upper().replace("\\U", "\\u").encode()
    yield "percent", quote(mark).encode()
    yield "percent, small", quote(mark).lower().encode() if not mark.isascii() else quote(mark).encode()


def _binary_forms(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data
    yield f"{name}, hex", data.hex().encode()
    yield f"{name}, large hex", data.hex().upper().encode()
    yield f"{name}, hex with spaces", data.hex(" ").encode()
    yield f"{name}, as Python shows it", repr(data)[2:-1].encode()
    yield f"{name}, as protobuf shows it", _octal(data)
    for offset in range(3):
        yield f"{name}, base64 at {offset}", _base64_at(data, offset)
        yield f"{name}, base64 of URLs at {offset}", _base64_at(data, offset).translate(bytes.maketrans(b"+/", b"-_"))


def _octal(data: bytes) -> bytes:
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"\"'\\" else f"\\{byte:03o}" for byte in data
    ).encode()


def _base64_at(data: bytes, offset: int) -> bytes:
    """What is the same whatever stands before and behind."""
    coded = base64.b64encode(bytes(offset) + data)
    return coded[(0, 2, 3)[offset] : (offset + len(data)) * 8 // 6]
