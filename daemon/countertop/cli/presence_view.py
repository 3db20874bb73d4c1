"""Shows a verdict about presence on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.cli.output import console, table, word
from countertop.v1 import camera_pb2

if TYPE_CHECKING:
    from rich.console import Console

    from countertop.v1.camera_pb2 import PresenceScore, VerifyPresenceResult

__all__ = ["GUIDANCE", "show_presence"]

GUIDANCE: dict[int, str] = {
    camera_pb2.PRESENCE_GUIDANCE_STEP_IN: "Step before the camera.",
    camera_pb2.PRESENCE_GUIDANCE_ONE_PERSON: "One person alone, please.",
    camera_pb2.PRESENCE_GUIDANCE_MOVE_CLOSER: "Come closer.",
    camera_pb2.PRESENCE_GUIDANCE_MOVE_AWAY: "Step back a little.",
    camera_pb2.PRESENCE_GUIDANCE_MOVE_LEFT: "Move to the left of the picture.",
    camera_pb2.PRESENCE_GUIDANCE_MOVE_RIGHT: "Move to the right of the picture.",
    camera_pb2.PRESENCE_GUIDANCE_MOVE_UP: "Move up.",
    camera_pb2.PRESENCE_GUIDANCE_MOVE_DOWN: "Move down.",
    camera_pb2.PRESENCE_GUIDANCE_HOLD_STILL: "Hold still.",
    camera_pb2.PRESENCE_GUIDANCE_FACE_CAMERA: "Look at the camera.",
    camera_pb2.PRESENCE_GUIDANCE_MORE_LIGHT: "It is too dark.",
    camera_pb2.PRESENCE_GUIDANCE_LESS_LIGHT: "It is too bright.",
}
"""What each guidance says to a person."""
_COLORS = {"LIVE": "green", "MATCH": "green", "SPOOF": "red", "NO_MATCH": "red"}


def show_presence(result: VerifyPresenceResult, out: Console | None = None) -> None:
    """Verdicts, what they rest on, and the models."""
    shown = table("presence", "")
    verdict = word(camera_pb2.PresenceVerdict, result.verdict, "PRESENCE_VERDICT_")
    why = word(camera_pb2.InconclusiveReason, result.inconclusive, "INCONCLUSIVE_REASON_")
    shown.add_row("verdict", _colored(verdict) + (f" ({why})" if why else ""))
    match = word(camera_pb2.MatchVerdict, result.match, "MATCH_VERDICT_")
    if match:
        shown.add_row("photo", _colored(match))
    for score in result.scores:
        shown.add_row(score.name, _score(score))
    shown.add_row("frames", f"{len(result.frames)} judged, {result.took.ToMilliseconds()} ms")
    for model in result.models:
        shown.add_row(model.role, f"{model.name} {model.sha256.hex()[:12]}…")
    (out or console()).print(shown)


def _colored(verdict: str) -> str:
    color = _COLORS.get(verdict, "yellow")
    return f"[{color}]{verdict}[/]"


def _score(score: PresenceScore) -> str:
    return f"{score.value:.3f} ({'at most' if score.lower_is_better else 'at least'} {score.threshold:.3f} passes)"
