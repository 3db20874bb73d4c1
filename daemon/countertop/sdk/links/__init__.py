"""Links: the byte channels between a driver and its device, named by a URL. Each is imported when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from countertop.sdk.links._base import Link, LinkUrl
from countertop.sdk.links._open import open_link, parse_link

if TYPE_CHECKING:
    from countertop.sdk.links._serial import SerialLink
    from countertop.sdk.links._tcp import TcpLink

__all__ = ["Link", "LinkUrl", "SerialLink", "TcpLink", "open_link", "parse_link"]

_HOME = {"SerialLink": "_serial", "TcpLink": "_tcp"}


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
