"""What the emulated camera sees: each scene looks as its name says, always the same, to eyes that are not ours."""

from __future__ import annotations

import hashlib
import io
import zlib
from functools import cache
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as PilImage

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.camera.scenes.code import make_code
from countertop.emulators.camera.scenes.document import document_corners
from countertop.emulators.camera.scenes.motion import LOOP
from countertop.emulators.camera.scenes.scene import render
from countertop.emulators.camera.scenes.settings import DEFAULT_TEXT, SCENES, SceneSettings
from countertop.emulators.camera.source import FrameSource, cut_in_half
from countertop.emulators.sdt.card import default_resident
from countertop.emulators.sdt.photo import decode_test_photo, make_test_photo
from countertop.v1.image_pb2 import Image
from tests.shared_data import shared_file

SIZE = (640, 480)
FLAWS = {
    "none": bench.SCENE_FLAW_UNSPECIFIED,
    "dark": bench.SCENE_FLAW_DARK,
    "blur": bench.SCENE_FLAW_BLUR,
    "glare": bench.SCENE_FLAW_GLARE,
}
PLAIN = zxingcpp.TextMode.Plain


@cache
def seen(
    scene: str, flaw: str = "none", index: int = 7, size: tuple[int, int] = SIZE, part: float = 0, **more: Any
) -> Any:
    """Drawn once for all tests: nobody may draw on it."""
    picture = render(SceneSettings(SCENES[scene], FLAWS[flaw], size=part, **more), *size, seed=0).frame(index)
    picture.setflags(write=False)
    return picture


def sharpness(picture: Any) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())


# The same again


@pytest.mark.parametrize("scene", SCENES)
def test_the_same_scene_seed_index_and_size_give_the_same_bytes(scene: str) -> None:
    one, other = FrameSource(SceneSettings(SCENES[scene]), seed=3), FrameSource(SceneSettings(SCENES[scene]), seed=3)
    other.frame(9, 320, 240)  # what was asked before makes no difference
    assert one.frame(4, 320, 240) == other.frame(4, 320, 240)
    assert one.frame(4, 320, 240) == one.frame(4 + LOOP, 320, 240)
    assert one.frame(4, 320, 240) != FrameSource(SceneSettings(SCENES[scene]), seed=4).frame(4, 320, 240)


def test_no_two_frames_of_a_loop_are_alike() -> None:
    source = FrameSource(SceneSettings(bench.SCENE_MAT))
    assert len({hashlib.sha256(source.frame(index, 160, 120)).digest() for index in range(LOOP)}) == LOOP


def test_a_person_moves_a_little_and_smoothly() -> None:
    rendered = render(SceneSettings(), *SIZE, seed=0)
    frames = [cv2.GaussianBlur(rendered.frame(index), (0, 0), 1.5).astype(int) for index in range(0, LOOP + 1, 3)]
    steps = [float(np.abs(one - other).mean()) for one, other in pairwise(frames)]
    assert min(steps) > 0.2
    assert max(steps) < 4
    assert np.array_equal(frames[0], frames[-1])


def test_a_new_scene_shows_at_the_next_frame() -> None:
    source = FrameSource()
    person = source.frame(1, 320, 240)
    source.scene = SceneSettings(bench.SCENE_MAT)
    assert source.frame(1, 320, 240) == FrameSource(SceneSettings(bench.SCENE_MAT)).frame(1, 320, 240) != person


@settings(max_examples=15)
@given(st.integers(16, 1920), st.integers(16, 1080), st.integers(0, 10**9), st.sampled_from(list(SCENES)))
def test_frames_have_the_size_that_was_asked_for(width: int, height: int, index: int, scene: str) -> None:
    jpeg = FrameSource(SceneSettings(SCENES[scene])).frame(index, width, height)
    with PilImage.open(io.BytesIO(jpeg)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (width, height))


@pytest.mark.parametrize("size", [(15, 100), (100, 15), (4097, 100), (100, 4097)])
def test_sizes_out_of_range_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected 16 to 4096 pixels"):
        FrameSource().frame(0, *size)


# As named


