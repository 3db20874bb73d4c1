"""Trace files as text: one section for each time that the link was opened, one entry for each thing that went over it.
`reading` takes them in.
"""

from __future__ import annotations

from dataclasses import dataclass

from countertop.sdk.links._base import HidInfo

__all__ = [
    "FAULT",
    "FIRST_LINE",
    "MAX_DATA",
    "MAX_FILE",
    "MAX_LINE",
    "NOTE",
    "OPERATIONS",
    "RECEIVED",
    "SENT",
    "VERBS",
    "Entry",
    "Header",
    "Section",
    "clean",
    "entry_lines",
    "header_lines",
]

FIRST_LINE = "countertop-trace 1"
"""Begins each section; the number is the format's version."""
SENT, RECEIVED, FAULT, NOTE = ">", "<", "!", "="
MAX_DATA = 65536
"""Bytes of one entry: a larger piece of a stream becomes several."""
MAX_LINE = 400_000
"""Characters of a line: an encrypted entry is one."""
MAX_FILE = 64 * 1024 * 1024
"""Characters of a file that is read."""
_ROW = 32
_TEXT_LIMIT = 126

VERBS: dict[str, dict[str, tuple[str, ...]]] = {
    "bytes": {SENT: ("",), RECEIVED: ("",)},
    "hid": {SENT: ("get", "set", "out", "descriptor"), RECEIVED: ("in", "got", "refused", "descriptor")},
}
"""By the link's kind and the direction: what an entry may be. Streams have no words."""
OPERATIONS = ("open", "receive", "send")
"""Where a fault was raised; `send` is whatever the driver began."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that went over the link, or happened to it."""

    mark: str
    """SENT, RECEIVED, FAULT or NOTE."""
    verb: str = ""
    """Of a HID link: one of VERBS. Of a fault: one of OPERATIONS. Of a note: what happened."""
    data: bytes = b""
    """At most MAX_DATA bytes. For `get`: the report's id, and the size that was asked for in two bytes, big endian."""
    text: str = ""
    """Of a fault: the reason's name, a blank, and what the case was."""
    at: int = 0
    """Milliseconds since the link was opened."""
    line: int = 0
    """Where it begins in the file, from 1; 0 when it was not read from one."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a section says of its recording."""

    driver: str
    link: str
    """"bytes" or "hid"."""
    scheme: str
    """Of the link's URL; nothing else of it is kept."""
    opened: str
    """When the link was opened, in UTC: "2026-11-28T09:30:00Z"."""
    masked_by: str = ""
    """The driver whose masker was used; empty in an encrypted recording."""
    sealed: str = ""
    """What the key's holder needs to open it (base64); empty in clear."""
    hid: HidInfo | None = None
    """Of a HID link that could be opened, without its serial number."""


@dataclass(frozen=True, slots=True)
class Section:
    """A link's life, from its opening on."""

    header: Header
    entries: tuple[Entry, ...]
    line: int = 0


def clean(text: str) -> str:
    """A text that a device gave, as one line without control characters or outer blanks, at most 126 characters."""
    return "".join(char if char.isprintable() else "?" for char in text[:_TEXT_LIMIT]).strip()


def header_lines(header: Header) -> list[str]:
    """The lines that begin a section."""
    fields = {
        "driver": clean(header.driver),
        "link": header.link,
        "scheme": header.scheme,
        "opened": header.opened,
        "masked-by": clean(header.masked_by),
        "sealed": header.sealed,
    }
    if header.hid is not None:
        hid = header.hid
        fields["hid"] = f"{hid.vendor_id:04x}:{hid.product_id:04x} release {hid.release:04x}"
        fields["manufacturer"], fields["product"] = clean(hid.manufacturer), clean(hid.product)
    return ["", FIRST_LINE, *(f"{name}: {value}" for name, value in fields.items() if value)]


def entry_lines(entry: Entry, since: int) -> list[str]:
    """The lines of an entry, `since` milliseconds after the one before. The time has a line of its own, so that a diff
    of two recordings can leave it out: `diff -I '^+'`.
    """
    lines = [f"+{since}"] if since > 0 else []
    words = [entry.mark, entry.verb] if entry.verb else [entry.mark]
    if entry.mark in (FAULT, NOTE):
        return [*lines, " ".join([*words, entry.text]).rstrip()]
    rows = [entry.data[at : at + _ROW].hex(" ") for at in range(0, len(entry.data), _ROW)]
    lines.append(" ".join([*words, *rows[:1]]))
    lines += [f"  {row}" for row in rows[1:]]
    return lines
