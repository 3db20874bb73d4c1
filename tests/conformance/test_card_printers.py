"""Card printers' drivers and the suite for their kind."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from countertop.testing.conformance import CardPrinterConformance
from tests.wire.test_ipp_card import Printer, ippeveprinter, service_discovery

__all__ = ["TestEvolis", "TestIppCard", "TestMagicard", "ippeveprinter", "service_discovery"]


class TestEvolis(CardPrinterConformance):
    """The Evolis driver, on an issuer for kiosks: bezel, reject bin, contact station."""

    driver = "evolis"
    examples = 6
    emulator_options: ClassVar[dict[str, Any]] = {"speed": 0}


class TestMagicard(CardPrinterConformance):
    """The Magicard driver: a card in one job, and no telling where it is."""

    driver = "magicard"
    examples = 4
    emulator_options: ClassVar[dict[str, Any]] = {"speed": 0}
    options: ClassVar[dict[str, Any]] = {
        "start_seconds": 0.5,
        "errors": {
            "12:01": "CARD_JAMMED",
            "13:01": "COVER_OPEN",
            "14:01": "RIBBON_OUT",
            "14:02": "RIBBON_WRONG",
            "15:01": "STRIPE_WRITE_FAILED",
            "16:01": "OUTPUT_FULL",
        },
    }


class TestIppCard(CardPrinterConformance):
    """The driver for driverless printers, on CUPS's `ippeveprinter`: as a real one that nobody stands at. What needs
    hands is skipped.
    """

    driver = "ipp-card"

    @pytest.fixture(autouse=True)
    def printer(self, ippeveprinter: Printer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "link", ippeveprinter.url)
