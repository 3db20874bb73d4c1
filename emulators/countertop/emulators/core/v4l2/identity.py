"""How a USB camera is called: by itself, by the kernel and by udev."""

from __future__ import annotations

import re
from dataclasses import dataclass

from countertop.emulators.core.v4l2.device import Naming

__all__ = ["PCI_CONTROLLER", "CameraIdentity"]

PCI_CONTROLLER = "0000:00:14.0"

_SPACES = re.compile(r"\s+")
_REPLACED = re.compile(r"[^\w#+\-.:=@]")
_PORT = re.compile(r"[1-9][0-9]?(\.[1-9][0-9]?){0,4}")


@dataclass(frozen=True, slots=True)
class CameraIdentity:
    """What the camera's descriptors say, and the port of bus 1 that it is plugged into ("1", "2.3").

    Raises ValueError for a port that is none, and for texts that cannot be names.
    """

    manufacturer: str
    product: str
    serial: str = ""
    vendor_id: int = 0x1209
    product_id: int = 0x0001
    port: str = "1"

    def __post_init__(self) -> None:
        if not _PORT.fullmatch(self.port):
            raise ValueError(f'port: expected one such as "1" or "2.3", got {self.port!r}')
        for name, text in (("manufacturer", self.manufacturer), ("product", self.product), ("serial", self.serial)):
            if "\0" in text or "\n" in text or len(text) > 126 or (name != "serial" and not text.strip()):
                raise ValueError(f"{name}: expected a line of 1 to 126 characters, got {len(text)} characters")
        for name, number in (("vendor_id", self.vendor_id), ("product_id", self.product_id)):
            if not 0 <= number <= 0xFFFF:
                raise ValueError(f"{name}: expected 0 to 0xffff, got {number:#x}")

    @property
    def naming(self) -> Naming:
        """What QUERYCAP tells."""
        return Naming("uvcvideo", self.product, f"usb-{PCI_CONTROLLER}-{self.port}")

    @property
    def id_serial(self) -> str:
        """ID_SERIAL of udev (udev-builtin-usb_id.c): maker, model and, where there is one, number."""
        return "_".join(_name(text) for text in (self.manufacturer, self.product, self.serial) if text.strip())

    def by_id(self, index: int) -> str:
        """The link in /dev/v4l/by-id; `index` 0 is the picture, 1 the metadata (60-persistent-v4l.rules)."""
        return f"v4l/by-id/usb-{self.id_serial}-video-index{index}"

    def by_path(self, index: int) -> str:
        """The link in /dev/v4l/by-path."""
        return f"v4l/by-path/pci-{PCI_CONTROLLER}-usb-0:{self.port}:1.0-video-index{index}"

    @property
    def usb_path(self) -> str:
        """The device below /sys/devices."""
        steps = self.port.split(".")
        hubs = [f"1-{'.'.join(steps[: depth + 1])}" for depth in range(len(steps))]
        return "/".join([f"pci0000:00/{PCI_CONTROLLER}/usb1", *hubs])

    @property
    def interface_path(self) -> str:
        """The interface that the nodes belong to, below /sys/devices."""
        return f"{self.usb_path}/1-{self.port}:1.0"


def _name(text: str) -> str:
    return _REPLACED.sub("_", _SPACES.sub("_", text.strip()))
