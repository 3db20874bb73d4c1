"""What sets models apart in a job, as the vendor's driver and two real jobs have it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """One model."""

    name: str
    width: int
    """Dots of a line: WID."""
    height: int
    """Lines: HGT."""
    head: str
    """The print head's name in the header. Dots of a KGE head lie in their words the other way round."""
    duplex: bool
    icc: int
    """ICC, as real jobs of the model have it; its meaning is not known."""


MODELS = {
    "Enduro": Model("Enduro", 1016, 642, "KGE2", duplex=True, icc=3),
    "Pronto": Model("Pronto", 1000, 642, "KGE", duplex=False, icc=1),
}
