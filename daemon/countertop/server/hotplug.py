"""Notices at once when a device's own path comes or goes, so that nobody waits for the next attempt or poll.

Kernel and udev tell it where they can be heard (pyudev is installed and udev runs); elsewhere the paths are looked at
four times a second. Only serial ports and cameras have a path; network links are tried again by the runner's back-off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from countertop.sdk.links import parse_link
from countertop.v1 import device_pb2

__all__ = ["HotPlug", "Watched", "id_basis", "udev_monitor"]

log = logging.getLogger("countertop.hotplug")

POLL_SECONDS = 0.25
_SUBSYSTEMS = ("tty", "usb", "hidraw", "video4linux")
_UDEV_SOCKET = Path("/run/udev/control")
_BASES = {
    "/dev/serial/by-id/": device_pb2.ID_BASIS_SERIAL,
    "/dev/serial/by-path/": device_pb2.ID_BASIS_PORT_PATH,
    "/dev/v4l/by-id/": device_pb2.ID_BASIS_SERIAL,
    "/dev/v4l/by-path/": device_pb2.ID_BASIS_PORT_PATH,
}
"""udev's own names for serial ports and cameras: by the serial number, by the port that it is plugged into."""


class Monitor(Protocol):
    """What is used of `pyudev.Monitor`."""

    def fileno(self) -> int:
        """Readable when there is news."""
        ...

    def poll(self, timeout: float | None = None) -> Any:
        """The next device that changed, or None."""
        ...


class Watched(Protocol):
    """A device whose link may have a path."""

    @property
    def link(self) -> str:
        """The link's URL."""
        ...

    def nudge(self) -> None:
        """Look at the link now."""
        ...


def id_basis(link: str, serial: str) -> device_pb2.IdBasis:
    """What a configured device's id rests on."""
    if serial:
        return device_pb2.ID_BASIS_SERIAL
    path = str(_path(link) or "")
    found = (basis for prefix, basis in _BASES.items() if path.startswith(prefix))
    return next(found, device_pb2.ID_BASIS_CONFIGURED)


def udev_monitor() -> Monitor | None:
    """A monitor of udev's events; None where they cannot be heard."""
    if not _UDEV_SOCKET.exists():
        return None
    try:
        import pyudev  # type: ignore[import-untyped]

        monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        for subsystem in _SUBSYSTEMS:
            monitor.filter_by(subsystem)
        monitor.start()
    except (ImportError, OSError) as error:
        log.info("udev's events cannot be heard (%s); paths are polled", type(error).__name__)
        return None
    found: Monitor = monitor
    return found


class HotPlug:
    """Watches the paths of some devices from `start` to `stop`."""

    def __init__(
        self,
        devices: Iterable[Watched],
        monitor: Callable[[], Monitor | None] = udev_monitor,
        poll: float = POLL_SECONDS,
    ) -> None:
        self._devices = [(device, path) for device in devices if (path := _path(device.link)) is not None]
        self._there = {path: path.exists() for _, path in self._devices}
        self._make_monitor = monitor
        self._poll = poll
        self._monitor: Monitor | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch; costs nothing where no device has a path."""
        if not self._devices:
            return
        self._monitor = self._make_monitor()
        if self._monitor is not None:
            asyncio.get_running_loop().add_reader(self._monitor.fileno(), self._news)
        else:
            self._task = asyncio.create_task(self._look_again_and_again(), name="hot-plug")

    async def stop(self) -> None:
        """End watching."""
        if self._monitor is not None:
            asyncio.get_running_loop().remove_reader(self._monitor.fileno())
            self._monitor = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    def look(self) -> None:
        """Nudge each device whose path came or went since the last look."""
        for device, path in self._devices:
            there = path.exists()
            if there != self._there[path]:
                log.info("%s has %s", path, "come" if there else "gone")
                device.nudge()
        self._there = {path: path.exists() for _, path in self._devices}

    def _news(self) -> None:
        assert self._monitor is not None
        while self._monitor.poll(timeout=0) is not None:
            pass
        self.look()

    async def _look_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._poll)
            self.look()


def _path(link: str) -> Path | None:
    """The path in /dev that a link opens; None where it has none."""
    if not link.startswith(("serial:", "v4l2:")):
        return None
    return Path(parse_link(link).path)
