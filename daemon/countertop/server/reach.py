"""The driver of a device while it is reached, for what is done beside its operations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from countertop.sdk.device import Device as Driver

__all__ = ["Reach"]


class Reach:
    """Told by the runner when the device comes and goes."""

    def __init__(self) -> None:
        self.driver: Driver | None = None
        """None while the device is not reached."""
        self.lost: CountertopError | None = None
        """What was met beside the operations that makes the driver be connected anew, as it does in one."""
        self._ended = False
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def come(self, driver: Driver) -> None:
        """It was connected."""
        self.driver, self.lost = driver, None
        self._tell()

    def go(self) -> None:
        """It is lost, or let go."""
        self.driver = None

    def end(self) -> None:
        """It will not come again: the daemon stops."""
        self._ended = True
        self._tell()

    async def anew(self, before: Driver | None) -> None:
        """Wait until the device is reached by another driver than `before`. Raises CountertopError."""
        while self.driver is None or self.driver is before:
            if self._ended:
                raise CountertopError(error_pb2.REASON_TERMINAL_STOPPING)
            await asyncio.shield(self._news)

    def _tell(self) -> None:
        self._news.set_result(None)
        self._news = asyncio.get_running_loop().create_future()
