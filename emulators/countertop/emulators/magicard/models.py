"""The models that are emulated."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """What a model has."""

    name: str
    width: int
    """Columns that it prints."""
    straight: bool
    """Words of its head begin with their least significant bit."""
    duplex: bool


MODELS = {
    "Enduro": Model("Enduro", 1016, straight=False, duplex=True),
    "Pronto": Model("Pronto", 1000, straight=True, duplex=False),
}
