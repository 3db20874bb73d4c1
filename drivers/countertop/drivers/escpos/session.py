"""A link with the decoder behind it: one reader task, one request at a time, sends that are never torn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.protocol import Decoder, Event, Pending
from countertop.sdk.errors import LinkFault, NoAnswer
from countertop.sdk.links import ByteLink

__all__ = ["Session"]


class Session:
    """The conversation with one printer.

    Every method may be cancelled. A send goes on in the background then, so that no command is cut in two; the next
    send waits for it.
    """

    def __init__(self, link: ByteLink, on_event: Callable[[Event], None]):
        self._link = link
        self._on_event = on_event
        self._decoder = Decoder()
        self._answer: tuple[type[Event], asyncio.Future[Event]] | None = None
        self._overdue: dict[type[Event], asyncio.Future[Event]] = {}
        self._heard = asyncio.Event()
        self._fault: LinkFault | None = None
        self._writer: asyncio.Task[None] | None = None
        self._reader = asyncio.create_task(self._read(), name="escpos reader")

    async def close(self) -> None:
        """End the tasks and close the link. Never raises."""
        tasks = [task for task in (self._reader, self._writer) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.close()

    # -- what comes in --

    async def _read(self) -> None:
        try:
            while True:
                for event in self._decoder.feed(await self._link.receive()):
                    self._deliver(event)
                    self._on_event(event)
                self._heard.set()
        except LinkFault as fault:
            self._fail(fault)

    def _deliver(self, event: Event) -> None:
        """Give the event to the request that it answers, the oldest first."""
        kind = type(event)
        overdue = self._overdue.pop(kind, None)
        if overdue is not None:
            overdue.set_result(event)
        elif self._answer and kind is self._answer[0] and not self._answer[1].done():
            self._answer[1].set_result(event)

    def _fail(self, fault: LinkFault) -> None:
        self._fault = self._fault or fault
        if self._answer and not self._answer[1].done():
            self._answer[1].set_exception(self._lost(self._fault))
        self._heard.set()

    @staticmethod
    def _lost(fault: LinkFault) -> LinkFault:
        return LinkFault(fault.reason, fault.message, step=fault.step, expected=fault.expected, got=fault.got)

    def check(self) -> None:
        """Raise LinkFault(LINK_LOST) if the link has ended."""
        if self._fault:
            raise self._lost(self._fault)
        if self._reader.done():
            self._reader.result()

    async def heard(self, seconds: float) -> bool:
        """Wait until something has arrived or a send has ended; whether it did. Raises LinkFault. For one caller."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        self.check()
        heard = self._heard.is_set()
        self._heard.clear()
        return heard

    # -- what goes out --

    @property
    def idle(self) -> bool:
        """No send is under way, none is held by the printer's flow control."""
        return self._writer is None or self._writer.done()

    def begin_send(self, data: bytes) -> None:
        """Start to send whole commands while `idle`; `heard` tells when it has ended. Raises LinkFault."""
        self.check()
        assert self.idle, "one send at a time"
        self._writer = asyncio.create_task(self._link.send(data), name="escpos writer")
        self._writer.add_done_callback(self._sent)

    def _sent(self, writer: asyncio.Task[None]) -> None:
        if not writer.cancelled():
            error = writer.exception()
            if isinstance(error, LinkFault):
                self._fail(error)
        self._heard.set()

    async def send(self, data: bytes, seconds: float) -> None:
        """Send whole commands. Raises LinkFault; NoAnswer when the printer's flow control held them for so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._until_idle()
                self.begin_send(data)
                await self._until_idle()
        except TimeoutError:
            raise NoAnswer("send to the printer", seconds) from None

    async def _until_idle(self) -> None:
        if self._writer is not None:
            await asyncio.shield(self._writer)

    async def ask(
        self, request: bytes, answer: type[Event], seconds: float, *, pending: Pending | None = None
    ) -> Event:
        """Send a request and wait for its answer. Raises NoAnswer, LinkFault.

        An answer that comes after its time, or after its caller was cancelled, is not taken for the next one's.
        """
        assert self._answer is None, "one request at a time"
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        sent = False
        try:
            async with asyncio.timeout(seconds):
                await self._let_overdue_pass(answer, seconds / 2)
                await self._until_idle()
                if pending:
                    self._decoder.expect(pending)
                self._answer = (answer, future)
                self.begin_send(request)
                sent = True
                await self._until_idle()
                return await asyncio.shield(future)
        except TimeoutError:
            self._decoder.reset()
            raise NoAnswer(f"request {request[:3].hex(' ')}", seconds) from None
        finally:
            self._answer = None
            if not future.done():
                if sent:
                    self._overdue[answer] = future
            elif not future.cancelled():
                future.exception()  # a link that ended was told by the send already

    async def _let_overdue_pass(self, answer: type[Event], seconds: float) -> None:
        overdue = self._overdue.get(answer)
        if overdue is not None:
            await asyncio.wait([overdue], timeout=seconds)
            self._overdue.pop(answer, None)

    def expect(self, kind: Pending) -> None:
        """Await an answer that arrives as an event: the request goes along with print data."""
        self._decoder.expect(kind)

    async def realtime_status(self, n: int, seconds: float) -> int:
        """DLE EOT n. Raises NoAnswer, LinkFault."""
        request = protocol.realtime_status(n)
        event = await self.ask(request, protocol.RealtimeStatus, seconds, pending=Pending.REALTIME)
        assert isinstance(event, protocol.RealtimeStatus)
        return event.value

    async def printer_info(self, n: int, seconds: float) -> str:
        """GS I 65 to 69. Raises NoAnswer, LinkFault."""
        event = await self.ask(protocol.identity(n), protocol.PrinterInfo, seconds)
        assert isinstance(event, protocol.PrinterInfo)
        return event.text

    async def counter(self, n: int, seconds: float) -> int:
        """GS g 2. Raises NoAnswer, also for an answer that is no number; LinkFault."""
        event = await self.ask(protocol.counter(n), protocol.PrinterInfo, seconds)
        assert isinstance(event, protocol.PrinterInfo)
        if not event.text.isdecimal():
            raise NoAnswer(f"maintenance counter {n}", seconds)
        return int(event.text)

    async def identity_byte(self, n: int, seconds: float) -> int:
        """GS I 1 to 3. Raises NoAnswer, LinkFault."""
        event = await self.ask(protocol.identity(n), protocol.IdentityByte, seconds, pending=Pending.IDENTITY)
        assert isinstance(event, protocol.IdentityByte)
        return event.value

    async def status_byte(self, n: int, seconds: float) -> int:
        """GS r n. Raises NoAnswer, LinkFault."""
        event = await self.ask(protocol.status(n), protocol.StatusByte, seconds, pending=Pending.STATUS)
        assert isinstance(event, protocol.StatusByte)
        return event.value

    async def clear_buffers(self, seconds: float) -> None:
        """DLE DC4 8. Raises NoAnswer, LinkFault."""
        await self.ask(protocol.CLEAR_BUFFERS, protocol.BuffersCleared, seconds)

    async def drain_status(self, seconds: float) -> None:
        """Let answers to old GS r requests pass, until nothing comes for so long. Raises LinkFault."""
        with contextlib.suppress(NoAnswer):
            await self.status_byte(1, seconds)
        while await self.heard(seconds):
            pass
