"""What a laid-out receipt becomes on the wire."""

from __future__ import annotations

import re
import struct
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.drivers.escpos.encode import Encoded, encode, feed, preamble
from countertop.drivers.escpos.profiles import find_profile, load_profile, profile_names
from countertop.drivers.escpos.raster import harmless, strips, trimmed
from countertop.drivers.escpos.text import Alphabet, TextEncoder, alphabet_of
from countertop.sdk.receipt.cells import char_cells
from countertop.sdk.receipt.ir import (
    Bitmap,
    CodeItem,
    CutItem,
    FeedItem,
    Item,
    Layout,
    PictureItem,
    RuleItem,
    Style,
    SymbolItem,
    TextLine,
    TextRun,
)
from countertop.v1 import receipt_pb2

GENERIC = load_profile("generic-80mm")
EPSON = load_profile("epson-tm-t88vi")
PLAIN = Style()
SPACING = b"\x1b\x33\x1e"


def text_bytes(text: str, profile_name: str = "generic-80mm", **modes: int | bool) -> bytes:
    return TextEncoder(alphabet_of(load_profile(profile_name)), **modes).encode(text)  # type: ignore[arg-type]


def line(*runs: TextRun, block: int = 0, height: int = 24) -> TextLine:
    return TextLine(block, runs, height)


def layout(*items: Item, blocks: int = 1) -> Layout:
    return Layout(GENERIC.paper, items, blocks)


def data_of(encoded: Encoded) -> bytes:
    return b"".join(chunk.data for chunk in encoded.chunks)


def encode_runs(*runs: TextRun, height: int = 24) -> bytes:
    return data_of(encode(layout(line(*runs, height=height)), GENERIC))


class TestMixedText:
    def test_code_page_and_chinese_are_each_sent_in_their_own_mode(self) -> None:
        expected = "1c 2e 1b 74 00 82  1c 26 d6 d0 ce c4  1c 2e 82"
        assert text_bytes("é中文é") == bytes.fromhex(expected)

    def test_known_modes_are_not_switched_again(self) -> None:
        assert text_bytes("é中文é", kanji=False, page=0) == bytes.fromhex("82 1c 26 d6 d0 ce c4 1c 2e 82")

    def test_chinese_punctuation_alone_is_chinese(self) -> None:
        assert text_bytes("，。", kanji=False) == bytes.fromhex("1c 26 a3 ac a1 a3")

    def test_ascii_between_chinese_stays_in_chinese_mode(self) -> None:
        assert text_bytes("金额 1.00 元", kanji=True) == "金额 1.00 元".encode("gb18030")

    def test_ascii_needs_no_mode(self) -> None:
        assert text_bytes("Total 1.00") == b"Total 1.00"

    def test_the_yen_sign_comes_from_a_code_page_not_as_four_bytes(self) -> None:
        assert text_bytes("¥100", kanji=False, page=0) == b"\x9d100"

    def test_a_character_that_the_page_in_use_lacks_changes_the_page(self) -> None:
        assert text_bytes("éЖé", kanji=False, page=0) == b"\x82\x1b\x74\x11\x86\x1b\x74\x00\x82"

    def test_the_page_in_use_is_kept_where_it_has_the_character(self) -> None:
        assert text_bytes("éé", kanji=False, page=16) == b"\xe9\xe9"

    def test_the_euro_sign_is_narrow_and_comes_from_a_code_page(self) -> None:
        assert text_bytes("€", kanji=False) == b"\x1b\x74\x13\xd5"


