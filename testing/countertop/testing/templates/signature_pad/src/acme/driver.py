"""The driver: shows Countertop the pad as a `SignaturePad`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from countertop.sdk import DeviceFault, LinkUrl, Options, SerialLink, SignaturePad, TcpLink, reason_info
from countertop.sdk.signing import PadEvent, PadScreen
from countertop.sdk.trace import Masker
from countertop.v1 import device_pb2, error_pb2, ink_pb2
from countertop.v1.device_pb2 import Condition, DeviceInfo, DeviceStatus
from pydantic import Field

from acme.masking import FrameMasker
from acme.protocol import LONGEST, PEN, REFUSALS, Command, Events, StatusBit, parse_identity, parse_status
from acme.session import Session

__all__ = ["AcmeOptions", "AcmePad"]

WIDTH, HEIGHT, UNITS_PER_MM = 4800, 1920, 40.0
PRESSURE_LEVELS, RATE = 1024, 200.0


class AcmeOptions(Options):
    """Options of the pad, checked when the configuration is read."""

    answer_seconds: float = Field(default=0.5, ge=0.05, le=10)
    """How long the pad may take for an answer."""
    quiet_seconds: float = Field(default=2.0, ge=0.1, le=60)
    """After so long without pen or key in a capture the pad is asked whether it still captures."""


class AcmePad(SignaturePad):
    """A pad without a screen, with three keys."""

    name = "acme"
    links = (SerialLink, TcpLink)
    options_type = AcmeOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("AcmeOptions", options)
        self._session: Session | None = None
        self._events = Events()

    @property
    def space(self) -> ink_pb2.InkSpace:
        """The whole surface, in the pad's own units from its upper left corner."""
        return ink_pb2.InkSpace(
            width=WIDTH,
            height=HEIGHT,
            units_per_mm=UNITS_PER_MM,
            pressure_levels=PRESSURE_LEVELS,
            report_rate=RATE,
        )

    @property
    def screen(self) -> PadScreen | None:
        """It has none."""
        return None

    async def connect(self) -> DeviceInfo:
        """Open the link and ask who is there. Raises LinkFault, NoAnswer, ProtocolFault."""
        link = await self.open_link(baud="115200")
        self._session = session = Session(link, LONGEST, REFUSALS, self._options.answer_seconds)
        try:
            session.forget()
            identity = parse_identity(await session.ask(Command.HELLO))
            await session.ask(Command.END)  # a capture that was cut off may still be on
        except BaseException:
            await self.disconnect()
            raise
        return DeviceInfo(
            vendor="Acme",
            model=identity.model,
            serial=identity.serial,
            firmware=identity.firmware,
            signature_pad=device_pb2.SignaturePadCapabilities(
                width_mm=WIDTH / UNITS_PER_MM,
                height_mm=HEIGHT / UNITS_PER_MM,
                units_per_mm=UNITS_PER_MM,
                pressure_levels=PRESSURE_LEVELS,
                report_rate=RATE,
            ),
        )

    async def disconnect(self) -> None:
        """Close the link."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def status(self) -> DeviceStatus:
        """What the pad says of itself. Raises NoAnswer, LinkFault."""
        bits = parse_status(await self._open().ask(Command.STATUS))
        status = DeviceStatus()
        if bits & StatusBit.FAULT:
            info = reason_info(error_pb2.REASON_PAD_FAULT)
            blocking = device_pb2.SEVERITY_BLOCKING
            status.conditions.append(
                Condition(reason=error_pb2.REASON_PAD_FAULT, severity=blocking, fixed_by=info.fixed_by, action=info.app)
            )
        return status

    async def open_capture(self, operation_id: str) -> None:
        """Let the pad send its pen. Raises DeviceFault(PAD_FAULT), NoAnswer, LinkFault."""
        session = self._open()
        session.forget()
        self._events = Events()
        await session.ask(Command.BEGIN)

    async def show(self, pixels: bytes) -> None:
        """Never called: there is no screen."""
        raise NotImplementedError("the pad has no screen")

    async def hear(self) -> Sequence[PadEvent]:
        """Pen and keys, as they arrive. Raises LinkFault, NoAnswer, ProtocolFault; DeviceFault(PAD_FAULT) when the pad
        has stopped to send by itself, as after a power failure.
        """
        session = self._open()
        while True:
            try:
                async with asyncio.timeout(self._options.quiet_seconds):
                    return [self._events.take(frame) for frame in await session.unasked()]
            except TimeoutError:
                bits = parse_status(await session.ask(Command.STATUS))
                if not bits & StatusBit.CAPTURING:
                    raise DeviceFault(
                        error_pb2.REASON_PAD_FAULT, step="capture", expected="a pad that captures", got="one that rests"
                    ) from None

    async def close_capture(self) -> None:
        """Let it rest, and forget the ink. Raises NoAnswer, LinkFault."""
        session = self._open()
        await session.ask(Command.END)
        session.forget()

    def masker(self) -> Masker:
        """What a pen wrote is kept out of recordings."""
        return FrameMasker(LONGEST, received=PEN)

    def _open(self) -> Session:
        assert self._session is not None, "connect comes first"
        return self._session
