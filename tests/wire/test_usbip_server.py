"""The USB/IP server with hosts of three kinds: one written here, PyPI's usbip, and Debian's usbip command."""

from __future__ import annotations

import asyncio
import shutil
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import usbip

from countertop.emulators.core.usb.bus import UsbIpBus
from countertop.emulators.core.usb.device import Endpoint, InterfaceDescriptor, Setup, Stall, UsbDescriptors, UsbHost
from countertop.emulators.core.usb.hid import FEATURE, HidPeer, hid_interface
from countertop.emulators.core.usb.server import UsbIpServer
from countertop.emulators.core.usb.session import MAX_WAITING

EPIPE, ENODEV, EOVERFLOW, ECONNRESET, EREMOTEIO = -32, -19, -75, -104, -121
GET_DEVICE = bytes.fromhex("8006 0001 0000 1200")
REPORT_DESCRIPTOR = bytes.fromhex("0600ff 0901 a101 8501 9508 7508 2600ff 0901 8102 8503 9504 0902 b102 c0")


class Box:
    """A made-up device: interrupt IN 81, bulk IN 82, bulk OUT 02, and a control request that echoes."""

    descriptors = UsbDescriptors(
        vendor_id=0x1209,
        product_id=0x0001,
        manufacturer="Invented",
        product="盒子",
        serial="B1",
        interfaces=(
            InterfaceDescriptor(
                0, 0xFF, endpoints=(Endpoint(0x81, 3, 16, 1), Endpoint(0x82, 2, 64), Endpoint(0x02, 2, 64))
            ),
        ),
    )

    def __init__(self) -> None:
        self.host: UsbHost | None = None
        self.got: list[bytes] = []
        self.echo = b""
        self.attachments = 0

    def attached(self, host: UsbHost) -> None:
        self.host = host
        self.attachments += 1

    def detached(self) -> None:
        self.host = None

    def control(self, setup: Setup, data: bytes) -> bytes:
        if setup.request == 0x40:
            self.echo = data
        elif setup.request != 0x41:
            raise Stall
        return self.echo

    def received(self, endpoint: int, data: bytes) -> None:
        self.got.append(data)

    def in_space(self, endpoint: int) -> None:
        pass