class TestWhatAPrinterHas:
    def test_a_two_byte_font_lacks_extension_a(self) -> None:
        assert not alphabet_of(GENERIC).has("㐀")

    def test_the_gb18030_level_2_font_has_extension_a_as_four_bytes(self) -> None:
        assert text_bytes("㐀", "epson-tm-t70ii-ch", kanji=True) == bytes.fromhex("81 39 ee 39")

    def test_an_emoji_is_in_no_font(self) -> None:
        assert not any(alphabet_of(load_profile(name)).has("😀") for name in profile_names())

    def test_private_use_characters_are_in_no_font(self) -> None:
        assert not alphabet_of(GENERIC).has("\ue000")

    def test_a_gb2312_font_lacks_traditional_characters(self) -> None:
        alphabet = Alphabet((), "gb2312", ())
        assert alphabet.has("国家")
        assert not alphabet.has("國")

    def test_without_a_chinese_font_there_is_no_chinese(self) -> None:
        assert not alphabet_of(EPSON).has("中")
        assert alphabet_of(EPSON).has("é")

    @given(st.characters(codec="utf-8", exclude_categories=("C", "Z")))
    def test_what_it_has_is_printed_no_wider_than_it_was_laid_out(self, char: str) -> None:
        alphabet = alphabet_of(GENERIC)
        if not alphabet.has(char):
            return
        encoder = TextEncoder(alphabet, kanji=False, page=0)
        encoder.encode(char)
        cells = 2 if encoder.kanji else 1
        assert alphabet.printed_cells(char) == cells <= char_cells(char)
        if unicodedata.east_asian_width(char) in "WF":
            assert cells == 2

    @pytest.mark.parametrize("char", "“”‘’…—×÷°±·①─│")
    def test_ambiguous_punctuation_is_chinese(self, char: str) -> None:
        assert alphabet_of(GENERIC).printed_cells(char) == 2

    @pytest.mark.parametrize("char", "éàüßяЖαΩ€")
    def test_letters_are_narrow(self, char: str) -> None:
        assert alphabet_of(GENERIC).printed_cells(char) == 1

    def test_a_no_break_space_is_a_space(self) -> None:
        assert alphabet_of(GENERIC).has("a\u00a0b")
        assert text_bytes("a\u00a0é", kanji=False, page=0) == b"a \x82"


def decode_text(data: bytes, pages: dict[int, str]) -> str:
    """Read text back as a printer does: by the mode that is on."""
    text, kanji, page, at = "", False, 0, 0
    while at < len(data):
        if data[at : at + 2] in (b"\x1c&", b"\x1c."):
            kanji = data[at + 1 : at + 2] == b"&"
            at += 2
        elif data[at : at + 2] == b"\x1bt":
            page = data[at + 2]
            at += 3
        elif data[at] < 0x80:
            text += chr(data[at])
            at += 1
        else:
            size = 2 if kanji else 1
            text += data[at : at + size].decode("gb18030" if kanji else pages[page])
            at += size
    return text


ALPHABET_TEXT = st.text(
    st.one_of(
        st.characters(min_codepoint=0x20, max_codepoint=0x7E),
        st.sampled_from("éüßñÄçЖщЯąłżčž£¥€░─│┼±°中文国人银行，。：；（）《》、一二三囍"),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5),
    ),
    max_size=40,
)


@given(ALPHABET_TEXT)
def test_a_printer_reads_the_same_text(text: str) -> None:
    assert decode_text(text_bytes(text, kanji=False, page=0), dict(GENERIC.code_pages)) == text


class TestLines:
    def test_a_plain_line(self) -> None:
        assert encode_runs(TextRun(0, "Hello", PLAIN)) == SPACING + b"Hello\n"

    def test_line_spacing_is_set_once(self) -> None:
        encoded = encode(layout(line(TextRun(0, "a", PLAIN)), line(TextRun(0, "b", PLAIN))), GENERIC)
        assert data_of(encoded) == SPACING + b"a\nb\n"

    def test_a_run_that_stands_apart_is_placed(self) -> None:
        runs = TextRun(0, "ab", PLAIN), TextRun(300, "cd", PLAIN)
        assert encode_runs(*runs) == SPACING + b"ab\x1b\x24\x2c\x01cd\n"

    def test_runs_that_touch_are_not_placed(self) -> None:
        assert encode_runs(TextRun(0, "ab", PLAIN), TextRun(24, "cd", PLAIN)) == SPACING + b"abcd\n"

    def test_after_chinese_the_next_place_counts_two_cells_a_character(self) -> None:
        data = encode_runs(TextRun(0, "中", PLAIN), TextRun(24, "x", PLAIN))
        assert data == SPACING + b"\x1c&\xd6\xd0x\n"

    def test_after_a_letter_that_is_narrower_than_laid_out_the_next_run_is_placed(self) -> None:
        data = encode_runs(TextRun(0, "é", PLAIN), TextRun(24, "x", PLAIN))
        assert data == SPACING + b"\x1b\x74\x00\x82\x1b\x24\x18\x00x\n"

    def test_an_empty_line_feeds(self) -> None:
        assert encode_runs() == SPACING + b"\n"

    @pytest.mark.parametrize(
        ("style", "on", "off"),
        [
            (Style(bold=True), b"\x1b\x45\x01", b"\x1b\x45\x00"),
            (Style(underline=True), b"\x1b\x2d\x01", b"\x1b\x2d\x00"),
            (Style(inverted=True), b"\x1d\x42\x01", b"\x1d\x42\x00"),
            (Style(small=True), b"\x1b\x4d\x01", b"\x1b\x4d\x00"),
            (Style(width=2), b"\x1d\x21\x10", b"\x1d\x21\x00"),
            (Style(height=3), b"\x1d\x21\x02", b"\x1d\x21\x00"),
            (Style(width=8, height=8), b"\x1d\x21\x77", b"\x1d\x21\x00"),
        ],
    )
    def test_a_style_is_switched_on_and_off_again(self, style: Style, on: bytes, off: bytes) -> None:
        pitch = 24 * style.height + 6
        encoded = encode(
            layout(line(TextRun(0, "x", style), height=24 * style.height), line(TextRun(0, "y", PLAIN))), GENERIC
        )
        spacing = b"\x1b\x33" + bytes([pitch])
        back = b"" if pitch == 30 else SPACING
        assert data_of(encoded) == spacing + on + b"x\n" + back + off + b"y\n"

    def test_underlined_chinese_has_a_command_of_its_own_and_its_size_follows_gs(self) -> None:
        data = encode_runs(TextRun(0, "中", Style(underline=True, width=2, height=2)), height=48)
        assert data == b"\x1b\x33\x36\x1d\x21\x11\x1b\x2d\x01\x1c\x2d\x01\x1c&\xd6\xd0\n"

    def test_paper_is_counted_in_dots(self) -> None:
        encoded = encode(layout(line(TextRun(0, "a", PLAIN)), FeedItem(0, 100)), GENERIC)
        assert encoded.dots == 130


