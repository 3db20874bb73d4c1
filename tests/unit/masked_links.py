"""What every masker of a byte link must keep to, whatever goes over the link."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from types import BuiltinFunctionType, FunctionType, ModuleType

from hypothesis import strategies as st

from countertop.sdk.trace import Masker

__all__ = ["SENT", "Piece", "check_any_split", "check_idempotent", "conversations", "cut_up", "most_kept", "run"]

SENT, RECEIVED = True, False
Piece = tuple[bool, bytes]
"""Whether the driver sent it; the bytes."""
SMALL_BLOCK = 32
"""Bytes of a small object, at least: a number, a tuple, a few bytes."""


def run(masker: Masker, pieces: Iterable[Piece]) -> tuple[bytes, bytes]:
    """All that was sent, and all that came, masked. Nothing may come out longer than it went in."""
    sent, received, given = bytearray(), bytearray(), [0, 0]
    for is_sent, data in pieces:
        given[is_sent] += len(data)
        if is_sent:
            sent += masker.sent(data)
        else:
            received += masker.received(data)
        assert len(sent) <= given[SENT]
        assert len(received) <= given[RECEIVED]
    rest = masker.end()
    sent += rest[0]
    received += rest[1]
    assert [len(received), len(sent)] == given, "as long as it went in"
    return bytes(sent), bytes(received)


def conversations(sent: Sequence[bytes], received: Sequence[bytes]) -> st.SearchStrategy[list[Piece]]:
    """What two sides say, of whole phrases and of any bytes."""
    ours = st.tuples(st.just(SENT), st.one_of(st.sampled_from(sent), st.binary(max_size=12)))
    theirs = st.tuples(st.just(RECEIVED), st.one_of(st.sampled_from(received), st.binary(max_size=12)))
    return st.lists(st.one_of(ours, theirs), max_size=30)


def cut_up(pieces: list[Piece], draw: Callable[[st.SearchStrategy[list[int]]], list[int]]) -> Iterator[Piece]:
    """The same conversation in smaller pieces."""
    for is_sent, data in pieces:
        cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=5)))
        yield from ((is_sent, data[a:b]) for a, b in pairwise([0, *cuts, len(data)]))


def check_any_split(make: Callable[[], Masker], pieces: list[Piece], data: st.DataObject) -> None:
    """In which pieces it comes does not matter."""
    whole = run(make(), pieces)
    assert run(make(), cut_up(pieces, data.draw)) == whole
    single = ((is_sent, piece[at : at + 1]) for is_sent, piece in pieces for at in range(len(piece)))
    assert run(make(), single) == whole


def check_idempotent(make: Callable[[], Masker], pieces: list[Piece]) -> None:
    """What is masked stays, also when the masked conversation goes on in the same order."""
    sent, received = run(make(), pieces)
    again, place = [], [0, 0]
    for is_sent, piece in pieces:
        stream, start = (sent, received)[not is_sent], place[is_sent]
        again.append((is_sent, stream[start : start + len(piece)]))
        place[is_sent] += len(piece)
    assert run(make(), again) == (sent, received)


def most_kept(masker: Masker, is_sent: bool, beginning: bytes, rest: bytes, times: int) -> int:
    """Bytes of memory that are kept more, while `rest` comes over and over behind a beginning: in what can be reached
    from the masker, or in small blocks by anybody. To watch each allocation would take ten times as long.
    """
    take = masker.sent if is_sent else masker.received
    take(beginning)
    take(rest)
    gc.collect()
    held, blocks = _held_by(masker), sys.getallocatedblocks()
    for _ in range(times):
        take(rest)
    gc.collect()
    return max((sys.getallocatedblocks() - blocks) * SMALL_BLOCK, _held_by(masker) - held)


def _held_by(root: object) -> int:
    """Bytes of all objects that can be reached, but for modules, classes and functions."""
    seen: dict[int, object] = {}
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, (ModuleType, type, FunctionType, BuiltinFunctionType)):
            seen[id(one)] = one
            waiting += gc.get_referents(one)
    return sum(map(sys.getsizeof, seen.values()))
