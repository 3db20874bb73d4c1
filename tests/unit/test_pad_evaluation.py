"""From a folder of pictures to a report, with an analyser whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from countertop.analysis.pad.corpus import presentations
from countertop.analysis.pad.evaluation import NONE, evaluate, frame_of, summary_of
from countertop.analysis.pad.rates import Rate
from countertop.analysis.pad.report import DISCLAIMER, as_data, html_report
from countertop.analysis.pictures import decode_frame
from countertop.cli import main
from countertop.sdk.cameras.analysis import Observation, PresenceAnalyser, PresenceSession
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import Frame, ModelInfo, PresenceScore, VerifyPresenceResult
from tests.shared_data import shared_file
from tests.unit.presence_faces import jpeg, phone_replay, shared_picture


class Brightness:
    """Bright pictures are alive, dark ones are attacks, grey ones are neither."""

    def models(self) -> list[ModelInfo]:
        return [ModelInfo(role="liveness", name="brightness", sha256=bytes(32), licence="<none>")]

    def begin(self, reference: bytes, frames: int) -> PresenceSession:
        assert reference == b""
        return BrightnessSession(frames)


class BrightnessSession:
    def __init__(self, frames: int) -> None:
        self.frames, self.seen = frames, list[float]()

    def add(self, frame: Frame) -> Observation:
        self.seen.append(float(decode_frame(frame.data).mean()))
        return Observation(camera_pb2.PRESENCE_GUIDANCE_UNSPECIFIED)

    @property
    def taken(self) -> int:
        return len(self.seen)

    @property
    def best(self) -> Frame | None:
        return None

    def verdict(self) -> VerifyPresenceResult:
        assert len(self.seen) == self.frames
        mean = sum(self.seen) / len(self.seen)
        if 100 < mean < 150:
            return VerifyPresenceResult(
                verdict=camera_pb2.PRESENCE_VERDICT_INCONCLUSIVE,
                inconclusive=camera_pb2.INCONCLUSIVE_REASON_NO_FACE,
                guidance=camera_pb2.PRESENCE_GUIDANCE_STEP_IN,
            )
        verdict = camera_pb2.PRESENCE_VERDICT_LIVE if mean >= 150 else camera_pb2.PRESENCE_VERDICT_SPOOF
        return VerifyPresenceResult(verdict=verdict, scores=[PresenceScore(name="liveness", value=mean / 255)])


ANALYSER: PresenceAnalyser = Brightness()


def picture(path: Path, *greys: int) -> None:
    """A picture, or a folder of several."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [path] if len(greys) == 1 else [path / f"{n}.png" for n in range(len(greys))]
    for name, grey in zip(names, greys, strict=True):
        name.parent.mkdir(exist_ok=True)
        assert cv2.imwrite(str(name), np.full((20, 30, 3), grey, np.uint8))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    picture(root / "bona-fide" / "a.jpg", 200)
    picture(root / "bona-fide" / "b", 255, 180, 170)  # three frames of one presentation
    picture(root / "bona-fide" / "dark <script>.png", 20)
    picture(root / "bona-fide" / "grey.bmp", 128)
    picture(root / "attacks" / "print" / "1.png", 10)
    picture(root / "attacks" / "print" / "2.png", 240)
    picture(root / "attacks" / "phone" / "1.png", 12)
    (root / "attacks" / "phone" / "2.jpg").write_bytes(b"\xff\xd8 cut off")
    (root / "bona-fide" / "notes.txt").write_text("no picture")
    return root


def names(found: Sequence[object]) -> list[str]:
    return [getattr(one, "name", "") for one in found]


def test_presentations_are_found_with_their_frames(corpus: Path) -> None:
    found = presentations(corpus)
    assert names(found) == [
        "bona-fide/a.jpg",
        "bona-fide/b",
        "bona-fide/dark <script>.png",
        "bona-fide/grey.bmp",
        "attacks/phone/1.png",
        "attacks/phone/2.jpg",
        "attacks/print/1.png",
        "attacks/print/2.png",
    ]
    assert [len(one.files) for one in found] == [1, 3, 1, 1, 1, 1, 1, 1]
    assert [one.species for one in found] == [None] * 4 + ["phone"] * 2 + ["print"] * 2


