"""From the URL of a chip's way to an open one."""

from __future__ import annotations

from countertop.sdk.cards.chip._base import ChipLink
from countertop.sdk.links._query import check_chip_url

__all__ = ["check_chip_url", "open_chip"]


async def open_chip(text: str) -> ChipLink:
    """Open `vpcd://HOST:PORT` or `pcsc://READER`, the value of the setting `chip` of a printer's link.

    Raises ValueError for another text, LinkFault(DEVICE_OFFLINE), CountertopError(NOT_SUPPORTED) without pyscard.
    """
    check_chip_url(text)
    if text.startswith("vpcd:"):
        from countertop.sdk.cards.chip._vpcd import VpcdChipLink

        return await VpcdChipLink.open(text)
    from countertop.sdk.cards.chip._pcsc import PcscChipLink

    return await PcscChipLink.open(text)
