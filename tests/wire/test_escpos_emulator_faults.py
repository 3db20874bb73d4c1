"""The emulated printer in trouble: paper, cover, heat, plugs, power, a hanging link, a client that sends too much."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import serial
from google.protobuf.duration_pb2 import Duration

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.escpos.emulator import EscPosEmulator, start

LINES = [f"line {number:03d}" for number in range(60)]
JOB = "".join(f"{line}\n" for line in LINES).encode()
FENCE = b"\x1dr\x01"
STATUS = b"\x10\x04\x01"
READY, OFFLINE = b"\x16", b"\x1e"
MM_A_LINE = 30 * 25.4 / 180
PATIENCE = 10.0


class Client:
    """A TCP client of the printer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self, count: int = 1) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), PATIENCE)

    async def ask(self, data: bytes, count: int = 1) -> bytes:
        self.send(data)
        return await self.answer(count)

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:  # the printer broke the link
            return


@asynccontextmanager
async def printer(**options: Any) -> AsyncIterator[EscPosEmulator]:
    emulator = await start({"speed": 0, **options})
    try:
        yield emulator
    finally:
        await emulator.close()


@asynccontextmanager
async def client_of(emulator: EscPosEmulator) -> AsyncIterator[Client]:
    host, port = emulator.link_url.removeprefix("tcp://").split(":")
    client = Client(*await asyncio.open_connection(host, int(port)))
    try:
        yield client
    finally:
        await client.close()


async def text_of(emulator: EscPosEmulator) -> str:
    output = await emulator.get_output(bench.GetOutputRequest(limit=100, text_only=True))
    return "".join(one.text for one in output.outputs)


async def lines_of(emulator: EscPosEmulator) -> list[str]:
    return (await text_of(emulator)).splitlines()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for is state inside the printer
            await asyncio.sleep(0.002)


async def until_printed(emulator: EscPosEmulator, line: str) -> None:
    await until(lambda: any(text == line for _, text in emulator.machine.roll.current.lines))


async def inject(emulator: EscPosEmulator, fault: str, **options: Any) -> None:
    await emulator.inject_fault(bench.InjectFaultRequest(fault=fault, **options))


async def clear(emulator: EscPosEmulator, fault: str = "") -> None:
    await emulator.clear_fault(bench.ClearFaultRequest(fault=fault))


# Paper, cover, heat


async def test_paper_ends_at_its_line_and_a_new_roll_goes_on_with_the_next():
    async with printer(paper_mm=MM_A_LINE * 20 + 1) as emulator, client_of(emulator) as client:
        client.send(JOB + FENCE)
        await until_printed(emulator, LINES[19])
        await emulator.wait_idle()
        assert await lines_of(emulator) == LINES[:20]
        assert await client.ask(b"\x10\x04\x04") == b"\x7e"
        await emulator.load_paper(bench.LoadPaperRequest())
        assert await client.answer() == b"\0", "the fence is answered after the last line"
        assert await lines_of(emulator) == LINES


async def test_an_empty_roll_and_a_short_one_can_be_loaded():
    async with printer() as emulator, client_of(emulator) as client:
        await emulator.load_paper(bench.LoadPaperRequest(empty=True))
        client.send(JOB + FENCE)
        assert await client.ask(STATUS) == OFFLINE
        await emulator.load_paper(bench.LoadPaperRequest(mm=MM_A_LINE * 5 + 1))
        await until_printed(emulator, LINES[4])
        await emulator.wait_idle()
        assert await lines_of(emulator) == LINES[:5]
        await emulator.load_paper(bench.LoadPaperRequest(mm=50_000))
        assert await client.answer() == b"\0"
        assert await lines_of(emulator) == LINES


async def test_the_near_end_sensor_answers_when_the_roll_gets_there():
    async with printer(paper_mm=4000 + MM_A_LINE * 10) as emulator, client_of(emulator) as client:
        assert await client.ask(b"\x1da\x08", 4) == bytes.fromhex("1400000F")
        client.send(JOB + FENCE)
        assert await client.answer(5) == bytes.fromhex("1400030F03")
        assert await lines_of(emulator) == LINES


