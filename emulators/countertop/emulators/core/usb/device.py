"""What an emulated USB device is: descriptors, and answers to transfers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Endpoint", "InterfaceDescriptor", "Setup", "Stall", "UsbDescriptors", "UsbHost", "UsbPeer"]


class Stall(Exception):
    """The device refuses a request: its endpoint answers STALL (USB 2.0, 8.5.3.4). Endpoint 0 recovers by itself."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The setup packet of a control transfer (USB 2.0, table 9-2)."""

    request_type: int
    request: int
    value: int
    index: int
    length: int


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint's descriptor (USB 2.0, table 9-13)."""

    address: int
    """Bit 7 set for IN."""
    attributes: int
    """Transfer type: 2 bulk, 3 interrupt."""
    max_packet: int
    interval: int = 0


@dataclass(frozen=True, slots=True)
class InterfaceDescriptor:
    """An interface's descriptor with what belongs to it (USB 2.0, table 9-12)."""

    number: int
    interface_class: int
    subclass: int = 0
    protocol: int = 0
    endpoints: tuple[Endpoint, ...] = ()
    extra: bytes = b""
    """Class descriptors between it and its endpoints, such as the HID descriptor."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class UsbDescriptors:
    """All that is told of a device when it is enumerated. One configuration, no alternate settings."""

    vendor_id: int
    product_id: int
    release: int = 0x0100
    """bcdDevice."""
    manufacturer: str = ""
    product: str = ""
    serial: str = ""
    device_class: int = 0
    subclass: int = 0
    protocol: int = 0
    max_packet_0: int = 64
    speed: int = 2
    """As USB/IP numbers it: 1 low, 2 full, 3 high."""
    interfaces: tuple[InterfaceDescriptor, ...] = field(default=())


class UsbHost(Protocol):
    """What the device may do to its host while it is attached."""

    def send(self, endpoint: int, data: bytes) -> bool:
        """Offer one transfer's data on an IN endpoint (address with bit 7). It goes out with the next request of the
        host; until then it waits among at most `in_queue` others. False when that queue is full: it was not taken.
        """
        ...

    def room(self, endpoint: int) -> int:
        """How many more `send` takes on this endpoint."""
        ...

    def halt(self, endpoint: int) -> None:
        """STALL this endpoint until the host clears the halt."""
        ...

    def set_ready(self, endpoint: int, ready: bool) -> None:
        """Take data on an OUT endpoint, or NAK it: the host's transfers wait."""
        ...


class UsbPeer(Protocol):
    """The device's side of a USB cable. Beyond Stall, no method may raise. Standard requests (descriptors,
    configuration, status, clearing a halt) are answered for it.
    """

    descriptors: UsbDescriptors

    def attached(self, host: UsbHost) -> None:
        """A host has imported the device and reset it."""

    def detached(self) -> None:
        """The host is gone, or the cable was pulled."""

    def control(self, setup: Setup, data: bytes) -> bytes:
        """A class or vendor request, or a standard one to an interface (a HID report descriptor). `data` for OUT; the
        answer, cut to `setup.length`, for IN. Raises Stall.
        """
        ...

    def received(self, endpoint: int, data: bytes) -> None:
        """One transfer on an OUT endpoint."""

    def in_space(self, endpoint: int) -> None:
        """A transfer that waited on this IN endpoint went out: there is room again."""
