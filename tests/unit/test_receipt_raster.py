"""Receipts as dots: styles, missing characters, pictures, PNG."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt import Paper, lay_out, rasterise, rasterise_line, receipt_from_text, to_png
from countertop.sdk.receipt.dither import dithered, unpack
from countertop.sdk.receipt.fonts import glyph
from countertop.sdk.receipt.ir import PictureItem, Style, TextLine, TextRun
from countertop.server.bounds import check
from countertop.v1 import receipt_pb2, receipt_printer_pb2
from countertop.v1.receipt_pb2 import Block, Picture, Receipt

PAPER = Paper(width_dots=240)


def drawn(text: str, **style) -> np.ndarray:
    line = TextLine(0, (TextRun(0, text, Style(**style)),), 24 * style.get("height", 1))
    return unpack(rasterise_line(line, PAPER)[0])


def picture(image: Image.Image, kind: str = "PNG", **fields) -> PictureItem:
    out = io.BytesIO()
    image.save(out, kind)
    block = Block(picture=Picture(data=out.getvalue(), **fields))
    (item,) = lay_out(Receipt(blocks=[block]), PAPER).items
    assert isinstance(item, PictureItem)
    return item


def test_styles_change_dots_as_they_should():
    plain = drawn("中a")
    assert plain.shape == (24, 240)
    assert drawn("中a", bold=True).sum() > plain.sum()
    assert drawn("中a", underline=True)[-2:, :36].all()
    assert (drawn("中a", inverted=True)[:, :36] == ~plain[:, :36]).all()
    assert drawn("中a", width=2, height=3).sum() == 6 * plain.sum()
    assert drawn("a", small=True)[:, 9:].sum() == 0


def test_a_character_that_no_font_has_is_a_frame_with_its_code_and_counted():
    line = TextLine(0, (TextRun(0, "a\U0010fffdb", Style()),), 24)
    bitmap, missing = rasterise_line(line, PAPER)
    assert missing == 1
    frame, found = glyph("\U0010fffd", 24, 24)
    assert not found
    assert frame[1].all()
    assert not (frame == glyph("?", 24, 24)[0]).all()
    assert (unpack(bitmap)[:, 12:36] == frame).all()
    other, _ = glyph("\U0010fffc", 24, 24)
    assert not (frame == other).all()


def test_a_question_mark_is_drawn_only_for_a_question_mark():
    mark = glyph("?", 12, 24)[0]
    assert not any((glyph(char, 12, 24)[0] == mark).all() for char in "aé中Ж￥")


def test_a_png_holds_the_dots_and_is_the_same_each_time():
    layout = lay_out(receipt_from_text("示例银行\nSample"), PAPER)
    bitmap = rasterise(layout)
    data = to_png(bitmap)
    assert data == to_png(rasterise(layout))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (bitmap.width, bitmap.height)
        assert (np.asarray(image.convert("L")) == np.where(unpack(bitmap), 0, 255)).all()


@pytest.mark.parametrize("dither", [1, 2, 3])
def test_screens_keep_grey_and_leave_black_and_white_alone(dither):
    for value in (0, 255):
        black = unpack(dithered(Image.new("L", (50, 40), value), dither))
        assert black.mean() == (value == 0)
    if dither != receipt_pb2.DITHER_THRESHOLD:
        ramp = Image.linear_gradient("L").resize((131, 200))
        black = unpack(dithered(ramp, dither))
        assert abs((1 - black.mean()) - np.asarray(ramp).mean() / 255) < 0.02


@pytest.mark.parametrize("dither", [1, 2, 3])
def test_the_bits_behind_the_right_edge_are_paper(dither):
    bitmap = dithered(Image.new("L", (13, 5), 0), dither)
    assert bitmap.rows == b"\xff\xf8" * 5


def test_the_threshold_decides():
    grey = Image.new("L", (8, 1), 100)
    assert dithered(grey, receipt_pb2.DITHER_THRESHOLD, 101).rows == b"\xff"
    assert dithered(grey, receipt_pb2.DITHER_THRESHOLD, 100).rows == b"\x00"


def test_pictures_are_scaled_to_what_was_asked_and_never_wider_than_the_paper():
    image = Image.new("L", (100, 50), 0)
    assert picture(image).bitmap.width == 100
    assert picture(image, width_mm=10).bitmap.width == PAPER.dots(10)
    half = picture(image, width_percent=50, align=receipt_pb2.ALIGN_RIGHT)
    assert (half.bitmap.width, half.bitmap.height, half.x) == (120, 60, 120)
    assert picture(Image.new("L", (999, 10), 0)).bitmap.width == 240


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_png_jpeg_and_bmp_are_read(kind):
    assert unpack(picture(Image.new("RGB", (16, 16), "black"), kind).bitmap).all()


def test_transparent_parts_are_paper_and_odd_modes_are_read():
    assert not unpack(picture(Image.new("RGBA", (16, 16), (0, 0, 0, 0))).bitmap).any()
    assert unpack(picture(Image.new("P", (16, 16), 0)).bitmap).all()
    assert not unpack(picture(Image.new("1", (16, 16), 1)).bitmap).any()


def grey_png(bits: int, *values: int, transparent: int | None = None) -> bytes:
    """One column of grey pixels, written by hand: Pillow does not write all that PNG allows."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + (value << (-bits % 8)).to_bytes(-(-bits // 8), "big") for value in values)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">2I5B", 1, len(values), bits, 0, 0, 0, 0))
        + (b"" if transparent is None else chunk(b"tRNS", transparent.to_bytes(2, "big")))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def column(data: bytes, **fields) -> list[bool]:
    """Which pixels of a picture one dot wide are black."""
    (item,) = lay_out(Receipt(blocks=[Block(picture=Picture(data=data, **fields))]), PAPER).items
    return unpack(item.bitmap)[:, 0].tolist()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_of_every_depth_is_black_and_white_at_its_ends(bits):
    assert column(grey_png(bits, 0, 2**bits - 1)) == [True, False]