async def held(emulator: EscPosEmulator, client: Client, begin: Any, end: Any) -> None:
    """A hold in the middle of a receipt loses and doubles nothing."""
    client.send(JOB[:270])
    await client.ask(FENCE)
    await begin
    assert await client.ask(STATUS) == OFFLINE
    client.send(JOB[270:] + FENCE)
    assert await client.ask(STATUS) == OFFLINE
    await emulator.wait_idle()
    assert await lines_of(emulator) == LINES[:30]
    await end
    assert await client.answer() == b"\0"
    assert await lines_of(emulator) == LINES


async def test_an_open_cover_holds_a_receipt():
    async with printer() as emulator, client_of(emulator) as client:
        opening, closing = bench.OpenCoverRequest(), bench.CloseCoverRequest()
        await held(emulator, client, emulator.open_cover(opening), emulator.close_cover(closing))


@pytest.mark.parametrize("fault", ["cover-open", "overheat", "offline", "paper-out"])
async def test_a_fault_holds_a_receipt_while_it_lasts(fault):
    async with printer() as emulator, client_of(emulator) as client:
        await held(emulator, client, inject(emulator, fault), clear(emulator, fault))


async def test_a_fault_can_begin_by_count_and_end_by_time():
    async with printer(speed=1000) as emulator, client_of(emulator) as client:
        await inject(emulator, "overheat", after_bytes=270, duration=Duration(seconds=100))
        began = time.monotonic()
        client.send(JOB + FENCE)
        assert await client.answer() == b"\0"
        assert time.monotonic() - began >= 0.09
        assert await lines_of(emulator) == LINES


async def test_an_unrecoverable_error_needs_the_power_switch():
    async with printer() as emulator, client_of(emulator) as client:
        await inject(emulator, "unrecoverable-error", times=1)
        await clear(emulator)
        client.send(JOB)
        assert await client.ask(STATUS) == OFFLINE
        await emulator.power_cycle(bench.PowerCycleRequest())
        assert await client.ask(STATUS) == READY
        assert await client.ask(b"after\n" + FENCE) == b"\0"
        assert await lines_of(emulator) == ["after"]


async def test_all_faults_are_listed_and_only_those_can_happen():
    async with printer() as emulator:
        await inject(emulator, "paper-out")
        faults = (await emulator.list_faults(bench.ListFaultsRequest())).faults
        assert [fault.name for fault in faults if fault.active] == ["paper-out"]
        assert {"stall", "slow-drain", "disconnect", "cutter-error", "power-cycle"} <= {fault.name for fault in faults}
        with pytest.raises(ValueError, match="fault: expected one of stall"):
            await inject(emulator, "no-such-fault")


# Power and plug


async def test_a_power_cycle_loses_what_waits_and_what_was_set():
    async with printer() as emulator, client_of(emulator) as client:
        assert await client.ask(b"\x1da\xff\x1ba\x02\x1cq\x01\x01\0\x01\0" + b"\xff" * 8 + b"one\n" + FENCE, 5)
        await emulator.open_cover(bench.OpenCoverRequest())
        client.send(b"lost\n")
        assert (await client.ask(STATUS, 5)).endswith(OFFLINE)
        await inject(emulator, "power-cycle")
        assert not any(fault.active for fault in (await emulator.list_faults(bench.ListFaultsRequest())).faults)
        await emulator.close_cover(bench.CloseCoverRequest())
        assert await client.ask(b"two\n\x1cp\x01\0" + FENCE) == b"\0", "no automatic status came before it"
        lines = await lines_of(emulator)
        assert [line.strip() for line in lines] == ["one", "two", "[image 8x8]"], "NV memory keeps its picture"
        assert lines[1] == "two"


async def test_pulling_the_plug_loses_what_is_not_printed():
    async with printer(speed=1) as emulator:
        async with client_of(emulator) as client:
            client.send(JOB)
            await until_printed(emulator, LINES[3])
            await emulator.unplug(bench.UnplugRequest())
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.answer()
        printed = await lines_of(emulator)
        assert LINES[:4] == printed[:4]
        assert len(printed) < 60
        with pytest.raises(OSError):
            async with client_of(emulator):
                pass
        await emulator.replug(bench.ReplugRequest())
        async with client_of(emulator) as client:
            assert await client.ask(STATUS) == READY
            assert await client.ask(b"after\n" + FENCE) == b"\0"
        assert await lines_of(emulator) == [*printed, "after"]


