"""Links: the byte channels between a driver and its device, named by a URL."""

from countertop.sdk.links._base import Link, LinkUrl
from countertop.sdk.links._open import open_link, parse_link
from countertop.sdk.links._serial import SerialLink
from countertop.sdk.links._tcp import TcpLink

__all__ = ["Link", "LinkUrl", "SerialLink", "TcpLink", "open_link", "parse_link"]
