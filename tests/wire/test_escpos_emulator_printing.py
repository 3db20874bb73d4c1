"""What the emulated printer puts on paper: characters, dots, codes and cuts."""

from __future__ import annotations

import asyncio
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.escpos import paper
from countertop.emulators.escpos.device import DEVICE_FAULTS, Machine, MachineSettings
from countertop.emulators.escpos.emulator import start
from countertop.emulators.escpos.interpreter import CUT, Interpreter
from countertop.emulators.escpos.models import MODELS
from countertop.emulators.escpos.paper import Receipt, Roll
from countertop.emulators.escpos.tokenizer import Tokenizer
from tests.shared_data import shared_file

WIDTH = 576
KANJI_ON, KANJI_OFF = b"\x1c&", b"\x1c."


class Printer:
    """Interpreter and paper without a machine around them."""

    def __init__(self, width: int = WIDTH, cutter_distance: int = 0, **options: bool) -> None:
        self.answers: list[bytes] = []
        self.moves: list[int] = []
        self.roll = Roll(width)
        self._tokenizer = Tokenizer()
        values = {"kanji": True, "four_bytes": True, **options}
        self._interpreter = Interpreter(self.roll, self, cutter_distance=cutter_distance, **values)

    def reply(self, data: bytes) -> None:
        self.answers.append(data)

    def command(self, name: str, raw: bytes) -> None:
        pass

    def send(self, *pieces: bytes) -> Printer:
        for piece in pieces:
            self._tokenizer.feed(piece)
            while (token := self._tokenizer.next()) is not None:
                self.moves += self._interpreter.execute(token)
        return self

    def clear(self) -> None:
        """As DLE DC4 8 does."""
        self._tokenizer.clear()

    @property
    def receipts(self) -> list[Receipt]:
        return [*self.roll.receipts, self.roll.current]

    @property
    def text(self) -> str:
        return "".join(receipt.text for receipt in self.receipts)

    @property
    def black(self) -> Any:
        """All dots, as booleans."""
        rows = np.concatenate([receipt.rows() for receipt in self.receipts])
        return np.unpackbits(rows, axis=1).astype(bool)[:, : self.roll.width]

    @property
    def ink(self) -> tuple[int, int, int, int]:
        """The box around all ink: left, top, width, height."""
        rows, columns = (np.flatnonzero(self.black.any(axis=axis)) for axis in (1, 0))
        return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)

    def codes(self) -> list[tuple[str, str]]:
        """What an independent reader finds on the paper."""
        found = []
        for receipt in self.receipts:
            if receipt.height:
                picture = Image.open(io.BytesIO(receipt.png())).convert("L")
                framed = Image.new("L", (picture.width + 80, picture.height + 80), 255)
                framed.paste(picture, (40, 40))
                found += [(str(code.format), code.text) for code in zxingcpp.read_barcodes(framed)]
        return found


def printed(*pieces: bytes, **options: Any) -> Printer:
    return Printer(**options).send(*pieces)


def le(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)


def raster(rows: list[bytes], mode: int = 0) -> bytes:
    return b"\x1dv0" + bytes([mode]) + le(len(rows[0]), len(rows)) + b"".join(rows)


# Characters


@pytest.mark.parametrize(
    ("page", "codec", "text"),
    [
        (0, "cp437", "é½▓"),
        (2, "cp850", "Ãñþ"),
        (16, "cp1252", "€žœ"),
        (17, "cp866", "Привет"),
        (19, "cp858", "€ß"),
        (14, "cp737", "Ωμέγα"),
        (46, "cp1251", "Ёлка"),
        (1, "cp932", "ｱｲｳ"),
    ],
)
def test_code_pages(page, codec, text):
    assert printed(KANJI_OFF, b"\x1bt", bytes([page]), text.encode(codec), b"\n").text == f"{text}\n"


def test_box_drawing_parts_lie_on_the_katakana_page():
    parts = bytes([0x98, 0x95, 0x91, 0x95, 0x99, 0x96, 0x9A, 0x9B])
    assert printed(KANJI_OFF + b"\x1bt\x01" + parts + b"\n").text == "┌─┬─┐│└┘\n"


@pytest.mark.parametrize(
    "sent",
    [
        "中文abc".encode("gb18030") + b"\n",
        b"\x1b@" + KANJI_ON + "中文".encode("gbk") + KANJI_OFF + b"abc\n",
        b"\x1bt\0" + KANJI_ON + "中文abc".encode("gb18030") + b"\n",
        b"\x1bR\x0f" + "中文abc".encode("gb2312") + b"\n",
        b"\x1b@" + KANJI_OFF + b"\x1b@" + "中文abc".encode("gb18030") + b"\n",
    ],
    ids=["raw", "FS & and FS .", "ESC t 0 and FS &", "ESC R 15", "raw after initialising"],
)
def test_the_ways_in_which_clients_send_chinese(sent):
    assert printed(sent).text == "中文abc\n"


