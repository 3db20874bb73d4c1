"""MJPEG over HTTP: the pictures go from the camera to the clients as they are, nobody decodes them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, ClassVar, Self

from countertop.drivers.opencv.multipart import MAX_PART, MjpegParser
from countertop.drivers.opencv.options import CameraOptions
from countertop.drivers.opencv.source import CABLE, CameraLink, Mode, listens
from countertop.sdk import CountertopError, DeviceFault, LinkFault, LinkUrl
from countertop.sdk.cameras import FrameSlot, Shot, frame_size, is_whole, shot_of
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    import aiohttp

__all__ = ["HttpCameraLink"]

END_SECONDS = 1.0
_PORTS = {"http": 80, "https": 443}
log = logging.getLogger("countertop.drivers.opencv")


class HttpCameraLink(CameraLink):
    """`http://192.0.2.40:8080/stream`, or https."""

    schemes: ClassVar[tuple[str, ...]] = ("http", "https")

    def __init__(self, url: LinkUrl) -> None:
        self.url = url
        self._mode = Mode("MJPG")
        self._damaged = 0
        self._session: aiohttp.ClientSession | None = None
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Look whether somebody listens there. Raises CountertopError(NOT_SUPPORTED) without aiohttp."""
        try:
            import aiohttp  # noqa: F401
        except ImportError:
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED, "Network cameras need aiohttp: pip install 'countertop[camera]'"
            ) from None
        link = cls(url)
        await link.present()
        return link

    @property
    def mode(self) -> Mode:
        """It does not say how many frames a second it sends."""
        return self._mode

    @property
    def damaged(self) -> int:
        """Pictures that were cut off."""
        return self._damaged

    async def present(self) -> None:
        """Somebody listens at its port."""
        await listens(self.url, _PORTS[self.url.scheme])

    async def begin(self, slot: FrameSlot, options: CameraOptions) -> None:
        """Ask for the stream."""
        self._session = self._new_session(options)
        try:
            async with asyncio.timeout(options.open_seconds):
                response = await self._session.get(self.url.text, headers={"Accept": "multipart/x-mixed-replace"})
            self._check(response, "multipart/")
        except BaseException as error:
            await self.end()
            raise self._foreign(error, "switch on") from None
        self._mode = Mode("MJPG", model=response.headers.get("Server", "")[:64])
        self._reader = asyncio.create_task(self._read(response, slot), name=f"camera {self.url.host}")

    def _new_session(self, options: CameraOptions) -> aiohttp.ClientSession:
        import aiohttp

        login = aiohttp.BasicAuth(options.user, options.password) if options.user else None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=options.open_seconds)
        return aiohttp.ClientSession(auth=login, timeout=timeout, auto_decompress=False)

    async def _read(self, response: aiohttp.ClientResponse, slot: FrameSlot) -> None:
        parser = MjpegParser(response.headers.get("Content-Type", ""))
        try:
            while data := await response.content.readany():
                for picture in parser.feed(data):
                    self._put(picture, slot)
            slot.fail(LinkFault(error_pb2.REASON_LINK_LOST, "The camera ended its stream.", step="read", action=CABLE))
        except Exception as error:
            found = self._foreign(error, "read")
            if not isinstance(found, DeviceFault):
                log.error("camera %s: reading failed with %s", self.url.host, type(error).__name__)
                found = DeviceFault(error_pb2.REASON_DRIVER_FAILED, step="read", got=type(error).__name__)
            slot.fail(found)

    def _put(self, picture: bytes, slot: FrameSlot) -> None:
        size = frame_size(picture)
        if size is None or not is_whole(picture):
            self._damaged += 1
        else:
            slot.put(lambda: picture, *size)

    def _check(self, response: aiohttp.ClientResponse, kind: str) -> None:
        if response.status in (401, 403):
            raise LinkFault(
                error_pb2.REASON_DEVICE_OFFLINE,
                "The camera refuses the user or the password.",
                step="switch on",
                got=f"HTTP {response.status}",
                action="Set `user` and `password` in the camera's options.",
            )
        got = response.headers.get("Content-Type", "no content type") if response.ok else f"HTTP {response.status}"
        if not response.ok or not got.lower().startswith(kind):
            raise LinkFault(
                error_pb2.REASON_DEVICE_OFFLINE,
                "The camera does not send pictures at this address.",
                step="switch on",
                expected=f"{kind}*",
                got=got[:64],
                action="Look up the address of the MJPEG stream in the camera's manual.",
            )

    def _foreign(self, error: BaseException, step: str) -> BaseException:
        """What aiohttp and the network raise, as a fault of ours; others as they are."""
        import aiohttp

        if isinstance(error, (OSError, TimeoutError, aiohttp.ClientError, ValueError)):
            return LinkFault(
                error_pb2.REASON_LINK_LOST,
                "The connection to the camera is lost.",
                step=step,
                got=type(error).__name__,
                action=CABLE,
            )
        return error

    async def still(self, slot: FrameSlot, options: CameraOptions) -> Shot | None:
        """From the camera's address for stills, where the options have one."""
        if not options.still_url:
            return None
        session = self._new_session(options)
        try:
            async with asyncio.timeout(options.open_seconds), session.get(options.still_url) as response:
                self._check(response, "image/jpeg")
                data = await self._whole(response)
        except Exception as error:
            raise self._foreign(error, "take a still") from None
        finally:
            await session.close()
        return shot_of(slot.number(), data)

    @staticmethod
    async def _whole(response: aiohttp.ClientResponse) -> bytes:
        """The body. Raises ValueError for one that is longer than a picture may be."""
        data = bytearray()
        async for part in response.content.iter_any():
            data += part
            if len(data) > MAX_PART:
                raise ValueError("too long")
        return bytes(data)

    async def end(self) -> None:
        """Hang up."""
        reader, self._reader = self._reader, None
        session, self._session = self._session, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait({reader}, timeout=END_SECONDS)
        if session is not None:
            await session.close()

    async def close(self) -> None:
        """Hang up."""
        await self.end()
