"""The web console's files, out of the package: read once, never from anywhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from countertop.server.doors.browser.answers import Scope, Send
from countertop.server.doors.browser.rules import Header

__all__ = ["Files"]

_KINDS = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".webmanifest": b"application/manifest+json",
}
"""What is served; other files of the package are not."""

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    b"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'"
)
HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", _POLICY),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-cache"),
)


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    kind: bytes
    tag: bytes


class Files:
    """Serves the files of a package by their paths; `/` is `index.html`."""

    def __init__(self, package: str) -> None:
        self._files = dict(_read(resources.files(package), ""))
        if "/index.html" in self._files:
            self._files["/"] = self._files["/index.html"]

    def __contains__(self, path: str) -> bool:
        return path in self._files

    async def serve(self, scope: Scope, send: Send) -> None:
        """Send the file of the request's path, or say that the page has it already."""
        file = self._files[scope["path"]]
        known = any(key == b"if-none-match" and file.tag in value for key, value in scope["headers"])
        head = [(b"etag", file.tag), *HEADERS]
        if known:
            await send({"type": "http.response.start", "status": 304, "headers": head})
            await send({"type": "http.response.body", "body": b""})
            return
        head += [(b"content-type", file.kind), (b"content-length", str(len(file.body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else file.body})


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, _File]]:
    for item in folder.iterdir():
        path = f"{prefix}/{item.name}"
        if item.is_dir():
            yield from _read(item, path)
        elif kind := _KINDS.get(f".{item.name.rpartition('.')[2]}"):
            body = item.read_bytes()
            yield path, _File(body, kind, b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode())
