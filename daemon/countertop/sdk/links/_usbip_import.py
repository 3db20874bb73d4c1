"""Importing a device that a USB/IP server exports, within the link's time, with the link's errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from countertop.sdk.links._base import LinkUrl
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._translate import translating
from countertop.sdk.links.usbip.connection import UsbIpConnection

__all__ = ["importing"]


@asynccontextmanager
async def importing(url: LinkUrl) -> AsyncIterator[UsbIpConnection]:
    """The connection, which stays open unless the block raises. Raises LinkFault(DEVICE_OFFLINE)."""
    limit = SETTINGS["usbip"]["connect_timeout"](url.query.get("connect_timeout", "5"))
    with translating(url, "open", opening=True):
        async with asyncio.timeout(limit):
            connection = await UsbIpConnection.open(url.host, url.port, url.path.lstrip("/"))
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
