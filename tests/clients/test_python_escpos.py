"""python-escpos, a driver that we did not write, prints on the emulated printer."""

from __future__ import annotations

import asyncio
import io
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.escpos.emulator import EscPosEmulator, start

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its own imports
    from escpos.escpos import Escpos
    from escpos.printer import Network, Serial

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:escpos", "ignore::DeprecationWarning:PIL")

LINKS = ("tcp", "pty")
PATIENCE = 10
SERIAL_TIMEOUT = 0.3
"""Seconds. The library reads 16 bytes from a serial port, and so always waits until the time is over."""


def connect(emulator: EscPosEmulator) -> Escpos:
    """python-escpos on the emulator's link. Blocks."""
    scheme, _, rest = emulator.link_url.partition("://")
    if scheme == "tcp":
        host, port = rest.split(":")
        client = Network(host, int(port), timeout=PATIENCE)
    else:
        client = Serial(rest.partition("?")[0], baudrate=115200, timeout=SERIAL_TIMEOUT, dsrdtr=False)
    client.open()
    return client


@asynccontextmanager
async def printer(link: str) -> AsyncIterator[EscPosEmulator]:
    emulator = await start({"speed": 0, "width_dots": 576, **({"pty": True} if link == "pty" else {})})
    try:
        yield emulator
    finally:
        await emulator.close()


async def with_client(emulator: EscPosEmulator, use: Callable[[Escpos], Any]) -> Any:
    """Let a client use the printer until all that it sent is printed."""

    def work() -> Any:
        client = connect(emulator)
        try:
            result = use(client)
            client._raw(b"\x1dr\x02")
            answers = (client._read() for _ in range(int(PATIENCE / SERIAL_TIMEOUT)))
            answer = next(filter(None, answers))
            assert answer.strip(b"\x11\x13") == b"\x01"  # it opens the port without XON/XOFF and reads them as data
            return result
        finally:
            client.close()

    return await asyncio.to_thread(work)


async def output_of(emulator: EscPosEmulator) -> tuple[str, Image.Image]:
    [output] = (await emulator.get_output(bench.GetOutputRequest(limit=1))).outputs
    return output.text, Image.open(io.BytesIO(output.image.data)).convert("L")


@pytest.mark.parametrize("link", LINKS)
async def test_text_and_chinese(link):
    def use(client: Escpos) -> None:
        client.set(align="center", bold=True, double_height=True, double_width=True)
        client.text("RECEIPT\n")
        client.set_with_default()
        client.text("Account 6222 **** 0000\n")
        client.text("业务回单 金额 100.00元\n")
        client.set(align="right")
        client.text("éà\n")
        client.ln(2)

    async with printer(link) as emulator:
        await with_client(emulator, use)
        text, _ = await output_of(emulator)
    lines = [line.strip() for line in text.splitlines()]
    assert lines[:3] == ["RECEIPT", "Account 6222 **** 0000", "业务回单 金额 100.00元"]
    assert text.splitlines()[0].startswith("   ")


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("native", [True, False])
async def test_a_qr_code_can_be_read_from_the_paper(link, native):
    content = "https://bank.example/receipt/4711"

    def use(client: Escpos) -> None:
        client.qr(content, native=native, size=6)
        client.text("\n\n")

    async with printer(link) as emulator:
        await with_client(emulator, use)
        text, paper = await output_of(emulator)
    framed = Image.new("L", (paper.width + 100, paper.height + 100), 255)
    framed.paste(paper, (50, 50))
    assert [code.text for code in zxingcpp.read_barcodes(framed)] == [content]
    assert (f'[QR_CODE "{content}"]' in text) == native


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("impl", ["bitImageRaster", "graphics", "bitImageColumn"])
async def test_a_picture_comes_out_dot_for_dot(link, impl):
    picture = Image.new("1", (400, 240), 1)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((20, 20, 220, 220), fill=0)
    draw.line((0, 239, 399, 0), fill=0)

    async with printer(link) as emulator:
        await with_client(emulator, lambda client: client.image(picture, impl=impl))
        text, paper = await output_of(emulator)
    assert text == "[image 400x240]\n"
    assert paper.crop((0, 0, 400, 240)).point(lambda value: value and 255).tobytes() == picture.convert("L").tobytes()


async def test_its_large_graphics_break_as_they_do_on_paper():
    """The length field of GS ( L has 16 bits; python-escpos 3.1 lets longer pictures overflow it."""
    picture = Image.new("1", (576, 960), 0)
    async with printer("tcp") as emulator:
        await with_client(emulator, lambda client: client.image(picture, impl="graphics"))
        text, _ = await output_of(emulator)
    assert "[image 576x960]" not in text


@pytest.mark.parametrize("link", LINKS)
async def test_barcodes_and_cuts(link):
    def use(client: Escpos) -> None:
        client.barcode("4006381333931", "EAN13", height=64, width=2, pos="BELOW")
        client.cut()

    async with printer(link) as emulator:
        await with_client(emulator, use)
        [output] = (await emulator.get_output(bench.GetOutputRequest(limit=1))).outputs
    assert output.finished
    assert "4006381333931" in output.text
    paper = Image.open(io.BytesIO(output.image.data)).convert("L")
    assert [code.text for code in zxingcpp.read_barcodes(paper)] == ["4006381333931"]


@pytest.mark.parametrize("link", LINKS)
async def test_status(link):
    def status(client: Escpos) -> tuple[bool, int]:
        return client.is_online(), client.paper_status()

    plenty, near_end, none = 2, 1, 0
    async with printer(link) as emulator:
        assert await with_client(emulator, status) == (True, plenty)
        await emulator.inject_fault(bench.InjectFaultRequest(fault="paper-near-end"))
        assert await with_client(emulator, status) == (True, near_end)

        def status_only() -> tuple[bool, int]:
            client = connect(emulator)
            try:
                return status(client)
            finally:
                client.close()

        await emulator.load_paper(bench.LoadPaperRequest(empty=True))
        assert await asyncio.to_thread(status_only) == (False, none)


@pytest.mark.parametrize("link", LINKS)
async def test_the_drawer(link):
    async with printer(link) as emulator:

        def use(client: Escpos) -> None:
            client.cashdraw(2)
            assert client.is_online()

        await with_client(emulator, use)
        assert emulator.machine.roll.current.text == ""
