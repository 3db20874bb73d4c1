"""The models that are emulated."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """The parts of a model."""

    name: str
    exit: bool
    """A kiosk's printer: a bezel for the customer. Else an output hopper."""
    duplex: bool
    firmware: str = "1.40"
    head_kit: str = "0023456"
    mac: str = "02:00:00:00:00:01"


MODELS = {
    "KC200B": Model("KC200B", exit=True, duplex=True),
    "Primacy": Model("Primacy", exit=False, duplex=True),
}
