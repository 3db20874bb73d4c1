"""Status bytes, as tables of bits. Source: Epson's specifications of TM-T88III and TM-T81."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OFFLINE_RESPONSE", "Reports", "State", "automatic_status", "realtime_status", "transmitted_status"]


@dataclass(slots=True)
class State:
    """What the sensors say."""

    drawer_closed: bool = True
    cover_open: bool = False
    feeding: bool = False
    paper_near_end: bool = False
    paper_end: bool = False
    cutter_error: bool = False
    unrecoverable: bool = False
    overheated: bool = False
    waits_for_recovery: bool = False
    switched_offline: bool = False

    @property
    def error(self) -> bool:
        """Some error stands."""
        return self.cutter_error or self.unrecoverable or self.overheated

    @property
    def offline(self) -> bool:
        """It does not print."""
        return self.cover_open or self.paper_end or self.error or self.feeding or self.switched_offline

    @property
    def responds_offline(self) -> bool:
        """It is offline by a cause that the offline response tells of (Epson: cover, paper end, errors)."""
        return self.cover_open or self.paper_end or self.error


OFFLINE_RESPONSE = b"\x37\x23\x00"
"""GS ( H fn 49 (Epson APG): header, identifier, NUL. The cause, up to ten bytes that differ by model, is left out."""

Bits = tuple[tuple[str, int], ...]

_REALTIME: dict[int, Bits] = {
    1: (("drawer_closed", 0x04), ("offline", 0x08), ("waits_for_recovery", 0x20), ("feeding", 0x40)),
    2: (("cover_open", 0x04), ("feeding", 0x08), ("paper_end", 0x20), ("error", 0x40)),
    3: (("cutter_error", 0x08), ("unrecoverable", 0x20), ("overheated", 0x40)),
    4: (("paper_near_end", 0x0C), ("paper_end", 0x60)),
}
_AUTOMATIC: tuple[Bits, ...] = (
    (("drawer_closed", 0x04), ("offline", 0x08), ("cover_open", 0x20), ("feeding", 0x40)),
    (
        ("waits_for_recovery", 0x01),
        ("feeding", 0x02),
        ("cutter_error", 0x08),
        ("unrecoverable", 0x20),
        ("overheated", 0x40),
    ),
    (("paper_near_end", 0x03), ("paper_end", 0x0C)),
    (),
)
_AUTOMATIC_FIXED = (0x10, 0x00, 0x00, 0x0F)
_TRANSMITTED: dict[int, Bits] = {
    1: (("paper_near_end", 0x03), ("paper_end", 0x0C)),
    2: (("drawer_closed", 0x01),),
}


def _byte(state: State, bits: Bits, fixed: int) -> int:
    for name, mask in bits:
        if getattr(state, name):
            fixed |= mask
    return fixed


def realtime_status(state: State, n: int) -> bytes:
    """The answer to DLE EOT n; empty for n that the printer does not know."""
    return bytes([_byte(state, _REALTIME[n], 0x12)]) if n in _REALTIME else b""


def automatic_status(state: State) -> bytes:
    """Automatic status back: four bytes."""
    pairs = zip(_AUTOMATIC, _AUTOMATIC_FIXED, strict=True)
    return bytes(_byte(state, bits, fixed) for bits, fixed in pairs)


def transmitted_status(state: State, n: int) -> bytes:
    """The answer to GS r n; empty for n that the printer does not know."""
    n = n - 0x30 if n >= 0x30 else n
    return bytes([_byte(state, _TRANSMITTED[n], 0x00)]) if n in _TRANSMITTED else b""


_ASB_GROUPS = ((0x01, 0, 0x04), (0x02, 0, 0x28), (0x04, 1, 0x69), (0x08, 2, 0x0F), (0x40, 0, 0x40))
"""GS a: bit of n, and which bits of which byte it watches."""


class Reports:
    """What the printer tells when it changes: automatic status (GS a), offline responses (GS ( H fn 49)."""

    def __init__(self) -> None:
        self._groups = 0
        self._told: tuple[int, ...] = ()
        self._was_offline = False
        self.offline_response = False
        """Tell when the printer goes offline."""

    def clear(self) -> None:
        """Tell nothing any more, as after ESC @ and power-on."""
        self._groups, self._told = 0, ()
        self.offline_response = False

    def watch(self, groups: int, state: State) -> bytes:
        """GS a n: the status at once, and whenever one of the groups changes; nothing for n = 0."""
        self._groups = groups
        self._told = self._watched(state)
        return automatic_status(state) if groups else b""

    def changed(self, state: State) -> list[bytes]:
        """What to tell of a state that may have changed, in the order of sending."""
        went_offline = state.responds_offline and not self._was_offline
        self._was_offline = state.responds_offline
        told, self._told = self._told, self._watched(state)
        reports = [OFFLINE_RESPONSE] * (self.offline_response and went_offline)
        return reports + [automatic_status(state)] * (self._told != told)

    def _watched(self, state: State) -> tuple[int, ...]:
        status = automatic_status(state)
        return tuple(status[byte] & mask for bit, byte, mask in _ASB_GROUPS if self._groups & bit)
