"""Readers of the settings in a link's URL: text in, value out, ValueError that tells what was expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

__all__ = ["IDENTITY", "SETTINGS", "check_chip_url", "choice", "decimal", "flag", "identity", "integer"]

T = TypeVar("T")
IDENTITY = re.compile(r"[0-9A-Fa-f]{4}:[0-9A-Fa-f]{4}(/[^/\0]+)?")
"""Of a USB device: its ids, and its serial number where there are several."""


def integer(least: int, most: int) -> Callable[[str], int]:
    """A whole number between two bounds, both included."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"expected a whole number, {least} to {most}")
        return int(text)

    return read


def decimal(least: float, most: float) -> Callable[[str], float]:
    """A number between two bounds, both included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ValueError(f"expected a number, {least:g} to {most:g}")
        return value

    return read


def choice(values: dict[str, T]) -> Callable[[str], T]:
    """One of a few words."""

    def read(text: str) -> T:
        if text not in values:
            raise ValueError(f"expected one of {', '.join(values)}")
        return values[text]

    return read


def flag(text: str) -> bool:
    """0 or 1."""
    return choice({"0": False, "1": True})(text)


def identity(text: str) -> str:
    """VID:PID or VID:PID/SERIAL."""
    if not IDENTITY.fullmatch(text):
        raise ValueError("expected VID:PID or VID:PID/SERIAL, with four hexadecimal digits each")
    return text


def absolute_path(text: str) -> str:
    """The path of a file."""
    if not re.fullmatch(r"/[^\0]+", text):
        raise ValueError("expected the whole path of a file")
    return text


def check_chip_url(text: str) -> str:
    """The way to the chip of a card inside a printer: `vpcd://HOST:PORT`, `pcsc://READER%20NAME`."""
    wrong = ValueError(
        "expected vpcd://HOST:PORT or pcsc://READER, the reader's name or its beginning, percent-encoded"
    )
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("vpcd", "pcsc"):
        raise wrong
    if scheme == "pcsc":
        name = unquote(rest)
        if not name.strip() or not name.isprintable():
            raise wrong
        return text
    if not re.fullmatch(r"[!-~]+", rest) or re.search(r"[/?#@\\]", rest):
        raise wrong
    try:
        parts = urlsplit(text)
        known = bool(parts.hostname and parts.port)
    except ValueError:
        known = False
    if not known:
        raise wrong
    return text


_SERIAL: dict[str, Callable[[str], Any]] = {
    "baud": integer(50, 4_000_000),
    "parity": choice({name: name for name in ("N", "E", "O", "M", "S")}),
    "bytesize": integer(5, 8),
    "stopbits": choice({"1": 1.0, "1.5": 1.5, "2": 2.0}),
    "xonxoff": flag,
    "rtscts": flag,
    "dsrdtr": flag,
}
_CHIP: dict[str, Callable[[str], Any]] = {"chip": check_chip_url, "chip_contactless": check_chip_url}
SETTINGS: dict[str, dict[str, Callable[[str], Any]]] = {
    "serial": {**_SERIAL, "usb": identity},
    "rfc2217": _SERIAL,
    "tcp": {"connect_timeout": decimal(0.1, 60), **_CHIP},
    "usb": _CHIP,
    "hid": {},
    "usbip": {"connect_timeout": decimal(0.1, 60), **_CHIP},
    "replay": {
        "mode": choice({name: name for name in ("strict", "tolerant")}),
        "pace": choice({name: name for name in ("none", "recorded")}),
        "opening": integer(1, 1_000_000),
        "key": absolute_path,
        **_CHIP,
    },
}
"""The settings of the SDK's own links, by scheme. Here, so that a URL is checked without importing its link."""
