"""What every driver of the kind must do, requirement by requirement."""

from __future__ import annotations

from typing import Any, ClassVar

from countertop.testing.conformance import CardPrinterConformance


class TestAcme(CardPrinterConformance):
    """On the emulated device."""

    driver = "acme"
    emulator = "acme"
    emulator_options: ClassVar[dict[str, Any]] = {"speed": 0}
