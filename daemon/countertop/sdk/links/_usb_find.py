"""Finds a USB device by what a link's URL names."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from countertop.sdk.errors import CountertopError, LinkFault
from countertop.sdk.links._base import LinkUrl
from countertop.sdk.links._translate import link_fault
from countertop.v1 import error_pb2

__all__ = ["Claim", "find_device", "identity_of", "pick", "usb_modules"]


def usb_modules() -> tuple[Any, Any]:
    """`usb.core` and `usb.util`. Raises CountertopError(NOT_SUPPORTED) when pyusb is missing."""
    try:
        return import_module("usb.core"), import_module("usb.util")
    except ImportError as error:
        raise missing("pyusb") from error


def missing(package: str) -> CountertopError:
    """What to do about a package that is not installed."""
    return CountertopError(
        error_pb2.REASON_NOT_SUPPORTED, f"USB links need {package}: run `pip install 'countertop[usb]'`."
    )


def identity_of(url: LinkUrl) -> tuple[int, int, str]:
    """Vendor id, product id and serial number; the last may be empty."""
    ids, _, serial = url.path.partition("/")
    vendor, _, product = ids.partition(":")
    return int(vendor, 16), int(product, 16), serial


def find_device(url: LinkUrl) -> Any:
    """The `usb.core.Device` of a `usb:` link; blocks. Raises LinkFault(DEVICE_OFFLINE)."""
    core, _ = usb_modules()
    vendor, product, serial = identity_of(url)
    backend = _libusb()
    if backend is None:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            "USB links need libusb: run `pip install 'countertop[usb]'`, or install libusb-1.0.",
        )
    try:
        found = list(core.find(find_all=True, backend=backend, idVendor=vendor, idProduct=product))
    except OSError as error:
        raise link_fault(url, "open", error, opening=True) from error
    return pick(url, [(_serial_of(device), device) for device in found], serial)


def pick(url: LinkUrl, found: Sequence[tuple[str | None, Any]], serial: str) -> Any:
    """The one device that is meant, of those with its ids and their serial numbers (None: could not be read). Raises
    LinkFault(DEVICE_OFFLINE) when there is none, or several.
    """
    if serial:
        exact = [item for item in found if item[0] == serial]
        found = exact or [item for item in found if item[0] is None]
    if len(found) == 1:
        return found[0][1]
    if not found:
        raise link_fault(url, "open", OSError(errno.ENODEV, "no such device"), opening=True)
    known = ", ".join(sorted(name or "(without or not readable)" for name, _ in found))
    raise LinkFault(
        error_pb2.REASON_DEVICE_OFFLINE,
        f"{len(found)} devices fit {url.text}; their serial numbers are {known}. Add one to the link.",
        step="open",
        expected="one device",
        got=f"{len(found)} devices",
        action="Add the serial number to the link: usb://VID:PID/SERIAL.",
    )


class Claim:
    """One interface of a `usb.core.Device`; the kernel's driver, where there is one, is off until `release`."""

    def __init__(self, device: Any) -> None:
        self.device = device
        self._interface: int | None = None
        self._detached = False

    def take(self, configuration: Any, interface: int) -> None:
        """Claim it; blocks. Raises OSError."""
        _, util = usb_modules()
        with suppress(NotImplementedError):
            if self.device.is_kernel_driver_active(interface):
                self.device.detach_kernel_driver(interface)
                self._detached = True
        if _active_configuration(self.device) != configuration.bConfigurationValue:
            self.device.set_configuration(configuration.bConfigurationValue)
        util.claim_interface(self.device, interface)
        self._interface = interface

    def release(self) -> None:
        """Give it back; blocks. Never raises."""
        _, util = usb_modules()
        with suppress(OSError, NotImplementedError):
            if self._interface is not None:
                util.release_interface(self.device, self._interface)
            if self._detached:
                self.device.attach_kernel_driver(self._interface)
        with suppress(OSError):
            util.dispose_resources(self.device)


def _active_configuration(device: Any) -> int:
    try:
        return int(device.get_active_configuration().bConfigurationValue)
    except OSError:  # it was never configured
        return 0


def _libusb() -> Any:
    libusb1 = import_module("usb.backend.libusb1")
    with suppress(ImportError):
        find_library = import_module("libusb_package").find_library
        backend = libusb1.get_backend(find_library=find_library)
        if backend is not None:
            return backend
    return libusb1.get_backend()


def _serial_of(device: Any) -> str | None:
    try:
        return str(device.serial_number or "")
    except (OSError, ValueError, NotImplementedError):
        return None  # no right to ask