class TestRasterFallback:
    def test_a_line_with_one_unprintable_character_is_drawn_whole(self) -> None:
        encoded = encode(layout(line(TextRun(0, "A", PLAIN), TextRun(12, "㐀", PLAIN))), GENERIC)
        data = data_of(encoded)
        assert data.startswith(b"\x1d\x76\x30\x00")
        assert encoded.rasterised_lines == 1
        assert b"A" not in data[:4]
        assert encoded.dots == 30

    def test_the_option_draws_every_line(self) -> None:
        drawn = encode(layout(line(TextRun(0, "Hello", PLAIN))), GENERIC, raster_text=True)
        assert drawn.rasterised_lines == 1
        assert b"Hello" not in data_of(drawn)
        assert drawn.dots == 30

    def test_chinese_larger_than_the_font_can_is_drawn(self) -> None:
        big = layout(line(TextRun(0, "中", Style(width=3, height=3)), height=72))
        assert encode(big, replace(GENERIC, kanji_scale=2)).rasterised_lines == 1
        assert encode(big, GENERIC).rasterised_lines == 0

    def test_a_printer_without_a_chinese_font_gets_pictures(self) -> None:
        encoded = encode(layout(line(TextRun(0, "中文", PLAIN))), EPSON)
        assert encoded.rasterised_lines == 1
        assert b"\x1c&" not in data_of(encoded)

    @given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=12))
    @settings(max_examples=60, deadline=None)
    def test_no_question_mark_is_printed_that_the_text_does_not_have(self, text: str) -> None:
        alphabet = alphabet_of(GENERIC)
        if alphabet.has(text):
            data = TextEncoder(alphabet, kanji=False, page=0).encode(text)
            assert decode_text(data, dict(GENERIC.code_pages)) == text.replace("\u00a0", " ")
            assert data.count(b"?") == text.count("?")
        else:
            encoded = encode(layout(line(TextRun(0, text, PLAIN))), GENERIC)
            assert encoded.rasterised_lines == 1
            assert data_of(encoded).startswith((b"\x1d\x76\x30\x00", b"\x1bJ"))


