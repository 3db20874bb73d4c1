"""Pages become a PDF that others can read, with the pictures' own bytes in it; a card's sides a sheet, true to size."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from countertop.sdk.cameras.documents.compose import MAX_BYTES, compose
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from tests.unit.drawn_documents import card, sheet

PAGES, CARD_ON_A4 = camera_pb2.PAGE_LAYOUT_PAGES, camera_pb2.PAGE_LAYOUT_CARD_ON_A4
A4_POINTS = (210 / 25.4 * 72, 297 / 25.4 * 72)


def file(image: Image.Image, kind: str = "PNG", **settings) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def jpeg(pixels: np.ndarray, quality: int = 88) -> bytes:
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


PAGE = jpeg(sheet().astype(np.uint8))
FRONT, BACK = jpeg(card().astype(np.uint8)), jpeg(np.full((638, 1011, 3), (180, 200, 160), np.uint8))
J, P = "image/jpeg", "image/png"


def objects(pdf: bytes) -> dict[int, bytes]:
    """By its cross-reference table, with every offset checked."""
    assert pdf.startswith(b"%PDF-1.4\n")
    assert pdf.endswith(b"%%EOF\n")
    at = int(re.search(rb"startxref\n(\d+)\n%%EOF\n$", pdf)[1])
    assert pdf[at:].startswith(b"xref\n0 ")
    count = int(re.match(rb"xref\n0 (\d+)\n", pdf[at:])[1])
    first = pdf.index(b"\n", at + 5) + 1
    entries = [pdf[first + 20 * index : first + 20 * index + 20] for index in range(count)]
    assert entries[0] == b"0000000000 65535 f \n"
    assert b"/Size %d " % count in pdf[first + 20 * count :]
    found = {}
    for number, entry in enumerate(entries[1:], 1):
        assert re.fullmatch(rb"\d{10} 00000 n \n", entry)
        start = int(entry[:10])
        assert pdf[start:].startswith(b"%d 0 obj\n" % number)
        found[number] = pdf[start : pdf.index(b"\nendobj\n", start)]
    return found


def stream(part: bytes) -> bytes:
    length = int(re.search(rb"/Length (\d+)", part)[1])
    start = part.index(b"\nstream\n") + 8
    assert part[start + length :] == b"\nendstream"
    return part[start : start + length]


def pictures(pdf: bytes) -> list[bytes]:
    return [part for part in objects(pdf).values() if b"/Subtype /Image" in part]


def boxes(pdf: bytes) -> list[tuple[float, float]]:
    return [(float(w), float(h)) for w, h in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", pdf)]


def places(pdf: bytes) -> list[tuple[float, ...]]:
    """Width, height, x and y of each picture, in points."""
    found = re.findall(rb"q ([\d.]+) 0 0 ([\d.]+) ([\d.]+) ([\d.]+) cm /P\d Do Q", pdf)
    return [tuple(map(float, place)) for place in found]


# --- pages -----------------------------------------------------------------------------------------------------------


def test_a_jpeg_goes_into_its_page_byte_for_byte():
    pdf = compose([(PAGE, J), (BACK, J)], PAGES, 130).pdf
    assert [stream(part) for part in pictures(pdf)] == [PAGE, BACK]
    assert all(b"/Filter /DCTDecode" in part for part in pictures(pdf))
    assert b"/Count 2" in pdf
    assert boxes(pdf) == [pytest.approx((1075 / 130 * 72, 1520 / 130 * 72), abs=0.01),
                          pytest.approx((1011 / 130 * 72, 638 / 130 * 72), abs=0.01)]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "space", "bits"),
    [
        (Image.fromarray(np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)), b"Gray", 8),
        (Image.fromarray(np.arange(130).reshape(10, 13) % 3 == 0), b"Gray", 1),
        (Image.fromarray(np.arange(360, dtype=np.uint16).astype(np.uint8).reshape(10, 12, 3)), b"RGB", 8),
    ],
    ids=["grey", "one bit", "colour"],
)
def test_a_png_keeps_its_pixels_and_its_depth(image, space, bits):
    (part,) = pictures(compose([(file(image), P)]).pdf)
    assert b"/ColorSpace /Device" + space in part
    assert b"/BitsPerComponent %d " % bits in part
    rows = np.frombuffer(zlib.decompress(stream(part)), np.uint8)
    if bits == 1:
        assert (np.unpackbits(rows.reshape(10, 2), axis=1)[:, :13].astype(bool) == np.asarray(image)).all()
    else:
        assert (rows.reshape(np.asarray(image).shape) == np.asarray(image)).all()


def test_the_same_pages_are_the_same_file_and_others_another_one():
    assert compose([(PAGE, J)]).pdf == compose([(PAGE, J)]).pdf
    ids = {re.search(rb"/ID \[<(\w{32})>", compose([(one, J)]).pdf)[1] for one in (PAGE, FRONT)}
    assert len(ids) == 2


def test_without_dpi_a_page_has_200():
    (box,) = boxes(compose([(PAGE, J)]).pdf)
    assert box == pytest.approx((1075 * 0.36, 1520 * 0.36), abs=0.01)


# --- a card on A4 ----------------------------------------------------------------------------------------------------


def test_both_sides_of_a_card_lie_in_their_own_size_in_the_upper_half():
    made = compose([(FRONT, J), (BACK, J)], CARD_ON_A4)
    assert boxes(made.pdf) == [pytest.approx(A4_POINTS, abs=0.01)]
    front, back = places(made.pdf)
    for width, height, x, y in (front, back):
        assert (width, height) == pytest.approx((85.6 / 25.4 * 72, 53.98 / 25.4 * 72), abs=0.01)
        assert x + width / 2 == pytest.approx(A4_POINTS[0] / 2, abs=0.01)
        assert y > A4_POINTS[1] / 2
    assert front[3] > back[3] + back[1]
    middle = (front[3] + front[1] + back[3]) / 2
    assert middle == pytest.approx(A4_POINTS[1] * 0.75, abs=0.01)
    assert [stream(part) for part in pictures(made.pdf)] == [FRONT, BACK]


@pytest.mark.parametrize("dpi", [0, 100, 150])
def test_the_sheet_is_a_picture_of_the_same(dpi):
    made = compose([(FRONT, J), (BACK, J)], CARD_ON_A4, dpi)
    sheet_, scale = made.sheet, (dpi or 300) / 25.4
    assert (sheet_.width, sheet_.height) == (round(210 * scale), round(297 * scale))
    assert sheet_.sha256 == hashlib.sha256(sheet_.data).digest()
    opened = Image.open(io.BytesIO(sheet_.data))
    assert opened.info["dpi"] == (dpi or 300, dpi or 300)
    pixels = np.asarray(opened)
    rows = np.flatnonzero((pixels < 240).any(axis=(1, 2)))
    columns = np.flatnonzero((pixels < 240).any(axis=(0, 2)))
    assert (columns[-1] - columns[0] + 1) / scale == pytest.approx(85.6, abs=0.6)
    assert rows[-1] / scale < 297 / 2
    front, back = places(made.pdf)
    for place, original in ((front, FRONT), (back, BACK)):
        left, top = place[2] / 72 * 25.4 * scale, (A4_POINTS[1] - place[3] - place[1]) / 72 * 25.4 * scale
        part = pixels[round(top) + 4 : round(top + 53 * scale), round(left) + 4 : round(left + 85 * scale), ::-1]
        whole = cv2.imdecode(np.frombuffer(original, np.uint8), cv2.IMREAD_COLOR)
        assert abs(part.mean(axis=(0, 1)) - whole.mean(axis=(0, 1))).max() < 6


def test_pages_have_no_sheet():
    assert compose([(PAGE, J)]).sheet is None


# --- others read it --------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.pdf"
    bit = file(Image.fromarray(np.arange(1040).reshape(80, 13) % 5 == 0))
    gray = jpeg(sheet().astype(np.uint8)[..., 0])
    path.write_bytes(
        compose([(PAGE, J), (bit, P), (gray, J), (file(Image.new("RGB", (50, 70), "teal")), P)], PAGES, 72).pdf
    )
    return path


def test_qpdf_finds_no_mistake(mixed):
    if shutil.which("qpdf") is None:
        pytest.skip("qpdf is not installed")
    result = subprocess.run(["qpdf", "--check", str(mixed)], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "No syntax or stream encoding errors" in result.stdout


def test_poppler_draws_the_pages(mixed, tmp_path):
    if shutil.which("pdftoppm") is None:
        pytest.skip("poppler-utils are not installed")
    command = ["pdftoppm", "-r", "72", "-png", str(mixed), str(tmp_path / "page")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    drawn = [cv2.imread(str(path)) for path in sorted(tmp_path.glob("page-*.png"))]
    assert [page.shape for page in drawn] == [(1520, 1075, 3), (80, 13, 3), (1520, 1075, 3), (70, 50, 3)]
    assert abs(drawn[0].astype(int) - cv2.imdecode(np.frombuffer(PAGE, np.uint8), cv2.IMREAD_COLOR)).mean() < 4
    assert abs(drawn[3].reshape(-1, 3).mean(0) - (128, 128, 0)).max() <= 1


def test_poppler_takes_out_every_single_bit(mixed, tmp_path):
    if shutil.which("pdfimages") is None:
        pytest.skip("poppler-utils are not installed")
    command = ["pdfimages", "-f", "2", "-l", "2", "-png", str(mixed), str(tmp_path / "bit")]
    subprocess.run(command, check=True, timeout=60)
    (path,) = tmp_path.glob("bit-*.png")
    taken = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert (taken.reshape(-1) == (np.arange(1040) % 5 == 0) * 255).all()


# --- what is refused -------------------------------------------------------------------------------------------------


def violations(*arguments) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        compose(*arguments)
    return caught.value.violations


def test_what_is_refused_is_named():
    assert list(violations([])) == ["pages"]
    assert list(violations([(PAGE, J)] * 17)) == ["pages"]
    assert list(violations([(FRONT, J)], CARD_ON_A4)) == ["pages"]
    assert list(violations([(FRONT, J), (PAGE, J)], CARD_ON_A4)) == ["pages[1]"]
    assert list(violations([(FRONT, J)], 7)) == ["layout"]
    assert list(violations([(FRONT, J)], PAGES, 71)) == ["dpi"]
    assert list(violations([(PAGE, J), (PAGE, "image/gif")])) == ["pages[1].media_type"]
    assert list(violations([(PAGE, P)])) == ["pages[0].data"]
    assert list(violations([(PAGE[:-2000] + b"\xff\xd9", J)])) == ["pages[0].data"]
    assert list(violations([(file(Image.new("CMYK", (9, 9)), "JPEG"), J)])) == ["pages[0].data"]
    assert list(violations([(PAGE + bytes(MAX_BYTES), J)])) == ["pages"]


@given(
    st.sampled_from([b"", b"\xff\xd8", PAGE[:700], b"\x89PNG\r\n\x1a\n"]),
    st.binary(max_size=200),
    st.sampled_from([J, P]),
)
def test_garbage_is_refused(start, rest, media_type):
    assert list(violations([(start + rest, media_type)])) == ["pages[0].data"]