@dataclass
class Host:
    """A host of the tests' own: it sends raw requests and reads raw answers."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    device_id: int = 0
    seqnum: int = 0
    early: dict[int, Any] = field(default_factory=dict)

    def submit(self, endpoint: int, length: int, setup: bytes = bytes(8), data: bytes = b"", flags: int = 0) -> int:
        self.seqnum += 1
        head = struct.pack(">IIIII", 1, self.seqnum, self.device_id, endpoint >> 7, endpoint & 0x7F)
        self.writer.write(head + struct.pack(">IiIIi", flags, length, 0, 0xFFFFFFFF, 0) + setup + data)
        return self.seqnum

    def unlink(self, other: int) -> int:
        self.seqnum += 1
        self.writer.write(struct.pack(">IIIIII24x", 2, self.seqnum, self.device_id, 0, 0, other))
        return self.seqnum

    async def answer(self, seqnum: int, incoming: bool = True) -> tuple[int, int, bytes]:
        """What kind (3 or 4), the status and the data of an answer; those that come before are kept."""
        async with asyncio.timeout(5):
            while seqnum not in self.early:
                head = await self.reader.readexactly(48)
                kind, number, _, _, _, status, actual = struct.unpack(">IIIIIii", head[:28])
                data = await self.reader.readexactly(actual) if kind == 3 and actual and incoming else b""
                self.early[number] = (kind, status, data)
        found: tuple[int, int, bytes] = self.early.pop(seqnum)
        return found

    async def control(self, setup: str, data: bytes = b"") -> tuple[int, int, bytes]:
        raw = bytes.fromhex(setup)
        incoming = bool(raw[0] & 0x80)
        length = int.from_bytes(raw[6:8], "little")
        return await self.answer(self.submit(0x80 if incoming else 0, length, raw, data), incoming)


async def connected(address: tuple[str, int]) -> Host:
    return Host(*await asyncio.open_connection(*address))


async def imported(address: tuple[str, int], bus_id: str = "1-1") -> Host:
    host = await connected(address)
    assert await ask_import(host, bus_id) == 0
    record = await host.reader.readexactly(312)
    bus, number = struct.unpack(">II", record[288:296])
    host.device_id = bus << 16 | number
    return host


async def ask_import(host: Host, bus_id: str = "1-1") -> int:
    host.writer.write(struct.pack(">HHI32s", 0x0111, 0x8003, 0, bus_id.encode()))
    version, code, status = struct.unpack(">HHI", await host.reader.readexactly(8))
    assert (version, code) == (0x0111, 0x0003)
    return int(status)


async def closed(host: Host) -> bool:
    """The server hung up."""
    async with asyncio.timeout(5):
        try:
            return await host.reader.read(1) == b""
        except ConnectionError:
            return True
        finally:
            host.writer.close()


@pytest.fixture
async def server() -> AsyncIterator[UsbIpServer]:
    found = UsbIpServer()
    await found.start()
    yield found
    await found.close()


@pytest.fixture
def box(server: UsbIpServer) -> Box:
    found = Box()
    server.plug("1-1", found, in_queue=4)
    return found


@pytest.fixture
async def host(server: UsbIpServer, box: Box) -> AsyncIterator[Host]:
    found = await imported(server.address)
    yield found
    found.writer.close()


async def test_devices_are_listed_with_their_interfaces(server: UsbIpServer, box: Box) -> None:
    host = await connected(server.address)
    host.writer.write(struct.pack(">HHI", 0x0111, 0x8005, 0))
    answer = await host.reader.readexactly(12 + 312 + 4)
    assert answer[:12] == struct.pack(">HHII", 0x0111, 5, 0, 1)
    assert answer[12 + 256 : 12 + 288].rstrip(b"\0") == b"1-1"
    assert struct.unpack(">HHH", answer[12 + 300 : 12 + 306]) == (0x1209, 0x0001, 0x0100)
    assert answer[-4:] == bytes([0xFF, 0, 0, 0])
    host.writer.close()


async def test_a_device_goes_to_one_host_at_a_time(server: UsbIpServer, box: Box, host: Host) -> None:
    second = await connected(server.address)
    assert await ask_import(second) == 2  # ST_DEV_BUSY
    assert await ask_import(second, "9-9") == 4  # ST_NODEV
    host.writer.close()
    await host.writer.wait_closed()
    async with asyncio.timeout(5):
        while await ask_import(second) != 0:
            pass
    assert box.attachments == 2
    second.writer.close()


async def test_enumeration_gives_descriptors_and_strings(host: Host) -> None:
    _, status, device = await host.control("8006 0001 0000 1200")
    assert (status, len(device), device[8:12]) == (0, 18, bytes.fromhex("09120100"))
    _, _, configuration = await host.control("8006 0002 0000 ff00")
    assert int.from_bytes(configuration[2:4], "little") == len(configuration) == 9 + 9 + 3 * 7
    _, _, product = await host.control(f"8006 {device[15]:02x}03 0904 ff00")
    assert product[2:].decode("utf-16-le") == "盒子"
    _, _, short = await host.control("8006 0001 0000 0800")
    assert short == device[:8]
    assert (await host.control("0009 0100 0000 0000"))[1] == 0
    assert (await host.control("8008 0000 0000 0100"))[2] == b"\x01"


@pytest.mark.parametrize(
    "setup", ["8006 0009 0000 ff00", "8006 0903 0904 ff00", "c0ff 0000 0000 0100", "0009 0700 0000 0000"]
)
async def test_what_the_device_does_not_know_is_a_stall_and_endpoint_0_goes_on(host: Host, setup: str) -> None:
    assert (await host.control(setup))[1] == EPIPE
    assert (await host.control("8006 0001 0000 1200"))[1] == 0


async def test_control_data_goes_both_ways(host: Host, box: Box) -> None:
    assert (await host.control("4040 0000 0000 0500", b"hello"))[1] == 0
    assert (await host.control("c041 0000 0000 ff00"))[2] == b"hello"


async def test_an_in_transfer_waits_for_data_while_endpoint_0_works(host: Host, box: Box) -> None:
    parked = host.submit(0x81, 16)
    assert (await host.control("8006 0001 0000 1200"))[1] == 0
    assert parked not in host.early
    assert box.host is not None
    assert box.host.send(0x81, b"report")
    assert await host.answer(parked) == (3, 0, b"report")


async def test_what_the_device_sends_before_it_is_asked_waits_in_order_up_to_a_limit(host: Host, box: Box) -> None:
    await host.control("8006 0001 0000 1200")
    assert box.host is not None
    assert [box.host.send(0x81, bytes([index])) for index in range(6)] == [True] * 4 + [False] * 2
    assert box.host.room(0x81) == 0
    answers = [await host.answer(host.submit(0x81, 16)) for _ in range(4)]
    assert [data for _, _, data in answers] == [b"\0", b"\1", b"\2", b"\3"]


async def test_unlink_takes_a_transfer_back_and_loses_nothing(host: Host, box: Box) -> None:
    parked = host.submit(0x81, 16)
    assert await host.answer(host.unlink(parked)) == (4, ECONNRESET, b"")
    assert box.host is not None
    box.host.send(0x81, b"later")
    assert await host.answer(host.submit(0x81, 16)) == (3, 0, b"later")
    assert parked not in host.early  # a transfer that was taken back is not answered


async def test_unlink_that_comes_too_late_says_so(host: Host, box: Box) -> None:
    await host.control("8006 0001 0000 1200")
    assert box.host is not None
    box.host.send(0x81, b"x")
    done = host.submit(0x81, 16)
    late = host.unlink(done)
    assert await host.answer(done) == (3, 0, b"x")
    assert await host.answer(late) == (4, 0, b"")


async def test_out_waits_while_the_device_is_busy_and_nothing_else_does(host: Host, box: Box) -> None:
    await host.control("8006 0001 0000 1200")
    assert box.host is not None
    box.host.set_ready(0x02, False)
    first, second = host.submit(2, 3, data=b"one"), host.submit(2, 3, data=b"two")
    assert (await host.control("8006 0001 0000 1200"))[1] == 0
    assert box.got == []
    assert await host.answer(host.unlink(second)) == (4, ECONNRESET, b"")
    box.host.set_ready(0x02, True)
    assert (await host.answer(first, incoming=False))[:2] == (3, 0)
    assert box.got == [b"one"]


async def test_a_halted_endpoint_stalls_until_the_host_clears_it(host: Host, box: Box) -> None:
    parked = host.submit(0x82, 64)
    await host.control("8006 0001 0000 1200")
    assert box.host is not None
    box.host.halt(0x82)
    assert (await host.answer(parked))[1] == EPIPE
    assert (await host.answer(host.submit(0x82, 64)))[1] == EPIPE
    assert (await host.control("8200 0000 8200 0200"))[2] == b"\1\0"
    await host.control("0201 0000 8200 0000")
    assert (await host.control("8200 0000 8200 0200"))[2] == b"\0\0"
    box.host.send(0x82, b"again")
    assert await host.answer(host.submit(0x82, 64)) == (3, 0, b"again")


async def test_bulk_data_that_does_not_fit_goes_into_the_next_transfer(host: Host, box: Box) -> None:
    await host.control("8006 0001 0000 1200")
    assert box.host is not None
    box.host.send(0x82, b"abcdefgh")
    assert (await host.answer(host.submit(0x82, 5)))[2] == b"abcde"
    assert (await host.answer(host.submit(0x82, 5)))[2] == b"fgh"


async def test_a_report_that_does_not_fit_is_an_overflow(host: Host, box: Box) -> None:
    await host.control("8006 0001 0000 1200")
    assert box.host is not None
    box.host.send(0x81, b"abcdefgh")
    assert (await host.answer(host.submit(0x81, 4)))[1] == EOVERFLOW


async def test_a_short_answer_is_an_error_for_a_host_that_says_so(host: Host, box: Box) -> None:
    await host.control("8006 0001 0000 1200")
    assert box.host is not None
    box.host.send(0x82, b"abc")
    assert await host.answer(host.submit(0x82, 64, flags=1)) == (3, EREMOTEIO, b"abc")


async def test_transfers_to_another_device_or_endpoint_are_refused(host: Host) -> None:
    assert (await host.answer(host.submit(0x8F, 8)))[1] == EPIPE
    host.device_id += 1
    assert (await host.answer(host.submit(0x81, 8)))[1] == ENODEV


async def test_pulling_the_cable_ends_the_session_and_takes_the_device_off_the_list(
    server: UsbIpServer, host: Host, box: Box
) -> None:
    host.submit(0x81, 16)
    await host.control("8006 0001 0000 1200")
    server.unplug("1-1")
    assert await closed(host)
    assert box.host is None
    other = await connected(server.address)
    other.writer.write(struct.pack(">HHI", 0x0111, 0x8005, 0))
    assert await other.reader.readexactly(12) == struct.pack(">HHII", 0x0111, 5, 0, 0)
    assert await ask_import(other) == 4
    server.plug("1-1", box)
    assert await ask_import(other) == 0
    other.writer.close()


async def test_a_host_that_sends_garbage_or_leaves_too_much_waiting_is_hung_up_on(
    server: UsbIpServer, host: Host, box: Box
) -> None:
    for _ in range(MAX_WAITING + 1):
        host.submit(0x81, 16)
    assert await closed(host)
    second = await imported(server.address)
    second.writer.write(b"\xff" * 48)
    assert await closed(second)
    third = await imported(server.address)
    assert (await third.control("8006 0001 0000 1200"))[1] == 0
    third.writer.close()


async def test_a_bus_keeps_its_link_while_its_device_comes_and_goes() -> None:
    bus = UsbIpBus(Box())
    await bus.start()
    try:
        link = bus.link_url
        host, _, port = link.removeprefix("usbip://").removesuffix("/1-1").partition(":")
        bus.unplug()
        bus.unplug()
        assert not bus.plugged
        early = await connected((host, int(port)))
        assert await ask_import(early) == 4
        early.writer.close()
        bus.replug()
        assert bus.link_url == link
        (await imported((host, int(port)))).writer.close()
    finally:
        await bus.close()


# -- other people's hosts --


class Pad(HidPeer):
    """A HID device with an input report 01 and a feature report 03."""

    def __init__(self) -> None:
        super().__init__(
            UsbDescriptors(
                vendor_id=0x056A,
                product_id=0x00A4,
                manufacturer="Invented",
                product="Pad",
                serial="P7",
                interfaces=(hid_interface(REPORT_DESCRIPTOR),),
            ),
            REPORT_DESCRIPTOR,
        )
        self.feature = bytes([3, 1, 2, 3, 4])
        self.there = asyncio.Event()

    def attached(self, host: UsbHost) -> None:
        super().attached(host)
        self.there.set()

    def get_report(self, kind: int, report_id: int, length: int) -> bytes:
        if (kind, report_id) != (FEATURE, 3):
            raise Stall
        return self.feature

    def set_report(self, kind: int, report_id: int, data: bytes) -> None:
        if (kind, report_id) != (FEATURE, 3):
            raise Stall
        self.feature = data


async def test_pypi_usbip_enumerates_and_reads_our_hid_device(server: UsbIpServer) -> None:
    pad = Pad()
    server.plug("1-1", pad)

    def drive() -> dict[str, Any]:
        transport = usbip.USBIP(server.address[0], server.address[1])
        found: dict[str, Any] = {
            "listed": [(d["idVendor"], d["idProduct"]) for d in usbip.host.list_devices(transport)]
        }
        with usbip.open(0x056A, 0x00A4, transport=transport) as handle:
            found["product"] = handle.control(0x80, 6, 0x0302, 0x0409, 255)[2:].decode("utf-16-le")
            found["descriptor"] = handle.control(0x81, 6, 0x2200, 0, 255)
            handle.control(0x21, 9, 0x0303, 0, bytes([3, 9, 8, 7, 6]))
            found["feature"] = handle.control(0xA1, 1, 0x0303, 0, 64)
            with pytest.raises(usbip.USBError):
                handle.control(0xA1, 1, 0x0377, 0, 64)
            found["input"] = [handle.interrupt_in(0x81, 64) for _ in range(3)]
        return found

    async def write() -> None:
        await pad.there.wait()
        pad.send_input(b"\x01first")
        pad.send_input(b"\x01second")
        pad.send_input(b"\x01third")

    found, _ = await asyncio.wait_for(asyncio.gather(asyncio.to_thread(drive), write()), 10)
    assert found == {
        "listed": [(0x056A, 0x00A4)],
        "product": "Pad",
        "descriptor": REPORT_DESCRIPTOR,
        "feature": bytes([3, 9, 8, 7, 6]),
        "input": [b"\x01first", b"\x01second", b"\x01third"],
    }


async def test_debians_usbip_lists_our_device(server: UsbIpServer) -> None:
    command = shutil.which("usbip") or "/usr/sbin/usbip"
    if not Path(command).exists():  # noqa: ASYNC240 - a test waits for nothing else
        pytest.skip("the usbip command is not installed: apt-get install usbip")
    server.plug("1-1", Pad())
    process = await asyncio.create_subprocess_exec(
        command,
        "--tcp-port",
        str(server.address[1]),
        "list",
        "-r",
        server.address[0],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 10)
    assert b"1-1:" in output, output
    assert b"056a:00a4" in output
    assert b"Human Interface Device" in output