class TestPictures:
    def test_a_picture_is_cut_into_strips_of_whole_rows(self) -> None:
        rows = bytes(range(250)) * 12
        bitmap = Bitmap(80, 300, rows)
        data = data_of(encode(layout(PictureItem(0, 0, bitmap)), GENERIC))
        printed, heights, at = b"", [], 0
        while at < len(data):
            assert data[at : at + 4] == b"\x1d\x76\x30\x00"
            stride, height = struct.unpack_from("<HH", data, at + 4)
            printed += data[at + 8 : at + 8 + stride * height]
            heights.append(height)
            at += 8 + stride * height
        assert printed == rows
        assert heights == [128, 128, 44]

    def test_gs_8_l_has_a_length_of_four_bytes(self) -> None:
        bitmap = Bitmap(576, 960, b"\x55" * 72 * 960)
        (command, rows), *rest = strips(bitmap, "gs-8-l", 1000, ())
        assert (rows, rest) == (960, [])
        size = 72 * 960 + 10
        head = b"\x1d8L" + struct.pack("<I", size) + b"0p0\x01\x011" + struct.pack("<HH", 576, 960)
        assert command == head + bitmap.rows + b"\x1d(L\x02\x0002"

    def test_strips_stay_below_the_byte_bound(self) -> None:
        bitmap = Bitmap(576, 500, b"\x55" * 72 * 500)
        encoded = encode(layout(PictureItem(0, 0, bitmap)), GENERIC, strip_bytes=2048)
        assert max(len(chunk.data) for chunk in encoded.chunks) <= 2048 + 8
        assert encoded.dots == 500

    def test_a_picture_in_the_middle_is_moved_by_the_left_margin_and_text_back_again(self) -> None:
        items = PictureItem(0, 100, Bitmap(8, 1, b"\xff")), line(TextRun(0, "x", PLAIN))
        data = data_of(encode(layout(*items), GENERIC))
        picture = b"\x1d\x76\x30\x00\x01\x00\x01\x00\xff"
        assert data == b"\x1d\x4c\x64\x00" + picture + b"\x1d\x4c\x00\x00" + SPACING + b"x\n"

    def test_white_at_the_right_of_a_line_does_not_cross_the_wire(self) -> None:
        assert trimmed(Bitmap(32, 2, b"\x80\x01\0\0\x00\x10\0\0")) == Bitmap(16, 2, b"\x80\x01\x00\x10")
        assert trimmed(Bitmap(16, 2, b"\0\0\0\x01")) == Bitmap(16, 2, b"\0\0\0\x01")
        assert trimmed(Bitmap(16, 3, bytes(6))) == Bitmap(0, 3, b"")

    @given(st.integers(1, 40), st.integers(1, 20), st.data())
    def test_trimming_loses_no_ink(self, width: int, height: int, data: st.DataObject) -> None:
        stride = (width + 7) // 8
        rows = data.draw(st.binary(min_size=stride * height, max_size=stride * height))
        small = trimmed(Bitmap(width, height, rows))
        for row in range(height):
            kept = small.rows[row * small.stride : (row + 1) * small.stride]
            assert kept.ljust(stride, b"\0") == rows[row * stride : (row + 1) * stride]


REALTIME = re.compile(rb"\x10(\x14(\x01|\x02\x01\x08|\x08\x01\x03\x14\x01\x06\x02\x08)|\x05[\x01\x02])", re.DOTALL)


class TestRealTimeCommandsInPictures:
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from(
                    [b"\x10\x14\x01\x00\x01", b"\x10\x14\x02\x01\x08", b"\x10\x05\x01", b"\x10\x05\x02", b"\x10"]
                ),
                st.just(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"),
            )
        ).map(b"".join)
    )
    def test_none_is_left(self, data: bytes) -> None:
        safe = harmless(data, ())
        assert not REALTIME.search(safe)
        assert len(safe) == len(data)
        changed = [(a, b) for a, b in zip(data, safe, strict=True) if a != b]
        assert all((a, b) == (0x10, 0x18) for a, b in changed), "only single dots become black"

    def test_what_gs_paren_d_keeps_out_is_left_as_it_is(self) -> None:
        pulse, resume = b"\x10\x14\x01\x00\x01", b"\x10\x05\x01"
        assert harmless(pulse + resume, (1, 2)) == pulse + b"\x18\x05\x01"

    def test_the_preamble_switches_them_off_where_the_model_can(self) -> None:
        assert b"\x1d\x28\x44\x05\x00\x14\x01\x00\x02\x00" in preamble(EPSON)
        assert b"\x1d\x28\x44" not in preamble(GENERIC)


class TestPreamble:
    def test_automatic_status_follows_initialisation(self) -> None:
        assert preamble(GENERIC).startswith(b"\x1b\x40\x1d\x61\xff")

    def test_it_leaves_chinese_mode_and_makes_the_dollar_a_dollar(self) -> None:
        assert b"\x1c\x2e" in preamble(GENERIC)
        assert b"\x1b\x52\x00" in preamble(GENERIC)

    def test_motion_units_are_dots(self) -> None:
        assert b"\x1d\x50\xb4\xb4" in preamble(EPSON)


