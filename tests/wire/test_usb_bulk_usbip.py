"""Byte links to printers of the USB printer class: over USB/IP, and by pyusb, against our own USB/IP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import usb.core

from countertop.emulators.core.usb.bus import UsbIpBus
from countertop.emulators.core.usb.device import Endpoint, InterfaceDescriptor, Setup, Stall, UsbDescriptors, UsbHost
from countertop.sdk import LinkFault, parse_link
from countertop.sdk.links import UsbBulkLink, UsbIpBulkLink, open_link
from countertop.sdk.links.usbip.backend import UsbIpBackend
from countertop.v1 import error_pb2

IN, OUT, NUMBER = 0x82, 0x01, 1
AnyBulk = UsbBulkLink | UsbIpBulkLink


class Printer:
    """Interface 1 is a printer (7/1/2) with bulk IN 82 and OUT 01; interface 0 is something else with bulk OUT."""

    def __init__(self) -> None:
        self.descriptors = UsbDescriptors(
            0x0F49,
            0x0A00,
            interfaces=(
                InterfaceDescriptor(0, 8, endpoints=(Endpoint(0x04, 2, 64),)),
                InterfaceDescriptor(NUMBER, 7, 1, 2, endpoints=(Endpoint(OUT, 2, 64), Endpoint(IN, 2, 64))),
            ),
        )
        self.host: UsbHost | None = None
        self.got = b""
        self.status: bytes | None = b"\x18"
        self.asked: list[Setup] = []

    def attached(self, host: UsbHost) -> None:
        self.host = host

    def detached(self) -> None:
        self.host = None

    def control(self, setup: Setup, data: bytes) -> bytes:
        self.asked.append(setup)
        if self.status is None:
            raise Stall
        return self.status

    def received(self, endpoint: int, data: bytes) -> None:
        assert endpoint == OUT
        self.got += data

    def in_space(self, endpoint: int) -> None:
        pass

    def say(self, data: bytes) -> bool:
        assert self.host is not None
        return self.host.send(IN, data)

    def ready(self, ready: bool) -> None:
        assert self.host is not None
        self.host.set_ready(OUT, ready)


@dataclass
class Bench:
    printer: Printer
    bus: UsbIpBus

    async def open(self, kind: str) -> AnyBulk:
        url = parse_link(self.bus.link_url)
        if kind == "usbip":
            return await open_link(url, allowed=(UsbIpBulkLink,))
        device = await asyncio.to_thread(lambda: usb.core.find(backend=UsbIpBackend(url.host, url.port)))
        return await UsbBulkLink.over(parse_link("usb://0F49:0A00"), device)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    printer = Printer()
    bus = UsbIpBus(printer)
    await bus.start()
    yield Bench(printer, bus)
    await bus.close()


KINDS = pytest.mark.parametrize("kind", ["usbip", "usb"])


async def exactly(link: AnyBulk, count: int) -> bytes:
    got = b""
    async with asyncio.timeout(10):
        while len(got) < count:
            got += await link.receive(count - len(got))
    return got


@KINDS
async def test_bytes_go_both_ways_through_the_printer_interface(bench: Bench, kind: str) -> None:
    link = await bench.open(kind)
    data = bytes(range(256)) * 40
    try:
        await link.send(data)
        await link.send(b"")
        assert bench.printer.got == data
        assert bench.printer.say(data)
        assert await exactly(link, len(data)) == data
    finally:
        await link.close()


@KINDS
async def test_the_port_status_is_asked_of_the_printer_interface_even_while_it_takes_no_data(
    bench: Bench, kind: str
) -> None:
    link = await bench.open(kind)
    try:
        bench.printer.ready(False)
        sending = asyncio.create_task(link.send(b"held"))
        for status in (0x18, 0x08, 0x10):
            bench.printer.status = bytes([status])
            async with asyncio.timeout(5):
                assert await link.port_status() == status
        assert bench.printer.asked == [Setup(0xA1, 1, 0, NUMBER, 1)] * 3
        assert not sending.done()
        bench.printer.ready(True)
        await asyncio.wait_for(sending, 5)
        assert bench.printer.got == b"held"
    finally:
        await link.close()


@KINDS
async def test_a_device_that_does_not_tell_its_port_status_says_so_and_goes_on(bench: Bench, kind: str) -> None:
    link = await bench.open(kind)
    try:
        bench.printer.status = None
        with pytest.raises(LinkFault, match="GET_PORT_STATUS") as refused:
            await link.port_status()
        assert refused.value.reason == error_pb2.REASON_NOT_SUPPORTED
        bench.printer.status = b""
        with pytest.raises(LinkFault):
            await link.port_status()
        await link.send(b"still there")
        assert bench.printer.got == b"still there"
    finally:
        await link.close()


@KINDS
async def test_a_closed_link_is_lost_for_everything(bench: Bench, kind: str) -> None:
    link = await bench.open(kind)
    await link.close()
    await link.close()
    for call in (link.port_status(), link.send(b"x"), link.receive()):
        with pytest.raises(LinkFault) as lost:
            await call
        assert lost.value.reason == error_pb2.REASON_LINK_LOST


@KINDS
async def test_a_pulled_plug_is_lost_after_the_last_byte(bench: Bench, kind: str) -> None:
    link = await bench.open(kind)
    try:
        bench.printer.say(b"last")
        assert await exactly(link, 4) == b"last"
        bench.bus.unplug()
        async with asyncio.timeout(5):
            for call in (link.receive(), link.send(b"x"), link.port_status()):
                with pytest.raises(LinkFault) as lost:
                    await call
                assert lost.value.reason == error_pb2.REASON_LINK_LOST
    finally:
        await link.close()


async def test_a_cancelled_sender_takes_back_what_the_device_has_not_taken(bench: Bench) -> None:
    link = await bench.open("usbip")
    try:
        bench.printer.ready(False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await link.send(b"never")
        await link.port_status()  # the server has had its turn
        bench.printer.ready(True)
        await link.send(b"next")
        assert bench.printer.got == b"next"
    finally:
        await link.close()


async def test_cancelling_receive_loses_no_byte(bench: Bench) -> None:
    link = await bench.open("usbip")
    try:
        for index in range(50):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await link.receive()
            bench.printer.say(bytes([index, index]))
            assert await exactly(link, 2) == bytes([index, index])
    finally:
        await link.close()


async def test_what_nobody_receives_stays_with_the_device_in_the_end(bench: Bench) -> None:
    link = await bench.open("usbip")
    sent = b""
    try:
        async with asyncio.timeout(20):
            while bench.printer.say(piece := bytes([len(sent) // 4096 % 256]) * 4096):
                sent += piece
                await link.port_status()  # the link has had its turn
                assert len(sent) < 1 << 20, "the link takes in bytes without end"
        assert await exactly(link, len(sent)) == sent
        assert bench.printer.say(b"more")
        assert await exactly(link, 4) == b"more"
        bench.printer.say(b"unheard")
        await link.port_status()
        assert link.discard_input() == b"unheard"
    finally:
        await link.close()


async def test_a_printer_without_an_answer_endpoint_can_be_written_to(bench: Bench) -> None:
    bench.printer.descriptors = UsbDescriptors(
        0x0F49, 1, interfaces=(InterfaceDescriptor(NUMBER, 7, 1, 1, endpoints=(Endpoint(OUT, 2, 64),)),)
    )
    bench.bus.unplug()
    bench.bus.replug()
    link = await bench.open("usbip")
    try:
        await link.send(b"only out")
        assert bench.printer.got == b"only out"
        assert await link.port_status() == 0x18
    finally:
        await link.close()


async def test_what_cannot_be_opened_says_why(bench: Bench) -> None:
    first = await bench.open("usbip")
    with pytest.raises(LinkFault, match="busy: another program has it open"):
        await bench.open("usbip")
    await first.close()
    bench.bus.unplug()
    with pytest.raises(LinkFault, match="no such device") as missing:
        await bench.open("usbip")
    assert missing.value.reason == error_pb2.REASON_DEVICE_OFFLINE
    bench.printer.descriptors = UsbDescriptors(1, 2, interfaces=(InterfaceDescriptor(0, 3),))
    bench.bus.replug()
    with pytest.raises(LinkFault) as without:
        await bench.open("usbip")
    assert without.value.reason == error_pb2.REASON_DEVICE_OFFLINE
