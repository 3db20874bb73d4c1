"""The tracks of a magnetic stripe."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from hypothesis import strategies as st

from countertop.testing.strategies._numbers import pans
from countertop.v1.card_pb2 import StripeData

__all__ = ["stripe_tracks", "stripes"]

LENGTHS = {1: 76, 2: 37, 3: 104}
"""Characters between the sentinels (ISO/IEC 7811-2 and -6: 79, 40 and 107 with sentinels and LRC)."""
_KEPT = "!\"&'*+,:;<=>@_%?"
"""Of track 1, for hardware control and sentinels (ISO/IEC 7811-2)."""
_ALPHA = "".join(chr(code) for code in range(0x20, 0x60) if chr(code) not in _KEPT)
_NUMERIC = "0123456789=:<>"
_NAMES = ("LI/XIAOYANG", "SAMPLE/ANNA", "O SAMPLE/J.DR", "VAN DER EXEMPEL-MODEL/M")


@cache
def stripe_tracks(track: int) -> st.SearchStrategy[str]:
    """The data of track 1, 2 or 3, at least one character and without sentinels: as banks write it (ISO/IEC 7813,
    4909), or anything that the track can hold, up to its full length.
    """
    alphabet = _ALPHA if track == 1 else _NUMERIC
    anything = st.text(st.sampled_from(alphabet), min_size=1, max_size=LENGTHS[track])
    full = st.text(st.sampled_from(alphabet), min_size=LENGTHS[track], max_size=LENGTHS[track])
    return _bank(track) | anything | full


def stripes(tracks: Collection[int] = (1, 2, 3)) -> st.SearchStrategy[StripeData]:
    """One of `tracks` at least is written, and no other; as `sdk/cards/stripe.py` takes it."""

    @st.composite
    def written(draw: st.DrawFn) -> StripeData:
        chosen = draw(st.lists(st.sampled_from(sorted(tracks)), min_size=1, unique=True))
        return StripeData(**{f"track{number}": draw(stripe_tracks(number)) for number in sorted(chosen)})

    return written()


def _bank(track: int) -> st.SearchStrategy[str]:
    """PAN, name, expiry YYMM, service code 201 (chip, international), discretionary data."""
    expiry = st.integers(27, 39).flatmap(lambda year: st.integers(1, 12).map(lambda month: f"{year}{month:02d}"))
    rest = st.text(st.sampled_from("0123456789"), max_size=8)
    if track == 1:
        return st.builds(
            lambda pan, name, until, more: f"B{pan}^{name}^{until}201{more}",
            pans(),
            st.sampled_from(_NAMES),
            expiry,
            rest,
        )
    if track == 2:
        return st.builds(lambda pan, until, more: f"{pan}={until}201{more}", pans(), expiry, rest)
    return st.builds(lambda pan, more: f"99{pan}={more}", pans(), rest)
