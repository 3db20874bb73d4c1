"""HidapiLink on a stand-in for the module `hid`, since there are no hidraw nodes here."""

from __future__ import annotations

import asyncio
import queue
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from countertop.sdk import LinkFault, ReportRefused, parse_link
from countertop.sdk.links import HidapiLink
from countertop.v1 import error_pb2


class World:
    """The devices that are plugged in, by the words of PyPI's hidapi."""

    def __init__(self) -> None:
        self.devices: list[dict[str, Any]] = []
        self.input: queue.Queue[bytes | None] = queue.Queue()
        self.features = {3: [3, 1, 2, 3]}
        self.sent: list[bytes] = []
        self.open_error = ""

    def add(self, serial: str, path: str = "/dev/hidraw-none") -> None:
        self.devices.append(
            {
                "path": path.encode(),
                "vendor_id": 0x056A,
                "product_id": 0x00A4,
                "serial_number": serial,
                "release_number": 0x0103,
                "manufacturer_string": "Invented",
                "product_string": "Pad",
            }
        )

    def module(self) -> ModuleType:
        world = self

        class device:  # noqa: N801 - hidapi's own name
            def open_path(self, path: bytes) -> None:
                if world.open_error:
                    raise OSError(world.open_error)

            def read(self, size: int, timeout_ms: int) -> list[int]:
                try:
                    report = world.input.get(timeout=timeout_ms / 1000)
                except queue.Empty:
                    return []
                if report is None:
                    raise OSError("read error")
                return list(report)

            def get_feature_report(self, number: int, size: int) -> list[int]:
                if number not in world.features:
                    raise OSError("ioctl (GFEATURE): Broken pipe")
                return world.features[number]

            def send_feature_report(self, data: bytes) -> int:
                if data[0] not in world.features:
                    return -1
                world.features[data[0]] = list(data)
                return len(data)

            def write(self, data: bytes) -> int:
                world.sent.append(bytes(data))
                return len(data)

            def get_report_descriptor(self) -> list[int]:
                return [6, 0, 255]

            def close(self) -> None:
                pass

        module = ModuleType("hid")
        module.device = device  # type: ignore[attr-defined]
        module.enumerate = lambda vendor, product: [  # type: ignore[attr-defined]
            item for item in world.devices if (item["vendor_id"], item["product_id"]) == (vendor, product)
        ]
        return module


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    found = World()
    monkeypatch.setitem(sys.modules, "hid", found.module())
    return found


async def test_reports_go_both_ways(world: World) -> None:
    world.add("S1")
    link = await HidapiLink.open(parse_link("hid://056A:00A4"))
    try:
        assert (link.info.product, link.info.serial, link.info.release) == ("Pad", "S1", 0x0103)
        assert await link.report_descriptor() == bytes([6, 0, 255])
        await link.set_feature(bytes([3, 9, 9, 9]))
        assert await link.get_feature(3, 4) == bytes([3, 9, 9, 9])
        await link.send(bytes([5, 1]))
        assert world.sent == [bytes([5, 1])]
        for index in range(20):
            world.input.put(bytes([1, index]))
        async with asyncio.timeout(5):
            assert [await link.receive() for _ in range(20)] == [bytes([1, index]) for index in range(20)]
    finally:
        await link.close()


async def test_a_refused_report_leaves_the_link_as_it_is(world: World) -> None:
    world.add("S1")
    link = await HidapiLink.open(parse_link("hid://056A:00A4"))
    try:
        with pytest.raises(ReportRefused):
            await link.get_feature(7, 4)
        with pytest.raises(ReportRefused):
            await link.set_feature(bytes([7, 0]))
        assert await link.get_feature(3, 4) == bytes([3, 1, 2, 3])
    finally:
        await link.close()


async def test_a_device_that_is_pulled_is_link_lost(world: World) -> None:
    world.add("S1")
    link = await HidapiLink.open(parse_link("hid://056A:00A4"))
    world.input.put(b"\x01last")
    world.input.put(None)
    async with asyncio.timeout(5):
        assert await link.receive() == b"\x01last"
        with pytest.raises(LinkFault) as lost:
            await link.receive()
    assert lost.value.reason == error_pb2.REASON_LINK_LOST
    await link.close()


async def test_the_serial_number_tells_two_alike_apart(world: World) -> None:
    world.add("S1", "/dev/hidraw-a")
    world.add("S2", "/dev/hidraw-b")
    with pytest.raises(LinkFault, match="serial numbers are S1, S2"):
        await HidapiLink.open(parse_link("hid://056A:00A4"))
    link = await HidapiLink.open(parse_link("hid://056A:00A4/S2"))
    assert link.info.serial == "S2"
    await link.close()


async def test_a_missing_device_and_one_without_rights_say_what_to_do(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LinkFault, match="there is no such device"):
        await HidapiLink.open(parse_link("hid://056A:00A4"))
    node = tmp_path / "hidraw0"
    node.touch()
    world.add("S1", str(node))
    world.open_error = "open failed"

    def denied(*args: Any, **kwargs: Any) -> Any:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(LinkFault) as fault:
        await HidapiLink.open(parse_link("hid://056A:00A4"))
    assert 'KERNEL=="hidraw*", ATTRS{idVendor}=="056a"' in fault.value.action
