"""Shows each presentation to an analyser, as a camera would, and keeps what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from countertop.analysis.pad.corpus import Presentation
from countertop.analysis.pad.rates import Summary, summarise
from countertop.sdk.cameras.analysis import PresenceAnalyser
from countertop.sdk.errors import CountertopError
from countertop.v1 import camera_pb2, error_pb2
from countertop.v1.camera_pb2 import Frame

__all__ = ["LIVE", "NONE", "SPOOF", "Answer", "evaluate", "frame_of", "is_wrong", "summary_of"]

LIVE, SPOOF, NONE = "live", "spoof", "none"
_ANSWERS = {camera_pb2.PRESENCE_VERDICT_LIVE: LIVE, camera_pb2.PRESENCE_VERDICT_SPOOF: SPOOF}
_QUALITY = 98
"""Of pictures that are no JPEG files, since analysers take a camera's frames."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one presentation."""

    presentation: Presentation
    answer: str
    """LIVE, SPOOF or NONE."""
    why: str
    """Of no answer: the reason and the last guidance."""
    score: float | None
    """Its liveness score, where it has one."""


def evaluate(
    analyser: PresenceAnalyser, found: Sequence[Presentation], progress: Callable[[int], None] = lambda done: None
) -> list[Answer]:
    """Each presentation, one check of its own that rests on all its frames. `progress` is told after each one.

    Raises CountertopError(NOT_CONFIGURED) as the analyser does, and OSError for a file that cannot be read. A picture
    that cannot be decoded is no answer.
    """
    answers = []
    for number, presentation in enumerate(found, 1):
        answers.append(_shown(analyser, presentation))
        progress(number)
    return answers


def summary_of(answers: Sequence[Answer]) -> Summary:
    """The rates."""
    counts: dict[str | None, dict[str, int]] = {}
    for answer in answers:
        kind = counts.setdefault(answer.presentation.species, {})
        kind[answer.answer] = kind.get(answer.answer, 0) + 1
    return summarise(counts)


def is_wrong(answer: Answer) -> bool:
    """An attack that passed, or a living person who was refused."""
    return answer.answer == (SPOOF if answer.presentation.species is None else LIVE)


def frame_of(path: Path, sequence: int) -> Frame:
    """A file as a camera's frame. Raises CountertopError(CAMERA_PICTURE_DAMAGED) when it cannot be decoded."""
    data = path.read_bytes()
    if not data.startswith(b"\xff\xd8"):
        from countertop.analysis.pictures import decode_photo, to_jpeg

        data = to_jpeg(decode_photo(data), _QUALITY)
    return Frame(sequence=sequence, media_type="image/jpeg", data=data)


def _shown(analyser: PresenceAnalyser, presentation: Presentation) -> Answer:
    session = analyser.begin(b"", len(presentation.files))
    for sequence, path in enumerate(presentation.files, 1):
        try:
            session.add(frame_of(path, sequence))
        except CountertopError as error:
            if error.reason not in (error_pb2.REASON_CAMERA_PICTURE_DAMAGED, error_pb2.REASON_INVALID_REQUEST):
                raise
            return Answer(presentation, NONE, f"{path.name} cannot be decoded", None)
    result = session.verdict()
    score = next((score.value for score in result.scores if score.name == "liveness"), None)
    answer = _ANSWERS.get(result.verdict, NONE)
    why = ""
    if answer == NONE:
        reason = camera_pb2.InconclusiveReason.Name(result.inconclusive).removeprefix("INCONCLUSIVE_REASON_")
        hint = camera_pb2.PresenceGuidance.Name(result.guidance).removeprefix("PRESENCE_GUIDANCE_")
        why = reason if hint == "UNSPECIFIED" else f"{reason}, {hint}"
    return Answer(presentation, answer, why, score)
