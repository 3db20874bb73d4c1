"""Reads trace files. Total on any text: a mistake is a ValueError that names the line and what was expected there,
never what stands in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from countertop.sdk.links._base import HidInfo
from countertop.sdk.trace.format import (
    FAULT,
    FIRST_LINE,
    MAX_DATA,
    MAX_FILE,
    MAX_LINE,
    NOTE,
    OPERATIONS,
    RECEIVED,
    SENT,
    VERBS,
    Entry,
    Header,
    Section,
)

__all__ = ["Unseal", "parse_trace", "read_trace"]

Unseal = Callable[[Header], Callable[[int, str], str]]
"""Gives, for a section's header, what turns its n-th sealed line (from 0) into lines. Both raise ValueError."""

_FIELDS = {
    "driver": re.compile(r"\S.*"),
    "link": re.compile(r"bytes|hid"),
    "scheme": re.compile(r"[a-z][a-z0-9+.-]*"),
    "opened": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"),
    "masked-by": re.compile(r"\S.*"),
    "sealed": re.compile(r"\S+"),
    "hid": re.compile(r"([0-9a-f]{4}):([0-9a-f]{4}) release ([0-9a-f]{4})"),
    "manufacturer": re.compile(r"\S.*"),
    "product": re.compile(r"\S.*"),
}
_REQUIRED = ("driver", "link", "scheme", "opened")
_FIELD = re.compile(r"([a-z-]+): (.*)")
_TIME = re.compile(r"\+([0-9]{1,12})")
_HEX = re.compile(r"[0-9a-f]{2}( [0-9a-f]{2})*")
_CASE = re.compile(r"[A-Z][A-Z_]*( .*)?")
_GET_SIZE = 3


def read_trace(path: Path, unseal: Unseal | None = None) -> list[Section]:
    """The sections of a file. Raises ValueError that names the line; OSError."""
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        return parse_trace(iter(lambda: file.readline(MAX_LINE + 1), ""), unseal)


def parse_trace(lines: Iterable[str], unseal: Unseal | None = None) -> list[Section]:
    """The sections of a trace, at least one; `unseal` opens those that are encrypted.

    Raises ValueError: `line 7: expected ...`.
    """
    parser = _Parser(unseal)
    size = 0
    for number, line in enumerate(lines, 1):
        size += len(line)
        if len(line) > MAX_LINE:
            raise _wrong(number, f"a line of at most {MAX_LINE} characters")
        if size > MAX_FILE:
            raise _wrong(number, f"a file of at most {MAX_FILE} characters")
        parser.take(number, line.rstrip("\r\n"))
    return parser.end()


@dataclass
class _Entry:
    mark: str
    verb: str
    data: bytearray
    text: str
    at: int
    line: int

    def finished(self) -> Entry:
        if self.mark == SENT and self.verb == "get" and len(self.data) != _GET_SIZE:
            raise _wrong(self.line, "a report's id and a size of two bytes")
        return Entry(self.mark, self.verb, bytes(self.data), self.text, self.at, self.line)


@dataclass
class _Section:
    line: int
    fields: dict[str, str] = field(default_factory=dict)
    header: Header | None = None
    entries: list[Entry] = field(default_factory=list)
    open: _Entry | None = None
    at: int = 0
    sealed: int = 0
    opener: Callable[[int, str], str] | None = None


