"""One printer while it is connected: the conversation with it, and what it has told of itself and its state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from countertop.drivers.escpos import protocol
from countertop.drivers.escpos.counters import CounterBook
from countertop.drivers.escpos.identify import Identity, identify
from countertop.drivers.escpos.manner import Manner, manner_of
from countertop.drivers.escpos.options import EscPosOptions
from countertop.drivers.escpos.profiles import Profile
from countertop.drivers.escpos.protocol import Event
from countertop.drivers.escpos.session import Session
from countertop.drivers.escpos.status import EOT_BITS, StatusBoard
from countertop.sdk.errors import DeviceFault, LinkFault, NoAnswer
from countertop.sdk.links import ByteLink
from countertop.v1 import error_pb2
from countertop.v1.device_pb2 import DeviceStatus

__all__ = ["Connected"]

_UNASKED_IDS = 16
# Links of printers in which a part of a failed print hangs.
_LEFTOVERS: set[str] = set()


class Connected:
    """What printing, the drawer, health checks and settling work on."""

    def __init__(self, link: ByteLink, place: str, options: EscPosOptions, report: Callable[[DeviceStatus], None]):
        """`place` is the printer's configured link, under which its leftovers are remembered; `report` is told a status
        that the printer reports by itself.
        """
        self.options = options
        self.board = StatusBoard()
        self.session = Session(link, self._on_event)
        self.counters = CounterBook(self.session, self.board, options.identify_seconds, told=False)
        self.listener: Callable[[Event], None] | None = None
        """Who hears what is no status report: the running print."""
        self.unasked_ids: deque[bytes] = deque(maxlen=_UNASKED_IDS)
        """Process ids that came while nothing was printed, the newest last."""
        self._link = link.url
        self._place = place
        self._report = report
        self._identity: Identity | None = None

    async def identify(self) -> None:
        """Find out which printer it is, and have it report by itself. Raises NoAnswer, LinkFault."""
        self._identity = await identify(self.session, self.board, self.options)
        told = self.profile.counters
        self.counters = CounterBook(self.session, self.board, self.options.identify_seconds, told=told)
        await self.counters.read()
        await self.session.send(protocol.AUTOMATIC_STATUS_ON, self.options.answer_seconds)

    @property
    def identity(self) -> Identity:
        """What it told of itself."""
        assert self._identity is not None, "identified"
        return self._identity

    @property
    def profile(self) -> Profile:
        """What it has."""
        return self.identity.profile

    @property
    def manner(self) -> Manner:
        """How to talk to it."""
        return manner_of(self.identity, self.options, self._link)

    @property
    def leftover(self) -> bool:
        """A part of a failed print hangs in the printer; that outlives the connection, and this instance."""
        return self._place in _LEFTOVERS

    @leftover.setter
    def leftover(self, there: bool) -> None:
        (_LEFTOVERS.add if there else _LEFTOVERS.discard)(self._place)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, protocol.AutomaticStatus):
            before = self.board.signs
            self.board.asb(event.value)
            if self.board.signs != before:
                self._report(self.board.status())
        elif self.listener is not None:
            self.listener(event)
        elif isinstance(event, protocol.ProcessId):
            self.unasked_ids.append(event.value)

    async def status(self) -> DeviceStatus:
        """Ask with DLE EOT 1 to 4, one after the other. Raises NoAnswer, LinkFault."""
        session, identity = self.session, self.identity
        session.check()
        if identity.realtime and (session.idle or not self.board.blocking()):
            for n in EOT_BITS:
                self.board.eot(n, await session.realtime_status(n, self.options.answer_seconds))
        if session.idle:
            await self.counters.read()
        if identity.provisional and not self.board.blocking():
            # connected while the printer was out of order and did not tell its model
            raise LinkFault(error_pb2.REASON_DEVICE_OFFLINE, "The printer is ready again; it will be identified anew.")
        return self.board.status()

    async def refuse_unless_ready(self, step: str) -> None:
        """Raises DeviceFault with effect NONE for what blocks the printer; NoAnswer, LinkFault."""
        await self.status()
        for condition in self.board.blocking():
            raise DeviceFault(
                condition.reason,
                step=step,
                expected="a printer that is ready",
                got=error_pb2.Reason.Name(condition.reason).removeprefix("REASON_"),
                action=condition.action,
                effect=error_pb2.PHYSICAL_EFFECT_NONE,
            )

    async def drop_rest(self) -> bool:
        """Drop what it holds; whether it says that it holds nothing any more. Raises NoAnswer, LinkFault."""
        seconds = self.options.answer_seconds
        if self.profile.clear:
            try:
                await self.session.clear_buffers(seconds)
            except NoAnswer:
                pass
            else:
                return True
        await self.session.send(protocol.RECOVER_AND_CLEAR, seconds)
        return False