def test_raw_bytes_after_kanji_mode_is_off_are_code_page_characters():
    assert printed(KANJI_OFF, "中".encode("gb18030"), b"\n").text == "╓╨\n"
    assert printed("中".encode("gb18030"), b"\n", kanji=False).text == "╓╨\n"


def test_chinese_and_code_pages_in_one_line():
    sent = KANJI_OFF + b"\x1bt\x02" + b"caf\x82 " + KANJI_ON + "中文，。".encode("gb18030") + KANJI_OFF + b" \x82\n"
    assert printed(sent).text == "café 中文，。 é\n"


def test_code_page_characters_between_chinese_without_leaving_kanji_mode_come_out_wrong():
    wrong = b"\x82" + "中文".encode("gb18030") + b"\x82"
    assert "中文" not in printed(wrong + b"\n").text


def test_four_byte_characters_print_only_where_the_font_has_them():
    sent = "㐂a".encode("gb18030")
    assert len(sent) == 5
    assert printed(sent + b"\n").text == "㐂a\n"
    assert printed(sent + b"\n", four_bytes=False).text != "㐂a\n"


def test_half_a_character_before_a_command_is_lost_and_nothing_else():
    assert printed(b"a\xd6\x1bE\x01b\n").text == "a□b\n"


def test_the_chinese_set_prints_yuan_for_dollar():
    assert printed(b"\x1bR\x0f$1\x1bR\0$2\n").text == "¥1$2\n"


def test_chinese_is_24_by_24_and_twice_as_wide_as_font_a():
    assert printed("国".encode("gb18030") * 24 + b"x\n").text == "国" * 24 + "\nx\n"
    left, top, width, height = printed("国".encode("gb18030") + b"\n").ink
    assert 0 <= left <= 3
    assert 0 <= top <= 4
    assert 18 <= width <= 24
    assert 18 <= height <= 24


# Lines


@pytest.mark.parametrize(
    ("width", "font", "columns"), [(576, 0, 48), (576, 1, 64), (512, 0, 42), (512, 1, 56), (384, 0, 32), (384, 1, 42)]
)
def test_lines_wrap_at_the_edge(width, font, columns):
    sent = b"\x1bM" + bytes([font]) + b"x" * (columns + 1) + b"\n"
    assert printed(sent, width=width).text == "x" * columns + "\nx\n"


def test_chinese_wraps_whole():
    assert printed(b"x" * 47 + "中".encode("gbk") + b"\n").text == "x" * 47 + "\n中\n"


@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (1, 2), (3, 3), (8, 8)])
def test_sizes(across, down):
    size = bytes([(across - 1) << 4 | (down - 1)])
    normal = printed(KANJI_OFF + b"\xdb\n").ink
    large = printed(KANJI_OFF + b"\x1d!" + size + b"\xdb\n").ink
    assert large[2:] == (normal[2] * across, normal[3] * down)
    fits = WIDTH // (12 * across)
    assert printed(b"\x1d!" + size + b"x" * (fits + 1) + b"\n").text == "x" * fits + "\nx\n"


def test_kanji_sizes_are_set_by_their_own_commands_too():
    single = printed("国".encode("gbk") + b"\n").ink
    for command in (b"\x1c!\x0c", b"\x1cW\x01", b"\x1d!\x11"):
        assert printed(command + "国".encode("gbk") + b"\n").ink[2:] == (single[2] * 2, single[3] * 2)


def test_characters_of_different_height_stand_on_one_line():
    dots = printed(KANJI_OFF + b"\xdb\x1d!\x11\xdb\n").black
    small, large = (np.flatnonzero(part.any(axis=1)) for part in (dots[:, :12], dots[:, 12:36]))
    assert abs(int(small[-1]) - int(large[-1])) <= 8
    assert len(large) == 2 * len(small)


def test_styles_change_the_dots_and_not_the_text():
    plain = printed(b"abc\n")
    for on in (b"\x1bE\x01", b"\x1bG\x01", b"\x1b-\x01", b"\x1b-\x02", b"\x1dB\x01", b"\x1b!\x88", b"\x1b{\x01"):
        styled = printed(on + b"abc\n")
        assert styled.text == "abc\n"
        assert not np.array_equal(styled.black, plain.black)
    bold = printed(b"\x1bE\x01abc\n").black
    assert (bold & plain.black).sum() == plain.black.sum() < bold.sum()


def test_upside_down_lines_are_turned():
    upright, turned = printed(b"ab\n"), printed(b"\x1b{\x01ab\n")
    assert np.array_equal(upright.black[:24], turned.black[:24][::-1, ::-1])


