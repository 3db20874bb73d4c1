"""What all emulated HID devices have in common (USB HID 1.11)."""

from __future__ import annotations

import struct
from abc import abstractmethod

from countertop.emulators.core.usb.device import (
    Endpoint,
    InterfaceDescriptor,
    Setup,
    Stall,
    UsbDescriptors,
    UsbHost,
    UsbPeer,
)

__all__ = ["FEATURE", "INPUT", "OUTPUT", "HidPeer", "hid_interface"]

INPUT, OUTPUT, FEATURE = 1, 2, 3
"""Report types (7.2.1)."""
_HID, _REPORT = 0x21, 0x22
_GET_REPORT, _GET_IDLE, _GET_PROTOCOL, _SET_REPORT, _SET_IDLE, _SET_PROTOCOL = 1, 2, 3, 9, 10, 11
_GET_DESCRIPTOR = 6


def _hid_descriptor(report_descriptor: bytes) -> bytes:
    return struct.pack("<BBHBBBH", 9, _HID, 0x0111, 0, 1, _REPORT, len(report_descriptor))


def hid_interface(
    report_descriptor: bytes, in_endpoint: int = 0x81, max_packet: int = 64, interval: int = 1
) -> InterfaceDescriptor:
    """Interface 0 of class HID with an interrupt IN endpoint that is asked every `interval` ms at full speed."""
    return InterfaceDescriptor(
        number=0,
        interface_class=3,
        endpoints=(Endpoint(in_endpoint, 3, max_packet, interval),),
        extra=_hid_descriptor(report_descriptor),
    )


class HidPeer(UsbPeer):
    """Base of HID devices: answers the class's requests, and sends input reports while a host is there."""

    def __init__(self, descriptors: UsbDescriptors, report_descriptor: bytes) -> None:
        self.descriptors = descriptors
        self._report_descriptor = report_descriptor
        self._in_endpoint = descriptors.interfaces[0].endpoints[0].address
        self._host: UsbHost | None = None
        self._idle = 0
        self._protocol = 1

    @abstractmethod
    def get_report(self, kind: int, report_id: int, length: int) -> bytes:
        """A report that the host asks for, its id first where it has one. Raises Stall."""

    @abstractmethod
    def set_report(self, kind: int, report_id: int, data: bytes) -> None:
        """A report from the host, its id first where it has one. Raises Stall."""

    def send_input(self, report: bytes) -> bool:
        """Send an input report; False when nobody listens, or too many wait: it is lost then."""
        return self._host is not None and self._host.send(self._in_endpoint, report)

    @property
    def input_room(self) -> int:
        """Input reports that are taken now without one being lost; where nobody listens every one is."""
        return 1 if self._host is None else self._host.room(self._in_endpoint)

    def attached(self, host: UsbHost) -> None:
        """A host is there."""
        self._host = host

    def detached(self) -> None:
        """It is gone."""
        self._host = None

    def control(self, setup: Setup, data: bytes) -> bytes:
        """Class requests, and the class's descriptors."""
        if setup.request_type == 0x81 and setup.request == _GET_DESCRIPTOR:
            return self._descriptor(setup.value >> 8)
        if setup.request_type & 0x7F != 0x21:
            raise Stall
        kind, report_id = setup.value >> 8, setup.value & 0xFF
        match setup.request:
            case 1:  # GET_REPORT
                return self.get_report(kind, report_id, setup.length)
            case 9:  # SET_REPORT
                self.set_report(kind, report_id, data)
            case 2:  # GET_IDLE
                return bytes([self._idle])
            case 3:  # GET_PROTOCOL
                return bytes([self._protocol])
            case 10:  # SET_IDLE
                self._idle = setup.value >> 8
            case 11 if setup.value in (0, 1):  # SET_PROTOCOL
                self._protocol = setup.value
            case _:
                raise Stall
        return b""

    def _descriptor(self, kind: int) -> bytes:
        if kind == _HID:
            return _hid_descriptor(self._report_descriptor)
        if kind == _REPORT:
            return self._report_descriptor
        raise Stall

    def received(self, endpoint: int, data: bytes) -> None:
        """It has no OUT endpoint."""

    def in_space(self, endpoint: int) -> None:
        """A report went out."""
