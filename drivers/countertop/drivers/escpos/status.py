"""What the status bits mean, and what a person should do about it.

Bits after the TM-T88III and TM-T81 specifications and Epson's pages on DLE EOT, GS r and GS a.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Mapping

from countertop.sdk.errors import reason_info
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import Condition, Consumable, DeviceStatus, Severity, SupplyLevel
from countertop.v1.error_pb2 import Reason

__all__ = ["ASB_BITS", "EOT_BITS", "GS_R_BITS", "Sign", "StatusBoard", "conditions", "read_bits"]


class Sign(enum.Flag):
    """What a printer can signal."""

    DRAWER_HIGH = enum.auto()
    """Pin 3 of the drawer connector is high; which level means open depends on the drawer."""
    OFFLINE = enum.auto()
    COVER_OPEN = enum.auto()
    FEEDING = enum.auto()
    """Paper is fed with the button."""
    BUTTON_PRESSED = enum.auto()
    WAITING = enum.auto()
    """Waits to be brought online again."""
    STOPPED_BY_PAPER_END = enum.auto()
    ERROR = enum.auto()
    """One of the four errors below; DLE EOT 3 says which."""
    RECOVERABLE_ERROR = enum.auto()
    CUTTER_ERROR = enum.auto()
    UNRECOVERABLE_ERROR = enum.auto()
    AUTO_RECOVERABLE_ERROR = enum.auto()
    """The head is too hot, mostly."""
    NEAR_END = enum.auto()
    PAPER_END = enum.auto()


NO_SIGN = Sign(0)
PAPER_OUT = Sign.PAPER_END | Sign.STOPPED_BY_PAPER_END
Bits = Mapping[int, Sign]
"""Mask of one bit to its meaning. Bits that are not listed are fixed or reserved."""

EOT_BITS: Mapping[int, Bits] = {
    1: {0x04: Sign.DRAWER_HIGH, 0x08: Sign.OFFLINE, 0x20: Sign.WAITING, 0x40: Sign.BUTTON_PRESSED},
    2: {0x04: Sign.COVER_OPEN, 0x08: Sign.FEEDING, 0x20: Sign.STOPPED_BY_PAPER_END, 0x40: Sign.ERROR},
    3: {
        0x04: Sign.RECOVERABLE_ERROR,
        0x08: Sign.CUTTER_ERROR,
        0x20: Sign.UNRECOVERABLE_ERROR,
        0x40: Sign.AUTO_RECOVERABLE_ERROR,
    },
    4: {0x04: Sign.NEAR_END, 0x08: Sign.NEAR_END, 0x20: Sign.PAPER_END, 0x40: Sign.PAPER_END},
}
"""DLE EOT n. Bits 1 and 4 are fixed to 1, bits 0 and 7 to 0."""

ASB_BITS: tuple[Bits, Bits, Bits, Bits] = (
    {0x04: Sign.DRAWER_HIGH, 0x08: Sign.OFFLINE, 0x20: Sign.COVER_OPEN, 0x40: Sign.FEEDING},
    {
        0x01: Sign.WAITING,
        0x02: Sign.BUTTON_PRESSED,
        0x04: Sign.RECOVERABLE_ERROR,
        0x08: Sign.CUTTER_ERROR,
        0x20: Sign.UNRECOVERABLE_ERROR,
        0x40: Sign.AUTO_RECOVERABLE_ERROR,
    },
    {0x01: Sign.NEAR_END, 0x02: Sign.NEAR_END, 0x04: Sign.PAPER_END, 0x08: Sign.PAPER_END},
    {},
)
"""The four bytes of automatic status. The first has bit 4 fixed to 1; the last is reserved (a TM-T20II sends 0Fh)."""

GS_R_BITS: Mapping[int, Bits] = {
    1: {0x01: Sign.NEAR_END, 0x02: Sign.NEAR_END, 0x04: Sign.PAPER_END, 0x08: Sign.PAPER_END},
    2: {0x01: Sign.DRAWER_HIGH},
}
"""GS r n."""


def read_bits(value: int, bits: Bits) -> Sign:
    """The signs that a byte gives."""
    signs = NO_SIGN
    for mask, sign in bits.items():
        if value & mask:
            signs |= sign
    return signs


def _domain(bits: Bits) -> Sign:
    return read_bits(0xFF, bits)


_EOT_DOMAIN = {n: _domain(bits) for n, bits in EOT_BITS.items()}
# Automatic status covers everything; what only DLE EOT tells in other words must not outlive it.
_ASB_DOMAIN = ~NO_SIGN


_Row = tuple[Reason, Severity, str]

# Most serious first: the first one that stands is the reason of a failed print.
_TABLE: tuple[tuple[Sign, _Row], ...] = (
    (
        Sign.UNRECOVERABLE_ERROR,
        (
            error_pb2.REASON_PRINTER_FAULT,
            device_pb2.SEVERITY_BLOCKING,
            "Switch the printer off and on; call an engineer if the error comes back.",
        ),
    ),
    (
        Sign.CUTTER_ERROR,
        (
            error_pb2.REASON_CUTTER_ERROR,
            device_pb2.SEVERITY_BLOCKING,
            "Open the cover, remove the jammed paper, close the cover, then reset the printer.",
        ),
    ),
    (
        Sign.COVER_OPEN,
        (
            error_pb2.REASON_COVER_OPEN,
            device_pb2.SEVERITY_BLOCKING,
            "Close the printer's cover.",
        ),
    ),
    (
        PAPER_OUT,
        (
            error_pb2.REASON_PAPER_OUT,
            device_pb2.SEVERITY_BLOCKING,
            "Load a roll of paper and close the cover.",
        ),
    ),
    (
        Sign.AUTO_RECOVERABLE_ERROR,
        (
            error_pb2.REASON_HEAD_OVERHEATED,
            device_pb2.SEVERITY_BLOCKING,
            "Wait until the print head has cooled down; printing goes on by itself.",
        ),
    ),
    (
        Sign.NEAR_END,
        (
            error_pb2.REASON_PAPER_NEAR_END,
            device_pb2.SEVERITY_WARNING,
            "Have a new roll of paper ready.",
        ),
    ),
    (
        Sign.FEEDING | Sign.BUTTON_PRESSED,
        (
            error_pb2.REASON_PAPER_FEEDING,
            device_pb2.SEVERITY_WARNING,
            "Let go of the printer's feed button.",
        ),
    ),
)
# These only tell that there is a cause: they count where nothing that blocks was named. FEEDING makes offline as well.
_WITHOUT_CAUSE: tuple[tuple[Sign, Sign, _Row], ...] = (
    (
        Sign.RECOVERABLE_ERROR | Sign.WAITING,
        NO_SIGN,
        (
            error_pb2.REASON_WAITING_FOR_RECOVERY,
            device_pb2.SEVERITY_BLOCKING,
            "Look for jammed paper, then reset the printer.",
        ),
    ),
    (
        Sign.OFFLINE | Sign.ERROR,
        Sign.FEEDING | Sign.BUTTON_PRESSED,
        (
            error_pb2.REASON_PRINTER_OFFLINE,
            device_pb2.SEVERITY_BLOCKING,
            "Look at the printer's lamps and display; switch it off and on if nothing is to be seen.",
        ),
    ),
)


def conditions(signs: Sign) -> list[Condition]:
    """What stands, the most serious first. PAPER_NEAR_END is left out where the paper has run out."""
    if signs & PAPER_OUT:
        signs &= ~Sign.NEAR_END
    found = [_condition(row) for sign, row in _TABLE if signs & sign]
    if not any(condition.severity == device_pb2.SEVERITY_BLOCKING for condition in found):
        vague = (row for sign, cause, row in _WITHOUT_CAUSE if signs & sign and not signs & cause)
        found[:0] = [_condition(row) for row in itertools.islice(vague, 1)]
    return found


def _condition(row: _Row) -> Condition:
    reason, severity, action = row
    return Condition(reason=reason, severity=severity, fixed_by=reason_info(reason).fixed_by, action=action)


class StatusBoard:
    """The latest of everything that the printer has signalled; each answer replaces only what it speaks of."""

    def __init__(self) -> None:
        self.signs = NO_SIGN
        self.known = False
        """The printer has said something."""

    def eot(self, n: int, value: int) -> None:
        """Take the answer to DLE EOT n."""
        self._replace(_EOT_DOMAIN[n], read_bits(value, EOT_BITS[n]))

    def asb(self, value: bytes) -> None:
        """Take automatic status: four bytes."""
        signs = NO_SIGN
        for byte, bits in zip(value, ASB_BITS, strict=True):
            signs |= read_bits(byte, bits)
        self._replace(_ASB_DOMAIN, signs)

    def gs_r(self, n: int, value: int) -> None:
        """Take the answer to GS r n."""
        self._replace(_domain(GS_R_BITS[n]), read_bits(value, GS_R_BITS[n]))

    def _replace(self, domain: Sign, signs: Sign) -> None:
        self.signs = (self.signs & ~domain) | signs
        self.known = True

    @property
    def drawer_high(self) -> bool:
        """Level of the drawer connector's pin 3."""
        return bool(self.signs & Sign.DRAWER_HIGH)

    def blocking(self) -> list[Condition]:
        """The conditions under which nothing can be printed, the most serious first."""
        return [c for c in conditions(self.signs) if c.severity == device_pb2.SEVERITY_BLOCKING]

    def status(self) -> DeviceStatus:
        """All of it, in the contract's words."""
        return DeviceStatus(
            conditions=conditions(self.signs),
            consumables=[Consumable(name="paper", level=self._paper())] if self.known else [],
        )

    def _paper(self) -> SupplyLevel:
        if self.signs & PAPER_OUT:
            return device_pb2.SUPPLY_LEVEL_OUT
        return device_pb2.SUPPLY_LEVEL_LOW if self.signs & Sign.NEAR_END else device_pb2.SUPPLY_LEVEL_OK
