"""Links: URLs, serial ports (on ptys), TCP (on loopback), RFC 2217 (against pyserial's own server class)."""

from __future__ import annotations

import asyncio
import os
import socket
import termios
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st
from serial.rfc2217 import PortManager

from countertop.sdk import ByteLink, LinkFault, LinkUrl, SerialLink, TcpLink, open_link, parse_link
from countertop.sdk.links import _serial
from countertop.sdk.links._channel import INPUT_LIMIT
from countertop.v1 import error_pb2

LIMIT = 5.0
BOTH = (SerialLink, TcpLink)


async def soon(awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, LIMIT)


async def receive_exactly(link: ByteLink, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await soon(link.receive(count - len(data)))
    return data


@dataclass
class Wire:
    """A link and the device's end of it."""

    link: Any
    fd: int
    unplug: Callable[[], None]

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.fd, data) :]

    async def read(self, count: int) -> bytes:
        """Read as the device does, without holding the loop."""
        data = b""
        while len(data) < count:
            await readable(self.fd)
            data += os.read(self.fd, count - len(data))
        return data


async def readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
    try:
        await soon(ready)
    finally:
        loop.remove_reader(fd)


@contextmanager
def pty() -> Iterator[tuple[int, str]]:
    device, port = os.openpty()
    name = os.ttyname(port)
    os.close(port)
    open_ends = [device]
    try:
        yield device, name
    finally:
        for fd in open_ends:
            with suppress(OSError):
                os.close(fd)


@asynccontextmanager
async def serial_wire(query: str = "baud=115200") -> AsyncIterator[Wire]:
    with pty() as (device, name):
        link = await open_link(parse_link(f"serial://{name}?{query}"), allowed=BOTH)
        try:
            yield Wire(link, device, lambda: os.close(device))
        finally:
            await link.close()


@asynccontextmanager
async def tcp_wire(query: str = "") -> AsyncIterator[Wire]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        link = await open_link(parse_link(f"tcp://127.0.0.1:{port}?{query}"), allowed=BOTH)
        peer, _ = listener.accept()
        peer.settimeout(LIMIT)
        try:
            yield Wire(link, peer.fileno(), peer.close)
        finally:
            await link.close()
            peer.close()


WIRES = pytest.mark.parametrize("wire_to", [serial_wire, tcp_wire], ids=["serial", "tcp"])


# --- URLs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("serial:///dev/ttyUSB0", LinkUrl("", "serial", path="/dev/ttyUSB0")),
        (
            "serial:///dev/serial/by-id/a%23b?baud=9600&parity=E",
            LinkUrl("", "serial", path="/dev/serial/by-id/a#b", query={"baud": "9600", "parity": "E"}),
        ),
        ("rfc2217://dock:2217?baud=9600", LinkUrl("", "rfc2217", "dock", 2217, query={"baud": "9600"})),
        ("tcp://[::1]:9100?connect_timeout=0.5", LinkUrl("", "tcp", "::1", 9100, query={"connect_timeout": "0.5"})),
        ("other://somewhere/x?y=1", LinkUrl("", "other", "somewhere", path="/x", query={"y": "1"})),
    ],
)
def test_a_link_url_is_taken_apart(text: str, expected: LinkUrl) -> None:
    url = parse_link(text)
    assert url.text == text
    assert (url.scheme, url.host, url.port, url.path, url.query) == (
        expected.scheme,
        expected.host,
        expected.port,
        expected.path,
        expected.query,
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/dev/ttyUSB0", "expected a link such as serial:///dev/ttyUSB0"),
        ("", "expected a link such as"),
        ("serial://dev/ttyUSB0", "expected the path of a port"),
        ("serial://", "expected the path of a port"),
        ("serial:///dev/x?baud=fast", "baud: expected a whole number, 50 to 4000000"),
        ("serial:///dev/x?baud=49", "baud: expected a whole number, 50 to 4000000"),
        ("serial:///dev/x?parity=X", "parity: expected one of N, E, O, M, S"),
        ("serial:///dev/x?rtscts=yes", "rtscts: expected one of 0, 1"),
        ("serial:///dev/x?boud=9600", "expected only the settings baud, parity"),
        ("serial:///dev/x?baud=9600&baud=9600", "expected baud only once"),
        ("tcp://host", "expected a host, a port and no path, as in tcp://host:port"),
        ("tcp://host:0", "expected a host, a port and no path"),
        ("tcp://host:99999", "expected a port, 1 to 65535"),
        ("tcp://user:secret@host:1", "expected no user, password or fragment"),
        ("tcp://host:1/path", "no path"),
        ("tcp://host:1?connect_timeout=nan", "connect_timeout: expected a number, 0.1 to 60"),
        ("rfc2217:///dev/x", "expected a host, a port and no path, as in rfc2217://"),
    ],
)
def test_a_wrong_link_url_is_told_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_link(text)
    assert expected in str(caught.value)


