"""A driver that is broken on purpose, and the requirement that must catch it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from countertop.sdk.device import Device
from countertop.testing.conformance import DeviceConformance

__all__ = ["Planted"]


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault."""

    name: str
    """What is wrong, in a few words."""
    suite: type[DeviceConformance]
    broken: type[Device]
    number: str
    """The requirement that it breaks: `S-03`."""
    emulator_options: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    """The driver's."""
