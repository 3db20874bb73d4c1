"""Receipt printers' drivers and the suite for their kind."""

from __future__ import annotations

from typing import Any, ClassVar

from countertop.testing.conformance import ReceiptPrinterConformance
from tests.conformance.chosen import only


class TestEscPos(ReceiptPrinterConformance):
    """The ESC/POS driver, on a printer that names what it has printed."""

    driver = "escpos"
    options: ClassVar[dict[str, Any]] = {"busy_seconds": 1.0}
    emulator_options: ClassVar[dict[str, Any]] = {"speed": 0}


@only(
    "P-01", "P-03", "P-07", *(f"P-{number}" for number in range(12, 18)), *(f"P-{number}" for number in range(19, 25))
)
class TestEscPosWritten(ReceiptPrinterConformance):
    """On a printer that is asked for no confirmation, and is slow: what is known of a receipt, and when."""

    driver = "escpos"
    examples = 5
    options: ClassVar[dict[str, Any]] = {"confirm": "written"}
    emulator_options: ClassVar[dict[str, Any]] = {"speed": 20}


@only(
    *(f"D-{number:02}" for number in range(5, 14)),
    *("P-01", "P-07", "P-09"),
    *(f"P-{number}" for number in range(12, 18)),
    *(f"P-{number}" for number in range(20, 25)),
)
class TestEscPosFence(ReceiptPrinterConformance):
    """On an older printer on a serial port, without process ids: the line, its fonts, what is known of a receipt."""

    driver = "escpos"
    examples = 5
    emulator_options: ClassVar[dict[str, Any]] = {"model": "TM-T88III", "pty": True, "speed": 20}
