"""Whole checks with the real models: guidance, verdicts, evidence, and a regression set.

The set is small and partly drawn. It shows that nothing has become worse, not how well attacks are seen in the world.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.analysis.detectors import YuNet, make_detector
from countertop.analysis.models import ModelStore
from countertop.analysis.presence import CountertopAnalyser, make
from countertop.sdk.cameras.analysis import AnalysisSettings, PresenceAnalyser
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import camera_pb2, error_pb2
from countertop.v1.camera_pb2 import Frame, PresenceGuidance, VerifyPresenceResult
from tests.shared_data import shared_file
from tests.unit.presence_faces import (
    Picture,
    brightened,
    counter,
    jpeg,
    noisy,
    onto,
    phone_replay,
    printed,
    shared_picture,
    shifted,
)

DETECTORS = ("yunet-2023mar", "mediapipe-short-range")
LIVE, SPOOF, INCONCLUSIVE = (
    camera_pb2.PRESENCE_VERDICT_LIVE,
    camera_pb2.PRESENCE_VERDICT_SPOOF,
    camera_pb2.PRESENCE_VERDICT_INCONCLUSIVE,
)


@pytest.fixture(scope="module", params=DETECTORS)
def analyser(request: pytest.FixtureRequest) -> CountertopAnalyser:
    """With either detector: the better one, and the one that is always there."""
    models = shared_file("models/2.7_80x80_MiniFASNetV2.onnx").parent
    return make(AnalysisSettings(models, {"detector": request.param}))


@pytest.fixture(scope="module")
def person() -> Picture:
    return shared_picture("sf_T1.jpg")


@pytest.fixture(scope="module")
def poster() -> Picture:
    return shared_picture("sf_F1.jpg")


def checked(analyser: PresenceAnalyser, *pictures: Picture, reference: bytes = b"") -> VerifyPresenceResult:
    session = analyser.begin(reference, len(pictures))
    for number, picture in enumerate(pictures, 1):
        session.add(Frame(sequence=number, data=jpeg(picture)))
    return session.verdict()


def frames(picture: Picture, count: int = 3) -> list[Picture]:
    """A person does not hold still, and a camera has noise."""
    return [noisy(shifted(picture, 2 * n, n), 3, n) for n in range(count)]


def card_photo(picture: Picture, quality: int) -> bytes:
    """A face as an identity card's chip holds it: 102 by 126 pixels."""
    portrait = picture[20:400, 40:348]
    return jpeg(cv2.resize(portrait, (102, 126), interpolation=cv2.INTER_AREA).astype(np.uint8), quality)


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_living_person_is_live_with_all_the_evidence(analyser: CountertopAnalyser, person: Picture) -> None:
    shown = [jpeg(picture) for picture in frames(person, 5)]
    session = analyser.begin(b"", 5)
    for number, data in enumerate(shown, 11):
        frame = Frame(sequence=number, data=data)
        frame.time.FromNanoseconds(number * 10**9)
        observation = session.add(frame)
        assert observation.guidance == camera_pb2.PRESENCE_GUIDANCE_UNSPECIFIED
        assert observation.face is not None
    assert session.taken == 5
    result = session.verdict()
    assert result.verdict == LIVE
    assert result.match == camera_pb2.MATCH_VERDICT_UNSPECIFIED
    assert result.analyser == "countertop"
    assert [frame.sequence for frame in result.frames] == [11, 12, 13, 14, 15]
    assert [frame.sha256 for frame in result.frames] == [hashlib.sha256(data).digest() for data in shown]
    assert [frame.time.seconds for frame in result.frames] == [11, 12, 13, 14, 15]
    assert all([score.name for score in frame.scores] == ["liveness"] for frame in result.frames)
    assert [score.name for score in result.scores] == ["liveness", "same person"]
    assert {model.role for model in result.models} == {"face-detector", "face-recogniser", "liveness"}
    assert all(len(model.sha256) == 32 for model in result.models)
    assert [model.name for model in result.models] == [model.name for model in analyser.models()]
    assert session.best is not None
    assert session.best.data in shown
    assert session.verdict() == result  # asking again changes nothing


