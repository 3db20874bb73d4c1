"""How reports go to a pad and come back: over HID, or in frames on a serial line."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress

from countertop.drivers.wacom_stu import framing
from countertop.drivers.wacom_stu.reports import GET, RESULT, RESULTS, SIZES
from countertop.sdk import ByteLink, DeviceFault, HidLink, NoAnswer, ReportRefused
from countertop.v1 import error_pb2

__all__ = ["HidTransport", "SerialTransport", "Transport", "pad_fault"]

ANSWER_SECONDS = 2.0
MAX_PEN_REPORTS = 4096
_PEN = frozenset({0x01, 0x10, 0x30, 0x31, 0x33, 0x34, 0x98, 0x99, 0x9A})


def pad_fault(step: str, expected: str, got: str) -> DeviceFault:
    """The pad refuses something that it should take."""
    message = f"The pad does not do what it should ({step}): expected {expected}, got {got}."
    return DeviceFault(error_pb2.REASON_PAD_FAULT, message, step=step, expected=expected, got=got)


class Transport(ABC):
    """Feature reports, and input reports in their order."""

    @abstractmethod
    async def get(self, report_id: int) -> bytes:
        """Read a report. Raises ReportRefused for one that the pad does not have, LinkFault, NoAnswer."""

    @abstractmethod
    async def set(self, report: bytes) -> None:
        """Set a report; it is filled up with zeros to its size. Raises ReportRefused, LinkFault, NoAnswer."""

    @abstractmethod
    async def receive(self) -> list[bytes]:
        """Wait for input reports: one or more. Cancelling loses none. Raises LinkFault."""

    @abstractmethod
    def discard_input(self) -> None:
        """Forget input reports that nobody received."""

    @abstractmethod
    async def close(self) -> None:
        """Close the link. Never raises."""


class HidTransport(Transport):
    """Over HID."""

    def __init__(self, link: HidLink) -> None:
        self._link = link

    async def get(self, report_id: int) -> bytes:
        """GET_REPORT."""
        return await self._link.get_feature(report_id, SIZES[report_id])

    async def set(self, report: bytes) -> None:
        """SET_REPORT."""
        await self._link.set_feature(report.ljust(SIZES[report[0]], b"\0"))

    async def receive(self) -> list[bytes]:
        """The next, and those that came with it."""
        first = await self._link.receive()
        return [first, *self._link.discard_input()]

    def discard_input(self) -> None:
        """Forget what came."""
        self._link.discard_input()

    async def close(self) -> None:
        """Close the link."""
        await self._link.close()


class SerialTransport(Transport):
    """In frames: {80, id} asks for a report, a report sets it and is answered by {81, result}."""

    def __init__(self, link: ByteLink, crc_initial: int) -> None:
        self._link = link
        self._decoder = framing.FrameDecoder(crc_initial)
        self._one_at_a_time = asyncio.Lock()
        self._wanted = -1
        self._answer: asyncio.Future[bytes] | None = None
        self._pen: deque[bytes] = deque(maxlen=MAX_PEN_REPORTS)
        self._news = asyncio.Event()
        self._end: BaseException | None = None
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            while True:
                for report in self._decoder.feed(await self._link.receive()):
                    self._take(report)
        except DeviceFault as fault:
            self._end = fault
            self._news.set()
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(fault)

    def _take(self, report: bytes) -> None:
        if report[0] in _PEN:
            self._pen.append(report)
            self._news.set()
        elif self._answer is not None and not self._answer.done() and report[0] in (self._wanted, RESULT):
            self._answer.set_result(report)

    async def _ask(self, report: bytes, wanted: int, what: str) -> bytes:
        async with self._one_at_a_time:
            if self._end is not None:
                raise self._end
            self._wanted = wanted
            self._answer = asyncio.get_running_loop().create_future()
            await self._link.send(framing.encode(report))
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._answer
            except TimeoutError:
                raise NoAnswer(what, ANSWER_SECONDS) from None
            finally:
                self._answer = None

    async def get(self, report_id: int) -> bytes:
        """Ask for it."""
        what = f"get report {report_id:02X}"
        found = await self._ask(bytes([GET, report_id]), report_id, what)
        if found[0] == RESULT:
            raise ReportRefused(report_id, "get")
        return found

    async def set(self, report: bytes) -> None:
        """Send it, and wait for its result. A pad whose state forbids it says so in its status too."""
        what = f"set report {report[0]:02X}"
        found = await self._ask(report.ljust(SIZES[report[0]], b"\0"), RESULT, what)
        result = found[1] if len(found) > 1 else 0xFF
        if result == 1:
            raise ReportRefused(report[0], "set")
        if result:
            raise pad_fault(what, "result ok", RESULTS.get(result, f"result {result:02X}"))

    async def receive(self) -> list[bytes]:
        """Those that have come."""
        while not self._pen:
            if self._end is not None:
                raise self._end
            self._news.clear()
            await self._news.wait()
        found = list(self._pen)
        self._pen.clear()
        return found

    def discard_input(self) -> None:
        """Forget what came."""
        self._pen.clear()

    async def close(self) -> None:
        """Close the link."""
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader
        await self._link.close()
