"""A recorded section as a script: what the driver sends moves it on, and makes available what came after that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field

from countertop.sdk.trace.format import FAULT, RECEIVED, SENT, Entry, Section

__all__ = ["ByteScript", "Deviation", "HidScript", "Script", "ScriptEnded"]

_SHOWN = 16  # bytes of a deviation


class ScriptEnded(Exception):
    """The driver goes on, and the recording does not."""


class Deviation(Exception):
    """The driver sends something else than the recording has."""

    def __init__(self, line: int, at: int, expected: str, got: str) -> None:
        super().__init__(line, expected, got)
        self.line = line
        """Of the entry in the file."""
        self.at = at
        """The byte in the entry, from 0."""
        self.expected = expected
        self.got = got


@dataclass
class Step:
    """Something that the driver sent, and what came before it sent the next."""

    entry: Entry
    inputs: list[Entry] = field(default_factory=list)
    """What came by itself, in order: data, and faults of the link."""
    reply: Entry | None = None
    """How the sending itself ended, where that is more than well: data, a refusal, a fault."""


class Script(ABC):
    """The state of a replay. `told` says whether bytes may be shown in deviations."""

    def __init__(self, section: Section, *, tolerant: bool) -> None:
        self._tolerant = tolerant
        self._told = bool(section.header.masked_by)
        self._place = 0
        self._steps: list[Step] = []
        self.inputs: deque[Entry] = deque()
        """What may be received now; whoever receives takes it from here."""
        self.at = 0
        """Milliseconds in the recording at which the last thing was sent."""
        for entry in section.entries:
            self._put(entry)
        self._last_line = section.entries[-1].line if section.entries else section.line
        self._comes = any(step.inputs for step in self._steps)

    def _put(self, entry: Entry) -> None:
        if entry.mark == SENT:
            self._steps.append(Step(entry))
            return
        by_itself = (entry.mark == RECEIVED and entry.verb in ("", "in")) or (
            entry.mark == FAULT and entry.verb == "receive"
        )
        if by_itself:
            (self._steps[-1].inputs if self._steps else self.inputs).append(entry)
        elif entry.mark in (RECEIVED, FAULT) and self._steps and self._steps[-1].reply is None:
            self._steps[-1].reply = entry

    @property
    def ended(self) -> bool:
        """Nothing can be received any more: all was played; tolerant, whatever the driver sends brings nothing."""
        over = self._place == len(self._steps) and not self.inputs
        return over and not (self._tolerant and self._comes)

    @property
    def line(self) -> int:
        """Of the entry that comes next; at the end, of the last one."""
        return self._steps[self._place].entry.line if self._place < len(self._steps) else self._last_line

    @abstractmethod
    def send(self, judged: bytes, length: int, verb: str = "") -> Entry | None:
        """The driver sends `length` bytes, of which the masker has judged these, perhaps of earlier ones too. Returns
        how that ended, as `Step.reply`.

        Raises Deviation, ScriptEnded.
        """

    def _pass(self) -> Entry | None:
        """The step at the present place is done."""
        step = self._steps[self._place]
        self._place += 1
        self.at = step.entry.at
        self.inputs.extend(step.inputs)
        return step.reply

    def _differs(self, entry: Entry, at: int, got: bytes, verb: str = "") -> Deviation:
        expected = _words(entry.verb, entry.data[at:], self._told)
        return Deviation(entry.line, at, expected, _words(verb, got, self._told))


class ByteScript(Script):
    """Of a stream: in which pieces something was sent does not matter."""

    def __init__(self, section: Section, *, tolerant: bool) -> None:
        super().__init__(section, tolerant=tolerant)
        self._offset = 0
        self._compared, self._compared_offset = 0, 0

    def send(self, judged: bytes, length: int, verb: str = "") -> Entry | None:
        """As Script.send."""
        if self._tolerant:
            self._jump(judged)
            return self._advance(len(judged))
        self._compare(judged)
        return self._advance(length)

    def _compare(self, judged: bytes) -> None:
        rest = judged
        while rest:
            if self._compared == len(self._steps):
                raise ScriptEnded
            entry, at = self._steps[self._compared].entry, self._compared_offset
            piece = entry.data[at : at + len(rest)]
            if not rest.startswith(piece):
                equal = next(index for index, byte in enumerate(piece) if byte != rest[index])
                raise self._differs(entry, at + equal, rest[equal:])
            rest = rest[len(piece) :]
            self._compared_offset += len(piece)
            if self._compared_offset == len(entry.data):
                self._compared, self._compared_offset = self._compared + 1, 0

    def _advance(self, length: int) -> Entry | None:
        reply: Entry | None = None
        while length:
            if self._place == len(self._steps):
                raise ScriptEnded
            taken = min(length, len(self._steps[self._place].entry.data) - self._offset)
            length -= taken
            self._offset += taken
            if self._offset == len(self._steps[self._place].entry.data):
                self._offset = 0
                reply = self._pass() or reply
        return reply

    def _jump(self, judged: bytes) -> None:
        """To where the recording has these bytes next: right here, at a later piece's beginning, or at an earlier's."""
        count = len(self._steps)
        later = range(self._place + bool(self._offset), count)
        places = [(self._place, self._offset), *((place, 0) for place in (*later, *range(count)))]
        for place, offset in places:
            if self._stands(judged, place, offset):
                self._place, self._offset = place, offset
                return
        if self._place == count:
            raise Deviation(self._last_line, 0, "something that it has", _words("", judged, self._told))
        raise self._differs(self._steps[self._place].entry, self._offset, judged)

    def _stands(self, judged: bytes, place: int, offset: int) -> bool:
        at = 0
        while at < len(judged):
            if place == len(self._steps):
                return False
            piece = self._steps[place].entry.data[offset : offset + len(judged) - at]
            if not judged.startswith(piece, at):
                return False
            at += len(piece)
            place, offset = place + 1, 0
        return True


class HidScript(Script):
    """Of reports: each is one."""

    def send(self, judged: bytes, length: int, verb: str = "") -> Entry | None:
        """As Script.send."""
        if self._tolerant:
            count = len(self._steps)
            places = (*range(self._place, count), *range(count))
            self._place = next((place for place in places if self._is(place, verb, judged)), self._place)
        if self._place == len(self._steps):
            if self._tolerant:
                raise Deviation(self._last_line, 0, "something that it has", _words(verb, judged, self._told))
            raise ScriptEnded
        if not self._is(self._place, verb, judged):
            raise self._differs(self._steps[self._place].entry, 0, judged, verb)
        return self._pass()

    def _is(self, place: int, verb: str, data: bytes) -> bool:
        entry = self._steps[place].entry
        return entry.verb == verb and entry.data == data


def _words(verb: str, data: bytes, told: bool) -> str:
    """What is shown of bytes: nothing of those that no masker has seen."""
    shown = data[:_SHOWN].hex(" ") + (" ..." if len(data) > _SHOWN else "") if told else f"{len(data)} bytes"
    return f"{verb} {shown}".strip() or "nothing"