@given(st.text() | st.builds("{}://{}".format, st.sampled_from(["serial", "tcp", "rfc2217", "x"]), st.text()))
def test_any_text_is_a_link_url_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_link(text).text == text


async def test_a_driver_that_does_not_run_over_the_scheme_names_those_that_it_does() -> None:
    with pytest.raises(LinkFault, match=r"serial://, rfc2217://") as caught:
        await open_link(parse_link("tcp://127.0.0.1:9100"), allowed=(SerialLink,))
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE


async def test_defaults_fill_in_what_the_url_lacks_and_leave_out_what_the_link_does_not_know() -> None:
    with pty() as (device, name):
        link = await open_link(parse_link(f"serial://{name}?parity=E"), allowed=BOTH, defaults={"baud": "19200"})
        assert termios.tcgetattr(device)[4] == termios.B19200
        await link.close()
        link = await open_link(parse_link(f"serial://{name}?baud=57600"), allowed=BOTH, defaults={"baud": "19200"})
        assert termios.tcgetattr(device)[4] == termios.B57600
        await link.close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = parse_link(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        await (await open_link(url, allowed=BOTH, defaults={"baud": "19200"})).close()


# --- serial and TCP alike --------------------------------------------------------------------------------------------


@WIRES
async def test_every_byte_value_goes_both_ways(wire_to: Any) -> None:
    everything = bytes(range(256))
    async with wire_to() as wire:
        await soon(wire.link.send(everything))
        assert await wire.read(256) == everything
        wire.write(everything)
        assert await receive_exactly(wire.link, 256) == everything


@WIRES
async def test_receive_gives_no_more_than_asked_for_and_keeps_the_rest(wire_to: Any) -> None:
    async with wire_to() as wire:
        wire.write(b"abcdef")
        assert await receive_exactly(wire.link, 6) == b"abcdef"
        wire.write(b"ghi")
        assert await soon(wire.link.receive(1)) == b"g"
        assert await receive_exactly(wire.link, 2) == b"hi"


@WIRES
async def test_cancelling_receive_loses_no_byte(wire_to: Any) -> None:
    sent = bytes(value % 251 for value in range(600))
    async with wire_to() as wire:
        got = b""
        for position in range(0, len(sent), 3):
            waiting = asyncio.ensure_future(wire.link.receive())
            await asyncio.sleep(0)
            wire.write(sent[position : position + 3])
            if position % 2:
                await readable_or_done(waiting)
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                got += await waiting
        got += await receive_exactly(wire.link, len(sent) - len(got))
        assert got == sent


async def readable_or_done(task: asyncio.Future[Any]) -> None:
    """Let the loop see what arrived, so that the cancellation comes with the data at hand."""
    for _ in range(3):
        if not task.done():
            await asyncio.sleep(0)


@WIRES
async def test_a_receiver_that_was_woken_and_cancelled_at_once_leaves_the_bytes(wire_to: Any) -> None:
    async with wire_to() as wire:
        waiting = asyncio.ensure_future(wire.link.receive())
        await asyncio.sleep(0)
        wire.write(b"kept")
        wire.link._channel._read()  # as the loop does; the receiver has no turn before it is cancelled
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await receive_exactly(wire.link, 4) == b"kept"


@WIRES
async def test_a_device_that_takes_nothing_holds_the_sender_until_it_reads(wire_to: Any) -> None:
    async with wire_to() as wire:
        data = os.urandom(8_000_000 if wire_to is tcp_wire else 200_000)
        sending = asyncio.ensure_future(wire.link.send(data))
        done, _ = await asyncio.wait({sending}, timeout=0.2)
        assert not done, "the link took all bytes though nobody reads"
        assert await wire.read(len(data)) == data
        await soon(sending)


@WIRES
async def test_a_held_sender_can_be_cancelled_and_the_link_still_receives(wire_to: Any) -> None:
    async with wire_to() as wire:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await wire.link.send(bytes(16_000_000))
        wire.write(b"still here")
        assert await receive_exactly(wire.link, 10) == b"still here"


@WIRES
async def test_a_device_that_never_stops_is_not_read_beyond_the_buffer(wire_to: Any) -> None:
    async with wire_to() as wire:
        os.set_blocking(wire.fd, False)
        written = 0
        idle_rounds = 0
        while idle_rounds < 50:  # until the system's buffers are full too
            try:
                written += os.write(wire.fd, bytes([written // 65536 % 256]) * 65536)
                idle_rounds = 0
            except BlockingIOError:
                idle_rounds += 1
                await asyncio.sleep(0.001)
        assert wire.link._channel._inbox.room == 0
        assert written > INPUT_LIMIT
        assert len(await receive_exactly(wire.link, written)) == written
        os.set_blocking(wire.fd, True)
        wire.write(b"after")
        assert await receive_exactly(wire.link, 5) == b"after"


@WIRES
async def test_discard_input_takes_what_arrived_even_before_the_loop_saw_it(wire_to: Any) -> None:
    async with wire_to() as wire:
        assert wire.link.discard_input() == b""
        wire.write(b"stale")
        assert wire.link.discard_input() == b"stale"
        assert wire.link.discard_input() == b""
        wire.write(b"fresh")
        assert await receive_exactly(wire.link, 5) == b"fresh"


@WIRES
async def test_a_peer_that_goes_away_ends_the_receiver_after_the_last_byte(wire_to: Any) -> None:
    async with wire_to() as wire:
        if wire_to is tcp_wire:
            wire.write(b"last")
            assert await receive_exactly(wire.link, 4) == b"last"
        waiting = asyncio.ensure_future(wire.link.receive())
        await asyncio.sleep(0)
        wire.unplug()
        with pytest.raises(LinkFault) as caught:
            await soon(waiting)
        assert caught.value.reason == error_pb2.REASON_LINK_LOST
        with pytest.raises(LinkFault):
            await soon(wire.link.receive())
        with pytest.raises(LinkFault):
            await soon(wire.link.send(b"x"))
        assert wire.link.discard_input() == b""


@WIRES
async def test_a_peer_that_goes_away_ends_a_held_sender(wire_to: Any) -> None:
    async with wire_to() as wire:
        sending = asyncio.ensure_future(wire.link.send(bytes(16_000_000)))
        done, _ = await asyncio.wait({sending}, timeout=0.1)
        assert not done
        wire.unplug()
        with pytest.raises(LinkFault) as caught:
            await soon(sending)
        assert caught.value.reason == error_pb2.REASON_LINK_LOST


@WIRES
async def test_closing_ends_those_who_wait_and_may_be_done_twice(wire_to: Any) -> None:
    async with wire_to() as wire:
        receiving = asyncio.ensure_future(wire.link.receive())
        sending = asyncio.ensure_future(wire.link.send(bytes(16_000_000)))
        await asyncio.wait({receiving, sending}, timeout=0.05)
        await soon(wire.link.close())
        await soon(wire.link.close())
        for task in (receiving, sending):
            with pytest.raises(LinkFault):
                await soon(task)
        with pytest.raises(LinkFault):
            await wire.link.receive()


# --- serial ----------------------------------------------------------------------------------------------------------


async def test_xoff_holds_the_sender_and_xon_lets_it_go_on() -> None:
    async with serial_wire("xonxoff=1") as wire:
        wire.write(b"\x13")
        wire.write(b"+")
        assert await receive_exactly(wire.link, 1) == b"+", "the system keeps XOFF to itself"
        sending = asyncio.ensure_future(wire.link.send(b"held"))
        done, _ = await asyncio.wait({sending}, timeout=0.1)
        assert not done
        wire.write(b"\x11")
        await soon(sending)
        assert await wire.read(4) == b"held"


async def test_a_port_that_stays_in_xoff_can_be_closed_at_once() -> None:
    async with serial_wire("xonxoff=1") as wire:
        wire.write(b"\x13+")
        assert await receive_exactly(wire.link, 1) == b"+"
        sending = asyncio.ensure_future(wire.link.send(b"never"))
        await asyncio.wait({sending}, timeout=0.05)
        await soon(wire.link.close())
        with pytest.raises(LinkFault):
            await sending


@pytest.mark.parametrize("query", ["dsrdtr=1", "rtscts=1", "dsrdtr=1&rtscts=1&xonxoff=1", "stopbits=2&parity=O"])
async def test_a_port_without_modem_lines_opens_and_sends_whatever_is_asked_of_them(query: str) -> None:
    async with serial_wire(query) as wire:
        assert wire.link.dsr() is None
        await soon(wire.link.send(bytes(1000)))
        assert await wire.read(1000) == bytes(1000)


async def test_a_second_opener_is_told_that_the_port_is_busy_until_it_is_closed() -> None:
    async with serial_wire() as wire:
        with pytest.raises(LinkFault, match="busy") as caught:
            await open_link(wire.link.url, allowed=BOTH)
        assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE
        await wire.link.close()
        second = await open_link(wire.link.url, allowed=BOTH)
        await second.close()


async def test_the_speed_can_be_changed_while_open() -> None:
    async with serial_wire("baud=115200") as wire:
        await soon(wire.link.set_baud(9600))
        assert termios.tcgetattr(wire.fd)[4] == termios.B9600
        await soon(wire.link.set_baud(250_000))  # no standard speed
        await soon(wire.link.send(b"x"))
        assert await wire.read(1) == b"x"
        with pytest.raises(ValueError, match="50 to 4000000"):
            await wire.link.set_baud(1)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/dev/no-such-port", "there is no such port"),
        ("/etc/passwd", "not a serial port"),
        ("/proc/self/mem", "cannot be opened"),
    ],
)
async def test_a_port_that_cannot_be_opened_says_why_and_what_to_do(path: str, told: str) -> None:
    with pytest.raises(LinkFault, match=told) as caught:
        await open_link(parse_link(f"serial://{path}"), allowed=BOTH)
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE
    assert caught.value.action


async def test_a_port_without_rights_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **settings: object) -> None:
        raise serial.SerialException(13, "could not open port")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(LinkFault, match="dialout"):
        await open_link(parse_link("serial:///dev/ttyS0"), allowed=BOTH)


async def test_a_cancelled_open_leaves_the_port_free(monkeypatch: pytest.MonkeyPatch) -> None:
    opening, go_on = threading.Event(), threading.Event()
    really = serial.serial_for_url

    def slowly(*args: Any, **settings: Any) -> serial.Serial:
        opening.set()
        go_on.wait(LIMIT)
        return really(*args, **settings)

    with pty() as (_, name):
        url = parse_link(f"serial://{name}")
        monkeypatch.setattr(serial, "serial_for_url", slowly)
        task = asyncio.ensure_future(open_link(url, allowed=BOTH))
        await asyncio.to_thread(opening.wait, LIMIT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        monkeypatch.undo()
        async with asyncio.timeout(LIMIT):
            while True:
                with suppress(LinkFault):
                    await (await open_link(url, allowed=BOTH)).close()
                    break
                await asyncio.sleep(0.005)


# --- TCP -------------------------------------------------------------------------------------------------------------


async def test_a_refused_connection_says_that_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LinkFault, match="refused") as caught:
        await open_link(parse_link(f"tcp://127.0.0.1:{port}"), allowed=BOTH)
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE


async def test_a_connection_that_is_not_answered_ends_at_its_time_limit() -> None:
    with socket.socket() as listener:  # bound, listening, its backlog full: further connections are not answered
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with pytest.raises(LinkFault, match="nothing answers"):
            await soon(open_link(parse_link(f"tcp://127.0.0.1:{port}?connect_timeout=0.2"), allowed=BOTH))
        for filler in fillers:
            filler.close()


async def test_a_tcp_link_sends_at_once_and_finds_dead_peers() -> None:
    async with tcp_wire() as wire:
        connection = wire.link._connection
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


# --- RFC 2217 --------------------------------------------------------------------------------------------------------

RFC2217 = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial 3.5 uses the old names


class PortWithLines(serial.Serial):
    """A pty has no modem lines; this one pretends."""

    lines: dict[str, bool]

    dsr = property(lambda self: self.lines["dsr"])
    cts = property(lambda self: True)
    ri = property(lambda self: False)
    cd = property(lambda self: True)
    dtr = property(lambda self: True, lambda self, value: None)
    rts = property(lambda self: True, lambda self, value: None)


class Rfc2217Server:
    """pyserial's own PortManager between a socket and a pty, as its example server has it."""

    def __init__(self) -> None:
        self.device, port = os.openpty()
        self.port = PortWithLines(os.ttyname(port), timeout=0.05)
        os.close(port)
        self.port.lines = {"dsr": True}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self.listener.getsockname()[1]}"
        self.ended = threading.Event()
        self.connection: socket.socket | None = None
        self.threads = [threading.Thread(target=self._serve)]
        self.threads[0].start()

    def write(self, data: bytes) -> None:
        assert self.connection is not None
        with suppress(OSError):
            self.connection.sendall(data)

    def _serve(self) -> None:
        with suppress(OSError):
            self.connection, _ = self.listener.accept()
            self.manager = PortManager(self.port, self)
            self.threads.append(threading.Thread(target=self._from_port))
            self.threads[-1].start()
            while data := self.connection.recv(1024):
                self.port.write(b"".join(self.manager.filter(data)))
        self.ended.set()

    def _from_port(self) -> None:
        while not self.ended.is_set():
            with suppress(OSError):
                if data := self.port.read(self.port.in_waiting or 1):
                    self.write(b"".join(self.manager.escape(data)))

    def set_dsr(self, value: bool) -> None:
        self.port.lines["dsr"] = value
        self.manager.check_modem_lines()

    def close(self) -> None:
        self.ended.set()
        self.listener.close()
        if self.connection is not None:
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
        self.port.cancel_write()
        for thread in self.threads:
            thread.join(LIMIT)
        if self.connection is not None:
            self.connection.close()
        self.port.close()
        os.close(self.device)


