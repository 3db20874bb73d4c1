"""The way to the chip of a card that lies at a printer's contacts; each link is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy
from countertop.sdk.cards.chip._base import ChipLink
from countertop.sdk.cards.chip._open import check_chip_url, open_chip

if TYPE_CHECKING:
    from countertop.sdk.cards.chip._pcsc import PcscChipLink
    from countertop.sdk.cards.chip._vpcd import VpcdChipLink

__all__ = ["ChipLink", "PcscChipLink", "VpcdChipLink", "check_chip_url", "open_chip"]

__getattr__ = lazy(__name__, {"_pcsc": "PcscChipLink", "_vpcd": "VpcdChipLink"})
