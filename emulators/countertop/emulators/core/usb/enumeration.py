"""What a device answers when a host enumerates it: descriptors as bytes, standard requests (USB 2.0, chapter 9)."""

from __future__ import annotations

import struct

from countertop.emulators.core.usb.device import Endpoint, InterfaceDescriptor, Setup, Stall, UsbDescriptors

__all__ = ["Enumeration"]

_DEVICE, _CONFIGURATION, _STRING, _INTERFACE, _ENDPOINT = 1, 2, 3, 4, 5
_GET_STATUS, _CLEAR_FEATURE, _SET_FEATURE, _SET_ADDRESS = 0, 1, 3, 5
_GET_DESCRIPTOR, _GET_CONFIGURATION, _SET_CONFIGURATION, _GET_INTERFACE, _SET_INTERFACE = 6, 8, 9, 10, 11
_ENGLISH = 0x0409
_TO_DEVICE, _TO_INTERFACE, _TO_ENDPOINT = 0, 1, 2


class Enumeration:
    """Descriptors and standard requests of one device. Halts of endpoints are kept in `halted`."""

    def __init__(self, device: UsbDescriptors) -> None:
        self._device = device
        self.configured = 0
        self.halted: set[int] = set()
        self.addresses = {endpoint.address for interface in device.interfaces for endpoint in interface.endpoints}
        self._strings = [""]
        self._descriptor = self._device_descriptor()
        self._configuration = self._configuration_descriptor()

    def answers(self, setup: Setup) -> bool:
        """It is a request that is answered here, and not by the device's own logic."""
        if setup.request_type & 0x60:
            return False
        return (setup.request_type & 0x1F) != _TO_INTERFACE or setup.request in (_GET_STATUS, _GET_INTERFACE, 11)

    def answer(self, setup: Setup) -> bytes:
        """The data for the host. Raises Stall for what USB 2.0 does not know or the device does not have."""
        target = setup.request_type & 0x1F
        match setup.request:
            case 6:  # GET_DESCRIPTOR
                return self._get_descriptor(setup.value >> 8, setup.value & 0xFF)
            case 8:  # GET_CONFIGURATION
                return bytes([self.configured])
            case 9 if setup.value in (0, 1):  # SET_CONFIGURATION
                self.configured = setup.value
                self.halted.clear()
                return b""
            case 10 if setup.index < len(self._device.interfaces):  # GET_INTERFACE
                return b"\0"
            case 11 if setup.index < len(self._device.interfaces) and setup.value == 0:  # SET_INTERFACE
                return b""
            case 0:  # GET_STATUS
                return self._status(target, setup.index)
            case 1 | 3 if target == _TO_ENDPOINT and setup.value == 0 and setup.index in self.addresses:
                (self.halted.discard if setup.request == _CLEAR_FEATURE else self.halted.add)(setup.index)
                return b""
            case 5:  # SET_ADDRESS: the host's side has done it
                return b""
        raise Stall

    def _status(self, target: int, index: int) -> bytes:
        if target == _TO_ENDPOINT:
            if index & 0x7F and index not in self.addresses:
                raise Stall
            return bytes([index in self.halted, 0])
        return b"\x01\0" if target == _TO_DEVICE else b"\0\0"

    def _get_descriptor(self, kind: int, index: int) -> bytes:
        if kind == _DEVICE:
            return self._descriptor
        if kind == _CONFIGURATION and index == 0:
            return self._configuration
        if kind == _STRING and index == 0:
            return struct.pack("<BBH", 4, _STRING, _ENGLISH)
        if kind == _STRING and index < len(self._strings):
            text = self._strings[index].encode("utf-16-le")[:252]
            return bytes([2 + len(text), _STRING]) + text
        raise Stall

    def _string(self, text: str) -> int:
        """The index of a string; 0 where there is none."""
        if not text:
            return 0
        if text not in self._strings:
            self._strings.append(text)
        return self._strings.index(text)

    def _device_descriptor(self) -> bytes:
        device = self._device
        return struct.pack(
            "<BBHBBBBHHHBBBB",
            18,
            _DEVICE,
            0x0200,
            device.device_class,
            device.subclass,
            device.protocol,
            device.max_packet_0,
            device.vendor_id,
            device.product_id,
            device.release,
            self._string(device.manufacturer),
            self._string(device.product),
            self._string(device.serial),
            1,
        )

    def _configuration_descriptor(self) -> bytes:
        body = b"".join(self._interface(interface) for interface in self._device.interfaces)
        count = len(self._device.interfaces)
        return struct.pack("<BBHBBBBB", 9, _CONFIGURATION, 9 + len(body), count, 1, 0, 0xC0, 50) + body

    def _interface(self, interface: InterfaceDescriptor) -> bytes:
        head = bytes(
            [
                9,
                _INTERFACE,
                interface.number,
                0,
                len(interface.endpoints),
                interface.interface_class,
                interface.subclass,
                interface.protocol,
                self._string(interface.name),
            ]
        )
        return head + interface.extra + b"".join(_endpoint(endpoint) for endpoint in interface.endpoints)


def _endpoint(endpoint: Endpoint) -> bytes:
    return struct.pack(
        "<BBBBHB", 7, _ENDPOINT, endpoint.address, endpoint.attributes, endpoint.max_packet, endpoint.interval
    )
