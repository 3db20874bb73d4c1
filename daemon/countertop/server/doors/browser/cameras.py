"""A camera's pictures over plain HTTP: the newest as a JPEG, or all as they come (multipart, as `<img>` shows them).

The bytes are the camera's own. A frame is asked for when the one before has left: a slow page sees fewer frames,
never old ones.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast
from urllib.parse import parse_qs

from google.rpc import status_pb2

from countertop.server.caller import Caller
from countertop.server.doors.browser.answers import SAFE, Receive, Scope, Send, answer, refuse
from countertop.server.doors.browser.rules import Header
from countertop.server.doors.browser.tickets import SECONDS, Tickets
from countertop.server.gate import Gate, Refused
from countertop.v1.camera_pb2 import (
    Frame,
    GetFrameRequest,
    GetFrameResponse,
    WatchFramesRequest,
    WatchFramesResponse,
)

__all__ = ["Cameras", "Pace"]

PREFIX = "/cameras/"
BOUNDARY = b"countertop-frame"
MOST_FPS = 120.0
_NOTHING = {"type": "http.response.body", "body": b"", "more_body": True}
_SERVICE = "/countertop.v1.CameraService/"
_CLAIM = "countertop-claim"
"""A header with the token of a claim on the camera, with pictures and with the request for a ticket."""


class Cameras:
    """`GET /cameras/ID/snapshot.jpg`, `GET /cameras/ID/stream`, `POST /cameras/ID/ticket`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._tickets = Tickets()

    def bearer(self, scope: Scope) -> Caller | None:
        """Who shows a ticket with this request; None without one."""
        device_id, verb = self._named(scope["path"])
        secret = _query(scope).get("ticket", "")
        ticket = self._tickets.redeem(secret, device_id) if secret and verb != "ticket" else None
        if ticket is None:
            return None
        scope[_CLAIM] = ticket.claim_token
        return ticket.caller

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, caller: Caller, headers: Sequence[Header]
    ) -> None:
        """Answer one request."""
        device_id, verb = self._named(scope["path"])
        expected = "POST" if verb == "ticket" else "GET"
        if verb not in ("stream", "snapshot.jpg", "ticket") or not device_id:
            await answer(send, 404, b"expected /cameras/ID/stream, snapshot.jpg or ticket\n", headers)
        elif scope["method"] != expected:
            await answer(send, 405, b"", [*headers, (b"allow", expected.encode())])
        elif verb == "ticket":
            given = {"ticket": self._tickets.issue(caller, device_id, _claim(scope)), "seconds": SECONDS}
            await answer(send, 200, json.dumps(given).encode(), headers, b"application/json")
        elif verb == "stream":
            await self._until_gone(receive, self._stream(scope, send, device_id, caller, headers))
        else:
            await self._snapshot(scope, send, device_id, caller, headers)

    @staticmethod
    def _named(path: str) -> tuple[str, str]:
        device_id, _, verb = path.removeprefix(PREFIX).partition("/")
        return device_id, verb

    async def _snapshot(
        self, scope: Scope, send: Send, device_id: str, caller: Caller, headers: Sequence[Header]
    ) -> None:
        call = self._gate.calls[_SERVICE + "GetFrame"]
        request = GetFrameRequest(device_id=device_id, claim_token=_claim(scope))
        try:
            found = await self._gate.unary(call, request, caller)
        except Refused as refused:
            await refuse(send, refused.status, headers)
            return
        frame = cast("GetFrameResponse", found).frame
        await answer(send, 200, frame.data, [*headers, *_facts(frame)], frame.media_type.encode())

    async def _stream(
        self, scope: Scope, send: Send, device_id: str, caller: Caller, headers: Sequence[Header]
    ) -> None:
        wish: asyncio.Queue[None] = asyncio.Queue(1)
        clock = asyncio.get_running_loop().time

        async def wishes() -> AsyncIterator[WatchFramesRequest]:
            yield WatchFramesRequest(device_id=device_id, credits=1, claim_token=_claim(scope))
            while True:
                await wish.get()
                yield WatchFramesRequest(credits=1)

        begun = False
        pace = Pace(_fps(_query(scope).get("fps", "")))
        call = self._gate.calls[_SERVICE + "WatchFrames"]
        try:
            async with aclosing(self._gate.stream(call, wishes(), caller)) as answers:
                async for found in answers:
                    if not begun:
                        begun = True
                        await _begin(send, headers)
                    frame = cast("WatchFramesResponse", found).frame
                    if frame.data:
                        due = pace.next(clock())
                        await send({"type": "http.response.body", "body": _part(frame), "more_body": True})
                        await send(_NOTHING)  # returns when the frame has left: the next one is not to wait here
                        await asyncio.sleep(max(0.0, due - clock()))
                        wish.put_nowait(None)
        except Refused as refused:
            await self._end(send, refused.status, headers, begun=begun)

    @staticmethod
    async def _end(send: Send, status: status_pb2.Status, headers: Sequence[Header], *, begun: bool) -> None:
        if begun:
            await send({"type": "http.response.body", "body": b"--%s--\r\n" % BOUNDARY})
        else:
            await refuse(send, status, headers)

    @staticmethod
    async def _until_gone(receive: Receive, work: Any) -> None:
        """Do the work until it ends, or the page has gone."""

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.wait({working, leaving})
        if not working.cancelled():
            working.result()


class Pace:
    """When frames are to be asked for, so many a second from the first one on. What one is late the next ones catch up,
    up to half of the time between two: else every delay, however short, would cost rate.
    """

    def __init__(self, fps: float) -> None:
        self._between = 1 / fps
        self._due: float | None = None

    def next(self, now: float) -> float:
        """A frame has come: when to ask for the next one."""
        due = now if self._due is None else max(self._due, now - self._between * 1.5)
        self._due = due + self._between
        return self._due


async def _begin(send: Send, headers: Sequence[Header]) -> None:
    kind = b"multipart/x-mixed-replace; boundary=" + BOUNDARY
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind), *SAFE, *headers]})


def _part(frame: Frame) -> bytes:
    head = b"".join(b"%s: %s\r\n" % fact for fact in _facts(frame))
    kind, length = frame.media_type.encode(), len(frame.data)
    return b"--%s\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n%s\r\n" % (
        BOUNDARY,
        kind,
        length,
        head,
        frame.data,
    )


def _facts(frame: Frame) -> list[Header]:
    time = frame.time.seconds + frame.time.nanos / 1e9
    return [(b"x-sequence", str(frame.sequence).encode()), (b"x-timestamp", f"{time:.6f}".encode())]


def _query(scope: Scope) -> dict[str, str]:
    try:
        query = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=8)
    except ValueError:  # more fields than a page of ours sends, or no ASCII
        return {}
    return {key: values[-1] for key, values in query.items()}


def _claim(scope: Scope) -> str:
    """The claim's token: of a ticket, or as the page sends it."""
    if _CLAIM in scope:
        return str(scope[_CLAIM])
    sent: bytes = dict(scope["headers"]).get(_CLAIM.encode(), b"")
    return sent.decode("ascii")


def _fps(text: str) -> float:
    """Frames a second that a page wants, 0.1 to 120; what is no number is left out of account."""
    try:
        wanted = float(text)
    except ValueError:
        return MOST_FPS
    return min(max(wanted, 0.1), MOST_FPS) if math.isfinite(wanted) else MOST_FPS
