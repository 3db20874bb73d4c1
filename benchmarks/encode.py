"""From a receipt to ESC/POS bytes: our layout engine and driver's encoder against python-escpos.

python-escpos is given lines that fit already and prints them as they are; ours measures every line, since a receipt
does not know its paper. Both sides' bytes are compared before anything is timed.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from escpos.printer import Dummy
from PIL import Image

from benchmarks.harness import Figure, Settings, interleave
from countertop.drivers.escpos.encode import encode
from countertop.drivers.escpos.profiles import GENERIC, load_profile
from countertop.sdk.receipt import lay_out
from countertop.sdk.receipt.dither import dithered
from countertop.sdk.receipt.ir import Layout, PictureItem
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Block, Paragraph, Picture, Receipt, Span

__all__ = ["run"]

TARGET = 0.5
WIDTH, HEIGHT = 576, 1000
PROFILE = load_profile(GENERIC)
MODES = (b"\x1b3\x1e", b"\x1c&", b"\x1bt\x00")
"""What is said beside the text: line spacing and Chinese mode by ours, a code page by python-escpos."""

ASCII = [f"{n:02d} Reference {n * 7919:08d}  Fee 1.50  Sum {n * 3.17:10.2f}" for n in range(60)]
CHINESE = [f"{n:02d} 活期储蓄存款利息 {n * 7919:08d} 人民币 {n * 3.17:8.2f}" for n in range(60)]
BY_TURNS = [line for pair in zip(ASCII[::2], CHINESE[1::2], strict=True) for line in pair]


def receipt(lines: list[str]) -> Receipt:
    """One paragraph a line."""
    return Receipt(blocks=[Block(paragraph=Paragraph(spans=[Span(text=line)])) for line in lines])


def ours(document: Receipt) -> bytes:
    """A receipt's bytes."""
    return joined(lay_out(document, PROFILE.paper))


def joined(layout: Layout) -> bytes:
    """A layout's bytes, as the driver hands them to the link."""
    return b"".join(chunk.data for chunk in encode(layout, PROFILE).chunks)


def our_picture(grey: Image.Image) -> bytes:
    """A decoded picture's bytes."""
    bitmap = dithered(grey, receipt_pb2.DITHER_FLOYD_STEINBERG)
    return joined(Layout(PROFILE.paper, (PictureItem(0, 0, bitmap),), 1))


def their_lines(printer: Dummy, lines: list[str]) -> bytes:
    """The same lines, as its users print them."""
    printer.clear()
    for line in lines:
        printer.text(line + "\n")
    return bytes(printer.output)


def their_picture(printer: Dummy, grey: Image.Image, fragment_height: int = 960) -> bytes:
    """A decoded picture's bytes. 960 is its default; a taller picture is cut, and each part dithered again."""
    printer.clear()
    printer.image(grey, impl="bitImageRaster", fragment_height=fragment_height)
    return bytes(printer.output)


def text_of(data: bytes) -> bytes:
    """What is printed, without the modes."""
    for mode in MODES:
        data = data.replace(mode, b"")
    return data


def timed(call: Callable[[], bytes], count: int) -> list[float]:
    """Seconds of each of `count` calls."""
    samples, clock = [], time.perf_counter
    for _ in range(count):
        start = clock()
        call()
        samples.append(clock() - start)
    return samples


def scene() -> Image.Image:
    """Grey waves: every grey, no two rows alike."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return Image.fromarray(((np.sin(x / 37) + np.cos(y / 53) + 2) * 63.75).astype(np.uint8))


def text_figures(settings: Settings, printer: Dummy) -> list[Figure]:
    """60 lines of each kind."""
    figures = []
    for name, lines in (("ASCII", ASCII), ("Chinese", CHINESE), ("ASCII and Chinese by turns", BY_TURNS)):
        document = receipt(lines)
        mine, other = text_of(ours(document)), text_of(their_lines(printer, lines))
        if mine != other:
            raise AssertionError(f"the two sides do not print the same: {mine[:60]!r}, {other[:60]!r}")
        sides = partial(timed, partial(ours, document), 40), partial(timed, partial(their_lines, printer, lines), 40)
        pair = interleave(sides, settings.count(40), warm_up=2)
        figures.append(Figure.of(f"60 lines, {name}", "ms", pair, scale=1e3, target=TARGET, bytes=len(other)))
    return figures


def picture_figures(settings: Settings, printer: Dummy) -> list[Figure]:
    """A picture, with and without reading its file; and with python-escpos kept from cutting it."""
    grey, file = scene(), io.BytesIO()
    grey.save(file, "PNG")
    png = file.getvalue()
    document = Receipt(blocks=[Block(picture=Picture(data=png, dither=receipt_pb2.DITHER_FLOYD_STEINBERG))])
    rows: tuple[tuple[str, Callable[[], bytes], Callable[[], bytes], float | None], ...] = (
        ("dithered", lambda: our_picture(grey), lambda: their_picture(printer, grey), TARGET),
        (
            "from PNG",
            lambda: ours(document),
            lambda: their_picture(printer, Image.open(io.BytesIO(png))),
            TARGET,
        ),
        ("dithered, reference uncut", lambda: our_picture(grey), lambda: their_picture(printer, grey, HEIGHT), None),
    )
    figures = []
    for name, mine, other, target in rows:
        sizes = {"bytes": [len(mine()), len(other())], "png_bytes": len(png)}
        pair = interleave((partial(timed, mine, 5), partial(timed, other, 5)), settings.count(24), warm_up=2)
        figures.append(
            Figure.of(f"picture of {WIDTH} × {HEIGHT}, {name}", "ms", pair, scale=1e3, target=target, **sizes)
        )
    return figures


def run(settings: Settings) -> list[Figure]:
    """Text, then a picture."""
    printer = Dummy(profile="TM-T20II")  # 576 dots, as ours; python-escpos prints a warning where it knows no width
    return text_figures(settings, printer) + picture_figures(settings, printer)
