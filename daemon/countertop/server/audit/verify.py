"""Says whether a chain is what the daemon wrote: which record was changed, is missing, was put in or is out of place.

A chain alone shows what was changed in it by somebody who did not make it anew from there on. Checkpoints show that
too, to who knows the terminal's public key; a head that was kept elsewhere shows also what was cut off at the end.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from countertop.sdk.errors import CountertopError
from countertop.server.audit.chain import MAX_TORN
from countertop.server.audit.checkpoint import CHECKPOINT_RECORDS, is_checkpoint, is_signed
from countertop.server.audit.files import AuditFile, audit_files, lines
from countertop.server.audit.record import GENESIS, line_hash, parse, whole
from countertop.server.audit.retention import DELETED

__all__ = ["MOST_PROBLEMS", "MOST_UNSIGNED", "Head", "Problem", "Verdict", "verify"]

MOST_PROBLEMS = 20
"""So many are told; the first one counts."""
MOST_UNSIGNED = 4 * CHECKPOINT_RECORDS
"""More records than this no daemon leaves behind the newest checkpoint, however it ended."""


class Head(NamedTuple):
    """A record as somebody has kept it elsewhere."""

    number: int
    hash: str
    """Of its line."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as the daemon wrote it."""

    number: int
    """Of the record that is concerned; of several, the first."""
    file: str
    line: int
    """In the file, from 1; 0 where no line is concerned."""
    what: str
    """altered, missing, out of place, no record, signature, key, unsigned, other head."""
    detail: str


@dataclass(slots=True)
class Verdict:
    """What was found."""

    files: int = 0
    records: int = 0
    first: int = 0
    """The number of the oldest record that is there; 0 in an empty chain."""
    last: int = 0
    head: str = GENESIS
    """The last record's hash: keep it elsewhere."""
    checkpoints: int = 0
    """Whose signature is good."""
    signed_to: int = 0
    """The last record that a good signature stands for."""
    keys: list[str] = field(default_factory=list)
    """The public keys of these, in hexadecimal digits."""
    unchecked: int = 0
    """Checkpoints whose signature could not be looked at, for want of the package `cryptography`."""
    torn: int = 0
    """Lines that a crash tore, and that the chain accounts for."""
    unfinished: int = 0
    """Bytes at the very end that are no whole line: it is being written, or a crash came just now."""
    lost: int = 0
    """Records that found no room while the disk could not be written, as the chain itself tells."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Nothing was found that should not be."""
        return not self.problems


def verify(folder: Path, public_keys: Collection[bytes] = (), *, head: Head | None = None) -> Verdict:
    """Look through all files of a chain. With `public_keys` (32 bytes each) every checkpoint must be signed with one of
    these, and the end of the chain may not be without one; `head` must be in it.

    Raises OSError; CountertopError(NOT_SUPPORTED) where keys are given and the package `cryptography` is missing.
    """
    walk = _Walk(public_keys, head)
    for file in audit_files(folder):
        walk.file(file)
    return walk.end()


