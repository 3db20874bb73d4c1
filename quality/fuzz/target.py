"""What a target of the fuzzer is, and what the targets share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Feed", "Run", "Target", "quiet", "stream"]

Run = Callable[[bytes], object]
Feed = Callable[[bytes], Iterable[object]]


@dataclass(frozen=True, slots=True)
class Target:
    """A parser under test, as a function of bytes. Only what it documents may come out of it; all else is a finding."""

    name: str
    make: Callable[[], Run]
    """Imports the parser, which is instrumented then, and gives the function."""
    seeds: tuple[bytes, ...]
    """What a run begins with beside the kept corpus."""


def stream(make: Callable[[], Feed], *errors: type[Exception]) -> Run:
    """A function for a decoder of a stream; `make` gives the `feed` of a fresh one.

    What it says must not depend on where its bytes are parted: it is fed the same bytes whole and in two pieces, parted
    where the first byte says.
    """

    def fed(*pieces: bytes) -> list[object]:
        feed, said = make(), list[object]()
        try:
            for piece in pieces:
                said += feed(piece)
        except errors as error:
            return [type(error)]  # the stream is dead, with what came just before
        return said

    def run(data: bytes) -> None:
        data, place = data[1:], data[:1]
        at = place[0] % (len(data) + 1) if place else 0
        whole, parted = fed(data), fed(data[:at], data[at:])
        assert whole == parted, f"whole: {whole!r:.200}; parted at {at}: {parted!r:.200}"

    return run


def quiet(parse: Run, *errors: type[Exception]) -> Run:
    """A function for a parser that may raise these errors."""

    def run(data: bytes) -> None:
        with contextlib.suppress(*errors):
            parse(data)

    return run