QR = SymbolItem(
    0, 230, 116, 116, receipt_pb2.SYMBOL_KIND_QR_CODE, "https://example.com/é", 4, receipt_pb2.ERROR_CORRECTION_MEDIUM
)


class TestCodes:
    def test_qr_code_in_the_printers_own_commands(self) -> None:
        data = data_of(encode(layout(replace(QR, x=0)), EPSON))
        payload = "https://example.com/é".encode()
        assert data == (
            b"\x1d\x28\x6b\x04\x00\x31\x41\x32\x00"
            b"\x1d\x28\x6b\x03\x00\x31\x43\x04"
            b"\x1d\x28\x6b\x03\x00\x31\x45\x31"
            b"\x1d\x28\x6b"
            + struct.pack("<H", len(payload) + 3)
            + b"\x31\x50\x30"
            + payload
            + b"\x1d\x28\x6b\x03\x00\x31\x51\x30"
        )

    def test_qr_code_in_the_middle_stands_on_the_left_margin(self) -> None:
        data = data_of(encode(layout(replace(QR, x=198)), EPSON))
        assert data.startswith(b"\x1d\x4c\xc6\x00\x1d\x28\x6b")

    @pytest.mark.parametrize(
        "item",
        [
            replace(QR, width=400, height=400, x=80),
            replace(QR, data="a\x10\x14\x01\x00\x01"),
            replace(QR, kind=receipt_pb2.SYMBOL_KIND_DATA_MATRIX),
        ],
        ids=["may turn out too wide", "would reach the real-time stage", "has no command"],
    )
    def test_otherwise_it_is_a_picture(self, item: SymbolItem) -> None:
        data = data_of(encode(layout(item), EPSON))
        assert b"\x1d\x28\x6b" not in data
        assert b"\x1d\x38\x4c" in data

    def test_pdf417_has_the_columns_that_were_laid_out(self) -> None:
        item = replace(QR, kind=receipt_pb2.SYMBOL_KIND_PDF417, data="AB", module=2, width=2 * (69 + 17 * 3), x=0)
        assert data_of(encode(layout(item), EPSON)) == (
            b"\x1d\x28\x6b\x03\x00\x30\x41\x03"
            b"\x1d\x28\x6b\x03\x00\x30\x42\x00"
            b"\x1d\x28\x6b\x03\x00\x30\x43\x02"
            b"\x1d\x28\x6b\x03\x00\x30\x44\x03"
            b"\x1d\x28\x6b\x05\x00\x30\x50\x30AB"
            b"\x1d\x28\x6b\x03\x00\x30\x51\x30"
        )

    def test_code_128(self) -> None:
        item = CodeItem(0, 0, 136, 80, receipt_pb2.BARCODE_SYMBOLOGY_CODE128, "A{1", 2, True)
        data = data_of(encode(layout(item), EPSON))
        assert data == b"\x1dh\x50\x1dw\x02\x1df\x00\x1dH\x02\x1d\x6b\x49\x06{BA{{1"

    def test_ean_13(self) -> None:
        item = CodeItem(0, 0, 190, 80, receipt_pb2.BARCODE_SYMBOLOGY_EAN13, "690123456789", 2, False)
        assert data_of(encode(layout(item), EPSON)).endswith(b"\x1dH\x00\x1d\x6b\x43\x0c690123456789")

    @pytest.mark.parametrize(
        "item",
        [
            CodeItem(0, 0, 300, 80, receipt_pb2.BARCODE_SYMBOLOGY_CODE39, "ABC", 2, False),
            CodeItem(0, 0, 500, 80, receipt_pb2.BARCODE_SYMBOLOGY_CODE128, "1" * 40, 2, False),
            CodeItem(0, 0, 500, 300, receipt_pb2.BARCODE_SYMBOLOGY_CODE128, "1", 2, False),
        ],
        ids=["width is not known", "too wide in code set B", "too high"],
    )
    def test_other_barcodes_are_pictures(self, item: CodeItem) -> None:
        data = data_of(encode(layout(item), EPSON))
        assert b"\x1d\x6b" not in data
        assert b"\x1d\x38\x4c" in data


