"""Codes on a picture are found, whatever way they lie, and say what was written."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given
from hypothesis.extra import numpy as arrays

from countertop.sdk.cameras.codes import DEFAULT_FORMATS, Found, check_formats, scan
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import Code, CodeFormat

QR = camera_pb2.CODE_FORMAT_QR
EVERY = [value for value in CodeFormat.values() if value]
TEXT = "https://bank.example/pay?no=试样123"
WRITTEN = {
    camera_pb2.CODE_FORMAT_QR: ("QRCode", TEXT, TEXT),
    camera_pb2.CODE_FORMAT_MICRO_QR: ("MicroQRCode", "12345", "12345"),
    camera_pb2.CODE_FORMAT_DATA_MATRIX: ("DataMatrix", "Matrix 42", "Matrix 42"),
    camera_pb2.CODE_FORMAT_AZTEC: ("Aztec", "Aztec 42", "Aztec 42"),
    camera_pb2.CODE_FORMAT_PDF417: ("PDF417", "PDF 42 试样", "PDF 42 试样"),
    camera_pb2.CODE_FORMAT_CODE_128: ("Code128", "VOUCHER-0123", "VOUCHER-0123"),
    camera_pb2.CODE_FORMAT_CODE_39: ("Code39", "CARD-42", "CARD-42"),
    camera_pb2.CODE_FORMAT_EAN_13: ("EAN13", "690123456789", "6901234567892"),
    camera_pb2.CODE_FORMAT_EAN_8: ("EAN8", "9638507", "96385074"),
    camera_pb2.CODE_FORMAT_ITF: ("ITF", "01234567", "01234567"),
    camera_pb2.CODE_FORMAT_CODABAR: ("Codabar", "A1234B", "A1234B"),
}


def drawn(kind: int, text: str | bytes | None = None, scale: int = 4) -> np.ndarray:
    name, sample, _ = WRITTEN[kind]
    content = sample if text is None else text
    return np.asarray(zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, name)).to_image(scale=scale))


def scene(*codes: tuple[np.ndarray, int, int]) -> np.ndarray:
    """1280 by 720, a busy ground, codes laid onto it at (left, top)."""
    rng = np.random.default_rng(4)
    ground = cv2.resize(rng.integers(60, 220, (45, 80), dtype=np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
    for code, left, top in codes:
        ground[top : top + code.shape[0], left : left + code.shape[1]] = code
    return ground


def test_the_table_names_every_format():
    assert set(WRITTEN) == set(EVERY)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: CodeFormat.Name(kind).removeprefix("CODE_FORMAT_"))
def test_each_format_is_found_when_it_is_asked_for_and_when_all_are(kind):
    picture = scene((drawn(kind), 300, 200))
    for formats in ([kind], EVERY):
        (found,) = scan(picture, formats, 7)
        assert (found.format, found.text, found.sequence) == (kind, WRITTEN[kind][2], 7)
        assert len(found.corners) == 4


def test_only_what_is_asked_for_is_found_and_that_is_qr_unless_something_is_said():
    picture = scene((drawn(QR), 100, 100), (drawn(camera_pb2.CODE_FORMAT_CODE_128), 500, 400))
    assert DEFAULT_FORMATS == (QR,)
    assert [code.format for code in scan(picture)] == [QR]
    only = scan(picture, [camera_pb2.CODE_FORMAT_CODE_128])
    assert [code.format for code in only] == [camera_pb2.CODE_FORMAT_CODE_128]


def test_several_codes_on_one_picture_are_all_found():
    texts = [f"code {number}" for number in range(6)]
    places = [(60 + number % 3 * 400, 60 + number // 3 * 330) for number in range(6)]
    codes = scan(scene(*((drawn(QR, text), *place) for text, place in zip(texts, places, strict=True))))
    assert sorted(code.text for code in codes) == texts


@pytest.mark.parametrize("turned", [0, 30, 90, 135, 180, 270])
def test_a_turned_code_is_found_and_its_corners_turn_with_it(turned):
    code = drawn(QR, "turned")
    side = code.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), -turned, 1.0)  # clockwise
    matrix[:, 2] += (400, 300)
    picture = cv2.warpAffine(code, matrix, (1280, 720), borderValue=255)
    (found,) = scan(picture)
    quiet = 4 * 4
    inner = np.array(
        ((quiet, quiet), (side - quiet, quiet), (side - quiet, side - quiet), (quiet, side - quiet)), float
    )
    expected = inner @ matrix[:, :2].T + matrix[:, 2]
    corners = np.array([(corner.x, corner.y) for corner in found.corners])
    assert np.abs(corners - expected).max() < 6


@pytest.mark.parametrize(
    "picture",
    [
        scene((255 - drawn(QR), 400, 200)),
        scene((drawn(QR)[:, ::-1], 400, 200)),
        scene((drawn(QR), 400, 200)) // 6,
        cv2.GaussianBlur(scene((drawn(QR, scale=6), 400, 100)), (0, 0), 2),
    ],
    ids=["light on dark", "mirrored", "dark", "blurred"],
)
def test_a_code_that_is_hard_to_see_says_the_same(picture):
    assert [code.text for code in scan(picture)] == [TEXT]


def test_content_is_byte_for_byte_and_text_has_no_words_for_control_characters():
    data = bytes(range(32)) + b"\xff\x80"
    (found,) = scan(scene((drawn(QR, data), 300, 200)))
    assert found.content == data
    (field,) = scan(scene((drawn(camera_pb2.CODE_FORMAT_CODE_128, "21\x1d42"), 300, 200)), EVERY)
    assert field.text == "21\x1d42"


def test_nothing_is_found_where_nothing_is():
    assert scan(scene(), EVERY) == []


@pytest.mark.parametrize("wrong", [0, 12, 999, -1])
def test_unknown_formats_are_refused(wrong):
    with pytest.raises(InvalidRequest) as caught:
        check_formats([QR, wrong])
    assert list(caught.value.violations) == ["formats"]
    with pytest.raises(InvalidRequest):
        scan(scene(), [wrong])


@pytest.mark.parametrize("picture", [np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9)), np.zeros((0, 0), np.uint8)])
def test_other_arrays_are_refused(picture):
    with pytest.raises(InvalidRequest):
        scan(picture)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=60)))
def test_any_picture_can_be_scanned(picture):
    assert isinstance(scan(picture, EVERY), list)


def test_the_interpreter_goes_on_while_a_picture_is_scanned():
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (3000, 4000), dtype=np.uint8)
    done, turns = threading.Event(), 0
    worker = threading.Thread(target=lambda: (scan(picture, EVERY), done.set()))
    worker.start()
    while not done.wait(0.001):
        turns += 1
    worker.join()
    assert turns > 20


def test_found_keeps_each_different_code_once_in_order():
    found = Found()
    one, two = Code(format=QR, text="1", content=b"1"), Code(format=QR, text="2", content=b"2", sequence=3)
    assert found.add([two]) == [two]
    again = Code(format=QR, text="2", content=b"2", sequence=9)
    assert found.add([again, one, one]) == [one]
    other = Code(format=camera_pb2.CODE_FORMAT_AZTEC, text="1", content=b"1")
    assert found.add([other]) == [other]
    assert found.codes == [two, one, other]
    assert len(found) == 3
    assert found.codes[0].sequence == 3
