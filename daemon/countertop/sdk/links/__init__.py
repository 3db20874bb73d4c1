"""Links: the channels between a driver and its device, named by a URL. Each is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy
from countertop.sdk.links._base import ByteLink, HidInfo, HidLink, Link, LinkUrl
from countertop.sdk.links._open import as_recorded, open_link, parse_link

if TYPE_CHECKING:
    from countertop.sdk.links._hid_usb import UsbHidLink
    from countertop.sdk.links._hid_usbip import UsbIpHidLink
    from countertop.sdk.links._hidapi import HidapiLink
    from countertop.sdk.links._serial import SerialLink
    from countertop.sdk.links._tcp import TcpLink
    from countertop.sdk.links._usb_bulk import UsbBulkLink
    from countertop.sdk.links._usbip_bulk import UsbIpBulkLink

__all__ = [
    "ByteLink",
    "HidInfo",
    "HidLink",
    "HidapiLink",
    "Link",
    "LinkUrl",
    "SerialLink",
    "TcpLink",
    "UsbBulkLink",
    "UsbHidLink",
    "UsbIpBulkLink",
    "UsbIpHidLink",
    "as_recorded",
    "open_link",
    "parse_link",
]

__getattr__ = lazy(
    __name__,
    {
        "_hid_usb": "UsbHidLink",
        "_hid_usbip": "UsbIpHidLink",
        "_hidapi": "HidapiLink",
        "_serial": "SerialLink",
        "_tcp": "TcpLink",
        "_usb_bulk": "UsbBulkLink",
        "_usbip_bulk": "UsbIpBulkLink",
    },
)