@asynccontextmanager
async def rfc2217_wire(query: str = "baud=19200") -> AsyncIterator[tuple[Wire, Rfc2217Server]]:
    before = set(threading.enumerate())
    server = Rfc2217Server()
    try:
        link = await soon(open_link(parse_link(f"{server.url}?{query}"), allowed=BOTH))
        try:
            yield Wire(link, server.device, server.close), server
        finally:
            await soon(link.close())
    finally:
        await asyncio.to_thread(server.close) if not server.ended.is_set() or server.port.is_open else None
    left = {thread.name for thread in set(threading.enumerate()) - before if not thread.name.startswith("asyncio")}
    assert not left, "threads are left"


@RFC2217
async def test_a_network_port_carries_every_byte_both_ways_at_the_speed_asked_for() -> None:
    everything = bytes(range(256)) * 8
    async with rfc2217_wire("baud=19200") as (wire, server):
        assert server.port.baudrate == 19200
        await soon(wire.link.send(everything))
        assert await wire.read(len(everything)) == everything
        wire.write(everything)
        assert await receive_exactly(wire.link, len(everything)) == everything
        await soon(wire.link.set_baud(57600))
        assert server.port.baudrate == 57600


@RFC2217
async def test_cancelling_receive_on_a_network_port_loses_no_byte() -> None:
    async with rfc2217_wire() as (wire, _):
        got = b""
        for value in range(40):
            waiting = asyncio.ensure_future(wire.link.receive())
            wire.write(bytes([value]))
            await asyncio.wait({waiting}, timeout=0.002)
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                got += await waiting
        got += await receive_exactly(wire.link, 40 - len(got))
        assert got == bytes(range(40))


