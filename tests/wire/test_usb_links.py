"""HID links and the pyusb backend, against devices of PyPI's usbip and of our own server."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import usb.core
import usb.util
import usbip
from usbip.classes.device.hid import HID
from usbip.device import USBDevice

from countertop.emulators.core.usb.bus import UsbIpBus
from countertop.emulators.core.usb.device import Endpoint, InterfaceDescriptor, Setup, Stall, UsbDescriptors, UsbHost
from countertop.emulators.core.usb.hid import FEATURE, OUTPUT, HidPeer, hid_interface
from countertop.sdk import HidLink, LinkFault, ReportRefused, parse_link
from countertop.sdk.links import UsbBulkLink, UsbHidLink, UsbIpHidLink
from countertop.sdk.links.usbip.backend import UsbIpBackend
from countertop.v1 import error_pb2

DESCRIPTOR = bytes.fromhex("0600ff 0901 a101 8501 9508 7508 2600ff 0901 8102 8503 9504 0902 b102 c0")


# -- devices of PyPI's usbip --


class PeerPad(HID):  # type: ignore[misc]
    """A HID device with a feature report 03 and input reports."""

    report_descriptor = DESCRIPTOR

    def __init__(self) -> None:
        super().__init__()
        self.feature = bytes([3, 1, 2, 3, 4])

    def _get_report(self, rtype: int, rid: int, length: int) -> bytes:
        if (rtype, rid) != (3, 3):
            raise usbip.Stall
        return self.feature

    def _set_report(self, rtype: int, rid: int, payload: bytes) -> None:
        self.feature = bytes(payload)


@dataclass
class Peer:
    pad: PeerPad
    host: str
    port: int

    @property
    def bus_id(self) -> str:
        """Its server counts through a whole process."""
        (device,) = self.backend.enumerate_devices()
        return device.exported.bus_id

    @property
    def backend(self) -> UsbIpBackend:
        return UsbIpBackend(self.host, self.port)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def peer() -> Iterator[Peer]:
    port = free_port()
    pad = PeerPad()
    device = USBDevice(0x056A, 0x00A4, manufacturer="Peer", product="Pad 签名", serial="EMU0001")
    device.add(pad)
    device.plug(via=usbip.USBIP("127.0.0.1", port))
    yield Peer(pad, "127.0.0.1", port)
    device.unplug()


def found(peer: Peer) -> Any:
    device = usb.core.find(backend=peer.backend, idVendor=0x056A, idProduct=0x00A4)
    assert device is not None
    return device


def test_unmodified_pyusb_finds_and_reads_a_device_of_pypi_usbip(peer: Peer) -> None:
    device = found(peer)
    device.set_configuration()
    assert (device.manufacturer, device.product, device.serial_number) == ("Peer", "Pad 签名", "EMU0001")
    assert bytes(device.ctrl_transfer(0xA1, 1, 0x0303, 0, 64)) == bytes([3, 1, 2, 3, 4])
    device.ctrl_transfer(0x21, 9, 0x0303, 0, bytes([3, 9, 9, 9, 9]))
    assert peer.pad.feature[-4:] == bytes([9, 9, 9, 9])
    peer.pad.send_report(b"\x01ink")
    endpoint = device[0][(0, 0)][0]
    assert bytes(endpoint.read(64, 2000)) == b"\x01ink"
    usb.util.dispose_resources(device)


def test_a_stall_is_errno_32_and_the_device_goes_on(peer: Peer) -> None:
    device = found(peer)
    with pytest.raises(usb.core.USBError) as refused:
        device.ctrl_transfer(0xA1, 1, 0x0377, 0, 64)
    assert refused.value.errno == 32
    assert len(device.ctrl_transfer(0x80, 6, 0x0100, 0, 18)) == 18
    usb.util.dispose_resources(device)


def test_a_read_times_out_in_time_and_loses_nothing_while_endpoint_0_works(peer: Peer) -> None:
    device = found(peer)
    device.set_configuration()
    endpoint = device[0][(0, 0)][0]
    began = time.monotonic()
    with pytest.raises(usb.core.USBTimeoutError):
        endpoint.read(64, 100)
    assert 0.09 <= time.monotonic() - began < 1.5
    outcome: list[bytes] = []
    reader = threading.Thread(target=lambda: outcome.append(bytes(endpoint.read(64, 5000))))
    reader.start()
    for _ in range(20):  # each would wait for the parked read, if anything held a lock
        assert len(device.ctrl_transfer(0x80, 6, 0x0100, 0, 18, 1000)) == 18
    assert reader.is_alive()
    peer.pad.send_report(b"\x01late")
    reader.join(5)
    assert outcome == [b"\x01late"]
    usb.util.dispose_resources(device)


def test_nobody_listens_there() -> None:
    with pytest.raises(usb.core.USBError) as refused:
        usb.core.find(backend=UsbIpBackend("127.0.0.1", free_port()))
    assert refused.value.errno


async def test_our_hid_link_drives_a_device_of_pypi_usbip(peer: Peer) -> None:
    link = await UsbIpHidLink.open(parse_link(f"usbip://127.0.0.1:{peer.port}/{peer.bus_id}"))
    try:
        assert (link.info.vendor_id, link.info.product_id, link.info.serial) == (0x056A, 0x00A4, "EMU0001")
        assert link.info.product == "Pad 签名"
        assert await link.report_descriptor() == DESCRIPTOR
        assert await link.get_feature(3, 64) == bytes([3, 1, 2, 3, 4])
        with pytest.raises(ReportRefused):
            await link.get_feature(0x77, 8)
        for index in range(10):
            peer.pad.send_report(bytes([1, index]))
        assert [await link.receive() for _ in range(10)] == [bytes([1, index]) for index in range(10)]
    finally:
        await link.close()


# -- our own server --


class Pad(HidPeer):
    """A HID device whose feature report 03 can be written; 04 is refused; output report 05 comes by SET_REPORT."""

    def __init__(self) -> None:
        descriptors = UsbDescriptors(
            vendor_id=0x056A,
            product_id=0x00A4,
            manufacturer="Invented",
            product="Pad",
            serial="P7",
            interfaces=(hid_interface(DESCRIPTOR),),
        )
        super().__init__(descriptors, DESCRIPTOR)
        self.feature = bytes([3, 1, 2, 3, 4])
        self.outputs: list[bytes] = []

    def get_report(self, kind: int, report_id: int, length: int) -> bytes:
        if (kind, report_id) != (FEATURE, 3):
            raise Stall
        return self.feature

    def set_report(self, kind: int, report_id: int, data: bytes) -> None:
        if (kind, report_id) == (OUTPUT, 5):
            self.outputs.append(data)
        elif (kind, report_id) == (FEATURE, 3):
            self.feature = data
        else:
            raise Stall


@dataclass
class Ours:
    pad: Pad
    bus: UsbIpBus

    async def open(self, kind: str) -> HidLink:
        """The same device over each of the links that can be tried without a kernel."""
        url = parse_link(self.bus.link_url)
        if kind == "usbip":
            return await UsbIpHidLink.open(url)

        def find() -> Any:
            return usb.core.find(backend=UsbIpBackend(url.host, url.port), idVendor=0x056A)

        return await UsbHidLink.over(parse_link("usb://056A:00A4"), await asyncio.to_thread(find))


@pytest.fixture
async def ours() -> AsyncIterator[Ours]:
    pad = Pad()
    bus = UsbIpBus(pad)
    await bus.start()
    yield Ours(pad, bus)
    await bus.close()


KINDS = pytest.mark.parametrize("kind", ["usbip", "usb"])


@KINDS
async def test_a_hid_link_tells_who_it_is_and_carries_reports(ours: Ours, kind: str) -> None:
    link = await ours.open(kind)
    try:
        assert (link.info.vendor_id, link.info.product, link.info.serial) == (0x056A, "Pad", "P7")
        assert await link.report_descriptor() == DESCRIPTOR
        await link.set_feature(bytes([3, 5, 6, 7, 8]))
        assert await link.get_feature(3, 16) == bytes([3, 5, 6, 7, 8])
        await link.send(bytes([5, 1]))
        assert ours.pad.outputs == [bytes([5, 1])]
        with pytest.raises(ReportRefused) as refused:
            await link.set_feature(bytes([4, 0]))
        assert refused.value.report_id == 4
        for index in range(100):
            async with asyncio.timeout(5):
                assert ours.pad.send_input(bytes([1, index]))
                assert await link.receive() == bytes([1, index])
    finally:
        await link.close()


@KINDS
async def test_cancelling_receive_loses_no_report(ours: Ours, kind: str) -> None:
    link = await ours.open(kind)
    try:
        for index in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.002):
                    await link.receive()
            ours.pad.send_input(bytes([1, index]))
            async with asyncio.timeout(5):
                assert await link.receive() == bytes([1, index])
        ours.pad.send_input(b"\x01a")
        ours.pad.send_input(b"\x01b")
        waited = [await link.receive()]
        async with asyncio.timeout(5):
            while len(waited) < 2:
                waited += link.discard_input() or [await link.receive()]
        assert waited == [b"\x01a", b"\x01b"]
    finally:
        await link.close()


@KINDS
async def test_a_pulled_plug_is_link_lost_after_the_last_report_and_it_can_be_opened_again(
    ours: Ours, kind: str
) -> None:
    link = await ours.open(kind)
    ours.pad.send_input(b"\x01last")
    async with asyncio.timeout(5):
        assert await link.receive() == b"\x01last"
        ours.bus.unplug()
        with pytest.raises(LinkFault) as lost:
            await link.receive()
        assert lost.value.reason == error_pb2.REASON_LINK_LOST
        with pytest.raises(LinkFault):
            await link.get_feature(3, 8)
    await link.close()
    if kind == "usbip":
        with pytest.raises(LinkFault) as missing:
            await ours.open(kind)
        assert missing.value.reason == error_pb2.REASON_DEVICE_OFFLINE
    ours.bus.replug()
    link = await ours.open(kind)
    assert await link.get_feature(3, 8) == bytes([3, 1, 2, 3, 4])
    await link.close()


async def test_a_device_that_somebody_else_has_is_busy_and_says_so(ours: Ours) -> None:
    first = await ours.open("usbip")
    with pytest.raises(LinkFault, match="busy: another program has it open"):
        await ours.open("usbip")
    await first.close()
    async with asyncio.timeout(5):
        while True:
            try:
                second = await ours.open("usbip")
                break
            except LinkFault:
                continue  # the server has not seen the end of the first one yet
    await second.close()


async def test_reports_that_nobody_receives_are_left_with_the_device_in_the_end(ours: Ours) -> None:
    link = await ours.open("usbip")
    sent = 0
    async with asyncio.timeout(10):
        while ours.pad.send_input(bytes([1, sent % 256])):
            sent += 1
            if sent % 32 == 0:
                await asyncio.sleep(0)
                await link.get_feature(3, 8)  # the link has had its turn
            if sent > 5000:
                pytest.fail("the link takes in reports without end")
        got = [await link.receive() for _ in range(sent)]
    assert got == [bytes([1, index % 256]) for index in range(sent)]
    await link.close()


async def test_a_device_without_hid_is_refused() -> None:
    class Mute(Pad):
        def __init__(self) -> None:
            super().__init__()
            self.descriptors = UsbDescriptors(
                1, 2, interfaces=(InterfaceDescriptor(0, 7, endpoints=(Endpoint(0x81, 2, 64),)),)
            )

    bus = UsbIpBus(Mute())
    await bus.start()
    try:
        with pytest.raises(LinkFault):
            await UsbIpHidLink.open(parse_link(bus.link_url))
    finally:
        await bus.close()


class Pipes:
    """Bulk IN 81 and OUT 02."""

    descriptors = UsbDescriptors(
        0x1209, 2, interfaces=(InterfaceDescriptor(0, 255, endpoints=(Endpoint(0x81, 2, 64), Endpoint(2, 2, 64))),)
    )

    def __init__(self) -> None:
        self.host: UsbHost | None = None
        self.got = b""

    def attached(self, host: UsbHost) -> None:
        self.host = host

    def detached(self) -> None:
        self.host = None

    def control(self, setup: Setup, data: bytes) -> bytes:
        raise Stall

    def received(self, endpoint: int, data: bytes) -> None:
        self.got += data

    def in_space(self, endpoint: int) -> None:
        pass


async def test_bulk_goes_both_ways_by_pyusb_and_a_device_that_does_not_take_it_holds_the_writer() -> None:
    pipes = Pipes()
    bus = UsbIpBus(pipes)
    await bus.start()
    url = parse_link(bus.link_url)
    data = bytes(range(256)) * 40

    def find() -> Any:
        device = usb.core.find(backend=UsbIpBackend(url.host, url.port))
        device.set_configuration()
        return device

    device = await asyncio.to_thread(find)
    try:
        assert await asyncio.to_thread(device.write, 2, data) == len(data)
        assert pipes.got == data
        assert pipes.host is not None
        pipes.host.set_ready(2, False)
        with pytest.raises(usb.core.USBTimeoutError):
            await asyncio.to_thread(device.write, 2, b"held", 50)
        assert pipes.got == data  # it was taken back, not kept for later
        pipes.host.set_ready(2, True)
        pipes.host.send(0x81, data)
        assert bytes(await asyncio.to_thread(device.read, 0x81, 1 << 16, 1000)) == data
    finally:
        await asyncio.to_thread(usb.util.dispose_resources, device)
        await bus.close()


async def bulk(bus: UsbIpBus) -> UsbBulkLink:
    url = parse_link(bus.link_url)
    device = await asyncio.to_thread(lambda: usb.core.find(backend=UsbIpBackend(url.host, url.port)))
    return await UsbBulkLink.over(parse_link("usb://1209:0002"), device)


async def test_a_bulk_link_carries_bytes_and_the_device_holds_the_sender_without_loss() -> None:
    pipes = Pipes()
    bus = UsbIpBus(pipes)
    await bus.start()
    link = await bulk(bus)
    data = bytes(range(256)) * 8
    try:
        await link.send(data)
        assert pipes.got == data
        assert pipes.host is not None
        pipes.host.set_ready(2, False)
        sending = asyncio.create_task(link.send(data))
        pipes.host.send(0x81, b"answer")
        async with asyncio.timeout(5):
            assert await link.receive() == b"answer"
        done, _ = await asyncio.wait({sending}, timeout=0.5)
        assert not done
        assert pipes.got == data
        pipes.host.set_ready(2, True)
        await asyncio.wait_for(sending, 5)
        assert pipes.got == data + data
        pipes.host.send(0x81, b"unheard")
        async with asyncio.timeout(5):
            while not (found := link.discard_input()):  # noqa: ASYNC110 - taking it is what is tried
                await asyncio.sleep(0.01)
        assert found == b"unheard"
    finally:
        await link.close()
        await bus.close()


async def test_a_bulk_link_whose_device_is_pulled_is_lost_on_both_sides() -> None:
    pipes = Pipes()
    bus = UsbIpBus(pipes)
    await bus.start()
    link = await bulk(bus)
    try:
        bus.unplug()
        async with asyncio.timeout(5):
            with pytest.raises(LinkFault) as lost:
                await link.receive()
            assert lost.value.reason == error_pb2.REASON_LINK_LOST
            with pytest.raises(LinkFault):
                await link.send(b"x")
    finally:
        await link.close()
        await bus.close()


async def test_a_device_without_bulk_is_refused(ours: Ours) -> None:
    with pytest.raises(LinkFault):
        await bulk(ours.bus)
