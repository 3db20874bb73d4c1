"""What is kept of a print at its commit point, so that its fate can be told after the link or the daemon was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.counters import Counters
from countertop.drivers.escpos.encode import Encoded
from countertop.v1.receipt_printer_pb2 import Confirmation

__all__ = ["PrintEvidence"]

_MOST_MARKS = 150
"""Marks that are kept of a long receipt; the others are left out, which makes the place told coarser, never wrong."""


_KINDS = {"str": str, "int": int, "bool": bool, "list[int]": list}


@dataclass(frozen=True, slots=True)
class PrintEvidence:
    """One print, as numbers."""

    profile: str
    confirmation: int
    first_id: int
    """Number of the first process id; the others follow it."""
    last_id: int
    total: int
    """Blocks in all."""
    cuts: int
    """Cuts in all, one for what a failed print has left among them."""
    ends_with_cut: bool
    cut_counter: int
    line_counter: int
    """What the printer's counters said before the print."""
    dots: int
    earlier: bool = False
    """A part of an earlier attempt is on paper."""
    marks: list[int] = field(default_factory=list)
    """Pairs: number of a process id, blocks that are printed once the printer has sent it."""

    @classmethod
    def of(
        cls,
        encoded: Encoded,
        *,
        profile: str,
        confirmation: Confirmation,
        first_id: int,
        total: int,
        cuts: int,
        ends_with_cut: bool,
        counters: Counters,
        earlier: bool = False,
    ) -> PrintEvidence:
        """Of a print that is about to begin."""
        marks: list[tuple[int, int]] = []
        for number, chunk in enumerate(encoded.chunks, first_id):
            if not marks or chunk.blocks > marks[-1][1]:
                marks.append((number, chunk.blocks))
        step = -(-len(marks) // _MOST_MARKS) or 1
        return cls(
            profile=profile,
            confirmation=confirmation,
            first_id=first_id,
            last_id=first_id + len(encoded.chunks) - 1,
            total=total,
            cuts=cuts,
            ends_with_cut=ends_with_cut,
            cut_counter=counters.cuts,
            line_counter=counters.lines,
            dots=encoded.dots,
            earlier=earlier,
            marks=[number for mark in marks[::step] for number in mark],
        )

    @classmethod
    def from_kept(cls, kept: Mapping[str, Any]) -> PrintEvidence | None:
        """From what the daemon kept; None when it is not what `kept` gave."""
        kinds = {name: _KINDS[kind] for name, kind in cls.__annotations__.items()}
        if set(kept) != set(kinds) or any(type(kept[name]) is not kind for name, kind in kinds.items()):
            return None
        marks = kept["marks"]
        if len(marks) % 2 or any(type(mark) is not int for mark in marks):
            return None
        return cls(**kept)

    def kept(self) -> dict[str, Any]:
        """For the daemon to keep."""
        return asdict(self)

    def number(self, value: bytes) -> int | None:
        """The number of a process id; None when it is not of this print."""
        span = self.last_id - self.first_id
        offset = (protocol.process_id_number(value) - self.first_id) % protocol.PROCESS_IDS
        return self.first_id + offset if offset <= span else None

    def blocks(self, number: int) -> int:
        """Blocks that are surely printed when the printer has sent the process id of this number."""
        if number >= self.last_id:
            return self.total
        found = 0
        for mark, blocks in zip(self.marks[::2], self.marks[1::2], strict=True):
            if mark <= number:
                found = blocks
        return found