@RFC2217
async def test_a_network_port_whose_dsr_falls_holds_the_sender() -> None:
    async with rfc2217_wire("dsrdtr=1") as (wire, server):
        await soon(wire.link.send(b"first"))
        assert await wire.read(5) == b"first"
        server.set_dsr(False)
        async with asyncio.timeout(LIMIT):
            while wire.link.dsr() is not False:  # noqa: ASYNC110 - the line has no event
                await asyncio.sleep(0.005)
        sending = asyncio.ensure_future(wire.link.send(b"second"))
        done, _ = await asyncio.wait({sending}, timeout=0.1)
        assert not done
        server.set_dsr(True)
        await soon(sending)
        assert await wire.read(6) == b"second"


@RFC2217
async def test_a_network_port_that_goes_away_ends_receiver_and_sender() -> None:
    async with rfc2217_wire() as (wire, server):
        waiting = asyncio.ensure_future(wire.link.receive())
        await asyncio.to_thread(server.close)
        with pytest.raises(LinkFault) as caught:
            await soon(waiting)
        assert caught.value.reason == error_pb2.REASON_LINK_LOST
        with pytest.raises(LinkFault):
            await soon(wire.link.send(bytes(100_000)))


@RFC2217
async def test_a_network_port_that_nobody_reads_is_held_back_and_can_be_closed() -> None:
    async with rfc2217_wire() as (wire, server):
        flooding = threading.Thread(target=lambda: server.write(bytes(1_000_000)))
        flooding.start()
        channel: Any = wire.link._channel
        async with asyncio.timeout(LIMIT):
            while channel._inbox.room > 0:  # noqa: ASYNC110 - the buffer has no event
                await asyncio.sleep(0.01)
        assert channel._inbox.room > -1024
        await soon(wire.link.close())
        await asyncio.to_thread(flooding.join)


