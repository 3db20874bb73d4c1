"""The driver: shows Countertop the camera as a `Camera`, by its newest picture. What is looked for lies in the SDK."""

from __future__ import annotations

from contextlib import suppress
from typing import cast

from countertop.sdk import Camera, DeviceFault, LinkUrl, Options, TcpLink
from countertop.sdk.cameras import Shot
from countertop.sdk.trace import Masker
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceStatus
from pydantic import Field

from acme.masking import FrameMasker
from acme.protocol import LONGEST, PICTURE, REFUSALS, Command, Identity
from acme.session import Session
from acme.stream import Stream

__all__ = ["AcmeCamera", "AcmeOptions"]

KEPT = 2
"""Pictures that wait when the terminal is late: older ones are of no use."""


class AcmeOptions(Options):
    """Options of the camera, checked when the configuration is read."""

    answer_seconds: float = Field(default=1.0, ge=0.05, le=10)
    """How long the camera may take for an answer; a picture may be on the line before it."""
    stall_seconds: float = Field(default=3.0, ge=0.2, le=60)
    """A camera that is on and sends no picture for so long is stalled."""
    idle_seconds: float = Field(default=10.0, ge=0.5, le=3600)
    """It is switched off when nobody has looked for so long."""


class AcmeCamera(Camera):
    """A camera that sends JPEG files over TCP."""

    name = "acme"
    links = (TcpLink,)
    options_type = AcmeOptions

    def __init__(self, url: LinkUrl, options: Options) -> None:
        super().__init__(url, options)
        self._options = cast("AcmeOptions", options)
        self._session: Session | None = None
        self._stream: Stream | None = None

    async def connect(self) -> DeviceInfo:
        """Open the link, ask who is there, and take a first picture. Raises DeviceFault."""
        link = await self.open_link()
        self._session = session = Session(link, LONGEST, REFUSALS, self._options.answer_seconds, kept=KEPT)
        try:
            identity = Identity.parse(await session.ask(Command.HELLO))
            await session.ask(Command.END)  # it may still send to a host before
            session.forget()
            self._stream = Stream(session, self._options.stall_seconds)
            await self._stream.shot(0)
        except BaseException:
            await self.disconnect()
            raise
        return DeviceInfo(
            vendor="Acme",
            model=identity.model,
            serial=identity.serial,
            firmware=identity.firmware,
            camera=device_pb2.CameraCapabilities(
                width=identity.width,
                height=identity.height,
                fps=identity.fps,
                format="JPEG",
                still_width=identity.width,
                still_height=identity.height,
            ),
        )

    async def disconnect(self) -> None:
        """End the stream and close the link; those who wait for a picture are told."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def status(self) -> DeviceStatus:
        """While it is on its pictures tell; else it is asked. Raises DeviceFault: CAMERA_STALLED, LINK_LOST, ..."""
        await self._opened().check(self._options.idle_seconds)
        return DeviceStatus()

    async def shot(self, newer_than: int = 0) -> Shot:
        """The newest picture. Raises DeviceFault: CAMERA_STALLED, CAMERA_PICTURE_DAMAGED, LINK_LOST."""
        return await self._opened().shot(newer_than)

    async def still(self) -> Shot:
        """The next picture: the camera has one resolution. Raises DeviceFault."""
        return await self._opened().next_shot()

    async def rest(self) -> None:
        """Off at once, and nothing is left of what it saw."""
        with suppress(DeviceFault):  # the next look at it tells
            await self._opened().off()

    def masker(self) -> Masker:
        """Pictures are kept out of recordings."""
        return FrameMasker(LONGEST, received=PICTURE)

    def _opened(self) -> Stream:
        assert self._stream is not None, "connect comes first"
        return self._stream
