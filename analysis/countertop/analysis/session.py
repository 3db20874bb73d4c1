"""One check of one person: frames in, guidance out, and at the end a verdict with its evidence."""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import combinations

from countertop.analysis.engine import Engine
from countertop.analysis.geometry import Face
from countertop.analysis.liveness import Cuts, jittered
from countertop.analysis.nets import Array
from countertop.analysis.pictures import decode_frame
from countertop.analysis.quality import Light, Limits, guidance, pose_of
from countertop.analysis.recogniser import distance
from countertop.analysis.verdict import Cue, matched, presence, shortfall
from countertop.sdk.cameras.analysis import Observation
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import (
    Frame,
    ModelInfo,
    PictureBox,
    PresenceFrame,
    PresenceGuidance,
    VerifyPresenceResult,
)

__all__ = ["Reference", "Session"]


@dataclass(frozen=True, slots=True)
class Reference:
    """The photo of who it should be."""

    sha256: bytes
    descriptor: Array | None
    """None when no face can be found on it."""


@dataclass(slots=True)
class _Taken:
    """A frame that the verdict rests on, without its picture."""

    evidence: PresenceFrame
    descriptor: Array
    live: list[float]
    """The fused score of each box that was judged."""
    waiting: list[Cuts] = field(default_factory=list)
    """What the moved boxes show; judged with the verdict, so that frames are looked at quickly."""


class Session:
    """One check. Used by one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        models: list[ModelInfo],
        *,
        name: str,
        limits: Limits,
        jitter: float,
        frames: int,
        reference: Reference | None,
    ) -> None:
        """`frames` is how many good ones the verdict rests on, 1 or more."""
        self._engine, self._models, self._name = engine, models, name
        self._limits, self._jitter, self._wanted = limits, jitter, frames
        self._reference = reference
        self._taken: deque[_Taken] = deque(maxlen=frames)
        self._refused: Counter[PresenceGuidance] = Counter()
        self._last = camera_pb2.PRESENCE_GUIDANCE_UNSPECIFIED
        self._best: tuple[float, Frame] | None = None

    @property
    def taken(self) -> int:
        """Frames that were taken so far, at most as many as were asked for: a further one takes the oldest's place."""
        return len(self._taken)

    @property
    def best(self) -> Frame | None:
        """The sharpest and straightest frame of those taken."""
        return self._best[1] if self._best else None

    def add(self, frame: Frame) -> Observation:
        """Look at a frame (JPEG), and take it for the verdict when it is good enough.

        Raises CountertopError(CAMERA_PICTURE_DAMAGED) for one that cannot be decoded.
        """
        picture = decode_frame(frame.data)
        engine = self._engine
        said, face, light = guidance(picture, engine.faces(picture), self._limits)
        if said == camera_pb2.PRESENCE_GUIDANCE_UNSPECIFIED and face is not None:
            first, *others = (engine.liveness.cuts(picture, box) for box in jittered(face.box, self._jitter))
            live = engine.fused(engine.liveness.score(first))
            self._taken.append(_Taken(_evidence(frame, face), engine.descriptor(picture, face), [live], others))
            self._consider(frame, face, light)
        else:
            self._refused[said] += 1
        self._last = said
        return Observation(said, _box(face) if face is not None else None)

    def verdict(self) -> VerifyPresenceResult:
        """The verdict of the frames that were taken, with scores, models and evidence."""
        engine, reference = self._engine, self._reference
        for taken in self._taken:
            taken.live += [engine.fused(engine.liveness.score(cuts)) for cuts in taken.waiting]
            taken.waiting.clear()
        result = VerifyPresenceResult(
            models=self._models,
            analyser=self._name,
            guidance=self._last,
            reference_sha256=reference.sha256 if reference is not None else b"",
        )
        target = reference.descriptor if reference is not None else None
        live = [self._live(statistics.median(taken.live)) for taken in self._taken]
        near = [] if target is None else [self._near(distance(taken.descriptor, target)) for taken in self._taken]
        for index, taken in enumerate(self._taken):
            evidence = result.frames.add()
            evidence.CopyFrom(taken.evidence)
            evidence.scores.extend(cue.to_proto() for cue in (*live[index : index + 1], *near[index : index + 1]))
        if not self._taken:
            result.verdict = camera_pb2.PRESENCE_VERDICT_INCONCLUSIVE
            result.inconclusive = shortfall(self._refused)
            result.match = matched(result.verdict, None, asked=reference is not None)
            return result
        alive = self._live(statistics.median(cue.value for cue in live))
        match = self._near(statistics.median(cue.value for cue in near)) if near else None
        same = self._same()
        result.scores.extend(cue.to_proto() for cue in (alive, same, match) if cue is not None)
        if len(self._taken) < self._wanted:
            result.verdict = camera_pb2.PRESENCE_VERDICT_INCONCLUSIVE
            result.inconclusive = shortfall(self._refused)
        else:
            result.verdict, result.inconclusive = presence([alive], same_person=same.value <= same.confirm)
        result.match = matched(result.verdict, match, asked=reference is not None)
        return result

    def _live(self, value: float) -> Cue:
        return Cue("liveness", value, self._engine.fusion.confirm, self._engine.fusion.deny)

    def _near(self, value: float) -> Cue:
        spec = self._engine.recogniser.spec
        return Cue("match", value, spec.threshold("match"), spec.threshold("no_match"), lower_is_better=True)

    def _same(self) -> Cue:
        """How far the two most different faces are apart."""
        pairs = combinations([taken.descriptor for taken in self._taken], 2)
        limit = self._engine.recogniser.spec.threshold("same_person")
        return Cue("same person", max((distance(*pair) for pair in pairs), default=0.0), limit, limit, True)

    def _consider(self, frame: Frame, face: Face, light: Light | None) -> None:
        worth = (light.sharpness if light is not None else 0.0) * (1 - min(1.0, abs(pose_of(face).yaw)))
        if self._best is None or worth > self._best[0]:
            self._best = worth, frame


def _evidence(frame: Frame, face: Face) -> PresenceFrame:
    return PresenceFrame(
        sequence=frame.sequence,
        time=frame.time,
        sha256=hashlib.sha256(frame.data).digest(),
        face=_box(face),
    )


def _box(face: Face) -> PictureBox:
    return PictureBox(x=face.box.x, y=face.box.y, width=face.box.width, height=face.box.height)