class _Parser:
    def __init__(self, unseal: Unseal | None) -> None:
        self._unseal = unseal
        self._done: list[Section] = []
        self._section: _Section | None = None

    def take(self, number: int, line: str) -> None:
        if line.startswith("#") or not line.strip():
            return
        if line == FIRST_LINE:
            self._finish(number)
            self._section = _Section(number)
            return
        section = self._section
        if section is None:
            raise _wrong(number, f"{FIRST_LINE!r}")
        if section.header is None:
            found = _FIELD.fullmatch(line)
            if found is not None:
                _take_field(section, number, found[1], found[2])
                return
            self._close_header(section, number)
        if line.startswith("* "):
            self._take_sealed(section, number, line[2:])
        else:
            _take_line(section, number, line)

    def end(self) -> list[Section]:
        self._finish(0)
        if not self._done:
            raise _wrong(1, f"{FIRST_LINE!r}")
        return self._done

    def _finish(self, number: int) -> None:
        section, self._section = self._section, None
        if section is not None:
            if section.header is None:
                self._close_header(section, number or section.line)
            assert section.header is not None
            _close_entry(section)
            self._done.append(Section(section.header, tuple(section.entries), section.line))

    def _close_header(self, section: _Section, number: int) -> None:
        fields = section.fields
        missing = [name for name in _REQUIRED if name not in fields]
        if missing:
            raise _wrong(number, f"the header's field {missing[0]!r} before this line")
        section.header = Header(
            fields["driver"],
            fields["link"],
            fields["scheme"],
            fields["opened"],
            fields.get("masked-by", ""),
            fields.get("sealed", ""),
            _hid(fields),
        )

    def _take_sealed(self, section: _Section, number: int, text: str) -> None:
        assert section.header is not None
        if not section.header.sealed:
            raise _wrong(number, "no encrypted entry in a recording in clear")
        if self._unseal is None:
            raise _wrong(number, "the key of this encrypted recording: ?key=FILE")
        try:
            if section.opener is None:
                section.opener = self._unseal(section.header)
            lines = section.opener(section.sealed, text).split("\n")
        except ValueError as error:
            raise _wrong(number, str(error)) from None
        section.sealed += 1
        for line in lines:
            _take_line(section, number, line)


def _take_field(section: _Section, number: int, name: str, value: str) -> None:
    if name not in _FIELDS:
        raise _wrong(number, f"one of the fields {', '.join(_FIELDS)}")
    if name in section.fields:
        raise _wrong(number, f"the field {name!r} only once")
    if not _FIELDS[name].fullmatch(value):
        raise _wrong(number, f"a value of {name!r} in its form")
    section.fields[name] = value


def _hid(fields: dict[str, str]) -> HidInfo | None:
    found = _FIELDS["hid"].fullmatch(fields.get("hid", ""))
    if found is None:
        return None
    vendor, product, release = (int(digits, 16) for digits in found.groups())
    return HidInfo(vendor, product, release, fields.get("manufacturer", ""), fields.get("product", ""))


def _take_line(section: _Section, number: int, line: str) -> None:
    """A line of an entry."""
    if line.startswith("  "):
        if section.open is None or section.open.mark not in (SENT, RECEIVED):
            raise _wrong(number, "an entry that this line goes on with")
        _add(section.open, number, line[2:])
        return
    _close_entry(section)
    time = _TIME.fullmatch(line)
    if time is not None:
        section.at += int(time[1])
        return
    mark, _, rest = line.partition(" ")
    if mark in (SENT, RECEIVED):
        section.open = _begin(section, number, mark, rest)
    elif mark in (FAULT, NOTE):
        section.entries.append(_remark(section, number, mark, rest))
    else:
        raise _wrong(number, "an entry: '+', '>', '<', '!', '=' or '*', two blanks for more of one, or '#'")


def _begin(section: _Section, number: int, mark: str, rest: str) -> _Entry:
    assert section.header is not None
    verbs: tuple[str, ...] = VERBS[section.header.link][mark]
    verb = ""
    if verbs != ("",):
        verb, _, rest = rest.partition(" ")
        if verb not in verbs:
            raise _wrong(number, f"one of {', '.join(verbs)} after {mark!r}")
    entry = _Entry(mark, verb, bytearray(), "", section.at, number)
    if rest or not verb:
        _add(entry, number, rest)
    return entry


def _add(entry: _Entry, number: int, text: str) -> None:
    if entry.verb == "refused" or not _HEX.fullmatch(text):
        raise _wrong(number, "no bytes" if entry.verb == "refused" else "bytes as two hexadecimal digits each")
    entry.data += bytes.fromhex(text)
    if len(entry.data) > MAX_DATA:
        raise _wrong(number, f"at most {MAX_DATA} bytes in an entry")


def _remark(section: _Section, number: int, mark: str, rest: str) -> Entry:
    verb, _, text = rest.partition(" ")
    if mark == FAULT and (verb not in OPERATIONS or not _CASE.fullmatch(text)):
        raise _wrong(number, f"one of {', '.join(OPERATIONS)} and a reason")
    if not re.fullmatch(r"[a-z-]+", verb):
        raise _wrong(number, "a word that says what happened")
    return Entry(mark, verb, b"", text, section.at, number)


def _close_entry(section: _Section) -> None:
    entry, section.open = section.open, None
    if entry is not None:
        section.entries.append(entry.finished())


def _wrong(number: int, expected: str) -> ValueError:
    return ValueError(f"line {number}: expected {expected}")