class TestFeedRuleAndCut:
    def test_long_feeds_are_split(self) -> None:
        assert feed(600) == b"\x1bJ\xff\x1bJ\xff\x1bJ\x5a"
        assert feed(0) == b""

    def test_rules_are_pictures(self) -> None:
        rule = RuleItem(0, receipt_pb2.RULE_STYLE_SINGLE)
        data = data_of(encode(layout(rule, rule), GENERIC))
        assert data.startswith(b"\x1d\x76\x30\x00\x48\x00")
        assert data[: len(data) // 2] == data[len(data) // 2 :]

    @pytest.mark.parametrize(
        ("cutter", "full", "expected"),
        [
            ("both", False, b"\x1d\x56\x42\x00"),
            ("both", True, b"\x1d\x56\x41\x00"),
            ("partial", True, b"\x1d\x56\x42\x00"),
            ("full", False, b"\x1d\x56\x41\x00"),
        ],
    )
    def test_the_cut_feeds_past_the_cutter_first(self, cutter: str, full: bool, expected: bytes) -> None:
        assert data_of(encode(layout(CutItem(0, full)), replace(GENERIC, cutter=cutter))) == expected

    def test_more_paper_before_the_cut(self) -> None:
        assert data_of(encode(layout(CutItem(0, False)), GENERIC, cut_feed=40)) == b"\x1d\x56\x42\x28"

    def test_without_a_cutter_the_end_is_fed_to_the_tear_bar(self) -> None:
        profile = load_profile("generic-58mm")
        data = data_of(encode(layout(line(TextRun(0, "x", PLAIN)), CutItem(0, True)), profile))
        assert data == SPACING + b"x\n\x1bJ\x78"


class TestChunks:
    def test_every_block_ends_a_chunk(self) -> None:
        lines = [line(TextRun(0, f"line {n}", PLAIN), block=n) for n in range(5)]
        encoded = encode(layout(*lines, blocks=5), GENERIC)
        assert [chunk.blocks for chunk in encoded.chunks] == [1, 2, 3, 4, 5]
        assert [chunk.dots for chunk in encoded.chunks] == [30] * 5
        assert sum(chunk.dots for chunk in encoded.chunks) == encoded.dots

    def test_a_tall_picture_is_several_chunks_of_one_block(self) -> None:
        items = line(TextRun(0, "x", PLAIN)), PictureItem(1, 0, Bitmap(576, 300, b"\x55" * 72 * 300))
        encoded = encode(layout(*items, blocks=2), GENERIC, strip_bytes=9300)
        assert [chunk.blocks for chunk in encoded.chunks] == [1, 1, 1, 2]

    def test_blocks_that_print_nothing_count_as_done_with_the_last(self) -> None:
        encoded = encode(layout(line(TextRun(0, "x", PLAIN)), blocks=3), GENERIC)
        assert [chunk.blocks for chunk in encoded.chunks] == [3]


class TestProfiles:
    def test_every_profile_is_whole(self) -> None:
        for name in profile_names():
            profile = load_profile(name)
            assert 128 <= profile.width_dots <= 1024
            assert profile.cutter in ("both", "partial", "full", "none")
            assert profile.raster in ("gs-v-0", "gs-8-l")
            assert profile.kanji in ("", "gbk", "gb2312", "gb18030")
            assert 24 <= profile.strip_rows <= 512
            alphabet_of(profile)

    @pytest.mark.parametrize(
        ("model", "name"),
        [
            ("TM-T20II", "epson-tm-t20"),
            ("TM-T88VI", "epson-tm-t88vi"),
            ("TM-T88III", "epson-tm-t88iii"),
            ("TM-T70II-CH", "epson-tm-t70ii-ch"),
        ],
    )
    def test_a_model_finds_its_profile(self, model: str, name: str) -> None:
        profile = find_profile(model)
        assert profile is not None
        assert profile.name == name

    def test_an_unknown_model_finds_none(self) -> None:
        assert find_profile("XP-80C") is None
        assert find_profile("") is None

    def test_facts_of_the_tm_t88iii(self) -> None:
        profile = load_profile("epson-tm-t88iii")
        assert (profile.width_dots, profile.dpi, profile.process_id) == (512, 180, False)
        assert profile.paper.columns == 42

    def test_an_unknown_codec_is_refused(self) -> None:
        with pytest.raises(LookupError):
            GENERIC.with_code_pages({5: "no-such-codec"})


def test_a_receipt_that_prints_nothing_still_has_an_end_to_confirm() -> None:
    encoded = encode(layout(blocks=1), GENERIC)
    assert [(chunk.blocks, chunk.data) for chunk in encoded.chunks] == [(1, b"")]