@pytest.mark.parametrize("scene", SCENES)
def test_each_flaw_is_what_it_says(scene: str) -> None:
    good = seen(scene)
    assert seen(scene, "dark").mean() < 0.2 * good.mean()
    assert sharpness(seen(scene, "blur")) < 0.9 * sharpness(good)
    burnt = (seen(scene, "glare").min(axis=2) >= 245).mean()
    assert burnt > (good.min(axis=2) >= 245).mean() + 0.02


@pytest.mark.parametrize("scene", ["person", "print", "phone-replay", "code", "document"])
def test_blur_takes_the_detail_away(scene: str) -> None:
    assert sharpness(seen(scene, "blur")) < 0.5 * sharpness(seen(scene))


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize("flaw", ["none", "dark"])
def test_the_code_can_be_read(size: tuple[int, int], flaw: str) -> None:
    (found,) = zxingcpp.read_barcodes(seen("code", flaw, size=size))
    assert (found.text, found.format) == (DEFAULT_TEXT, zxingcpp.BarcodeFormat.QRCode)


@pytest.mark.parametrize("turned", [-180, -75, 0, 33, 120])
def test_the_code_says_what_it_is_given_however_it_is_turned(turned: float) -> None:
    text = "支付 https://pay.example/42"
    (found,) = zxingcpp.read_barcodes(seen("code", text=text, turned=turned))
    assert found.text == text


@pytest.mark.parametrize("size", [0.3, 0.45, 0.7])
def test_the_code_is_as_large_as_asked_for(size: float) -> None:
    (found,) = zxingcpp.read_barcodes(seen("code", part=size))
    corners = found.position
    side = np.hypot(corners.top_left.x - corners.bottom_left.x, corners.top_left.y - corners.bottom_left.y)
    assert side == pytest.approx(size * SIZE[1], rel=0.06)


@pytest.mark.parametrize("scene", [scene for scene in SCENES if scene != "code"])
def test_there_is_no_code_where_none_is_shown(scene: str) -> None:
    assert zxingcpp.read_barcodes(seen(scene)) == []


