"""The camera on HTTP: a stream of JPEGs as network cameras and sign-screen services send it, stills, and a page."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aiohttp import web

from countertop.emulators.camera.feed import Feed
from countertop.emulators.camera.source import FrameSource, spoil
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.ports import Address, address_of, bound

__all__ = ["BOUNDARIES", "HttpDoor", "HttpSettings"]

BOUNDARIES = {
    "standard": ("frame", "--frame"),
    "dashes": ("--frame", "--frame"),
    "quoted": ('"frame"', "--frame"),
}
"""How the boundary stands in the header, and the line that it makes in the body: after RFC 2046; with the dashes in
the header already, as many cameras have it; in quotes.
"""
_SEND_BUFFER = 65536
"""Of the kernel, for a stream: what a slow reader is behind at most, beside its own buffer."""
_GARBAGE = 2048
_PAGE = (
    "<!doctype html><html><head><title>Emulated camera</title></head>"
    '<body style="margin:0;background:#222"><img src="/stream" alt="stream" style="max-width:100%"></body></html>'
)


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where it listens, and how it speaks."""

    host: str = "127.0.0.1"
    port: int = 0
    size: tuple[int, int] = (1280, 720)
    still_size: tuple[int, int] = (1920, 1080)
    boundary: str = "standard"
    content_length: bool = True


class HttpDoor:
    """Serves frames over HTTP. All methods belong to the event loop in which `open` was called."""

    def __init__(
        self,
        source: FrameSource,
        feed: Feed,
        board: FaultBoard,
        settings: HttpSettings,
        random: Random,
        on_served: Callable[[bytes, int, int], None],
    ) -> None:
        self._source = source
        self._feed = feed
        self._board = board
        self._settings = settings
        self._random = random
        self._on_served = on_served
        self._port = settings.port
        self._web: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._address: Address | None = None
        self._held: socket.socket | None = None
        """Its port, while nobody listens on it."""

    @property
    def link_url(self) -> str:
        """`http://host:port/stream`; loopback when all interfaces are served. Raises RuntimeError before `open`."""
        if self._web is None:
            raise RuntimeError("the camera was not opened")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._settings.host, self._settings.host)
        return f"http://[{host}]:{self._port}/stream" if ":" in host else f"http://{host}:{self._port}/stream"

    async def open(self) -> None:
        """Listen. Raises OSError when the address is taken or not ours."""
        self._address = await address_of(self._settings.host, self._port)
        self._held = bound(self._address)
        self._port = self._held.getsockname()[1]
        self._web = web.Server(self._answer, handler_cancellation=True, access_log=None)
        await self.replug()

    async def close(self) -> None:
        """End all connections and free the port. Safe to call twice."""
        await self.unplug()
        held, self._held = self._held, None
        if held is not None:
            held.close()
        if self._web is not None:
            await self._web.shutdown(timeout=5)

    async def unplug(self) -> None:
        """Connections are reset, new ones refused; the port stays ours. Safe to call twice."""
        listener, self._listener = self._listener, None
        if listener is not None and self._address is not None:
            listener.close()
            self._held = bound(self._address, self._port)
        self.drop_all()

    async def replug(self) -> None:
        """Listen on the same port again."""
        if self._listener is not None or self._web is None or self._held is None:
            return
        held, self._held = self._held, None
        self._listener = await asyncio.get_running_loop().create_server(self._web, sock=held)

    def drop_all(self) -> None:
        """Reset every connection."""
        for connection in self._web.connections if self._web is not None else ():
            _reset(connection.transport)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self._board.count_bytes(
            len(request.raw_path) + sum(len(key) + len(value) for key, value in request.raw_headers)
        )
        answer = {"/": self._page, "/stream": self._stream, "/snapshot.jpg": self._snapshot}.get(request.path)
        if answer is None:
            return web.Response(status=404, text="Not found: this camera has /, /stream and /snapshot.jpg.\n")
        if request.method != "GET":
            return web.Response(status=405, headers={"Allow": "GET"}, text="This camera answers GET.\n")
        if self._board.take("error"):
            return web.Response(status=503, text="The camera is not available.\n")
        try:
            return await answer(request)
        except ConnectionResetError:  # the client went away, as clients do
            return web.Response(status=499)

    async def _page(self, request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=_PAGE, content_type="text/html")

    async def _snapshot(self, request: web.BaseRequest) -> web.StreamResponse:
        width, height = self._settings.still_size
        index = await self._feed.newer_than(0)
        jpeg = await asyncio.to_thread(self._source.frame, index, width, height)
        body = spoil(jpeg, self._board)
        response = _Endless() if self._board.take("disconnect") else None
        if response is None:
            self._on_served(body, width, height)
            return web.Response(body=body, content_type="image/jpeg", headers={"Cache-Control": "no-store"})
        response.content_type, response.headers["Content-Length"] = "image/jpeg", str(len(body))
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        _reset(request.transport)
        return response

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        width, height = self._settings.size
        in_header, delimiter = BOUNDARIES[self._settings.boundary]
        response = _Endless()
        response.headers["Content-Type"] = f"multipart/x-mixed-replace; boundary={in_header}"
        response.headers["Cache-Control"] = "no-store"
        response.headers["Server"] = "Emulated Camera"
        response.force_close()
        _send_at_once(request.transport)
        writer = await response.prepare(request)
        assert writer is not None
        index = 0
        while True:
            index = await self._feed.newer_than(index)
            jpeg = await asyncio.to_thread(self._source.frame, index, width, height)
            body = spoil(jpeg, self._board)
            part = self._part(delimiter, index, body)
            if self._board.take("disconnect"):
                await response.write(part[: len(part) // 2])
                _reset(request.transport)
                return response
            await response.write(part)
            await writer.drain()  # the next frame is chosen when the kernel has taken this one
            self._on_served(body, width, height)

    def _part(self, delimiter: str, index: int, body: bytes) -> bytes:
        head = [delimiter, "Content-Type: image/jpeg", f"X-Timestamp: {self._feed.seconds(index):.6f}"]
        if self._settings.content_length:
            head.append(f"Content-Length: {len(body)}")
        part = "\r\n".join((*head, "", "")).encode() + body + b"\r\n"
        if self._board.take("garbage"):
            part = self._random.randbytes(self._random.randint(1, _GARBAGE)) + b"\r\n" + part
        return part


class _Endless(web.StreamResponse):
    """A response that ends with its connection, and is not cut into chunks: as cameras send it."""

    _length_check = False


def _send_at_once(transport: asyncio.Transport | None) -> None:
    """Keep little between the camera and the network, so that a slow reader gets new frames."""
    if transport is None:
        return
    transport.set_write_buffer_limits(high=0)
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)


def _reset(transport: asyncio.BaseTransport | None) -> None:
    if not isinstance(transport, asyncio.Transport):
        return
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
