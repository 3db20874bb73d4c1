"""What is noted at each commit point, so that the card is found after a crash; nothing of what is on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from countertop.sdk.device import Evidence
from countertop.v1 import card_pb2
from countertop.v1.card_pb2 import CardPlace, CardReport

__all__ = ["CardEvidence"]

_WORK = ("stripe", "chip", "front", "back")


@dataclass(slots=True)
class CardEvidence:
    """The stage that began, and how things stood before it.

    Stages: feed, accept, move, stripe, chip, print, present, eject; "pull in" takes a card from the exit back inside,
    so that a customer can no longer reach it when "retain" or "reject" puts it away.
    """

    stage: str
    fed_before: int = -1
    """The device's count of cards before the operation; -1 when it does not count."""
    report: CardReport = field(default_factory=CardReport)
    """Where the card was, and what had been done to it."""
    forgotten: bool = False
    """Nobody took it in time."""

    def to_evidence(self) -> Evidence:
        """As the journal keeps it."""
        return {
            "stage": self.stage,
            "fed_before": self.fed_before,
            "fed": int(self.report.fed),
            "place": int(self.report.place),
            "work": [int(getattr(self.report, name)) for name in _WORK],
            "forgotten": int(self.forgotten),
        }

    @classmethod
    def of(cls, evidence: Evidence) -> CardEvidence:
        """What the journal kept; what is missing is as if nothing were known."""
        kept: dict[str, Any] = dict(evidence)
        work = dict(zip(_WORK, kept.get("work", ()), strict=False))
        place: CardPlace = kept.get("place", card_pb2.CARD_PLACE_UNSPECIFIED)
        report = CardReport(place=place, fed=bool(kept.get("fed", False)), **work)
        stage, before = str(kept.get("stage", "")), int(kept.get("fed_before", -1))
        return cls(stage, before, report, bool(kept.get("forgotten", False)))
