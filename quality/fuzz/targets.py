"""All targets, by who sends the bytes."""

from __future__ import annotations

from quality.fuzz.doors import DOORS
from quality.fuzz.drivers import DRIVERS
from quality.fuzz.emulators import EMULATORS
from quality.fuzz.formats import FORMATS

__all__ = ["TARGETS"]

TARGETS = {target.name: target for target in (*DRIVERS, *EMULATORS, *FORMATS, *DOORS)}
