"""The magnetic stripe: tracks are loaded one by one and written together, read one by one."""

from __future__ import annotations

from collections.abc import Collection

from countertop.drivers.evolis.protocol import reason_of
from countertop.drivers.evolis.session import MAGNETIC, Session
from countertop.v1 import card_pb2, card_printer_pb2
from countertop.v1.card_pb2 import Coercivity, StripeData
from countertop.v1.card_printer_pb2 import ReadStripeResult, TrackState

__all__ = ["read_tracks", "write_tracks"]

_READ = card_printer_pb2.TRACK_STATE_READ
_BLANK = card_printer_pb2.TRACK_STATE_BLANK
_DAMAGED = card_printer_pb2.TRACK_STATE_DAMAGED


async def write_tracks(session: Session, stripe: StripeData, coercivity: Coercivity, *, sentinels: bool) -> None:
    """Write the tracks that are given; `sentinels` sends theirs along. Raises DeviceFault(STRIPE_WRITE_FAILED, …)."""
    from countertop.sdk.cards.stripe import with_sentinels

    await session.do("Pmc", "l" if coercivity == card_pb2.COERCIVITY_LOW else "h")
    for track in (1, 2, 3):
        data = getattr(stripe, f"track{track}")
        if data:
            await session.do("Dm", track, with_sentinels(track, data) if sentinels else data)
    await session.do("Smw", seconds=MAGNETIC)


async def read_tracks(session: Session, tracks: Collection[int]) -> ReadStripeResult:
    """Read the tracks of these numbers, 1 to 3. A blank or damaged one is told in the result's states."""
    result = ReadStripeResult(states=[card_printer_pb2.TRACK_STATE_UNSPECIFIED] * 3)
    for track in sorted(tracks):
        result.states[track - 1], data = await _read_track(session, track)
        setattr(result.stripe, f"track{track}", data)
    return result


async def _read_track(session: Session, track: int) -> tuple[TrackState, str]:
    from countertop.sdk.cards.stripe import StripeError, without_sentinels

    reply = await session.ask("Smr", track, seconds=MAGNETIC)
    if reply.upper().startswith(("ERROR MAGN", "ERR READ")):
        return (_BLANK if reply.upper() == "ERROR MAGN DATA" else _DAMAGED), ""
    session.check(reply, "Smr")
    data = await session.ask("Rmb", track)
    if reason_of(data) is not None:
        session.check(data, "Rmb")
    if not data or data == "OK":
        return _BLANK, ""
    try:
        return _READ, without_sentinels(track, data) if data[0] in "%;" else data
    except StripeError:
        return _DAMAGED, ""
