"""From a link's URL to an open link."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from countertop.sdk.errors import LinkFault
from countertop.sdk.links._base import Link, LinkUrl
from countertop.sdk.links._query import IDENTITY, SETTINGS
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from countertop.sdk.trace.masking import Masker

__all__ = ["as_recorded", "open_link", "parse_link"]

_EXAMPLES = {
    "serial": "serial:///dev/ttyUSB0?baud=115200",
    "rfc2217": "rfc2217://host:port?baud=9600",
    "tcp": "tcp://host:port",
    "usb": "usb://056A:00A4/SERIAL",
    "hid": "hid://056A:00A4/SERIAL",
    "usbip": "usbip://host:3240/1-1",
    "replay": "replay:///path/file.trace",
}
AnyLink = TypeVar("AnyLink", bound=Link)
_REPLAY = "replay://"
_HEADER_BYTES = 4096
_TEXT = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]*")


def parse_link(text: str) -> LinkUrl:
    """Read a link's URL.

    The links of the SDK are checked wholly; of other schemes, which drivers may bring links for, only the form is.
    Raises ValueError that names what was expected.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError(f"expected a link such as {', '.join(_EXAMPLES.values())}; got {text!r}")
    scheme, _, rest = text.partition("://")
    if scheme in ("usb", "hid"):
        return _usb(text, scheme, rest)
    parts = urlsplit(text)
    try:
        port = parts.port or 0
    except ValueError:
        raise ValueError(f"expected a port, 1 to 65535, in {text!r}") from None
    if parts.username is not None or parts.fragment:
        raise ValueError(f"expected no user, password or fragment in {text!r}; write '#' in a path as %23")
    url = LinkUrl(text, parts.scheme, parts.hostname or "", port, unquote(parts.path), _query(text, parts.query))
    if url.scheme in SETTINGS:
        _check(url)
    return url


def as_recorded(url: LinkUrl) -> LinkUrl:
    """The URL of a recording with the scheme of the link that was recorded, so that the driver goes the same way; any
    other as it is. Its `text` stays. A file that cannot be read is complained of when the link is opened.
    """
    if not url.text.startswith(_REPLAY):
        return url
    try:
        with Path(url.path).open("rb") as file:
            begun = file.read(_HEADER_BYTES).decode("utf-8", "replace")
    except OSError:
        return url
    found = re.search(r"^scheme: ([a-z][a-z0-9+.-]*)$", begun, re.MULTILINE)
    return url if found is None else replace(url, scheme=found[1])


async def open_link(
    url: LinkUrl,
    *,
    allowed: tuple[type[AnyLink], ...],
    defaults: dict[str, str] | None = None,
    masker: Callable[[], Masker | None] = lambda: None,
) -> AnyLink:
    """Open the link with the class among `allowed` whose `schemes` has the URL's scheme; or play a recording back
    (`replay://`), which stands for any of them. `masker` makes that by which the recording was masked.

    `defaults` stand for settings that the URL lacks; those that the class does not know (a TCP link has no baud) are
    left out. Raises LinkFault(DEVICE_OFFLINE), also when the driver does not run over such a link.
    """
    if url.text.startswith(_REPLAY):
        from countertop.sdk.links._replay import open_replay

        return await open_replay(url, allowed, masker)
    for link in allowed:
        if url.scheme in link.schemes:
            known = getattr(link, "query", {})
            used = {name: value for name, value in (defaults or {}).items() if name in known}
            return await link.open(replace(url, query={**used, **url.query}))
    schemes = ", ".join(f"{scheme}://" for link in allowed for scheme in link.schemes)
    raise LinkFault(
        error_pb2.REASON_DEVICE_OFFLINE,
        f"The driver does not run over {url.scheme}://; it needs one of {schemes}.",
        step="open",
        expected=schemes,
        got=f"{url.scheme}://",
        action="Give the device another link in the configuration.",
    )


def _query(text: str, encoded: str) -> dict[str, str]:
    """The settings, each given once."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        if name in query:
            raise ValueError(f"expected {name} only once in {text!r}")
        query[name] = value
    return query


def _usb(text: str, scheme: str, rest: str) -> LinkUrl:
    """A URL whose authority is the ids of a USB device, which no URL parser takes for one. A `?` in a serial number is
    written %3F.
    """
    place, _, settings = rest.partition("?")
    identity = unquote(place)
    if not IDENTITY.fullmatch(identity):
        raise ValueError(
            f"expected four hexadecimal digits each of VID and PID, as in {_EXAMPLES[scheme]}; got {text!r}"
        )
    url = LinkUrl(text, scheme, path=identity, query=_query(text, settings))
    _check_settings(url)
    return url


def _check(url: LinkUrl) -> None:
    """Check a URL of the SDK's own links."""
    example = _EXAMPLES[url.scheme]
    if url.scheme == "serial":
        by_path = bool(re.fullmatch(r"(/[^/\0]+)+", url.path))
        if url.host or url.port or by_path == ("usb" in url.query) or (url.path and not by_path):
            raise ValueError(f"expected the path of a port, as in {example}; got {url.text!r}")
    elif url.scheme == "replay":
        if url.host or url.port or not re.fullmatch(r"(/[^/\0]+)+", url.path):
            raise ValueError(f"expected the whole path of a recording, as in {example}; got {url.text!r}")
    elif url.scheme == "usbip":
        if not url.host or not url.port or not re.fullmatch(r"/[0-9]+-[0-9]+(\.[0-9]+)*", url.path):
            raise ValueError(f"expected a host, a port and a bus id, as in {example}; got {url.text!r}")
    elif not url.host or not url.port or url.path not in ("", "/"):
        raise ValueError(f"expected a host, a port and no path, as in {example}; got {url.text!r}")
    _check_settings(url)


def _check_settings(url: LinkUrl) -> None:
    """Check the settings of one of the SDK's own links."""
    readers = SETTINGS[url.scheme]
    for name, value in url.query.items():
        if name not in readers:
            allowed = f"only the settings {', '.join(readers)}" if readers else "no settings"
            raise ValueError(f"expected {allowed} in {url.text!r}; got {name!r}")
        try:
            readers[name](value)
        except ValueError as error:
            raise ValueError(f"{name}: {error} in {url.text!r}") from None