@pytest.mark.parametrize("turned", [-180.0, -90.0, -35.0, 0.0, 8.0, 45.0])
def test_the_document_lies_where_its_corners_are_said_to_be(turned: float) -> None:
    size = (1280, 720)
    scene = SceneSettings(bench.SCENE_DOCUMENT, turned=turned)
    difference = cv2.absdiff(seen("document", size=size, turned=turned), seen("mat", size=size))
    page = (cv2.GaussianBlur(difference, (0, 0), 1.5).min(axis=2) > 70).astype(np.uint8)
    found, _ = cv2.findContours(page, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    outline = max(found, key=cv2.contourArea)
    quad = cv2.approxPolyDP(outline, 0.02 * cv2.arcLength(outline, True), True).reshape(-1, 2)
    said = document_corners(scene, *size)
    assert len(quad) == 4
    assert (said >= 0).all()
    assert (said <= size).all()
    for corner in said:
        assert np.linalg.norm(quad - corner, axis=1).min() < 6


def test_a_card_is_as_large_beside_a_page_as_in_life() -> None:
    def long_side(**more: Any) -> float:
        corners = document_corners(SceneSettings(bench.SCENE_DOCUMENT, **more), 1920, 1080)
        return float(max(np.linalg.norm(corners[0] - corners[1]), np.linalg.norm(corners[1] - corners[2])))

    assert long_side() / 297 == pytest.approx(long_side(picture=png(1011, 638)) / 85.6, rel=0.02)


def test_a_given_document_is_shown() -> None:
    shown = seen("document", picture=png(400, 300, (200, 40, 30)))
    middle = shown[SIZE[1] // 2, SIZE[0] // 2].astype(int)
    assert np.abs(middle - (30, 40, 200)).max() < 25


# People, seen by detectors and recognisers


@cache
def yunet(width: int, height: int) -> Any:
    model = str(shared_file("models/face_detection_yunet_2023mar.onnx"))
    return cv2.FaceDetectorYN.create(model, "", (width, height), 0.7)


def faces(picture: Any) -> Any:
    found = yunet(picture.shape[1], picture.shape[0]).detect(picture)[1]
    return np.zeros((0, 15)) if found is None else found


def embedding(picture: Any) -> Any:
    """dlib's 128 numbers of the one face: RGB, 150 pixels, eyes and mouth upright around (75, 64), 67 apart."""
    (face,) = faces(picture)
    right, left, _, *mouth = face[4:14].reshape(5, 2)
    eyes, lips = (right + left) / 2, (mouth[0] + mouth[1]) / 2
    angle = -np.arctan2(*(left - right)[::-1])
    scale = 0.45 * 150 / np.linalg.norm(lips - eyes)
    turn = scale * np.array(((np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))))
    shift = np.array((75, 0.43 * 150)) - turn @ ((eyes + lips) / 2)
    chip = cv2.warpAffine(picture, np.column_stack((turn, shift)), (150, 150), flags=cv2.INTER_AREA)
    net = cv2.dnn.readNetFromONNX(str(shared_file("models/dlib_resnet29_int8w.onnx")))
    net.setInput(cv2.dnn.blobFromImage(chip, 1.0, (150, 150), swapRB=True))
    return net.forward().ravel()


def apart(one: Any, other: Any) -> float:
    return float(np.linalg.norm(one - other))


def live(picture: Any) -> float:
    """What minivision's pair of models says, 0 to 1."""
    (face,) = faces(picture)
    x, y, wide, high = face[:4]
    frame_high, frame_wide = picture.shape[:2]
    scores = []
    for name, want in (("2.7_80x80_MiniFASNetV2.onnx", 2.7), ("4_0_0_80x80_MiniFASNetV1SE.onnx", 4.0)):
        scale = min((frame_high - 1) / high, (frame_wide - 1) / wide, want)
        size = np.array((wide * scale, high * scale))
        start = np.array((x + wide / 2, y + high / 2)) - size / 2
        start = np.clip(start, 0, np.array((frame_wide - 1, frame_high - 1)) - size).astype(int)
        end = (start + size).astype(int) + 1
        crop = cv2.resize(picture[start[1] : end[1], start[0] : end[0]], (80, 80))
        net = cv2.dnn.readNetFromONNX(str(shared_file(f"models/{name}")))
        net.setInput(cv2.dnn.blobFromImage(crop))
        powers = np.exp(net.forward().ravel().astype(float))
        scores.append(powers / powers.sum())
    return float(np.mean(scores, axis=0)[1])


def card_photo() -> bytes:
    photo = decode_test_photo(make_test_photo(zlib.crc32(default_resident().number.encode())))
    assert photo is not None
    return photo.data


@pytest.mark.parametrize(
    ("scene", "count"),
    [
        ("person", 1),
        ("other-person", 1),
        ("phone-replay", 1),
        ("print", 1),
        ("empty", 0),
        ("two-people", 2),
        ("code", 0),
        ("document", 0),
        ("mat", 0),
    ],
)
@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_so_many_faces_are_found(scene: str, count: int, size: tuple[int, int]) -> None:
    for index in (0, 20, 40):
        assert len(faces(seen(scene, index=index, size=size))) == count


@pytest.mark.parametrize("size", [0.15, 0.3, 0.45, 0.6])
def test_the_face_is_as_large_as_asked_for(size: float) -> None:
    (face,) = faces(seen("person", part=size))
    assert face[3] == pytest.approx(size * SIZE[1], rel=0.2)


def test_a_recogniser_tells_the_two_people_apart_and_knows_each_again() -> None:
    person = [embedding(seen("person", index=index)) for index in (0, 15, 30, 45)]
    other = [embedding(seen("other-person", index=index)) for index in (0, 15, 30, 45)]
    assert max(apart(person[0], again) for again in person) < 0.35
    assert max(apart(other[0], again) for again in other) < 0.35
    assert min(apart(one, two) for one in person for two in other) > 0.65


def test_the_person_is_the_resident_of_the_emulated_card() -> None:
    picture = cv2.imdecode(np.frombuffer(card_photo(), np.uint8), cv2.IMREAD_COLOR)
    card = embedding(cv2.resize(picture, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))
    assert apart(embedding(seen("person")), card) < 0.6
    assert apart(embedding(seen("other-person")), card) > 0.62


def test_the_person_of_a_photo_stands_there() -> None:
    photo = shared_file("faces/sf_T1.jpg")
    wanted = embedding(cv2.imread(str(photo)))
    for scene in ("person", "phone-replay", "print"):
        assert apart(embedding(seen(scene, picture=photo.read_bytes())), wanted) < 0.5


@pytest.mark.parametrize("photo", ["", "sf_T1.jpg"])
def test_a_liveness_check_takes_the_person_for_live_and_the_replay_and_the_print_for_none(photo: str) -> None:
    """Of several frames, as checks do: a single frame of the photo's print at this size reaches 0.52."""
    picture = shared_file(f"faces/{photo}").read_bytes() if photo else b""

    def judged(scene: str) -> float:
        return float(np.median([live(seen(scene, index=index, picture=picture)) for index in range(0, LOOP, 12)]))

    assert judged("person") > 0.8
    assert judged("phone-replay") < 0.2
    assert judged("print") < 0.5


# What the bench may ask for


def png(width: int, height: int, colour: tuple[int, int, int] = (240, 240, 240)) -> bytes:
    file = io.BytesIO()
    PilImage.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


def request(**fields: Any) -> bench.SetSceneRequest:
    return bench.SetSceneRequest(device_id="camera", **fields)


def test_an_empty_request_is_the_person() -> None:
    assert SceneSettings.of(request()) == SceneSettings()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scene": 99}, "scene"),
        ({"flaw": 99}, "flaw"),
        ({"turned": 181}, "turned"),
        ({"turned": float("nan")}, "turned"),
        ({"size": 0.04}, "size"),
        ({"size": 1.3}, "size"),
        ({"size": float("nan")}, "size"),
        ({"text": "长" * 1024}, "text"),
        ({"picture": Image(data=b"no picture")}, "picture"),
        ({"picture": Image(data=png(40, 40)[:60])}, "picture"),
        ({"picture": Image(data=png(9000, 5000))}, "picture"),
    ],
)
def test_what_cannot_be_shown_is_refused_by_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: expected"):
        SceneSettings.of(request(**fields))


