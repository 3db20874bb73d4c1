"""Topaz signature pads on a serial line, or on a USB bridge to one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Literal, Self, cast

from pydantic import Field, model_validator

from countertop.drivers.topaz.masking import TopazMasker
from countertop.drivers.topaz.models import DEFAULT_MODEL, MODELS, Box, Model
from countertop.drivers.topaz.packets import LARGEST, DeviceIdentity, Format, PacketDecoder
from countertop.drivers.topaz.pen import Pen, PressureOrder
from countertop.sdk import ByteLink, LinkUrl, Options, PenSample, SignaturePad
from countertop.sdk.links import SerialLink
from countertop.sdk.signing import PadEvent, PadScreen
from countertop.v1 import device_pb2, ink_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus

__all__ = ["TopazOptions", "TopazPad"]

MM_PER_INCH = 25.4
PRESSURE_LEVELS = 1024
PRESSURE_WAIT = 0.03
"""Seconds that a position waits for its pressure, where that comes after it."""

# One open driver's list of control characters of pads with a display.
CLEAR = b"\x04"
"""Clear the display; ink is wiped by itself."""
PERSISTENT = b"\x14"
"""Let ink stand until it is cleared."""

Place = Annotated[int, Field(ge=0, le=LARGEST)]


class TopazOptions(Options):
    """Options of a Topaz pad. Those that are not given are the model's."""

    model: str = DEFAULT_MODEL
    """Which of the models it is; see `countertop.drivers.topaz.models`."""
    format: Literal["8bit", "7bit"] | None = None
    """How packets look; sets the line's data bits too, unless the URL does."""
    x_range: tuple[Place, Place] | None = None
    """First and last x of the writing area in the pad's own units."""
    y_range: tuple[Place, Place] | None = None
    """First and last y."""
    dpi: float | None = Field(default=None, ge=50, le=5000)
    """The pad's own units per inch."""
    x_left: bool = False
    """x grows to the left."""
    y_up: bool = False
    """y grows upwards."""
    pressure: Literal["none", "leads", "follows"] = "none"
    """Whether the pad sends pressure, and before or after the position that it belongs to."""
    strict: bool = True
    """Drop positions with bits that no coordinate has, as damaged."""
    lcd: bool | None = None
    """Clear the pad's own display before and after a capture."""
    away_seconds: float = Field(default=0.3, ge=0, le=10)
    """A pen that touches the pad and is silent for so long was lifted; 0: never."""
    identify_seconds: float = Field(default=0.2, ge=0, le=5)
    """How long to listen, when connecting, for a pad that says who it is."""

    @model_validator(mode="after")
    def _known_model_and_ranges_in_order(self) -> Self:
        if self.model not in MODELS:
            raise ValueError(f"model: expected one of {', '.join(MODELS)}")
        for name, limits in (("x_range", self.x_range), ("y_range", self.y_range)):
            if limits is not None and limits[0] >= limits[1]:
                raise ValueError(f"{name}: expected the smaller number first")
        return self