def test_a_photographed_poster_is_a_spoof(analyser: CountertopAnalyser, poster: Picture) -> None:
    result = checked(analyser, *frames(poster))
    assert result.verdict == SPOOF
    assert result.inconclusive == camera_pb2.INCONCLUSIVE_REASON_UNSPECIFIED


@pytest.mark.parametrize("quality", [90, 60])
def test_the_person_on_the_cards_photo_matches(analyser: CountertopAnalyser, person: Picture, quality: int) -> None:
    photo = card_photo(person, quality)
    result = checked(analyser, *frames(person), reference=photo)
    assert (result.verdict, result.match) == (LIVE, camera_pb2.MATCH_VERDICT_MATCH)
    assert result.reference_sha256 == hashlib.sha256(photo).digest()
    assert [score.name for score in result.frames[0].scores] == ["liveness", "match"]


def test_a_woman_who_looks_alike_never_matches(analyser: CountertopAnalyser, person: Picture, poster: Picture) -> None:
    # the model puts these two 0.40 to 0.47 apart, below its usual limit of 0.6: neither yes nor no may be said
    for photo in (jpeg(poster), card_photo(poster, 60)):
        result = checked(analyser, *frames(person), reference=photo)
        assert result.match == camera_pb2.MATCH_VERDICT_INCONCLUSIVE


def test_with_a_sharper_threshold_somebody_else_is_no_match(person: Picture, poster: Picture) -> None:
    models = shared_file("models/2.7_80x80_MiniFASNetV2.onnx").parent
    analyser = make(AnalysisSettings(models, {"thresholds": {"dlib-resnet29": {"no_match": 0.4}}}))
    assert checked(analyser, *frames(person), reference=jpeg(poster)).match == camera_pb2.MATCH_VERDICT_NO_MATCH


def test_a_print_of_the_photo_itself_does_not_match(analyser: CountertopAnalyser, person: Picture) -> None:
    result = checked(analyser, *(printed(person, seed) for seed in (1, 1, 1)), reference=jpeg(person))
    assert (result.verdict, result.match) == (SPOOF, camera_pb2.MATCH_VERDICT_INCONCLUSIVE)


def test_a_photo_without_a_face_leaves_the_match_open(analyser: CountertopAnalyser, person: Picture) -> None:
    result = checked(analyser, *frames(person), reference=jpeg(counter(126, 102, 1)))
    assert (result.verdict, result.match) == (LIVE, camera_pb2.MATCH_VERDICT_INCONCLUSIVE)


def test_two_people_in_one_check_are_noticed(analyser: CountertopAnalyser, person: Picture, poster: Picture) -> None:
    result = checked(analyser, person, poster, person)
    assert result.verdict == INCONCLUSIVE
    assert result.inconclusive == camera_pb2.INCONCLUSIVE_REASON_PERSON_CHANGED


def test_too_few_frames_are_no_verdict(analyser: CountertopAnalyser, person: Picture) -> None:
    session = analyser.begin(b"", 3)
    for number in (1, 2):
        session.add(Frame(sequence=number, data=jpeg(person)))
    session.add(Frame(sequence=3, data=jpeg(brightened(person, 0.25))))
    result = session.verdict()
    assert result.verdict == INCONCLUSIVE
    assert result.inconclusive == camera_pb2.INCONCLUSIVE_REASON_POOR_QUALITY
    assert result.guidance == camera_pb2.PRESENCE_GUIDANCE_MORE_LIGHT
    assert len(result.frames) == 2


def test_nothing_seen_is_no_face(analyser: CountertopAnalyser) -> None:
    result = analyser.begin(b"", 3).verdict()
    assert result.inconclusive == camera_pb2.INCONCLUSIVE_REASON_NO_FACE
    assert checked(analyser, counter(480, 640, 1)).inconclusive == camera_pb2.INCONCLUSIVE_REASON_NO_FACE


# --- guidance ---------------------------------------------------------------------------------------------------------