@pytest.mark.parametrize("text", ["a" * 1024, "长" * 776, "长" * 300 + "é" * 400, "\0\n", "🙂" * 500])
def test_any_text_that_is_accepted_makes_a_code_that_says_it(text: str) -> None:
    modules = make_code(SceneSettings.of(request(text=text)).text)
    drawn = cv2.copyMakeBorder(cv2.resize(modules, None, fx=4, fy=4, interpolation=0), *[40] * 4, 0, value=255)
    assert [found.text for found in zxingcpp.read_barcodes(drawn, zxingcpp.BarcodeFormat.QRCode, text_mode=PLAIN)] == [
        text
    ]


def test_a_text_that_makes_no_code_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match=r"^text: expected a text that fits into a QR code with error correction M$"):
        make_code("x" * 3000)


def test_settings_tell_nothing_of_the_picture_and_the_text() -> None:
    shown = repr(SceneSettings.of(request(text="geheim", picture=Image(data=png(20, 20)))))
    assert "geheim" not in shown
    assert "PNG" not in shown


@given(st.binary(max_size=200))
def test_any_bytes_are_a_picture_or_refused(data: bytes) -> None:
    for file in (data, png(9, 9)[:30] + data, b"\xff\xd8\xff\xe0" + data, b"BM" + data):
        try:
            settings_ = SceneSettings.of(request(picture=Image(data=file)))
        except ValueError as error:
            assert str(error).startswith("picture: expected")  # noqa: PT017 - it may also be a picture
        else:
            FrameSource(settings_).frame(0, 64, 48)


@given(st.binary(max_size=2000))
def test_anything_can_be_cut_in_half(data: bytes) -> None:
    half = cut_in_half(data)
    assert data.startswith(half)
    assert len(half) < len(data) or not data


def test_half_a_frame_has_its_headers() -> None:
    jpeg = FrameSource().frame(0, 320, 240)
    half = cut_in_half(jpeg)
    assert half.startswith(jpeg[: jpeg.find(b"\xff\xda") + 100])
    assert 0.4 < len(half) / len(jpeg) < 0.7
