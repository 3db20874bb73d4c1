"""The ribbon of a card printer."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RIBBONS", "Ribbon"]

RIBBONS = {"YMCKO": 200, "YMCKOK": 200, "YMCK": 200, "KO": 500, "K": 1000}
"""Panels of a set, and sets on a full roll."""


@dataclass(slots=True)
class Ribbon:
    """A roll with sets of panels; `left` sets are not used yet."""

    panels: str
    left: int
    capacity: int

    @classmethod
    def full(cls, kind: str, left: int = 0) -> Ribbon:
        """A roll, with so many sets left or all. Raises ValueError for a kind that there is not."""
        if kind not in RIBBONS:
            raise ValueError(f"expected one of {', '.join(RIBBONS)}")
        return cls(kind.lower(), min(left or RIBBONS[kind], RIBBONS[kind]), RIBBONS[kind])

    def has(self, panel: str) -> bool:
        """There is such a panel, and a set left."""
        return bool(self.left) and panel in self.panels

    def use(self) -> None:
        """One set is used."""
        self.left = max(0, self.left - 1)
