"""From scores to verdicts: plain rules, no pictures.

A cue that denies vetoes; without one, a cue that confirms passes; when nothing speaks, nothing is said. There is no sum
of weights in which a strong cue could drown.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import InconclusiveReason, MatchVerdict, PresenceGuidance, PresenceScore, PresenceVerdict

__all__ = ["Cue", "Says", "matched", "presence", "shortfall"]


class Says(enum.Enum):
    """What a score says."""

    CONFIRMS = "confirms"
    DENIES = "denies"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Cue:
    """A score with its thresholds; between them it says nothing."""

    name: str
    value: float
    confirm: float
    """Confirms from here on: upwards, or downwards where lower is better."""
    deny: float
    """Denies from here on, the other way."""
    lower_is_better: bool = False

    @property
    def says(self) -> Says:
        """What it says; a score that is not a number says nothing."""
        sign = -1 if self.lower_is_better else 1
        if sign * self.value <= sign * self.deny:
            return Says.DENIES
        return Says.CONFIRMS if sign * self.value >= sign * self.confirm else Says.NOTHING

    def to_proto(self) -> PresenceScore:
        """The score as verdicts carry it."""
        return PresenceScore(
            name=self.name,
            value=self.value,
            threshold=self.confirm,
            deny_threshold=self.deny,
            lower_is_better=self.lower_is_better,
        )


def presence(cues: Sequence[Cue], *, same_person: bool) -> tuple[PresenceVerdict, InconclusiveReason]:
    """Whether a living person is there, and why it cannot be said. The cues are of one person, or nothing is said."""
    if not same_person:
        return (
            camera_pb2.PRESENCE_VERDICT_INCONCLUSIVE,
            camera_pb2.INCONCLUSIVE_REASON_PERSON_CHANGED,
        )
    said = {cue.says for cue in cues}
    if Says.DENIES in said:
        return camera_pb2.PRESENCE_VERDICT_SPOOF, camera_pb2.INCONCLUSIVE_REASON_UNSPECIFIED
    if Says.CONFIRMS in said:
        return camera_pb2.PRESENCE_VERDICT_LIVE, camera_pb2.INCONCLUSIVE_REASON_UNSPECIFIED
    return camera_pb2.PRESENCE_VERDICT_INCONCLUSIVE, camera_pb2.INCONCLUSIVE_REASON_SCORES_UNDECIDED


def matched(verdict: PresenceVerdict, cue: Cue | None, *, asked: bool) -> MatchVerdict:
    """Whether it is the person on the photo; `asked`: a photo was given, `cue`: how far they are apart, where a face is
    on it. Only a living person matches: the photo's own print would, too.
    """
    if not asked:
        return camera_pb2.MATCH_VERDICT_UNSPECIFIED
    if cue is None or verdict != camera_pb2.PRESENCE_VERDICT_LIVE or cue.says is Says.NOTHING:
        return camera_pb2.MATCH_VERDICT_INCONCLUSIVE
    return camera_pb2.MATCH_VERDICT_MATCH if cue.says is Says.CONFIRMS else camera_pb2.MATCH_VERDICT_NO_MATCH


def shortfall(refused: Mapping[PresenceGuidance, int]) -> InconclusiveReason:
    """Why too few frames were good: by how many frames each guidance was given."""
    faceless = refused.get(camera_pb2.PRESENCE_GUIDANCE_STEP_IN, 0)
    crowded = refused.get(camera_pb2.PRESENCE_GUIDANCE_ONE_PERSON, 0)
    total = sum(refused.values())
    if faceless == total:
        return camera_pb2.INCONCLUSIVE_REASON_NO_FACE
    if crowded > (total - faceless) / 2:
        return camera_pb2.INCONCLUSIVE_REASON_SEVERAL_FACES
    return camera_pb2.INCONCLUSIVE_REASON_POOR_QUALITY