@RFC2217
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")  # pyserial leaves it to the collector
async def test_a_server_that_does_not_speak_rfc_2217_is_offline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answer = threading.Thread(target=lambda: listener.accept()[0].close())
        answer.start()
        with pytest.raises(LinkFault) as caught:
            await soon(open_link(parse_link(f"rfc2217://127.0.0.1:{listener.getsockname()[1]}"), allowed=BOTH))
        answer.join()
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE


@RFC2217
async def test_a_network_port_that_is_refused_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LinkFault, match="refused"):
        await soon(open_link(parse_link(f"rfc2217://127.0.0.1:{port}"), allowed=BOTH))


# --- the chip of a card inside a printer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "chip"),
    [
        ("tcp://127.0.0.1:9100?chip=vpcd%3A%2F%2F127.0.0.1%3A35963", "", "vpcd://127.0.0.1:35963"),
        ("tcp://printer:9100?chip=pcsc%3A%2F%2FReader+CI&connect_timeout=2", "", "pcsc://Reader CI"),
        ("usbip://127.0.0.1:3240/1-1?chip=vpcd://[::1]:1", "/1-1", "vpcd://[::1]:1"),
        ("usb://0F49:0A00/SERIAL?chip=pcsc%3A%2F%2FReader%2520CI", "0F49:0A00/SERIAL", "pcsc://Reader%20CI"),
        ("usb://0F49:0A00?chip=pcsc://Reader", "0F49:0A00", "pcsc://Reader"),
    ],
)
def test_a_printers_link_may_name_the_way_to_the_chip(text: str, place: str, chip: str) -> None:
    url = parse_link(text)
    assert (url.text, url.path, url.query["chip"]) == (text, place, chip)