class _Walk:
    """The state between two lines."""

    def __init__(self, public_keys: Collection[bytes], head: Head | None) -> None:
        self.verdict = Verdict()
        self._keys = {key.hex() for key in public_keys}
        self._wanted = head
        self._wanted_seen = False
        self._expected = 1
        self._head = GENESIS
        self._doubt: tuple[Problem, Problem] | None = None
        """Two records do not fit: the one before was changed, or the later one's `prev`. The next line tells."""
        self._before: dict[int, tuple[str, int]] = {}
        """Of deleted records: the last one's number, with its hash and the number of the record that tells of it."""
        self._beginning = GENESIS
        """What the oldest record that is there names before it."""
        self._place = ("", 0)
        self._ended = ("", 0)
        """The last line of the file before."""

    def file(self, file: AuditFile) -> None:
        """One file from its beginning to its end."""
        self.verdict.files += 1
        self._ended, self._place = self._place, (file.path.name, 0)
        self._unfinished()
        if self.verdict.files == 1:
            self._expected = file.first
        elif file.first != self._expected:
            self._gap(file.first)
        ahead: deque[bytes] = deque()
        source = lines(file.path)
        number = 0
        while (line := ahead.popleft() if ahead else next(source, b"")) != b"":
            number += 1
            self._place = (file.path.name, number)
            try:
                record = parse(whole(line))
            except ValueError as error:
                number += self._no_record(line, str(error), ahead, source)
            else:
                self._record(record, line_hash(line[:-1]))

    def end(self) -> Verdict:
        """What remains when nothing follows."""
        self._settle(None)
        verdict = self.verdict
        verdict.last, verdict.head = (self._expected - 1, self._head) if verdict.records else (0, GENESIS)
        self._check_beginning()
        self._check_end()
        return verdict

    # -- lines --

    def _record(self, record: dict[str, Any], digest: str) -> None:
        number, prev = record["number"], record["prev"]
        begins = not self.verdict.records
        if number < self._expected:
            self._problem(number, "out of place", f"a record {number} where record {self._expected} should be")
            return
        if number > self._expected and not (prev == self._head and not begins):
            self._gap(number)
            prev = self._head  # what is missing was told
        elif number > self._expected:
            self._problem(self._expected, "altered", f"it calls itself record {number}")
            number = self._expected
        self._settle(prev if not begins else None)
        if begins:
            self.verdict.first = number
            self._beginning = prev
            if number == 1 and prev != GENESIS:
                self._problem(1, "altered", "the first record names one before it")
        elif prev != self._head:
            self._doubt = self._two(number)
        linked = self._doubt is None
        self.verdict.records += 1
        self._special(record, number, linked=linked)
        if self._wanted is not None and number == self._wanted.number:
            self._check_wanted(number, digest)
        self._expected, self._head = number + 1, digest

    def _two(self, number: int) -> tuple[Problem, Problem]:
        name, line = self._place
        detail = f"record {number} was written behind another record {number - 1}"
        earlier = Problem(number - 1, *self._earlier, "altered", detail)
        return earlier, Problem(number, name, line, "altered", f"it does not name record {number - 1}")

    @property
    def _earlier(self) -> tuple[str, int]:
        name, line = self._place
        return (name, line - 1) if line > 1 else self._ended

    def _settle(self, prev: str | None) -> None:
        """Which of two records was changed: the later one is vouched for by who names it as it is."""
        if self._doubt is None:
            return
        earlier, later = self._doubt
        self._doubt = None
        self._tell(earlier if prev in (None, self._head) else later)

    def _special(self, record: dict[str, Any], number: int, *, linked: bool) -> None:
        details = record.get("details", {})
        if is_checkpoint(record):
            self._checkpoint(record, number, linked=linked)
        elif record["what"] == DELETED:
            self._before[_whole(details.get("last"))] = (str(details.get("head")), number)
        elif record["what"] == "lost":
            self.verdict.lost += _whole(details.get("records"))

    def _checkpoint(self, record: dict[str, Any], number: int, *, linked: bool) -> None:
        try:
            good = is_signed(record)
        except CountertopError:
            if self._keys:
                raise
            self.verdict.unchecked += 1
            return
        if not good:
            self._doubt = None
            self._problem(number, "signature", "the signature of this checkpoint does not fit it")
            return
        if not linked:  # its `prev` is signed, so that the record before was changed
            self._settle(None)
        key = record["details"]["key"]
        if key not in self.verdict.keys:
            self.verdict.keys.append(key)
        if self._keys and key not in self._keys:
            self._problem(number, "key", f"this checkpoint is signed with another key: {key}")
            return
        self.verdict.checkpoints += 1
        if linked:
            self.verdict.signed_to = number - 1

    # -- what is no record --

    def _no_record(self, line: bytes, why: str, ahead: deque[bytes], source: Iterator[bytes]) -> int:
        """A line that is none: torn by a crash, where a record soon says so; being written, at the very end; else
        changed. Returns how many lines more were passed over.
        """
        torn, count = bytearray(line), 0
        seen: list[bytes] = []
        most = MAX_TORN if self.verdict.intact else 0  # it is wrong already: no need to look far for each line
        while len(torn) <= most and (behind := ahead.popleft() if ahead else next(source, b"")) != b"":
            if self._accounts_for(behind, torn):
                self.verdict.torn += 1
                ahead.appendleft(behind)
                return count
            seen.append(behind)
            torn += behind
            count += 1
        if not torn.endswith(b"\n") and not any(part.endswith(b"\n") for part in (line, *seen)):
            self.verdict.unfinished = len(torn)
            return count
        ahead.extendleft(reversed(seen))
        self._problem(self._expected, "no record", f"this line is no record: {why}")
        self._doubt = None
        if line.endswith(b"\n"):
            self._skip(ahead)
        return 0

    @staticmethod
    def _accounts_for(line: bytes, torn: bytearray) -> bool:
        if b'"what":"torn"' not in line:
            return False
        try:
            details = parse(line[:-1]).get("details", {})
        except ValueError:
            return False
        given = (details.get("bytes"), details.get("sha256"))
        whole, bare = bytes(torn), bytes(torn[:-1])
        return given in [(len(part), hashlib.sha256(part).hexdigest()) for part in (whole, bare)]

    def _skip(self, ahead: deque[bytes]) -> None:
        """A broken line stands for one record, unless the next line says that it was more, or none."""
        following = ahead[0] if ahead else b""
        try:
            record = parse(following[:-1])
        except ValueError:
            return
        if record["number"] == self._expected and record["prev"] == self._head:
            return  # it was put in
        if record["number"] > self._expected:
            self._expected, self._head = record["number"], record["prev"]

    def _unfinished(self) -> None:
        """There is another file behind an unfinished line: no crash does that."""
        if self.verdict.unfinished:
            name, line = self._ended
            self._tell(Problem(self._expected, name, line, "no record", "this file ends within a line"))
            self.verdict.unfinished = 0

    # -- the whole --

    def _gap(self, number: int) -> None:
        if number > self._expected:
            last = "" if number == self._expected + 1 else f" to {number - 1}"
            self._problem(self._expected, "missing", f"record {self._expected}{last}")
            self._expected = number
        else:
            self._problem(number, "out of place", f"a file that begins with record {number}")

    def _check_wanted(self, number: int, digest: str) -> None:
        assert self._wanted is not None
        self._wanted_seen = True
        if digest == self._wanted.hash:
            self._settle(None)
            return
        self._doubt = None
        self._problem(number, "other head", f"record {number} is not the one that was kept elsewhere")

    def _check_beginning(self) -> None:
        """Older records may only be gone when the chain tells so, under a signature where keys are given."""
        verdict = self.verdict
        if verdict.first <= 1:
            return
        told, at = self._before.get(verdict.first - 1, ("", 0))
        if told != self._beginning or (self._keys and at > verdict.signed_to):
            self._place = ("", 0)
            last = verdict.first - 1
            self._problem(1, "missing", f"records 1 to {last}; nothing tells that they were deleted when they were old")

    def _check_end(self) -> None:
        verdict, wanted = self.verdict, self._wanted
        self._place = ("", 0)
        if wanted is not None and not self._wanted_seen:
            if wanted.number > verdict.last:
                detail = f"the chain was cut off behind record {verdict.last}: {wanted.number} was there once"
                self._problem(verdict.last + 1, "missing", detail)
            elif self._before.get(wanted.number, (wanted.hash, 0))[0] != wanted.hash:
                self._problem(wanted.number, "other head", "the record that was deleted is another one")
        if self._keys and not verdict.checkpoints:
            self._problem(verdict.first, "unsigned", "no checkpoint is signed with the key that was given")
        elif self._keys and verdict.last - verdict.signed_to > MOST_UNSIGNED:
            count = verdict.last - verdict.signed_to
            self._problem(
                verdict.signed_to + 1, "unsigned", f"the last {count} records are behind the newest checkpoint"
            )

    def _problem(self, number: int, what: str, detail: str) -> None:
        self._tell(Problem(number, *self._place, what, detail))

    def _tell(self, problem: Problem) -> None:
        if len(self.verdict.problems) < MOST_PROBLEMS:
            self.verdict.problems.append(problem)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
