"""What a chip says first: the answer to reset (ISO/IEC 7816-3, chapter 8)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

__all__ = ["MAX_ATR", "Atr", "InterfaceBytes", "parse_atr"]

MAX_ATR = 33
"""TS and at most 32 bytes (8.2.1)."""
_CONVENTIONS = {0x3B: "direct", 0x3F: "inverse"}
_GLOBAL = 15
"""The protocol number that stands for "of all protocols" (8.2.3)."""

_FI: dict[int, tuple[int, float]] = {
    0: (372, 4),
    1: (372, 5),
    2: (558, 6),
    3: (744, 8),
    4: (1116, 12),
    5: (1488, 16),
    6: (1860, 20),
    9: (512, 5),
    10: (768, 7.5),
    11: (1024, 10),
    12: (1536, 15),
    13: (2048, 20),
}
"""Clock rate conversion integer and highest clock in MHz (table 7); what is not here is reserved."""
_DI: dict[int, int] = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 6: 32, 7: 64, 8: 12, 9: 20}
"""Baud rate adjustment integer (table 8)."""


@dataclass(frozen=True, slots=True)
class InterfaceBytes:
    """TAi, TBi, TCi and TDi of one i; None for those that are not there. `protocol` is what they are about: of i = 1
    and 2 none, of the others what the TD before them names.
    """

    ta: int | None = None
    tb: int | None = None
    tc: int | None = None
    td: int | None = None
    protocol: int | None = None


@dataclass(frozen=True, slots=True)
class Atr:
    """An answer to reset, taken apart."""

    raw: bytes
    convention: str
    """Either `direct` or `inverse`."""
    interface: tuple[InterfaceBytes, ...]
    """Of i = 1, 2 and so on."""
    historical: bytes
    tck: int | None

    @property
    def protocols(self) -> tuple[int, ...]:
        """The protocols that are offered, in their order; T=15 is none. T=0 when none is named (8.2.3)."""
        named = [group.td & 0x0F for group in self.interface if group.td is not None]
        return tuple(dict.fromkeys(number for number in named if number != _GLOBAL)) or (0,)

    @property
    def specific(self) -> bool:
        """The chip is in specific mode: TA2 sets the protocol, and no other can be chosen (8.3)."""
        return self._ta2 is not None

    @property
    def default_protocol(self) -> int:
        """The protocol that is spoken when none is chosen: TA2's, else the first one that is offered."""
        return self.protocols[0] if self._ta2 is None else self._ta2 & 0x0F

    @property
    def fi(self) -> int | None:
        """Clock rate conversion integer; None when TA1 has a reserved value."""
        return _FI.get(self._ta1 >> 4, (None, 0))[0]

    @property
    def di(self) -> int | None:
        """Baud rate adjustment integer; None when TA1 has a reserved value."""
        return _DI.get(self._ta1 & 0x0F)

    @property
    def fmax_mhz(self) -> float | None:
        """The highest clock that the chip takes, in MHz; None when TA1 has a reserved value."""
        return _FI.get(self._ta1 >> 4, (0, None))[1]

    @property
    def ifsc(self) -> int:
        """The longest information field that the chip takes in T=1, in bytes (11.4.2); 32 when it does not say."""
        groups = (group.ta for group in self.interface[2:] if group.protocol == 1 and group.ta is not None)
        return next(groups, 32)

    def choose(self, allowed: tuple[int, ...]) -> int:
        """The protocol to speak: the first that is offered and allowed; an empty `allowed` allows all.

        Raises ValueError that says what the chip offers.
        """
        offered = (self.default_protocol,) if self.specific else self.protocols
        for protocol in offered:
            if protocol in (0, 1) and (not allowed or protocol in allowed):
                return protocol
        wanted = " or ".join(f"T={protocol}" for protocol in allowed or (0, 1))
        raise ValueError(f"expected a chip with {wanted}, got {_names(offered)}")

    def describe(self) -> str:
        """One line for people."""
        speed = "reserved" if self.fi is None or self.di is None else f"Fi={self.fi} Di={self.di}"
        parts = [
            f"{self.convention} convention",
            f"{_names(self.protocols)}{' (specific mode)' if self.specific else ''}",
            speed,
            f"{len(self.historical)} historical bytes",
        ]
        return f"{self.raw.hex(' ').upper()}: {', '.join(parts)}"

    @property
    def _ta1(self) -> int:
        first = self.interface[0].ta
        return 0x11 if first is None else first

    @property
    def _ta2(self) -> int | None:
        return self.interface[1].ta if len(self.interface) > 1 else None


def parse_atr(data: bytes) -> Atr:
    """Take an answer to reset apart. Raises ValueError that says what is wrong with it."""
    if not 2 <= len(data) <= MAX_ATR:
        raise ValueError(f"expected an ATR of 2 to {MAX_ATR} bytes, got {len(data)}")
    if data[0] not in _CONVENTIONS:
        raise ValueError(f"expected 3B or 3F as TS, got {data[0]:02X}")
    interface, at = _interface_bytes(data)
    end = at + (data[1] & 0x0F)
    # TCK is there when anything but T=0 is named (8.2.5)
    with_check = any(group.td is not None and group.td & 0x0F for group in interface)
    if len(data) != end + with_check:
        raise ValueError(f"expected {end + with_check} bytes by T0 and the TD bytes, got {len(data)}")
    if with_check and reduce(xor, data[1:]):
        raise ValueError(f"expected {reduce(xor, data[1:-1]):02X} as TCK, got {data[-1]:02X}")
    return Atr(bytes(data), _CONVENTIONS[data[0]], interface, bytes(data[at:end]), data[-1] if with_check else None)


def _interface_bytes(data: bytes) -> tuple[tuple[InterfaceBytes, ...], int]:
    """The interface bytes, and where the historical bytes begin. Raises ValueError when they do not end."""
    groups: list[InterfaceBytes] = []
    present, protocol, at = data[1] >> 4, 0, 2
    while True:
        found: list[int | None] = []
        for bit, letter in enumerate("ABCD"):
            if not present >> bit & 1:
                found.append(None)
                continue
            if at >= len(data):
                raise ValueError(f"expected T{letter}{len(groups) + 1} as byte {at + 1}, got the end")
            found.append(data[at])
            at += 1
        ta, tb, tc, following = found
        groups.append(InterfaceBytes(ta, tb, tc, following, protocol if len(groups) > 1 else None))
        if following is None:
            return tuple(groups), at
        present, protocol = following >> 4, following & 0x0F


def _names(protocols: tuple[int, ...]) -> str:
    return " and ".join(f"T={protocol}" for protocol in protocols)