class TopazPad(SignaturePad):
    """A pad that sends its pen while that is near, and says nothing else."""

    name = "topaz"
    links = (SerialLink,)
    options_type = TopazOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = chosen = cast("TopazOptions", options)
        self._model: Model = MODELS[chosen.model]
        x, y, box = chosen.x_range, chosen.y_range, self._model.box
        self._box = Box(
            x[0] if x else box.left, y[0] if y else box.top, x[1] if x else box.right, y[1] if y else box.bottom
        )
        self._format = Format(chosen.format) if chosen.format else self._model.form
        self._lcd = self._model.lcd if chosen.lcd is None else chosen.lcd
        self._decoder = PacketDecoder(self._format, strict=chosen.strict)
        self._pen = Pen(self._box, pressure=PressureOrder(chosen.pressure), x_left=chosen.x_left, y_up=chosen.y_up)
        self._identity: DeviceIdentity | None = None
        self._heard_at = 0.0
        self._link: ByteLink | None = None

    @property
    def space(self) -> ink_pb2.InkSpace:
        """The box, in the pad's own units, from its upper left corner."""
        return ink_pb2.InkSpace(
            width=self._box.width,
            height=self._box.height,
            units_per_mm=(self._options.dpi or self._model.dpi) / MM_PER_INCH,
            pressure_levels=0 if self._options.pressure == "none" else PRESSURE_LEVELS,
        )

    @property
    def screen(self) -> PadScreen | None:
        """None: what a pad's display shows is not sent over the serial line."""
        return None

    def masker(self) -> TopazMasker:
        """For the format and the box that are configured."""
        return TopazMasker(self._format, self._box, strict=self._options.strict)

    async def connect(self) -> DeviceInfo:
        """Open the line, and listen a moment for a pad that says who it is; that the port is there is all that is sure.
        Raises LinkFault.
        """
        self._link = await self.open_link(
            baud=str(self._model.baud),
            bytesize="7" if self._format is Format.SEVEN_BIT else "8",
            parity="O",
            stopbits="1",
        )
        try:
            await self._listen_for_identity(self._link)
        except BaseException:
            await self.disconnect()
            raise
        space = self.space
        return DeviceInfo(
            vendor="Topaz",
            model=self._model.name,
            serial=str(self._identity.serial) if self._identity else "",
            signature_pad=device_pb2.SignaturePadCapabilities(
                width_mm=space.width / space.units_per_mm,
                height_mm=space.height / space.units_per_mm,
                units_per_mm=space.units_per_mm,
                pressure_levels=space.pressure_levels,
            ),
        )

    async def disconnect(self) -> None:
        """Close the line."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    async def status(self) -> DeviceStatus:
        """The port is there; a pad that is pulled off a port which stays cannot be told from a pen that is away. Raises
        LinkFault when the port is gone.
        """
        link = self._connected()
        self._take(link.discard_input())
        try:
            async with asyncio.timeout(0):
                self._take(await link.receive())
        except TimeoutError:
            pass  # the port is silent, and there
        return DeviceStatus()

    async def open_capture(self, operation_id: str) -> None:
        """Forget what the pen did before. Raises LinkFault."""
        link = self._connected()
        self._take(link.discard_input())
        self._pen.reset()
        if self._lcd:
            await link.send(CLEAR + PERSISTENT)

    async def show(self, pixels: bytes) -> None:
        """Never called: there is no screen."""
        raise NotImplementedError("a Topaz pad on a serial line shows no pictures")

    async def hear(self) -> Sequence[PadEvent]:
        """The pen's samples, as they arrive. Raises LinkFault."""
        link = self._connected()
        while True:
            try:
                async with asyncio.timeout_at(self._patience()):
                    data = await link.receive()
            except TimeoutError:
                data = link.discard_input()  # what arrived while the loop was busy is not silence
                if not data:
                    return self._silence()
            if samples := self._take(data):
                return samples

    async def close_capture(self) -> None:
        """Clear the display, where there is one, and forget the ink. Raises LinkFault."""
        link = self._connected()
        self._take(link.discard_input())
        self._pen.reset()
        if self._lcd:
            await link.send(CLEAR)

    def _connected(self) -> ByteLink:
        assert self._link is not None, "connect comes first"
        return self._link

    async def _listen_for_identity(self, link: ByteLink) -> None:
        try:
            async with asyncio.timeout(self._options.identify_seconds):
                while self._identity is None:
                    self._take(await link.receive())
        except TimeoutError:
            pass  # most pads do not say

    def _patience(self) -> float | None:
        """When silence means something, by the loop's clock."""
        if self._pen.holds:
            return self._heard_at + PRESSURE_WAIT
        if self._pen.touching and self._options.away_seconds:
            return self._heard_at + self._options.away_seconds
        return None

    def _silence(self) -> list[PenSample]:
        return self._pen.let_go() if self._pen.holds else self._pen.lift()

    def _take(self, data: bytes) -> list[PenSample]:
        if data:
            self._heard_at = asyncio.get_running_loop().time()
        samples: list[PenSample] = []
        for packet in self._decoder.feed(data):
            if isinstance(packet, DeviceIdentity):
                self._identity = packet
            samples += self._pen.take(packet)
        return samples