async def test_putting_back_a_plug_that_is_in_changes_nothing():
    async with printer() as emulator, client_of(emulator) as client:
        client.send(b"half ")
        assert await client.ask(FENCE) == b"\0"
        await emulator.replug(bench.ReplugRequest())
        assert await client.ask(b"whole\n" + FENCE) == b"\0"
        assert await lines_of(emulator) == ["half whole"]


# The link


async def test_a_printer_that_hangs_answers_when_it_wakes():
    async with printer() as emulator, client_of(emulator) as client:
        await inject(emulator, "stall")
        client.send(JOB + STATUS + FENCE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.reader.readexactly(1), 0.1)
        await clear(emulator, "stall")
        assert await client.answer(2) == READY + b"\0"
        assert await lines_of(emulator) == LINES


async def test_a_slow_printer_prints_everything():
    async with printer(speed=100) as emulator, client_of(emulator) as client:
        await inject(emulator, "slow-drain")
        began = time.monotonic()
        client.send(JOB + FENCE)
        assert await client.answer() == b"\0"
        assert time.monotonic() - began >= len(JOB) / 960 / 100 * 0.8
        assert await lines_of(emulator) == LINES


async def test_a_second_connection_waits_for_the_first_to_close():
    async with printer() as emulator, client_of(emulator) as first, client_of(emulator) as second:
        assert await first.ask(b"first\n" + FENCE) == b"\0"
        second.send(b"second\n" + STATUS + FENCE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.reader.readexactly(1), 0.1)
        assert await first.ask(b"still first\n" + FENCE) == b"\0"
        await first.close()
        assert await second.answer(2) == READY + b"\0"
        assert await lines_of(emulator) == ["first", "still first", "second"]


async def test_a_client_that_closes_at_once_has_its_receipt_printed():
    async with printer() as emulator:
        async with client_of(emulator) as client:
            client.send(JOB)
            await client.writer.drain()
        await until_printed(emulator, LINES[-1])
        assert await lines_of(emulator) == LINES


async def test_a_printer_that_does_not_print_takes_in_no_more_than_its_buffer():
    async with printer() as emulator:
        await emulator.open_cover(bench.OpenCoverRequest())
        host, port = emulator.link_url.removeprefix("tcp://").split(":")
        client = socket.create_connection((host, int(port)))
        try:
            client.setblocking(False)
            sent = 0
            flood = b"x" * 47 + b"\n"

            def stuffed() -> bool:
                nonlocal sent
                try:
                    while True:
                        sent += client.send(flood[sent % 48 :] + flood * 100)
                except BlockingIOError:
                    return emulator._link.bus._paused and emulator._link._device_paused

            await until(stuffed)
            taken = emulator.machine._tokenizer.waiting
            assert 16384 <= taken <= 16384 + 4096
            assert taken + 4096 < sent, "the rest stays with the client"
            await emulator.close_cover(bench.CloseCoverRequest())
            before = sent
            await until(lambda: not stuffed() and sent > before)
        finally:
            client.close()


async def test_a_receipt_behind_back_pressure_is_whole():
    lines = [f"{number:05d} " + "x" * 36 for number in range(5_000)]
    data = "".join(f"{line}\n" for line in lines).encode()
    async with printer(paper_mm=100_000, cutter_distance=0) as emulator, client_of(emulator) as client:
        await emulator.open_cover(bench.OpenCoverRequest())
        client.send(data + FENCE)
        await until(lambda: emulator._link._device_paused)
        await emulator.close_cover(bench.CloseCoverRequest())
        assert await client.answer() == b"\0"
        printed = [text for receipt in (*emulator.machine.roll.receipts, emulator.machine.roll.current)
                   for text in receipt.text.splitlines()]  # fmt: skip
        assert printed == lines


# A serial port


@asynccontextmanager
async def port_of(emulator: EscPosEmulator, **options: Any) -> AsyncIterator[serial.Serial]:
    path = emulator.link_url.removeprefix("serial://").partition("?")[0]
    port = serial.Serial(path, 115200, timeout=PATIENCE, write_timeout=PATIENCE, **options)
    try:
        yield port
    finally:
        port.close()


