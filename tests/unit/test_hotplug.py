"""Devices whose paths come and go."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from countertop.server.hotplug import HotPlug, id_basis
from countertop.v1 import device_pb2


class Device:
    def __init__(self, link: str) -> None:
        self.link = link
        self.nudged = asyncio.Event()
        self.count = 0

    def nudge(self) -> None:
        self.count += 1
        self.nudged.set()


class PipeMonitor:
    """udev's events, from a pipe: one byte each."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)

    def fileno(self) -> int:
        return self._read

    def poll(self, timeout: float | None = None) -> object:
        try:
            return os.read(self._read, 1)
        except BlockingIOError:
            return None

    def tell(self) -> None:
        os.write(self._write, b"x")

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


@pytest.mark.parametrize("udev", [True, False])
async def test_a_path_that_comes_or_goes_nudges_its_device_only(tmp_path: Path, udev: bool) -> None:
    path = tmp_path / "ttyX"
    mine, other, far = Device(f"serial://{path}"), Device(f"serial://{tmp_path}/other"), Device("tcp://127.0.0.1:1")
    monitor = PipeMonitor()
    watch = HotPlug([mine, other, far], monitor=lambda: monitor if udev else None, poll=0.01)
    watch.start()
    for change in (path.touch, path.unlink):
        mine.nudged.clear()
        change()
        if udev:
            monitor.tell()
        await asyncio.wait_for(mine.nudged.wait(), 5)
    await watch.stop()
    monitor.close()
    assert (mine.count, other.count, far.count) == (2, 0, 0)


async def test_where_no_device_has_a_path_nothing_runs() -> None:
    before = asyncio.all_tasks()
    watch = HotPlug([SimpleNamespace(link="tcp://127.0.0.1:1", nudge=None)], monitor=lambda: pytest.fail("not needed"))
    watch.start()
    assert asyncio.all_tasks() == before
    await watch.stop()


@pytest.mark.parametrize(
    ("link", "serial", "basis"),
    [
        ("serial:///dev/serial/by-id/usb-Maker_1-if00", "", device_pb2.ID_BASIS_SERIAL),
        ("serial:///dev/serial/by-path/pci-0-usb-0:1", "", device_pb2.ID_BASIS_PORT_PATH),
        ("serial:///dev/ttyUSB0", "", device_pb2.ID_BASIS_CONFIGURED),
        ("tcp://192.0.2.1:9100", "", device_pb2.ID_BASIS_CONFIGURED),
        ("tcp://192.0.2.1:9100", "X1", device_pb2.ID_BASIS_SERIAL),
    ],
)
def test_what_an_id_rests_on_follows_from_the_link(link: str, serial: str, basis: int) -> None:
    assert id_basis(link, serial) == basis