GUIDED: dict[str, Callable[[Picture], Picture]] = {
    "STEP_IN": lambda person: counter(640, 480, 2),
    "ONE_PERSON": lambda person: np.hstack([person, person]),
    "MOVE_CLOSER": lambda person: cv2.resize(person, (180, 240)).astype(np.uint8),
    "MOVE_AWAY": lambda person: cv2.resize(person[90:380, 90:310], (480, 640)).astype(np.uint8),
    "MOVE_LEFT": lambda person: shifted(person, 240, 0),
    "MORE_LIGHT": lambda person: brightened(person, 0.3),
    "LESS_LIGHT": lambda person: brightened(person, 1.9),
    "HOLD_STILL": lambda person: cv2.GaussianBlur(person, (0, 0), 5).astype(np.uint8),
    "FACE_CAMERA": lambda person: cv2.warpAffine(
        person, cv2.getRotationMatrix2D((205, 230), -40, 1), (480, 640)
    ).astype(np.uint8),
}


@pytest.mark.parametrize("told", GUIDED)
def test_the_person_is_told_what_to_do(analyser: CountertopAnalyser, person: Picture, told: str) -> None:
    session = analyser.begin(b"", 3)
    observation = session.add(Frame(sequence=1, data=jpeg(GUIDED[told](person))))
    assert PresenceGuidance.Name(observation.guidance) == f"PRESENCE_GUIDANCE_{told}"
    assert (observation.face is None) == (told == "STEP_IN")
    assert session.taken == 0
    assert session.verdict().guidance == observation.guidance


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_without_a_model_of_liveness_nobody_is_live(tmp_path: Path) -> None:
    with pytest.raises(CountertopError) as caught:
        make(AnalysisSettings(tmp_path)).begin(b"", 3)
    assert caught.value.reason == error_pb2.REASON_NOT_CONFIGURED
    for part in ("2.7_80x80_MiniFASNetV2.onnx", "4_0_0_80x80_MiniFASNetV1SE.onnx", "countertop models add FILE"):
        assert part in caught.value.message


def test_one_of_two_liveness_models_is_not_enough(tmp_path: Path) -> None:
    one = shared_file("models/2.7_80x80_MiniFASNetV2.onnx")
    (tmp_path / one.name).write_bytes(one.read_bytes())
    with pytest.raises(CountertopError, match=r"Missing: 4_0_0_80x80_MiniFASNetV1SE\.onnx"):
        make(AnalysisSettings(tmp_path)).begin(b"", 3)


def test_a_damaged_model_is_named_and_not_used(tmp_path: Path) -> None:
    for name in ("2.7_80x80_MiniFASNetV2.onnx", "4_0_0_80x80_MiniFASNetV1SE.onnx"):
        data = bytearray(shared_file(f"models/{name}").read_bytes())
        data[1000] ^= 1
        (tmp_path / name).write_bytes(data)
    with pytest.raises(CountertopError, match="damaged: expected sha256"):
        make(AnalysisSettings(tmp_path)).begin(b"", 3)


def test_models_are_told_though_they_are_missing(tmp_path: Path) -> None:
    told = make(AnalysisSettings(tmp_path)).models()
    assert [model.name for model in told] == [
        "mediapipe-short-range",
        "dlib-resnet29",
        "minifasnet-v2",
        "minifasnet-v1se",
    ]


def test_damaged_frames_and_photos_are_told_apart(analyser: CountertopAnalyser, person: Picture) -> None:
    with pytest.raises(InvalidRequest, match=r"reference\.data"):
        analyser.begin(b"no picture", 3)
    with pytest.raises(InvalidRequest, match="frames"):
        analyser.begin(b"", 0)
    session = analyser.begin(b"", 3)
    with pytest.raises(CountertopError) as caught:
        session.add(Frame(sequence=1, data=jpeg(person)[:-2000]))
    assert caught.value.reason == error_pb2.REASON_CAMERA_PICTURE_DAMAGED


@settings(max_examples=15)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_a_picture_of_anything_gets_an_answer(height: int, width: int, seed: int) -> None:
    models = shared_file("models/2.7_80x80_MiniFASNetV2.onnx").parent
    picture = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    for detector in DETECTORS:
        session = make_once(models, detector).begin(jpeg(picture), 1)
        observation = session.add(Frame(sequence=1, data=jpeg(picture)))
        assert observation.guidance in PresenceGuidance.values()
        assert session.verdict().verdict in (SPOOF, INCONCLUSIVE)