def test_sixteen_bits_are_scaled_to_eight():
    data = grey_png(16, 0x7FFF, 0x8000)
    assert column(data, dither=receipt_pb2.DITHER_THRESHOLD, threshold=128) == [True, False]


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_transparent_grey_is_paper_and_other_grey_is_not(bits):
    assert column(grey_png(bits, 0, 0, 2**bits - 1, transparent=0)) == [False] * 3
    assert column(grey_png(bits, 0, 2**bits - 1, transparent=2**bits - 1)) == [True, False]


def test_only_the_transparent_value_of_sixteen_bits_is_paper():
    assert column(grey_png(16, 0x0001, 0x0002, transparent=0x0001)) == [False, True]


@pytest.mark.parametrize(("bits", "middle"), [(2, 1), (2, 2), (4, 3), (4, 14), (8, 100), (16, 1000)])
def test_transparent_middle_grey_is_paper_at_every_depth(bits, middle):
    data = grey_png(bits, middle, middle - 1, transparent=middle)
    assert column(data, dither=receipt_pb2.DITHER_THRESHOLD, threshold=255) == [False, True]


def test_transparent_grey_with_an_alpha_channel_is_paper():
    out = io.BytesIO()
    Image.new("LA", (16, 16), (0, 0)).save(out, "PNG")
    assert not any(column(out.getvalue()))


def test_a_palette_with_a_transparent_colour_is_read():
    image = Image.new("P", (1, 2), 0)
    image.putpalette([0, 0, 0, 0, 0, 0])
    image.putpixel((0, 1), 1)
    out = io.BytesIO()
    image.save(out, "PNG", transparency=1)
    assert column(out.getvalue()) == [True, False]


def test_pictures_of_more_than_five_metres_together_are_refused():
    block = Block(picture=Picture(data=grey_png(8, *[0] * 100), width_mm=10))
    with pytest.raises(InvalidRequest) as caught:
        lay_out(Receipt(blocks=[block] * 6), PAPER)
    assert list(caught.value.violations) == ["receipt"]
    assert len(lay_out(Receipt(blocks=[block] * 4), PAPER).items) == 4


def test_a_huge_picture_is_refused_before_it_is_decoded():
    out = io.BytesIO()
    Image.new("1", (5000, 5000)).save(out, "PNG")
    with pytest.raises(InvalidRequest, match="16 megapixels"):
        lay_out(Receipt(blocks=[Block(picture=Picture(data=out.getvalue()))]), PAPER)


def test_half_a_picture_is_refused():
    out = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(out, "PNG")
    with pytest.raises(InvalidRequest, match="whole PNG"):
        lay_out(Receipt(blocks=[Block(picture=Picture(data=out.getvalue()[:900]))]), PAPER)


def test_a_missing_font_is_told_with_what_to_do():
    code = "from countertop.sdk.receipt.fonts import font_files; font_files()"
    environment = os.environ | {"COUNTERTOP_FONT": "/nonexistent/font.ttf"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "COUNTERTOP_FONT names no file" in done.stderr


def test_importing_the_engine_imports_nothing_heavy():
    code = "import sys, countertop.sdk.receipt as r; r.lay_out; print(*{'PIL', 'numpy', 'zxingcpp'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("text", ["", "a", "第一页\f第二页", "line\n" * 1000, "x" * 20_000, "a\tb"])
def test_plain_text_becomes_a_receipt_within_the_bounds(text):
    receipt = receipt_from_text(text)
    check(receipt_printer_pb2.PrintRequest(device_id="p", receipt=receipt))
    assert receipt.blocks[-1].HasField("cut")
    laid_out = lay_out(receipt, PAPER)
    shown = "".join(run.text for item in laid_out.items if isinstance(item, TextLine) for run in item.runs)
    assert "".join(shown.split()) == "".join(text.split())