def test_a_printer_may_have_two_chip_stations() -> None:
    url = parse_link("usb://0F49:0A00?chip=pcsc%3A%2F%2FCI&chip_contactless=pcsc%3A%2F%2FPICC")
    assert url.query == {"chip": "pcsc://CI", "chip_contactless": "pcsc://PICC"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tcp://host:1?chip=vpcd", "chip: expected vpcd://HOST:PORT or pcsc://READER"),
        ("usbip://host:1/1-1?chip=vpcd%3A%2F%2Fhost", "chip: expected vpcd://HOST:PORT"),
        ("usb://0F49:0A00?chip=", "chip: expected vpcd://HOST:PORT"),
        ("usb://0F49:0A00?baud=9600", "expected only the settings chip, chip_contactless"),
        ("usb://0F49:0A00?chip=pcsc://A&chip=pcsc://B", "expected chip only once"),
        ("hid://056A:00A4?chip=pcsc://A", "expected no settings"),
        ("usb://0F49?chip=pcsc://A", "expected four hexadecimal digits each"),
        ("serial:///dev/x?chip=pcsc://A", "expected only the settings baud"),
    ],
)
def test_a_wrong_way_to_the_chip_is_told_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_link(text)
    assert expected in str(caught.value)


def test_a_question_mark_in_a_serial_number_is_written_encoded() -> None:
    assert parse_link("usb://0F49:0A00/A%3FB").path == "0F49:0A00/A?B"