_MADE: dict[str, CountertopAnalyser] = {}


def make_once(models: Path, detector: str) -> CountertopAnalyser:
    return _MADE.setdefault(detector, make(AnalysisSettings(models, {"detector": detector})))


# --- the detector against OpenCV's own --------------------------------------------------------------------------------


def test_faces_are_where_opencvs_own_code_sees_them(person: Picture, poster: Picture) -> None:
    file = shared_file("models/face_detection_yunet_2023mar.onnx")
    store = ModelStore(file.parent)
    spec = store.manifest.named("yunet-2023mar")
    ours = make_detector(spec, store.read(spec))
    assert isinstance(ours, YuNet)
    theirs = cv2.FaceDetectorYN.create(str(file), "", (240, 320), spec.threshold("score"), spec.threshold("overlap"))
    for picture in (person, poster):
        small = cv2.resize(picture, (240, 320), interpolation=cv2.INTER_AREA).astype(np.uint8)
        rows = theirs.detect(small)[1]
        found = ours.detect(small)
        assert len(found) == len(rows) == 1
        box, row = found[0].box, rows[0]
        assert (box.x, box.y, box.width, box.height) == pytest.approx(tuple(row[:4]), abs=0.02)
        assert found[0].nose == pytest.approx(tuple(row[8:10]), abs=0.02)
        assert found[0].score == pytest.approx(float(row[14]), abs=1e-3)


# --- the regression set -----------------------------------------------------------------------------------------------


def bona_fide(person: Picture) -> Iterator[Picture]:
    """The living person, with a camera's noise, other light, compression, and a step aside."""
    for number, quality in enumerate((60, 70, 80, 90, 95)):
        for light in (0.85, 0.95, 1.05, 1.15):
            moved = shifted(person, 9 * number - 18, 6 - 3 * number)
            picture = noisy(brightened(moved, light), 2.0 * (number % 3) + 1, number)
            yield cv2.imdecode(np.frombuffer(jpeg(picture, quality), np.uint8), cv2.IMREAD_COLOR).astype(np.uint8)


def attacks(person: Picture, poster: Picture) -> Iterator[tuple[str, Picture]]:
    for seed in range(12):
        yield "phone", phone_replay(person, seed)
        yield "print", printed(person, seed)
    for number, light in enumerate((0.85, 1.0, 1.15, 1.0)):
        yield "poster", noisy(shifted(brightened(poster, light), 4 * number, 0), 2.0, number)


def test_regression_set(analyser: CountertopAnalyser, person: Picture, poster: Picture) -> None:
    living = Counter(checked(analyser, picture).verdict for picture in bona_fide(person))
    fakes = Counter((kind, checked(analyser, picture).verdict) for kind, picture in attacks(person, poster))
    total, passed = sum(fakes.values()), sum(count for (_, said), count in fakes.items() if said == LIVE)
    silent = sum(count for (_, said), count in fakes.items() if said == INCONCLUSIVE)
    detector = analyser.models()[0].name
    print(
        f"\nregression set, not an ISO/IEC 30107-3 evaluation ({detector}): {passed} of {total} attacks passed as "
        f"live, {silent} without an answer; {living[SPOOF]} of {living.total()} bona fide pictures rejected, "
        f"{living[INCONCLUSIVE]} without an answer"
    )
    assert living.total() == 20
    assert total == 28
    assert passed <= 0.10 * total
    assert living[SPOOF] + living[INCONCLUSIVE] <= 0.05 * living.total()
    assert silent <= 0.10 * total  # an attack that is never judged would prove nothing


def test_a_face_on_a_wide_picture_is_judged_as_on_a_tall_one(analyser: CountertopAnalyser, person: Picture) -> None:
    wide = onto(counter(1080, 1920, 3), cv2.resize(person, (810, 1080)).astype(np.uint8), (0.29, 0, 0.42, 1), 0)
    assert checked(analyser, *frames(wide)).verdict == LIVE
