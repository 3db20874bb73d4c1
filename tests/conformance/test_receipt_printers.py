"""Receipt printers' drivers and the suite for their kind."""

from __future__ import annotations

from typing import Any, ClassVar

from countertop.testing.conformance import ReceiptPrinterConformance


class TestEscPos(ReceiptPrinterConformance):
    """The ESC/POS driver, on a printer that names what it has printed."""

    driver = "escpos"
    options: ClassVar[dict[str, Any]] = {"busy_seconds": 1.0}
    emulator_options: ClassVar[dict[str, Any]] = {"speed": 0}


class TestEscPosWritten(ReceiptPrinterConformance):
    """On a printer that is asked for no confirmation, and is slow."""

    driver = "escpos"
    examples = 5
    options: ClassVar[dict[str, Any]] = {"confirm": "written"}
    emulator_options: ClassVar[dict[str, Any]] = {"speed": 20}


class TestEscPosFence(ReceiptPrinterConformance):
    """On an older printer on a serial port, which has no process ids."""

    driver = "escpos"
    examples = 5
    emulator_options: ClassVar[dict[str, Any]] = {"model": "TM-T88III", "pty": True, "speed": 20}