def test_answers_are_counted_by_species(corpus: Path) -> None:
    told: list[int] = []
    answers = evaluate(ANALYSER, presentations(corpus), told.append)
    assert told == list(range(1, 9))
    summary = summary_of(answers)
    assert summary.bpcer == Rate(1, 3)
    assert summary.bona_fide.non_response == Rate(1, 4)
    assert summary.apcer == {"phone": Rate(0, 1), "print": Rate(1, 2)}
    assert summary.attacks["phone"].non_response == Rate(1, 2)
    assert summary.worst == "print"
    why = {answer.presentation.name: answer.why for answer in answers if answer.answer == NONE}
    assert why == {"bona-fide/grey.bmp": "NO_FACE, STEP_IN", "attacks/phone/2.jpg": "2.jpg cannot be decoded"}


def test_the_report_stands_alone_and_escapes_names(corpus: Path) -> None:
    answers = evaluate(ANALYSER, presentations(corpus))
    page = html_report("A & B", summary_of(answers), answers, ANALYSER.models())
    assert page.startswith("<!doctype html>")
    assert "A &amp; B" in page
    assert "<script>" not in page
    assert "dark &lt;script&gt;.png" in page
    assert page.count("data:image/jpeg;base64,") == 2  # one attack that passed, one person who did not
    assert DISCLAIMER.split(":")[0] in page
    assert "APCER print (worst)" in page
    for outside in ("http:", "https:", 'src="/', "href="):
        assert outside not in page


def test_plain_data_holds_every_presentation(corpus: Path) -> None:
    answers = evaluate(ANALYSER, presentations(corpus))
    data = json.loads(json.dumps(as_data(summary_of(answers), answers, ANALYSER.models())))
    assert len(data["presentations"]) == 8
    assert data["worst_species"] == "print"
    assert data["bpcer"]["errors"] == 1
    assert sum(one["wrong"] for one in data["presentations"]) == 2


@pytest.mark.parametrize(
    ("layout", "said"),
    [((), "neither"), (("bona-fide/",), "no pictures"), (("attacks/loose.png",), "1 pictures beside")],
)
def test_a_folder_that_is_laid_out_wrongly_is_explained(tmp_path: Path, layout: tuple[str, ...], said: str) -> None:
    for entry in layout:
        path = tmp_path / entry
        if entry.endswith("/"):
            path.mkdir(parents=True)
        else:
            picture(path, 3)
    with pytest.raises(ValueError, match=said):
        presentations(tmp_path)


def test_a_jpeg_is_shown_byte_for_byte_and_others_as_good_jpegs(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    soft = cv2.GaussianBlur(rng.integers(0, 255, (64, 96, 3)).astype(np.uint8), (0, 0), 2)
    (tmp_path / "a.jpg").write_bytes(jpeg(soft))
    assert frame_of(tmp_path / "a.jpg", 3) == Frame(sequence=3, media_type="image/jpeg", data=jpeg(soft))
    cv2.imwrite(str(tmp_path / "a.png"), soft)
    again = decode_frame(frame_of(tmp_path / "a.png", 1).data)
    assert np.abs(again.astype(int) - soft).max() <= 8


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_says_what_is_missing(
    corpus: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("countertop.analysis.models.SYSTEM_FOLDER", Path("/nowhere"))
    assert main(["evaluate-pad", str(corpus)]) == 1
    told = capsys.readouterr().err
    assert "2.7_80x80_MiniFASNetV2.onnx" in told
    assert "countertop models add FILE" in told


def test_the_command_prints_rates_and_writes_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = shared_file("models/2.7_80x80_MiniFASNetV2.onnx").parent
    live = shared_picture("sf_T1.jpg")
    for path, data in (
        ("bona-fide/1.jpg", jpeg(live)),
        ("attacks/phone/1.jpg", jpeg(phone_replay(live, 1))),
        ("attacks/nobody/1.jpg", jpeg(np.full((480, 640, 3), 90, np.uint8))),
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(data)
    report = tmp_path / "report.html"
    assert main(["evaluate-pad", str(tmp_path), "--models-dir", str(models), "--report", str(report)]) == 0
    out = capsys.readouterr().out
    assert "Not an ISO/IEC 30107-3 evaluation, no certification" in out
    assert "APNRR nobody" in out
    assert "APCER phone (worst)" in out
    assert "minifasnet-v2" in report.read_text(encoding="utf-8")
    assert main(["evaluate-pad", str(tmp_path), "--models-dir", str(models), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["bpcer"] == {
        "value": 0.0,
        "interval_95": pytest.approx([0.0, 0.7935], abs=1e-4),
        "errors": 0,
        "trials": 1,
    }
    assert data["apnrr"]["nobody"]["errors"] == 1
