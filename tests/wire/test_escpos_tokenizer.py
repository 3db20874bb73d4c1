"""Cutting ESC/POS into commands: framed as others frame it, however it is split, whatever it is."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.emulators.escpos.framing import MAX_COMMAND_BYTES
from countertop.emulators.escpos.realtime import RealTimeScanner
from countertop.emulators.escpos.tokenizer import Tokenizer
from tests.shared_data import shared_file


def tokens(*pieces: bytes) -> list[tuple[str, bytes]]:
    """All tokens, adjacent text joined."""
    tokenizer, found = Tokenizer(), []
    for piece in pieces:
        tokenizer.feed(piece)
        while (token := tokenizer.next()) is not None:
            if token.name == "text" and found and found[-1][0] == "text":
                found[-1] = ("text", found[-1][1] + token.raw)
            else:
                found.append((token.name, token.raw))
    return found


def printer_tokens() -> list[bytes]:
    groups = json.loads(shared_file("receipt/escpos-tokens.json").read_text())
    return [bytes.fromhex(row["hex"]) for group in groups.values() for row in group]


def is_wrong_bit_image(raw: bytes) -> bool:
    """The list frames ESC * with m 30h and 31h wrongly; Epson has m 0, 1, 32 and 33 only."""
    return raw[:2] == b"\x1b*" and raw[2:3] in (b"0", b"1")


def test_commands_are_framed_as_an_independent_list_frames_them():
    wrong, seen = [], 0
    for raw in printer_tokens():
        if raw[0] not in (0x10, 0x1B, 0x1C, 0x1D) or is_wrong_bit_image(raw):
            continue
        seen += 1
        found = tokens(raw + b"\n")
        if found[-1] != ("LF", b"\n") or found[0][1] != raw:
            wrong.append((raw.hex(), [piece.hex() for _, piece in found][:4]))
    assert seen > 250
    assert wrong == []


@pytest.mark.parametrize("name", ["demo.bin", "qr-code.bin", "receipt-with-logo.bin", "text-size.bin"])
def test_another_drivers_receipts_hold_only_known_commands_and_end_whole(name):
    data = shared_file(f"receipt/{name}").read_bytes()
    found = tokens(data)
    assert b"".join(raw for _, raw in found) == data
    assert {kind for kind, _ in found} <= {
        "text", "LF", "ESC @", "ESC !", "ESC a", "ESC d", "ESC E", "ESC -", "ESC G", "ESC M", "ESC t", "ESC p", "ESC *",
        "ESC 3", "ESC 2", "ESC J", "ESC e", "GS V", "GS v", "GS !", "GS k", "GS h", "GS w", "GS H", "GS (", "GS B",
        "GS 8", "GS f", "ESC {", "FS &", "FS .", "ESC V",
    }  # fmt: skip


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=6))
def test_any_split_gives_the_same_tokens(data, cuts):
    cuts = sorted({0, len(data), *(cut for cut in cuts if cut <= len(data))})
    pieces = [data[start:end] for start, end in pairwise(cuts)]
    assert tokens(*pieces) == tokens(data)


commands = st.sampled_from(
    [b"\x1b@", b"\x1d!\x11", b"\x1da\xff", b"\x1dv0\0\x02\0\x03\0" + bytes(6), b"\x1d(k\x03\0\x31\x43\x05", b"abc",
     b"\n", b"\x1b*\x21\x02\0" + bytes(6), b"\x1dk\x49\x03{BA", b"\x1dk\x04123\0", b"\x1bD\x04\x08\0",
     b"\x1d8L\x04\0\0\0abcd",
     b"\x10\x04\x01", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", b"\x1c2\x77\x21" + bytes(72), b"\x1b$\x05\0"]
)  # fmt: skip


@given(st.lists(commands, max_size=30))
def test_whole_commands_are_found_whole(sent):
    joined: list[bytes] = []
    for raw in sent:
        if raw == b"abc" and joined and joined[-1].endswith(b"abc") and joined[-1].strip(b"abc") == b"":
            joined[-1] += raw
        else:
            joined.append(raw)
    assert [raw for _, raw in tokens(b"".join(sent))] == joined


@given(st.binary(max_size=300))
def test_nothing_is_lost_or_made_up(data):
    found = tokens(data)
    whole = b"".join(raw for _, raw in found)
    assert data.startswith(whole)


def test_a_command_too_long_to_keep_is_swallowed_and_what_follows_is_framed_right():
    columns, rows = 0xFFFF, 0x0100
    head = b"\x1dv0\0" + columns.to_bytes(2, "little") + rows.to_bytes(2, "little")
    length = columns * rows
    assert length > MAX_COMMAND_BYTES
    tokenizer, kept, found = Tokenizer(), 0, []
    tokenizer.feed(head)
    found.append(tokenizer.next())
    for _ in range(0, length, 65536):
        tokenizer.feed(bytes(min(65536, length)))
        length -= 65536
        kept = max(kept, tokenizer.waiting)
    tokenizer.feed(b"after\n")
    while (token := tokenizer.next()) is not None:
        found.append(token)
    assert [token.name for token in found if token] == ["oversize", "text", "LF"]
    assert kept == 0


@given(st.binary(max_size=2000))
def test_memory_is_bounded_by_the_longest_command(data):
    tokenizer = Tokenizer()
    for start in range(0, len(data), 64):
        tokenizer.feed(data[start : start + 64])
        while tokenizer.next() is not None:
            pass
    assert tokenizer.waiting <= MAX_COMMAND_BYTES + 64


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_real_time_commands_are_found_in_any_split(pieces):
    whole = RealTimeScanner().feed(b"".join(pieces))
    scanner = RealTimeScanner()
    assert [found for piece in pieces for found in scanner.feed(piece)] == whole


def test_real_time_commands_are_found_inside_data():
    image = b"\x1dv0\0\x04\0\x02\0" + b"\x00\x10\x04\x01" + b"\x10\x05\x02\x00"
    assert RealTimeScanner().feed(image) == [b"\x10\x04\x01", b"\x10\x05\x02"]


def test_every_token_has_its_name():
    controls = {0x09: "HT", 0x0A: "LF", 0x0C: "FF", 0x0D: "CR", 0x18: "CAN"}
    for code in range(0x20):
        if code not in (0x10, 0x1B, 0x1C, 0x1D):
            assert tokens(bytes([code])) == [(controls.get(code, "ignored"), bytes([code]))]
    named = {
        b"\x10\x04\x01": "DLE 04",
        b"\x10\x05\x02": "DLE 05",
        b"\x1b \x05": "ESC  ",
        b"\x1b~": "ESC ~",
        b"\x1b\x7f": "ESC 7F",
        b"\x1b\x0c": "ESC 0C",
        b"\x1c&": "FS &",
        b"\x1dV\0": "GS V",
    }
    for raw, name in named.items():
        assert tokens(raw)[0] == (name, raw)


def test_text_may_begin_with_a_blank_and_holds_all_that_is_no_control():
    assert tokens(b" a\x7f\x80\xff\n") == [("text", b" a\x7f\x80\xff"), ("LF", b"\n")]


def test_a_command_too_long_to_keep_may_come_in_one_piece_with_what_follows():
    columns, rows = 0xFFFF, 0x0100
    whole = b"\x1dv0\0" + columns.to_bytes(2, "little") + rows.to_bytes(2, "little") + bytes(columns * rows)
    assert len(whole) > MAX_COMMAND_BYTES
    assert tokens(whole + b"after\n", b"more\n") == [
        ("oversize", b""),
        ("text", b"after"),
        ("LF", b"\n"),
        ("text", b"more"),
        ("LF", b"\n"),
    ]


@pytest.mark.parametrize("begun", [b"\x1dv0\0\xff\xff\0\x01", b"\x1dv0\0\x02\0\x02\0", b"\x1b", b""])
def test_what_has_begun_is_forgotten(begun):
    tokenizer = Tokenizer()
    tokenizer.feed(begun)
    tokenizer.next()
    tokenizer.clear()
    assert tokenizer.waiting == 0
    tokenizer.feed(b"new")
    token = tokenizer.next()
    assert token is not None
    assert (token.name, token.raw) == ("text", b"new")
