"""PWG Raster: what is packed is read back by a slow reader that follows the standard's words."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.drivers.ipp_card.raster import HEADER_BYTES, document, encode_lines
from countertop.drivers.ipp_card.states import blocking, conditions, media_name, reason_words, ribbon, values
from countertop.v1 import device_pb2, error_pb2


def read_lines(data: bytes, height: int, width: int, colors: int) -> np.ndarray:
    """Pixels of one page; all of the data must be used."""
    rows: list[list[bytes]] = []
    at = 0
    while at < len(data):
        repeats = data[at] + 1
        at += 1
        row: list[bytes] = []
        while len(row) < width:
            head = data[at]
            at += 1
            if head < 128:
                row += [data[at : at + colors]] * (head + 1)
                at += colors
            else:
                assert head > 128
                for _ in range(257 - head):
                    row.append(data[at : at + colors])
                    at += colors
        assert len(row) == width
        rows += [row] * repeats
    assert len(rows) == height
    pixels = np.frombuffer(b"".join(b"".join(row) for row in rows), np.uint8).reshape(height, width, colors)
    return pixels if colors == 3 else pixels[..., 0]


def page(kind: str, height: int, width: int, colors: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    shape = (height, width, 3) if colors == 3 else (height, width)
    if kind == "noise":
        return rng.integers(0, 256, shape).astype(np.uint8)
    if kind == "flat":
        return np.full(shape, seed % 256, np.uint8)
    return np.repeat(rng.integers(0, 256, shape), 7, axis=1)[:, :width].astype(np.uint8)  # runs of seven


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(["noise", "flat", "runs"]),
    height=st.integers(1, 600),
    width=st.integers(1, 300),
    colors=st.sampled_from([1, 3]),
    seed=st.integers(0, 999),
)
def test_pages_come_back_dot_by_dot(kind: str, height: int, width: int, colors: int, seed: int) -> None:
    if kind != "flat":
        height = min(height, 40)
    made = page(kind, height, width, colors, seed)
    assert (read_lines(encode_lines(made), height, width, colors) == made).all()


def test_a_flat_page_is_a_few_bytes():
    assert len(encode_lines(np.full((1011, 638, 3), 255, np.uint8))) < 100


def test_the_header_says_what_the_page_is():
    made = document(
        [np.zeros((1011, 638, 3), np.uint8)] * 2, dpi=300, two_sided=True, size_name="iso_id-1_53.98x85.6mm"
    )
    assert made[:4] == b"RaS2"
    header = made[4 : 4 + HEADER_BYTES]
    assert header.startswith(b"PwgRaster\0")
    assert header[1732:1796].rstrip(b"\0") == b"iso_id-1_53.98x85.6mm"
    word = {at: struct.unpack_from(">I", header, at)[0] for at in range(0, 1604, 4)}
    assert [word[at] for at in (272, 276, 280, 340)] == [1, 300, 300, 1]
    assert [word[at] for at in (352, 356, 372, 376)] == [153, 243, 638, 1011]
    assert [word[at] for at in (384, 388, 392, 396, 400, 420, 452)] == [8, 24, 1914, 0, 19, 3, 2]
    assert made.count(b"PwgRaster\0") == 2


# --- what a printer says of itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["iso_a4_210x297mm", "iso_id-1_53.98x85.6mm"], "iso_id-1_53.98x85.6mm"),
        (["custom_card_54x86mm"], "custom_card_54x86mm"),
        ("iso_id-1_53.98x85.6mm", "iso_id-1_53.98x85.6mm"),
        (["iso_a4_210x297mm", "iso_a7_74x105mm", ""], ""),
        (None, ""),
    ],
)
def test_a_medium_of_the_size_of_a_card_is_found(names: Any, found: str) -> None:
    assert media_name({"media-supported": names}) == found


def test_reasons_with_their_severity_are_conditions():
    found = conditions(
        {"printer-state-reasons": ["media-empty-error", "marker-supply-low-warning", "media-jam-report"]}
    )
    assert [(item.reason, item.severity) for item in found] == [
        (error_pb2.REASON_CARDS_OUT, device_pb2.SEVERITY_BLOCKING),
        (error_pb2.REASON_RIBBON_LOW, device_pb2.SEVERITY_WARNING),
    ]
    assert not conditions({"printer-state-reasons": "none"})
    assert blocking(["none", "cover-open"]) == error_pb2.REASON_COVER_OPEN
    assert blocking(["media-empty-warning"]) is None


def test_markers_are_ribbons_with_their_percent():
    found = ribbon({"marker-names": ["YMCKO", "film"], "marker-levels": [7, -2]})
    assert [(item.type, item.level, item.HasField("remaining")) for item in found] == [
        ("YMCKO", device_pb2.SUPPLY_LEVEL_LOW, True),
        ("film", device_pb2.SUPPLY_LEVEL_OK, False),
    ]


WORDS = st.one_of(st.integers(), st.text(max_size=9))


@given(value=st.one_of(st.none(), WORDS, st.lists(WORDS)))
def test_whatever_a_printer_says_is_read(value: Any) -> None:
    attributes = {
        "printer-state-reasons": value,
        "media-supported": value,
        "marker-names": value,
        "marker-levels": value,
    }
    assert isinstance(values(attributes, "media-supported"), list)
    conditions(attributes)
    ribbon(attributes)
    assert isinstance(media_name(attributes), str)
    assert reason_words(values(attributes, "printer-state-reasons"))
