"""What each model has, as far as is known without asking it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "Model", "model_of"]


@dataclass(frozen=True, slots=True)
class Model:
    """The parts of a model."""

    name: str
    exit: bool
    """A bezel at which it holds a card, and a reject bin behind it; else an output hopper and a reject box."""
    duplex: bool
    contact: bool = True
    contactless: bool = True
    tracks: tuple[int, ...] = (1, 2, 3)


MODELS = (
    Model("KC200B", exit=True, duplex=True),
    Model("KC200", exit=True, duplex=False),
    Model("KC100", exit=True, duplex=False, contactless=False),
    Model("Primacy", exit=False, duplex=True),
    Model("Zenius", exit=False, duplex=False),
)
"""Looked for in the printer's answer to `Rtp`, in this order."""
UNKNOWN = Model("unknown", exit=False, duplex=False, contact=False, contactless=False)


def model_of(answer: str) -> Model:
    """The model that a printer says it is; a careful guess for one that is not in the table."""
    return next((model for model in MODELS if model.name.lower() in answer.lower()), UNKNOWN)
