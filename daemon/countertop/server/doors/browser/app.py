"""The browser door's ASGI application: rules first, then who calls, then calls, pictures and files."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from countertop.sdk.errors import CountertopError
from countertop.sdk.marks import safe
from countertop.server.access.tokens import TokenStore, TokensUnusable
from countertop.server.caller import CALLER, CALLER_KEY, Caller
from countertop.server.doors.browser.answers import SAFE, Receive, Scope, Send, answer, refuse
from countertop.server.doors.browser.cameras import PREFIX as CAMERAS
from countertop.server.doors.browser.cameras import Cameras
from countertop.server.doors.browser.rules import Header, Judgement, Rules, Use
from countertop.server.faults import status_of
from countertop.server.gate import UNREADABLE, Gate
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from countertop.server.doors.browser.connect import ConnectApp
    from countertop.server.doors.browser.files import Files

__all__ = ["MOST_HEAD", "BrowserApp"]

log = logging.getLogger("countertop.doors")

CALLS = "/countertop."
MOST_HEAD = 32 * 1024
"""Bytes of a request's headers: as much as is read of a head that comes in pieces."""


class BrowserApp:
    """Serves the calls of a gate to pages, `files` to its own page where there are any."""

    def __init__(
        self, gate: Gate, connect: ConnectApp, rules: Rules, tokens: TokenStore, files: Files | None = None
    ) -> None:
        self._gate = gate
        self._connect = connect
        self._rules = rules
        self._tokens = tokens
        self._files = files
        self._cameras = Cameras(gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. What fails here is a bug, of which the log has the place and no text."""
        try:
            await self._serve(scope, receive, send)
        except Exception as error:
            log.error("a request to the browser door failed: %s", safe(error))
            raise

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        use = self._use(scope["path"])
        judged = _malformed(scope) or self._rules.judge(scope["method"], scope["headers"], use)
        if judged.status:
            await self._turn_away(scope, send, judged)
        elif use == "file":
            await self._file(scope, send)
        else:
            caller = self._caller(scope, judged, use)
            if isinstance(caller, CountertopError):
                self._gate.audit_refusal(_stranger(scope, judged), caller.message, method=self._method(scope))
                await refuse(send, status_of(caller), judged.headers)
            elif use == "picture":
                await self._cameras.serve(scope, receive, send, caller, judged.headers)
            else:
                CALLER.set(caller)
                answers = _With(send, judged.headers)
                hearing = _Hearing(receive, answers)
                if not await self._connect.carry_out(scope, hearing, answers) and not hearing.left:
                    self._gate.audit_refusal(caller, UNREADABLE, method=self._method(scope))

    def _use(self, path: str) -> Use:
        if path.startswith(CAMERAS):
            return "picture"
        return "rpc" if path.startswith(CALLS) else "file"

    def _method(self, scope: Scope) -> str:
        """For the audit, which is no place for whatever somebody writes into a path."""
        call = self._gate.calls.get(scope["path"])
        return call.name if call is not None else ""

    async def _turn_away(self, scope: Scope, send: Send, judged: Judgement) -> None:
        if judged.status >= 400:
            self._gate.audit_refusal(_stranger(scope, judged), judged.why, method=self._method(scope))
        if judged.status == 403:
            denied = CountertopError(error_pb2.REASON_PERMISSION_DENIED, judged.why)
            await refuse(send, status_of(denied), judged.headers)
            return
        await answer(send, judged.status, judged.why.encode() + b"\n" if judged.why else b"", judged.headers)

    async def _file(self, scope: Scope, send: Send) -> None:
        if self._files is None or scope["path"] not in self._files:
            await answer(send, 404, b"nothing is here\n")
        else:
            await self._files.serve(scope, send)

    def _caller(self, scope: Scope, judged: Judgement, use: Use) -> Caller | CountertopError:
        """Who calls, or why that is not known."""
        headers = dict(scope["headers"])
        word, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if not secret or word.lower() != "bearer":
            bearer = self._cameras.bearer(scope) if use == "picture" else None
            return bearer or _unknown("This call needs a token: send `Authorization: Bearer TOKEN`.")
        try:
            token = self._tokens.check(secret.strip(), judged.origin)
        except TokensUnusable as error:
            return _unknown(str(error))
        if token is None:
            return _unknown("This token is unknown, has expired, or is for another origin.")
        name = headers.get(CALLER_KEY.encode(), b"").decode("latin-1")[:64]
        identity = f"{judged.origin} token {token.name}".strip()
        stands = partial(self._tokens.stands, secret.strip(), judged.origin)
        return Caller("browser", identity, _address(scope), frozenset(token.roles), name, stands)


class _With:
    """Sends answers with more headers, and whole ones with their length: chunks would cost both sides more."""

    def __init__(self, send: Send, headers: Sequence[Header]) -> None:
        self._send = send
        self._headers = headers
        self._start: MutableMapping[str, Any] | None = None
        self.begun = False
        """There is an answer."""

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        self.begun = True
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *SAFE, *self._headers]
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if not message.get("more_body", False):
                start["headers"].append((b"content-length", str(len(message.get("body", b""))).encode()))
            await self._send(start)
        await self._send(message)


class _Hearing:
    """What a client sends; `left`: it hung up before there was an answer."""

    def __init__(self, receive: Receive, answers: _With) -> None:
        self._receive = receive
        self._answers = answers
        self.left = False

    async def __call__(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._answers.begun:
            self.left = True
        return message


def _unknown(sentence: str) -> CountertopError:
    return CountertopError(error_pb2.REASON_UNAUTHENTICATED, sentence)


def _stranger(scope: Scope, judged: Judgement) -> Caller:
    origin = judged.origin or dict(scope["headers"]).get(b"origin", b"").decode("latin-1")[:200]
    return Caller("browser", "", f"{_address(scope)} {origin}".strip())


def _address(scope: Scope) -> str:
    """Without the port: the connections of a page are one client, where clients take turns and calls are counted."""
    host, _ = scope.get("client") or ("", 0)
    return str(host)


def _malformed(scope: Scope) -> Judgement | None:
    """What no client of good will sends, and the parts behind must not see."""
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if not value.isascii():
            return Judgement(400, "expected headers in ASCII")
        if name == b"content-type" and value.startswith(b"application/grpc") and value[16:20] != b"-web":
            return Judgement(415, "expected Connect or gRPC-Web; native gRPC has a door of its own")
    return Judgement(431, f"expected headers of at most {MOST_HEAD} bytes") if size > MOST_HEAD else None