async def test_xoff_holds_the_client_while_the_cover_is_open_and_xon_lets_it_go_on():
    lines = [f"{number:04d} " + "x" * 36 for number in range(1000)]
    data = "".join(f"{line}\n" for line in lines).encode()
    async with printer(pty=True) as emulator, port_of(emulator, xonxoff=True) as port:
        await emulator.open_cover(bench.OpenCoverRequest())
        writing = asyncio.create_task(asyncio.to_thread(port.write, data))
        await until(lambda: emulator.machine._xoff)
        done, _ = await asyncio.wait([writing], timeout=0.2)
        assert not done
        assert emulator.machine._tokenizer.waiting <= 4096 + 4096
        await emulator.close_cover(bench.CloseCoverRequest())
        assert await writing == len(data)
        await asyncio.to_thread(port.write, FENCE)
        assert await asyncio.to_thread(port.read, 1) == b"\0", "XON and XOFF do not reach a client that honours them"
        assert [line for line in await lines_of(emulator) if line] == lines


async def test_a_client_without_xon_xoff_sees_the_bytes_and_is_held_by_the_port_itself():
    data = (b"x" * 40 + b"\n") * 1000
    async with printer(pty=True) as emulator, port_of(emulator) as port:
        await emulator.open_cover(bench.OpenCoverRequest())
        writing = asyncio.create_task(asyncio.to_thread(port.write, data))
        assert await asyncio.to_thread(port.read, 1) == b"\x13"
        done, _ = await asyncio.wait([writing], timeout=0.2)
        assert not done
        await emulator.close_cover(bench.CloseCoverRequest())
        assert await writing == len(data)
        await asyncio.to_thread(port.write, FENCE)
        answers = b""
        while not answers.endswith(b"\0"):
            answers += await asyncio.to_thread(port.read, 1)
        assert set(answers[:-1]) <= {0x11, 0x13}
        assert len(answers) % 2 == 0, "every XOFF has its XON"
        assert (await text_of(emulator)).count("x" * 40) == 1000


@pytest.mark.parametrize("xonxoff", [True, False])
async def test_a_picture_of_72_kilobytes_passes_a_buffer_of_four(xonxoff):
    picture = b"\x1dv0\0" + (64).to_bytes(2, "little") + (1125).to_bytes(2, "little") + b"\xa5" * 72_000
    async with printer(pty=True) as emulator, port_of(emulator, xonxoff=xonxoff) as port:
        for between in (b"", b"\n" * 50):
            await asyncio.to_thread(port.write, between + picture + FENCE)
            answers = b""
            while not answers.endswith(b"\0"):
                answers += await asyncio.to_thread(port.read, 1)
        assert (await text_of(emulator)).count("[image 512x1125]") == 2


async def test_a_picture_that_came_half_while_the_cover_was_open_is_printed_whole():
    picture = b"\x1dv0\0" + (64).to_bytes(2, "little") + (1125).to_bytes(2, "little") + b"\xa5" * 72_000
    async with printer(pty=True) as emulator, port_of(emulator, xonxoff=True) as port:
        await emulator.open_cover(bench.OpenCoverRequest())
        writing = asyncio.create_task(asyncio.to_thread(port.write, picture + FENCE))
        await until(lambda: emulator.machine._xoff)
        await emulator.close_cover(bench.CloseCoverRequest())
        assert await writing == len(picture) + len(FENCE)
        assert await asyncio.to_thread(port.read, 1) == b"\0"
        assert await text_of(emulator) == "[image 512x1125]\n"


async def test_a_serial_port_keeps_its_name_over_unplugging():
    async with printer(pty=True) as emulator:
        url = emulator.link_url
        await emulator.unplug(bench.UnplugRequest())
        with pytest.raises(serial.SerialException):
            async with port_of(emulator):
                pass
        await emulator.replug(bench.ReplugRequest())
        assert emulator.link_url == url
        async with port_of(emulator) as port:
            await asyncio.to_thread(port.write, b"after\n" + FENCE)
            assert await asyncio.to_thread(port.read, 1) == b"\0"
        assert await text_of(emulator) == "after\n"
