"""Cutting Evolis jobs into commands, and bitmaps into pictures: real jobs, any split, any bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.emulators.evolis.bitmaps import expand_dye, expand_resin, from_bmp, unpack, upright
from countertop.emulators.evolis.framing import MAX_BITMAP, MAX_TEXT, Command, Tokenizer
from tests.shared_data import shared_file

JOBS = ("evolis-card-black-fit.prn", "evolis-card-text.prn")
INK = {"evolis-card-black-fit.prn": (0.98, 1.0), "evolis-card-text.prn": (0.05, 0.5)}
"""The share of black that each picture has."""


def job(name: str) -> bytes:
    return shared_file(f"card/{name}").read_bytes()


def commands(*pieces: bytes) -> list[Command]:
    tokenizer = Tokenizer()
    return [command for piece in pieces for command in tokenizer.feed(piece)]


def judged(payload: bytes) -> list[bytes]:
    """`Dbc` of a black panel, decoded by the letter of the guide and nothing else."""
    lines, rest = [], list(payload)
    while rest:
        count = rest.pop(0)
        if count == 0xFF:
            lines.append(b"\xff" * 81)
        else:
            lines.append(bytes(rest[:count]) + bytes(81 - count))
            del rest[:count]
    return lines


# --- real jobs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", JOBS)
def test_a_real_drivers_job_is_framed_command_by_command(name: str) -> None:
    found = commands(job(name))
    assert [command.name for command in found] == ["Pr", "Pmi", "Pc", "Pdt", "Mr", "Ppws", "Ss", "Sr", "Dbc", "Se"]
    bitmap = found[8]
    assert bitmap.parameters == ("k", "2", str(len(bitmap.data)))


@pytest.mark.parametrize("name", JOBS)
def test_a_real_drivers_bitmap_is_the_picture_that_an_independent_decoder_sees(name: str) -> None:
    payload = commands(job(name))[8].data
    lines = judged(payload)
    assert len(lines) == 1016
    wanted = np.array([[byte >> (7 - bit) & 1 for byte in line for bit in range(8)] for line in lines])
    found = expand_resin(payload)
    assert found.shape == (1016, 648)
    assert (found == wanted).all()
    least, most = INK[name]
    assert least < found.mean() < most


@pytest.mark.parametrize("name", JOBS)
@given(cuts=st.lists(st.integers(0, 84_000), max_size=6))
def test_any_split_of_a_real_job_gives_the_same_commands(name: str, cuts: list[int]) -> None:
    whole = job(name)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    assert commands(*(whole[a:b] for a, b in pairwise(edges))) == commands(whole)


# --- commands ---------------------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters=";"), min_size=1, max_size=12)
PLAIN = st.builds(
    lambda name, parameters: (Command(name, tuple(parameters)), f"\x1b{';'.join([name, *parameters])}\r".encode()),
    TEXTS.filter(lambda name: not name.startswith(("Db", "Psc"))),
    st.lists(TEXTS, max_size=3),
)
COMPRESSED = st.builds(
    lambda data: (Command("Dbc", ("k", "2", str(len(data))), data), b"\x1bDbc;k;2;%d;" % len(data) + data + b"\r"),
    st.binary(max_size=300),
)
PARTIAL = st.builds(
    lambda lines, fill: (
        Command("Dbp", ("y", "64", "10", str(lines)), fill * (lines * 486)),
        b"\x1bDbp;y;64;10;%d;" % lines + fill * (lines * 486) + b"\r",
    ),
    st.integers(1, 3),
    st.binary(min_size=1, max_size=1),
)
BMP = st.builds(
    lambda body: (
        Command("Dbmp", ("k", "0", "648", "0"), b"BM" + (6 + len(body)).to_bytes(4, "little") + body),
        b"\x1bDbmp;k;0;648;0;BM" + (6 + len(body)).to_bytes(4, "little") + body + b"\r",
    ),
    st.binary(min_size=1, max_size=200),
)
PADDING = st.sampled_from([b"", b"\0" * 32, b"\r", b"\r\0\0\r"])


@given(parts=st.lists(st.tuples(st.one_of(PLAIN, COMPRESSED, PARTIAL, BMP), PADDING), max_size=6), data=st.data())
def test_whatever_the_split_commands_come_out_as_they_were_put_in(parts: list, data: st.DataObject) -> None:
    stream = b"".join(raw + padding for (_, raw), padding in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    found = commands(*(stream[a:b] for a, b in pairwise(edges)))
    assert found == [command for (command, _), _ in parts]


@given(pieces=st.lists(st.binary(max_size=400), max_size=12))
def test_any_bytes_are_cut_alike_however_they_come_and_little_is_kept(pieces: list[bytes]) -> None:
    together, apart = Tokenizer(), Tokenizer()
    whole = list(together.feed(b"".join(pieces)))
    found = [command for piece in pieces for command in apart.feed(piece)]
    assert found == whole
    assert apart.waiting == together.waiting <= sum(map(len, pieces))


def test_an_endless_command_is_answered_once_and_not_kept() -> None:
    tokenizer = Tokenizer()
    found = [command for _ in range(200) for command in tokenizer.feed(b"x" * 1000)]
    assert found == [Command("")]
    assert tokenizer.waiting <= MAX_TEXT + 1
    assert list(tokenizer.feed(b"\r\x1bRfv\r")) == [Command("Rfv")]


def test_a_bitmap_that_is_too_long_is_passed_over_and_not_kept() -> None:
    tokenizer = Tokenizer()
    size = MAX_BITMAP + 1000
    assert list(tokenizer.feed(b"\x1bDbc;k;2;%d;" % size)) == []
    fed = 0
    found: list[Command] = []
    while fed < size:
        piece = b"\r" * min(65536, size - fed)
        fed += len(piece)
        found += tokenizer.feed(piece)
        assert tokenizer.waiting < 65536 * 2
    assert [(command.name, command.cut) for command in found] == [("Dbc", True)]
    assert list(tokenizer.feed(b"\rRfv\r")) == [Command("Rfv")]


def test_esc_may_be_missing_after_a_cr_and_ends_a_command_that_was_cut_off() -> None:
    assert commands(b"\x1bSs\rSr\r\x1bPr;k\x1bSe\r") == [Command("Ss"), Command("Sr"), Command("Se")]


def test_psc_changes_the_characters_and_alone_brings_them_back() -> None:
    stream = b"\x1bPsc;33;44;10\r!Pr,k\n!Psc\n\x1bPr;k\r"
    assert [command.name for command in commands(stream)] == ["Psc", "Pr", "Psc", "Pr"]
    assert commands(stream)[1].parameters == ("k",)


# --- bitmaps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("levels", "bits"), [(2, 1), (32, 5), (64, 6), (128, 7), (256, 8)])
@given(seed=st.integers(0, 1000))
def test_packed_pixels_are_read_most_significant_bit_first(levels: int, bits: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, levels, (2, 648))
    number = 0
    for pixel in pixels.ravel().tolist():
        number = number << bits | pixel
    assert (unpack(number.to_bytes(2 * 648 * bits // 8), levels) == pixels).all()


def test_a_part_of_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="whole lines"):
        unpack(b"\0" * 80, 2)


@given(data=st.binary(max_size=2000))
def test_resin_lines_are_decoded_or_refused(data: bytes) -> None:
    try:
        found = expand_resin(data)
    except ValueError:
        return
    assert found.shape[1] == 648
    assert [np.packbits(line).tobytes() for line in found] == judged(data)


@pytest.mark.parametrize("levels", [32, 64, 128])
@given(data=st.binary(max_size=3000))
def test_dye_runs_are_decoded_or_refused(levels: int, data: bytes) -> None:
    try:
        found = expand_dye(data, levels)
    except ValueError:
        return
    assert found.shape[0] <= 1016
    assert found.max(initial=0) < levels


def test_dye_runs_are_values_runs_and_blank_lines() -> None:
    # 64 levels: bit 6 adds 256 to the count; a count of 0 leaves the rest of the line blank
    data = bytes([5, 0x80 | 7, 3, 0x80 | 0x40 | 9, 10, 0x80, 0, 0x80 | 1, 2])
    found = expand_dye(data, 64)
    assert found[0, :4].tolist() == [5, 7, 7, 7]
    assert set(found[0, 4:270].tolist()) == {9}
    assert not found[0, 270:].any()
    assert found[1, :3].tolist() == [1, 1, 0]


def test_a_panel_is_turned_so_that_people_can_read_it() -> None:
    panel = np.zeros((1016, 648), np.uint8)
    panel[0, 647] = 1  # the first line is the left edge, its last pixel the upper one
    assert upright(panel)[0, 0] == 1


@given(data=st.binary(max_size=300))
def test_what_is_no_bmp_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="data: expected"):
        from_bmp(b"BM" + data)
