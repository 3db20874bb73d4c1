"""Every driver of an ID reader does what its contract says, on its emulator."""

from __future__ import annotations

from countertop.testing.conformance import IdReaderConformance


class TestSdt(IdReaderConformance):
    driver = "sdt"
    emulator_options = {"boot_seconds": 0, "read_seconds": 0.05}
