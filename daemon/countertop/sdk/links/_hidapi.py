"""HID through hidapi: on Linux the kernel's hidraw, beside whatever else the kernel does with the device."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

from countertop.sdk.errors import ReportRefused
from countertop.sdk.links._base import HidInfo, HidLink, LinkUrl
from countertop.sdk.links._query import SETTINGS
from countertop.sdk.links._reading import WAIT_MS, ReadingThread
from countertop.sdk.links._reports import ReportInbox
from countertop.sdk.links._translate import link_fault
from countertop.sdk.links._usb_find import identity_of, missing, pick

__all__ = ["HidapiLink"]

MAX_REPORT = 4096


class HidapiLink(HidLink):
    """A HID device by its ids: `hid://056A:00A4`, `hid://056A:00A4/SERIAL`."""

    schemes: ClassVar[tuple[str, ...]] = ("hid",)
    query: ClassVar[dict[str, Callable[[str], Any]]] = SETTINGS["hid"]

    def __init__(self, url: LinkUrl, device: Any, info: HidInfo) -> None:
        self.url = url
        self.info = info
        self._device = device
        self._closed = False
        self._inbox = inbox = ReportInbox(url, lambda: self._reader.resume())
        self._reader = ReadingThread(f"hid {url.text}", self._read, inbox.put, inbox.end, lambda: inbox.full)
        self._reader.start()

    @classmethod
    async def open(cls, url: LinkUrl) -> Self:
        """Raises LinkFault(DEVICE_OFFLINE): missing, several, no right (with the udev rule)."""
        try:
            hid = import_module("hid")
        except ImportError as error:
            raise missing("hidapi") from error
        found = await asyncio.to_thread(_find, hid, url)
        device = hid.device()
        try:
            await asyncio.to_thread(device.open_path, found["path"])
        except OSError as error:
            raise link_fault(url, "open", _why(found["path"], error), opening=True) from error
        info = HidInfo(
            found["vendor_id"],
            found["product_id"],
            found.get("release_number", 0),
            found.get("manufacturer_string") or "",
            found.get("product_string") or "",
            found.get("serial_number") or "",
        )
        return cls(url, device, info)

    def _read(self) -> bytes:
        try:
            return bytes(self._device.read(MAX_REPORT, WAIT_MS))
        except (OSError, ValueError) as error:  # hidapi tells no errno
            raise OSError(errno.ENODEV, str(error)) from error

    async def receive(self) -> bytes:
        """Wait for the next input report. Raises LinkFault(LINK_LOST)."""
        return await self._inbox.take()

    def discard_input(self) -> list[bytes]:
        """Take the input reports that nobody received."""
        return self._inbox.drain()

    async def report_descriptor(self) -> bytes:
        """As the device states it."""
        return bytes(await self._call("report descriptor", 0, self._device.get_report_descriptor))

    async def get_feature(self, report_id: int, size: int) -> bytes:
        """Read a feature report. Raises ReportRefused, LinkFault(LINK_LOST)."""
        # hidraw's buffer has the id in it even where the device sends none
        found = bytes(await self._call("get feature", report_id, self._device.get_feature_report, report_id, size))
        return found[1:] if report_id == 0 else found

    async def set_feature(self, report: bytes) -> None:
        """Write a feature report. Raises ReportRefused, LinkFault(LINK_LOST)."""
        await self._write("set feature", report, self._device.send_feature_report)

    async def send(self, report: bytes) -> None:
        """Write an output report. Raises ReportRefused, LinkFault(LINK_LOST)."""
        await self._write("send", report, self._device.write)

    async def _write(self, what: str, report: bytes, call: Callable[[bytes], int]) -> None:
        if await self._call(what, report[0], call, report) < 0:
            raise self._refusal(report[0], what)

    async def _call(self, what: str, report_id: int, call: Callable[..., Any], *args: Any) -> Any:
        try:
            return await asyncio.to_thread(call, *args)
        except (OSError, ValueError) as error:
            raise self._refusal(report_id, what) from error

    def _refusal(self, report_id: int, what: str) -> Exception:
        """Hidapi tells no errno. Whether the device is gone, the reading thread finds out."""
        if self._reader.alive:
            return ReportRefused(report_id, what)
        return link_fault(self.url, what, OSError(errno.ENODEV, "the device is gone"))

    async def close(self) -> None:
        """Close it."""
        if self._closed:
            return
        self._closed = True
        self._reader.stop()
        self._inbox.end(None)
        await asyncio.to_thread(self._reader.join)
        await asyncio.to_thread(self._device.close)


def _find(hid: Any, url: LinkUrl) -> dict[str, Any]:
    vendor, product, serial = identity_of(url)
    found = hid.enumerate(vendor, product)
    by_path = {item["path"]: item for item in found}  # one entry a usage; one node all the same
    candidates = [(item.get("serial_number") or "", item) for item in by_path.values()]
    picked: dict[str, Any] = pick(url, candidates, serial)
    return picked


def _why(path: bytes, error: OSError) -> OSError:
    """Hidapi says "open failed"; the node says more."""
    node = Path(path.decode("utf-8", "replace"))
    if not node.exists():
        return FileNotFoundError(errno.ENOENT, str(error))
    try:
        with node.open("r+b", buffering=0):
            return error
    except OSError as known:
        return known