@given(st.sampled_from(["usb", "hid"]), st.text())
def test_any_text_behind_a_usb_scheme_is_a_link_url_or_a_value_error(scheme: str, rest: str) -> None:
    with suppress(ValueError):
        assert parse_link(f"{scheme}://0F49:0A00{rest}").path.startswith("0F49:0A00")


async def test_a_link_with_a_way_to_the_chip_opens_as_without() -> None:
    async with tcp_wire("chip=vpcd%3A%2F%2F127.0.0.1%3A1") as wire:
        await wire.link.send(b"x")
        await readable(wire.fd)
        assert os.read(wire.fd, 1) == b"x"


async def test_who_closes_a_port_again_waits_until_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    held, close = threading.Event(), _serial._close_port

    def close_late(port: serial.Serial) -> None:
        held.wait(10)
        close(port)

    monkeypatch.setattr(_serial, "_close_port", close_late)
    master, slave = os.openpty()
    try:
        url = parse_link(f"serial://{os.ttyname(slave)}?baud=9600")
        link = await SerialLink.open(url)
        first = asyncio.ensure_future(link.close())
        await asyncio.sleep(0)
        first.cancel()  # as who is given up in the middle of it
        await asyncio.wait({first})
        second = asyncio.ensure_future(link.close())
        await asyncio.wait({second}, timeout=0.05)
        assert not second.done()
        held.set()
        await second
        await (await SerialLink.open(url)).close()  # it is exclusive: this fails while another has the port
    finally:
        held.set()
        os.close(master)
        os.close(slave)
