"""What the HID links have in common: input reports that wait for their receiver, and HID's class requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from countertop.sdk.links._base import LinkUrl
from countertop.sdk.links._translate import link_fault

__all__ = ["CONTROL_SECONDS", "FEATURE", "MAX_REPORTS", "OUTPUT", "ReportInbox", "get_report", "set_report"]

MAX_REPORTS = 1024
"""Input reports that are kept for a receiver that does not come; then the device is asked for no more."""
CONTROL_SECONDS = 5.0
"""How long a device may take to answer a request to endpoint 0, as operating systems have it."""
OUTPUT, FEATURE = 2, 3
"""Report types (HID 1.11, 7.2.1)."""


def get_report(kind: int, report_id: int, interface: int, length: int) -> bytes:
    """The setup packet of GET_REPORT (HID 1.11, 7.2.1)."""
    return _setup(0xA1, 0x01, kind << 8 | report_id, interface, length)


def set_report(kind: int, report_id: int, interface: int, length: int) -> bytes:
    """The setup packet of SET_REPORT (7.2.2)."""
    return _setup(0x21, 0x09, kind << 8 | report_id, interface, length)


def _setup(kind: int, request: int, value: int, index: int, length: int) -> bytes:
    parts = ((kind, 1), (request, 1), (value, 2), (index, 2), (length, 2))
    return b"".join(part.to_bytes(size, "little") for part, size in parts)


class ReportInbox:
    """Input reports between what brings them and the one task that receives. Belongs to one event loop."""

    def __init__(self, url: LinkUrl, on_room: Callable[[], None] = lambda: None) -> None:
        self._url = url
        self._on_room = on_room
        self._reports: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: BaseException | None = None

    @property
    def full(self) -> bool:
        """No more should be brought until `on_room`."""
        return len(self._reports) >= MAX_REPORTS

    def put(self, report: bytes) -> None:
        """Add one."""
        self._reports.append(report)
        self._wake()

    def end(self, error: BaseException | None) -> None:
        """No more will come: the first call's error is told to the receiver after the last report."""
        if not self._ended:
            self._ended, self._error = True, error
        self._wake()

    def drain(self) -> list[bytes]:
        """Take all there is."""
        found = list(self._reports)
        self._reports.clear()
        self._on_room()
        return found

    async def take(self) -> bytes:
        """Wait for the next. Cancelling loses none. Raises LinkFault(LINK_LOST) after the end."""
        while not self._reports:
            if self._ended:
                raise link_fault(self._url, "receive", self._error)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        report = self._reports.popleft()
        if len(self._reports) == MAX_REPORTS - 1:
            self._on_room()
        return report

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