@pytest.mark.parametrize(("align", "left"), [(b"\0", 0), (b"0", 0), (b"\x01", 276), (b"1", 276), (b"2", 552)])
def test_alignment(align, left):
    sent = b"\x1ba" + align + raster([b"\xff\xff\xff"]) + b"\x1b@\x1ba" + align + b"ab\n"
    result = printed(sent)
    assert np.flatnonzero(result.black[0])[0] == left
    assert result.text.splitlines()[1] == " " * (left // 12) + "ab"


def test_alignment_and_margins_count_only_from_the_beginning_of_a_line():
    assert printed(b"a\x1ba\x02b\ncd\n").text == "ab\ncd\n"
    assert printed(b"a\x1dL" + le(120) + b"b\ncd\n").text == "ab\ncd\n"
    assert printed(b"\x1dL" + le(120) + b"cd\n").text == " " * 10 + "cd\n"


def test_margins_narrow_the_area():
    sent = b"\x1dL" + le(120) + b"\x1dW" + le(60) + b"abcdefgh\n"
    assert printed(sent).text == " " * 10 + "abcde\n" + " " * 10 + "fgh\n"
    assert printed(b"\x1dL\xff\xffab" + raster([b"\xff" * 9]) + b"\n").roll.current.height > 0


def test_tabs():
    assert printed(b"a\tb\tc\n").text == "a" + " " * 7 + "b" + " " * 7 + "c\n"
    assert printed(b"\x1bD\x03\x0a\0a\tb\tc\td\n").text == "a  b      cd\n"
    assert printed(b"\x1bD\x03\x0a\0\x1b@a\tb\n").text == "a" + " " * 7 + "b\n"


def test_absolute_and_relative_places():
    assert printed(b"a\x1b$" + le(240) + b"b\x1b\\" + le(24) + b"c\n").text == "a" + " " * 19 + "b  c\n"
    assert printed(b"\x1b$" + le(600) + b"a\x1b\\" + le(0x10000 - 100) + b"b\n").text == "ab\n", "outside: ignored"


def test_receipts_of_columns_as_another_library_sets_them():
    preamble = bytes.fromhex("1B401B61001B4D301C284102003000 1B20001C530000 1B321B7B001C2E")
    columns = b"\x1dL\0\0\x1dW" + le(576) + b"\x1ba\0\x1b$\0\0\x1b\\\0\0" + b"left" + b"\x1b$" + le(480) + b"right\n"
    rule = b"\x1cC0\x1c.\x1bt\x01" + b"\x95" * 48 + b"\n"
    chinese = b"\x1bt\0\x1c&" + "合计".encode("gb18030") + b"\n"
    assert printed(preamble + columns + rule + chinese).text == f"left{' ' * 36}right\n{'─' * 48}\n合计\n"


def test_feeds_and_spacing():
    assert printed(b"a\n").roll.current.height == 30
    assert printed(b"\x1b3\x50a\n").roll.current.height == 80
    assert printed(b"\x1b3\x50\x1b2a\n").roll.current.height == 30
    assert printed(b"\x1b3\0a\n").roll.current.height == 24
    assert printed(b"a\x1bd\x03").roll.current.height == 90
    assert printed(b"\x1bd\x03").roll.current.height == 90
    assert printed(b"a\x1bd\0").roll.current.height == 24
    assert printed(b"a\x1bJ\x64").roll.current.height == 100
    assert printed(b"\x1bJ\x64").roll.current.height == 100


def test_a_carriage_return_and_other_controls_do_nothing():
    assert printed(b"a\r\n\0\x07b\x08\x7f\n").text == "a\nb□\n"
    assert printed(b"\0" * 8192 + b"a\n").text == "a\n"


def test_initialising_forgets_the_line_and_all_settings():
    fresh = printed(b"\n" + b"x\n")
    used = printed(
        b"\n" + b"lost\x1ba\x02\x1bE\x01\x1d!\x33\x1dB\x01\x1bM\x01\x1b3\x7f\x1dL\x50\0\x1d \x09\x1b@" + b"x\n"
    )
    assert used.text == "\nx\n"
    assert np.array_equal(used.black, fresh.black)


def test_initialising_sets_barcodes_back():
    code = b"\x1dk\x49\x04{BAB"
    assert np.array_equal(printed(b"\x1dh\x10\x1dw\x02\x1dH\x02\x1b@" + code).black, printed(code).black)


# Pictures

ROWS = [b"\xf0\x01", b"\x0f\x80", b"\xaa\x55"]
PATTERN = np.unpackbits(np.frombuffer(b"".join(ROWS), np.uint8)).reshape(3, 16).astype(bool)


@pytest.mark.parametrize(("mode", "across", "down"), [(0, 1, 1), (1, 2, 1), (2, 1, 2), (3, 2, 2), (0x33, 2, 2)])
def test_raster_pictures_in_all_modes(mode, across, down):
    result = printed(raster(ROWS, mode))
    expected = PATTERN.repeat(down, axis=0).repeat(across, axis=1)
    assert np.array_equal(result.black[:, : expected.shape[1]], expected)
    assert not result.black[:, expected.shape[1] :].any()
    assert result.text == f"[image {16 * across}x{3 * down}]\n"


@pytest.mark.parametrize("mode", [0, 3])
def test_a_long_raster_picture_is_one_picture_dot_for_dot(mode):
    rows = [bytes([row & 0xFF, row >> 8]) for row in range(1, 1001)]
    result, times = printed(raster(rows, mode)), 1 + mode // 3
    expected = np.unpackbits(np.frombuffer(b"".join(rows), np.uint8).reshape(-1, 2), axis=1).astype(bool)
    assert np.array_equal(result.black[:, : 16 * times], expected.repeat(times, axis=0).repeat(times, axis=1))
    assert result.text == f"[image {16 * times}x{1000 * times}]\n"


def test_a_raster_picture_wider_than_the_area_is_cut_off():
    result = printed(raster([b"\xff" * 100] * 2))
    assert result.black.all()
    assert result.text == "[image 576x2]\n"


def stored(width: int, rows: list[bytes], across: int = 1, down: int = 1) -> bytes:
    return bytes([48, 112, 48, across, down, 49]) + le(width, len(rows)) + b"".join(rows)


def with_length(data: bytes, size: int) -> bytes:
    head = b"\x1d(L" if size == 2 else b"\x1d8L"
    return head + len(data).to_bytes(size, "little") + data


PRINT_STORED = b"\x1d(L\x02\0\x30\x32"


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_stored_graphics_print_once(size, across, down):
    result = printed(with_length(stored(13, ROWS, across, down), size), PRINT_STORED, PRINT_STORED)
    expected = PATTERN[:, :13].repeat(down, axis=0).repeat(across, axis=1)
    assert np.array_equal(result.black[:, : expected.shape[1]], expected)
    assert not result.black[:, expected.shape[1] :].any()
    assert result.text == f"[image {13 * across}x{3 * down}]\n"


def test_stored_graphics_wider_than_the_area_are_not_printed():
    assert printed(with_length(stored(577, [b"\xff" * 73]), 2), PRINT_STORED, b"a\n").text == "a\n"
    assert printed(with_length(stored(300, [b"\xff" * 38], across=2), 2), PRINT_STORED, b"a\n").text == "a\n"
    assert printed(with_length(stored(576, [b"\xff" * 72]), 2), PRINT_STORED).text == "[image 576x1]\n"


def test_a_stored_graphic_whose_length_was_cut_to_16_bits_prints_garbage():
    data = stored(576, [b"A" * 72] * 960)
    result = printed(b"\x1d(L" + len(data).to_bytes(4, "little")[:2] + data, PRINT_STORED)
    assert "[image" not in result.text
    assert result.text.count("A") > 60_000


def test_capacities_are_told():
    printer = printed(b"\x1d(L\x02\0\x30\x00", b"\x1d(L\x02\0\x30\x03")
    assert printer.answers == [b"7" + b"00\0", b"7" + b"10\0"]


@pytest.mark.parametrize(("m", "across", "down", "size"), [(0, 2, 3, 1), (1, 1, 3, 1), (32, 2, 1, 3), (33, 1, 1, 3)])
def test_bit_images_in_all_modes(m, across, down, size):
    columns = [bytes([0x80 >> index % 8] + [0xFF] * (size - 1)) for index in range(10)]
    result = printed(b"\x1b*" + bytes([m]) + le(10) + b"".join(columns) + b"\n")
    expected = np.unpackbits(np.frombuffer(b"".join(columns), np.uint8)).reshape(10, size * 8).astype(bool).T
    expected = expected.repeat(down, axis=0).repeat(across, axis=1)
    assert np.array_equal(result.black[: expected.shape[0], : expected.shape[1]], expected)
    assert result.roll.current.height == 30


def test_strips_of_one_picture_are_one_line_of_the_text():
    strip = b"\x1b*\x21" + le(48) + b"\xff" * 144 + b"\n"
    result = printed(b"\x1b3\x18" + strip * 4 + b"\x1b2end\n")
    assert result.text == "[image 48x96]\nend\n"
    assert result.black[:96, :48].all()


COLUMNS = bytes(range(1, 17))
"""Two columns of 8 dots, eight times."""


@pytest.mark.parametrize(("mode", "across", "down"), [(0, 1, 1), (1, 2, 1), (2, 1, 2), (3, 2, 2)])
def test_downloaded_and_nv_pictures(mode, across, down):
    expected = np.unpackbits(np.frombuffer(COLUMNS, np.uint8)).reshape(16, 8).astype(bool).T
    expected = expected.repeat(down, axis=0).repeat(across, axis=1)
    downloaded = printed(b"\x1d*\x02\x01" + COLUMNS, b"\x1d/" + bytes([mode]))
    nv = printed(b"\x1cq\x01" + le(2, 1) + COLUMNS, b"\x1b@", b"\x1cp\x01" + bytes([mode]))
    for result in (downloaded, nv):
        assert np.array_equal(result.black[:, : expected.shape[1]], expected)


def test_pictures_that_were_never_stored_print_nothing():
    assert printed(b"\x1d/\0\x1cp\x01\0\x1cp\0\0" + PRINT_STORED + b"a\n").text == "a\n"
    assert printed(b"\x1d*\x02\x01" + COLUMNS + b"\x1b@\x1d/\0a\n").text == "a\n", "initialising forgets it"


# Codes


@pytest.mark.parametrize(
    ("m", "sent", "expected"),
    [
        (65, b"03600029145", ("EAN-13", "0036000291452")),  # readers take UPC-A for EAN-13
        (67, b"690123456789", ("EAN-13", "6901234567892")),
        (68, b"9638507", ("EAN-8", "96385074")),
        (69, b"BANK-01", ("Code 39", "BANK-01")),
        (69, b"*BANK-01*", ("Code 39", "BANK-01")),
        (70, b"12345678", ("ITF", "12345678")),
        (71, b"A12345B", ("Codabar", "A12345B")),
        (72, b"CODE93", ("Code 93", "CODE93")),
        (73, b"{BNo. 4711", ("Code 128", "No. 4711")),
        (73, b"{C" + bytes([12, 34, 56]), ("Code 128", "123456")),
        (73, b"{BA{{B", ("Code 128", "A{B")),
    ],
)
def test_barcodes_can_be_read(m, sent, expected):
    result = printed(b"\x1dw\x02\x1dh\x50\x1dk" + bytes([m, len(sent)]) + sent)
    assert result.codes() == [expected]
    assert result.roll.current.height == 80


def test_barcodes_of_the_old_form_can_be_read():
    result = printed(b"\x1dk\x04OLD39\0", b"\x1dk\x02690123456789\0")
    assert [text for _, text in result.codes()] == ["OLD39", "6901234567892"]


@pytest.mark.parametrize(("place", "lines"), [(0, "b"), (1, "tb"), (2, "bt"), (3, "tbt")])
def test_what_a_barcode_says_stands_above_or_below(place, lines):
    result = printed(b"\x1d!\x11\x1ba\x01\x1dH" + bytes([place]) + b"\x1dk\x49\x06{BAB12")
    assert "".join("b" if "[" in line else "t" for line in result.text.splitlines()) == lines
    assert {line.strip() for line in result.text.splitlines()} <= {"AB12", '[CODE128 "AB12"]'}


def test_a_barcode_that_cannot_be_is_not_printed():
    assert printed(b"\x1dk\x43\x03abca\n").text == "a\n"
    assert printed(b"\x1dk\x4e\x03abca\n").text == "a\n"


def test_a_barcode_wider_than_the_area_only_feeds():
    result = printed(b"\x1dw\x06\x1dh\x50\x1dk\x49\x42{B" + b"A" * 64)
    assert result.text == ""
    assert not result.black.any()
    assert result.roll.current.height == 80


def qr(data: bytes, size: int = 4, level: int = 0x31) -> bytes:
    return (
        b"\x1d(k\x04\0\x31\x41\x32\0"
        b"\x1d(k\x03\0\x31\x43"
        + bytes([size])
        + b"\x1d(k\x03\0\x31\x45"
        + bytes([level])
        + b"\x1d(k"
        + le(len(data) + 3)
        + b"\x31\x50\x30"
        + data
        + b"\x1d(k\x03\0\x31\x51\x30"
    )


@pytest.mark.parametrize("text", ["https://bank.example/r/4711", "回单号 4711", "x" * 200])
@pytest.mark.parametrize("level", [0x30, 0x33])
def test_qr_codes_can_be_read(text, level):
    result = printed(b"\x1ba\x01", qr(text.encode(), level=level))
    assert [found for _, found in result.codes()] == [text]
    assert result.text.strip() == f'[QR_CODE "{text}"]'


def test_the_module_of_a_qr_code_sets_its_size():
    assert printed(qr(b"A", size=8)).ink[2:] == (21 * 8, 21 * 8)
    assert printed(qr(b"A", size=3)).ink[2:] == (21 * 3, 21 * 3)


def test_a_qr_code_of_gb18030_bytes_keeps_its_bytes():
    result = printed(qr("回单".encode("gb18030")))
    assert result.text.strip() == '[QR_CODE "回单"]'
    assert zxingcpp.read_barcodes(Image.open(io.BytesIO(result.roll.current.png())))[0].bytes == "回单".encode(
        "gb18030"
    )


def test_a_qr_code_that_holds_too_much_or_is_too_wide_is_not_printed():
    assert printed(qr(b"x" * 4000) + b"a\n").text == "a\n"
    assert printed(qr(b"x" * 400, size=16) + b"a\n").text == "a\n"


def qr_size(data: bytes, size: int) -> bytes:
    return printed(qr(data, size) + b"\x1d(k\x03\0\x31\x52\x30").answers[0]


def test_the_size_of_a_code_can_be_asked_for():
    assert qr_size(b"A", 10) == b"\x37\x36210\x1f210\x1f1\x1f0\0"  # NCR's own example
    assert qr_size(b"x" * 400, 16).endswith(b"\x1f1\x1f1\0")  # wider than the paper
    assert printed(b"\x1d(k\x03\0\x31\x52\x30").answers == [b"\x37\x360\x1f0\x1f1\x1f1\0"]
    data = b"receipt 4711"
    sent = b"\x1d(k" + le(len(data) + 3) + b"\x30\x50\x30" + data + b"\x1d(k\x03\0\x30\x51\x30"
    result = printed(sent + b"\x1d(k\x03\0\x30\x52\x30")
    assert result.answers == [b"\x37\x2f%d\x1f%d\x1f1\x1f0\0" % result.ink[2:]]


def test_pdf417_can_be_read():
    data = b"receipt 4711"
    sent = b"\x1d(k" + le(len(data) + 3) + b"\x30\x50\x30" + data + b"\x1d(k\x03\0\x30\x51\x30"
    assert [text for _, text in printed(sent).codes()] == ["receipt 4711"]
    tall = printed(b"\x1d(k\x03\0\x30\x44\x06" + sent)
    assert tall.roll.current.height == 2 * printed(sent).roll.current.height


# Page mode


@pytest.mark.parametrize("direction", [0, 1, 2, 3])
def test_page_mode_turns_what_is_printed(direction):
    upright = printed(KANJI_OFF + b"\x1d!\x11F\n").black[:48, :24]
    area = b"\x1bW" + le(0, 0, 240, 240)
    result = printed(KANJI_OFF + b"\x1bL" + area + b"\x1bT" + bytes([direction]) + b"\x1d!\x11F\n\x0c")
    canvas = np.zeros((240, 240), bool)
    canvas[:48, :24] = upright
    expected = np.rot90(canvas, direction)
    assert np.array_equal(
        result.black[: result.ink[1] + result.ink[3], :240], expected[: result.ink[1] + result.ink[3]]
    )
    assert result.text == "F\n"


def test_areas_of_a_page_keep_what_lies_outside_them_and_cancelling_clears_one():
    left, right = le(0, 0, 100, 200), le(100, 0, 100, 200)
    page = KANJI_OFF + b"\x1bL\x1bW" + left + b"\xdb\n\x1bT\x01\xdb\n\x1bW" + right + b"\xdb\n"
    both = printed(page + b"\x0c").black
    assert both[:24, :12].all()  # upright at the top, turned at the bottom of the left area
    assert both[188:200, :24].all()
    assert both[188:200, 100:124].all()
    assert both.sum() == 3 * 12 * 24
    cleared = printed(page + b"\x18\x0c").black
    assert not cleared[:, 100:].any()
    assert cleared.sum() == 2 * 12 * 24


def test_page_mode_prints_at_form_feed_only_and_returns_to_lines():
    printer = printed(b"\x1bLon the page\n")
    assert (printer.text, printer.moves) == ("", [])
    printer.send(b"\x0cline\n")
    assert printer.text == "on the page\nline\n"


def test_a_page_can_be_printed_again_and_cancelled():
    assert printed(b"\x1bLtwice\n\x1b\x0c\x1b\x0c\x18gone\n\x18\x0cend\n").text.split() == ["twice", "twice", "end"]
    assert printed(b"\x1bLlost\n\x1bSkept\n").text == "kept\n"


def test_places_on_a_page_hold_for_what_follows_them():
    area = b"\x1bL\x1bW" + le(0, 0, 576, 400)
    sent = area + KANJI_OFF + b"\x1b$" + le(48) + b"\x1d$" + le(100) + b"\xdb" + b"\x1b$" + le(480) + b"\x1d$" + le(300)
    dots = printed(sent + b"\xdb\n\x0c").black
    rows, columns = np.flatnonzero(dots.any(axis=1)), np.flatnonzero(dots.any(axis=0))
    assert {int(row) // 100 for row in rows} == {1, 3}
    assert {int(column) // 48 for column in columns} == {1, 10}


# Cuts


def test_a_bare_cut_keeps_what_lies_between_head_and_cutter():
    printer = printed(b"one\n" * 10 + b"\x1dV\0two\n", cutter_distance=80)
    [cut, rest] = printer.receipts
    assert (cut.height, cut.finished) == (220, True)
    assert cut.text == "one\n" * 8
    assert rest.text == "one\n" * 2 + "two\n"
    assert CUT in printer.moves


@pytest.mark.parametrize("m", [65, 66, 97, 98])
def test_feeding_to_the_cutter_first_keeps_nothing(m):
    printer = printed(b"one\n" * 10 + b"\x1dV" + bytes([m, 20]) + b"two\n", cutter_distance=80)
    [cut, rest] = printer.receipts
    assert cut.height == 320
    assert cut.text == "one\n" * 10
    assert rest.text == "two\n"
    assert rest.height == 80 + 30


@pytest.mark.parametrize("m", [0x02, 0x10, 0x1D, 0x4F])
def test_a_cut_that_there_is_not_is_ignored(m: int) -> None:
    """After a line that broke behind GS V the next byte is another command's, and taken for m."""
    printer = printed(b"one\n" * 10 + b"\x1dV" + bytes([m]) + b"two\n", cutter_distance=80)

    assert CUT not in printer.moves
    assert [receipt.text for receipt in printer.receipts] == ["one\n" * 10 + "two\n"]


@pytest.mark.parametrize("cut", [b"\x1dV\x01", b"\x1dV1", b"\x1bi", b"\x1bm"])
def test_all_bare_cuts(cut):
    assert [receipt.text for receipt in printed(b"a\n" + cut + b"b\n" + cut).receipts] == ["a\n", "b\n", ""]


def test_a_cut_prints_the_line_in_hand():
    assert [receipt.text for receipt in printed(b"a\x1dVA\0").receipts] == ["a\n", ""]


def test_a_picture_goes_across_a_cut_whole():
    rows = [bytes([index]) * 72 for index in range(100)]
    printer = printed(raster(rows) + b"\x1dV\0" + b"\x1dVB\0", cutter_distance=40)
    assert [receipt.height for receipt in printer.receipts] == [60, 40, 40]
    assert np.array_equal(np.packbits(printer.black[:100], axis=1), np.array([list(row) for row in rows], np.uint8))


# Any bytes

COMMANDS = [
    b"abc", b"\n", "中文".encode("gb18030"), "㐂".encode("gb18030"), b"\xd6", b"\x1b@", b"\x1c&", b"\x1c.",
    b"\x1bt\x11",
    b"\x1d!\x11", b"\x1d!\0", b"\x1bE\x01", b"\x1ba\x01", b"\t", b"\x1bD\x05\x0a\0", b"\x1b$\x40\0", b"\x1b\\\xf0\xff",
    raster(ROWS), raster(ROWS, 3), with_length(stored(13, ROWS), 2), with_length(stored(13, ROWS), 4), PRINT_STORED,
    b"\x1b*\x21\x02\0" + b"\x55" * 6, b"\x1dk\x49\x06{BAB12", b"\x1dk\x04123\0", qr(b"A"), b"\x1dVB\0", b"\x1dV\0",
    b"\x1bL", b"\x1bT\x03", b"\x1bW" + le(10, 10, 300, 300), b"\x0c", b"\x18", b"\x1bS", b"\x1d$\x40\0", b"\x1bd\x02",
    b"\x1d*\x02\x01" + COLUMNS, b"\x1d/\x03", b"\x1dL\x50\0", b"\x1dW\xff\0", b"\x1dW\x05\0", b"\x1b{\x01",
    b"\x1dB\x01",
]  # fmt: skip
jobs = st.lists(st.sampled_from(COMMANDS), max_size=25).map(b"".join)


@given(jobs, st.lists(st.integers(0, 600), max_size=5))
@settings(max_examples=40, deadline=None)
def test_any_split_prints_the_same_receipts(job, cuts):
    cuts = sorted({0, len(job), *(cut for cut in cuts if cut <= len(job))})
    whole, split = printed(job + b"\n"), printed(*(job[a:b] for a, b in pairwise(cuts)), b"\n")
    assert split.text == whole.text
    assert [receipt.png() for receipt in split.receipts] == [receipt.png() for receipt in whole.receipts]


def instant_machine(**options: Any) -> tuple[Machine, list[Receipt]]:
    receipts: list[Receipt] = []
    clock = Clock(0)
    machine = Machine(
        clock,
        FaultBoard(DEVICE_FAULTS, clock),
        MachineSettings(model=MODELS["TM-T88VI"], **options),
        pause=lambda: None,
        resume=lambda: None,
        on_receipt=receipts.append,
    )
    return machine, receipts


@given(st.lists(st.one_of(st.binary(max_size=80), st.sampled_from(COMMANDS)), max_size=20).map(b"".join))
@settings(max_examples=80, deadline=None)
def test_no_bytes_make_the_printer_stumble(garbage):
    printer = printed(garbage)
    printer.clear()
    assert printer.send(b"\x1b=\x01\x1b@still there\n").text.endswith("still there\n")


async def test_a_flood_of_anything_stays_within_bounds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paper, "_LONGEST", 4000)
    monkeypatch.setattr(paper, "_MOST_LINES", 500)
    monkeypatch.setattr(paper, "KEPT", 5)
    accents = "a\u0301".encode("gb18030")
    floods = [b"\n", b"\x1b3\0\n", b"\x1b$\0\0x", b"\x1b*\x21\x01\0\xff\xff\xff", b"\x1bL\n", accents]
    for flood in floods:
        machine, _ = instant_machine(paper_mm=1e9)
        for _ in range(8):
            machine.received(flood * (4096 // len(flood)))
            await machine.wait_idle()
        roll = machine.roll
        assert len(roll.receipts) <= 5
        assert all(receipt.height <= 4200 for receipt in (*roll.receipts, roll.current))
        assert all(len(receipt.lines) <= 500 for receipt in (*roll.receipts, roll.current))
        composer = machine._interpreter.composer
        assert len(composer._marks) <= 4096
        assert all(len(text) <= 16 for _, _, text in composer._text)
        machine.power_off()


async def test_paper_that_nobody_cuts_is_torn_off_and_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paper, "_LONGEST", 4000)
    machine, receipts = instant_machine()
    machine.received(b"line\n" * 200)
    await machine.wait_idle()
    assert [receipt.number for receipt in receipts] == [1]
    assert receipts[0].finished
    assert sum(receipt.text.count("line") for receipt in (*receipts, machine.roll.current)) == 200


def test_receipts_beyond_200_are_forgotten():
    printer = printed(b"".join(b"no %d\n\x1dVB\0" % number for number in range(1, 211)))
    assert len(printer.roll.receipts) == 200
    assert printer.roll.receipts[0].text == "no 11\n"
    assert printer.roll.receipts[-1].number == 210


# Other people's receipts


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("receipt-with-logo.bin", ["ExampleMart Ltd.", "SALES INVOICE", "Example item #1", "Total", "Thank you"]),
        ("text-size.bin", ["Change height", "Change width", "Change"]),
        ("qr-code.bin", ["QR code demo", "[QR_CODE", "Testing 123"]),
        ("demo.bin", ["Hello world", "ABCDEFGHIJabcdefghijk", "[CODE39"]),
    ],
)
def test_another_librarys_receipts_can_be_read(name, expected):
    text = printed(shared_file(f"receipt/{name}").read_bytes()).text
    for words in expected:
        assert words in text


# Over the link


async def send(emulator: Any, data: bytes) -> None:
    host, port = emulator.link_url.removeprefix("tcp://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data + b"\x1dr\x01")
    assert len(await asyncio.wait_for(reader.readexactly(1), 10)) == 1
    writer.close()
    await writer.wait_closed()


def files_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_receipts_are_written_as_files_and_told_over_the_bench(tmp_path: Path):
    emulator = await start({"speed": 0, "out": str(tmp_path), "kanji": True})
    await send(emulator, "回单\n".encode("gb18030") + b"\x1dVB\0second\n\x1dVB\0third\n")
    output = await emulator.get_output(bench.GetOutputRequest(skip=1, limit=5))
    assert [(one.number, one.finished, one.text) for one in output.outputs] == [
        (2, True, "second\n"),
        (3, False, "third\n"),
    ]
    assert output.total == 3
    await emulator.close()
    await emulator.close()
    assert files_in(tmp_path) == ["001.png", "001.txt", "002.png", "002.txt", "003.png", "003.txt"]
    assert (tmp_path / "001.txt").read_text(encoding="utf-8") == "回单\n"
    assert (tmp_path / "003.txt").read_text(encoding="utf-8") == "third\n"
    with Image.open(tmp_path / "002.png") as picture:
        assert (picture.width, picture.mode) == (512, "1")
        assert picture.height == output.outputs[0].image.height


async def test_paper_can_be_as_wide_as_so_many_columns():
    emulator = await start({"speed": 0, "columns": 42})
    await send(emulator, b"x" * 43 + b"\n")
    [output] = (await emulator.get_output(bench.GetOutputRequest())).outputs
    await emulator.close()
    assert output.image.width == 504
    assert output.text.split() == ["x" * 42, "x"]


async def test_the_same_bytes_give_the_same_pictures():
    job = COMMANDS[2] + b"\n" + raster(ROWS) + qr(b"A") + b"\x1dk\x49\x06{BAB12" + b"\x1dVB\0"
    outputs = []
    for _ in range(2):
        emulator = await start({"speed": 0})
        await send(emulator, job)
        outputs.append(
            (await emulator.get_output(bench.GetOutputRequest(limit=9))).SerializeToString(deterministic=True)
        )
        await emulator.close()
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize(
    "options",
    [{"tcp": "nowhere"}, {"pty": ""}, {"speed": -1}, {"paper_mm": "much"}, {"kanji": 1}, {"model": "X"}, {"colour": 1},
     {"tcp": "127.0.0.1:0", "pty": True}, {"width_dots": 5}, {"out": ""}, {"columns": 10},
     {"width_dots": 576, "columns": 48}],
)  # fmt: skip
async def test_wrong_options_are_refused_by_name(options):
    with pytest.raises(ValueError, match=f"{list(options)[-1]}: expected"):
        await start(options)
