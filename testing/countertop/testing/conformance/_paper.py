"""What a suite has printed, and what of it is on paper: receipts whose lines can be told apart."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from countertop.bench.v1.bench_pb2 import Output
from countertop.testing.conformance._requirement import expect
from countertop.testing.conformance._rig import Rig
from countertop.v1.error_pb2 import (
    PHYSICAL_EFFECT_COMPLETE,
    PHYSICAL_EFFECT_NONE,
    PHYSICAL_EFFECT_PARTIAL,
    PhysicalEffect,
)
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span
from countertop.v1.receipt_printer_pb2 import PrintResult

__all__ = ["Slip", "paper", "quiet_paper"]

QUIET_SECONDS = 0.05
PAPER_SECONDS = 20.0
"""Longest time for paper to come to rest."""
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt with one mark a line, as no other receipt has them, and a cut at its end."""

    marks: tuple[str, ...]
    receipt: Receipt

    @classmethod
    def new(cls, lines: int = 4) -> Slip:
        """One that was never printed before."""
        number = next(_NUMBERS)
        marks = tuple(f"N{number}L{line:02d}E" for line in range(1, lines + 1))
        blocks = [Block(paragraph=Paragraph(spans=[Span(text=mark)])) for mark in marks]
        return cls(marks, Receipt(blocks=[*blocks, Block(cut=Cut())]))

    def found_on(self, pieces: Sequence[Output]) -> list[str]:
        """Its marks on the paper, in their order, as often as they are there."""
        text = "\n".join(piece.text for piece in pieces)
        return re.findall("|".join(map(re.escape, self.marks)), text)

    def is_whole_on(self, rig: Rig, pieces: Sequence[Output]) -> bool:
        """All of it is there, and cut off where the printer cuts."""
        if self.found_on(pieces) != list(self.marks):
            return False
        last = next(piece for piece in reversed(pieces) if self.marks[-1] in piece.text)
        return last.finished or not rig.info.receipt_printer.cutter

    def expect_whole_on(self, rig: Rig, pieces: Sequence[Output], result: PrintResult) -> None:
        """Breaks the requirement unless it is. Skips it for a driver that draws all its text as pictures."""
        found = self.found_on(pieces)
        if not found and result.rasterised_lines:
            pytest.skip("the driver draws its text as pictures, which the suite cannot read")
        expect(
            found == list(self.marks),
            f"The paper must hold the receipt's {len(self.marks)} lines, each once and in their order; "
            f"got {_told(found)}.",
        )
        expect(self.is_whole_on(rig, pieces), "A receipt that ends with a cut must be cut off.")

    def expect_agrees(self, rig: Rig, effect: PhysicalEffect, pieces: Sequence[Output], who: str) -> None:
        """Breaks the requirement when an effect that somebody stated is not what the paper shows. UNKNOWN always is."""
        found = self.found_on(pieces)
        name = PhysicalEffect.Name(effect).removeprefix("PHYSICAL_EFFECT_")
        shown = f"{who} says {name}; the paper holds {_told(found)} of {len(self.marks)} lines"
        whole = self.is_whole_on(rig, pieces)
        expect(len(found) == len(set(found)), f"A line was printed twice: the paper holds {_told(found)}.")
        if effect == PHYSICAL_EFFECT_NONE:
            expect(not found, f"{shown}: NONE is right only when nothing was printed.")
        elif effect == PHYSICAL_EFFECT_COMPLETE:
            expect(whole, f"{shown}: COMPLETE is right only when all of it was printed and cut off.")
        elif effect == PHYSICAL_EFFECT_PARTIAL:
            expect(not whole, f"{shown}, which is all of it: PARTIAL would have it printed again.")


def _told(found: Sequence[str]) -> str:
    """Without the numbers of the receipts, which differ from run to run."""
    return ", ".join(f"line {mark[-3:-1]}" for mark in found) or "none"


async def paper(rig: Rig) -> list[Output]:
    """All pieces of paper that came out of an emulated printer, the oldest first; the last may still hang in it. Skips
    the requirement on a real one.
    """
    rig.needs_emulator()
    found: list[Output] = []
    while True:
        answer = await rig.hands.do("get_output", skip=found[-1].number if found else 0, limit=20, text_only=True)
        found += answer.outputs
        if not answer.outputs or found[-1].number >= answer.total:
            return found


async def quiet_paper(rig: Rig) -> list[Output]:
    """The paper once it has come to rest: nothing new for a while."""
    loop = asyncio.get_running_loop()
    end, pieces = loop.time() + PAPER_SECONDS, await paper(rig)
    while loop.time() < end:
        await asyncio.sleep(QUIET_SECONDS)
        before, pieces = pieces, await paper(rig)
        if pieces == before:
            break
    return pieces
