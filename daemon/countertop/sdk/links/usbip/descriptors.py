"""Descriptors from bytes (USB 2.0, 9.6). Total: what is cut off or nonsense is left out or raises ValueError."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

__all__ = ["Configuration", "EndpointFields", "Interface", "parse_configuration", "parse_device_descriptor"]

_DEVICE = [
    "bLength",
    "bDescriptorType",
    "bcdUSB",
    "bDeviceClass",
    "bDeviceSubClass",
    "bDeviceProtocol",
    "bMaxPacketSize0",
    "idVendor",
    "idProduct",
    "bcdDevice",
    "iManufacturer",
    "iProduct",
    "iSerialNumber",
    "bNumConfigurations",
]
_CONFIGURATION = [
    "bLength",
    "bDescriptorType",
    "wTotalLength",
    "bNumInterfaces",
    "bConfigurationValue",
    "iConfiguration",
    "bmAttributes",
    "bMaxPower",
]
_INTERFACE = [
    "bLength",
    "bDescriptorType",
    "bInterfaceNumber",
    "bAlternateSetting",
    "bNumEndpoints",
    "bInterfaceClass",
    "bInterfaceSubClass",
    "bInterfaceProtocol",
    "iInterface",
]
_ENDPOINT = ["bLength", "bDescriptorType", "bEndpointAddress", "bmAttributes", "wMaxPacketSize", "bInterval"]


@dataclass(slots=True)
class EndpointFields:
    """An endpoint by USB's own names."""

    fields: dict[str, int]

    @property
    def address(self) -> int:
        """Bit 7 set for IN."""
        return self.fields["bEndpointAddress"]

    @property
    def kind(self) -> int:
        """0 control, 1 isochronous, 2 bulk, 3 interrupt."""
        return self.fields["bmAttributes"] & 3


@dataclass(slots=True)
class Interface:
    """An interface setting with its endpoints, and the bytes of class descriptors in between."""

    fields: dict[str, int]
    endpoints: list[EndpointFields] = field(default_factory=list)
    extra: bytes = b""

    @property
    def number(self) -> int:
        """BInterfaceNumber."""
        return self.fields["bInterfaceNumber"]

    @property
    def interface_class(self) -> int:
        """bInterfaceClass: 3 HID, 7 printer, 255 vendor."""
        return self.fields["bInterfaceClass"]


@dataclass(slots=True)
class Configuration:
    """A configuration with all its interface settings."""

    fields: dict[str, int]
    interfaces: list[Interface] = field(default_factory=list)


def parse_device_descriptor(data: bytes) -> dict[str, int]:
    """By USB's own names. Raises ValueError."""
    if len(data) < 18 or data[1] != 1:
        raise ValueError("expected a device descriptor of 18 bytes")
    return dict(zip(_DEVICE, struct.unpack("<BBHBBBBHHHBBBB", data[:18]), strict=True))


def parse_configuration(data: bytes) -> Configuration:
    """A configuration descriptor with all that follows it. Raises ValueError."""
    if len(data) < 9 or data[1] != 2:
        raise ValueError("expected a configuration descriptor of 9 bytes or more")
    found = Configuration(dict(zip(_CONFIGURATION, struct.unpack("<BBHBBBBB", data[:9]), strict=True)))
    at = data[0]
    while at + 2 <= len(data):
        length, kind = data[at], data[at + 1]
        if length < 2 or at + length > len(data):
            raise ValueError(f"expected a descriptor of 2 bytes or more at byte {at}")
        piece = data[at : at + length]
        if kind == 4 and length >= 9:
            found.interfaces.append(Interface(dict(zip(_INTERFACE, piece[:9], strict=True))))
        elif kind == 5 and length >= 7 and found.interfaces:
            fields = dict(zip(_ENDPOINT, struct.unpack("<BBBBHB", piece[:7]), strict=True))
            found.interfaces[-1].endpoints.append(EndpointFields(fields))
        elif found.interfaces:
            found.interfaces[-1].extra += piece
        at += length
    return found
