"""What every driver of the kind must do, requirement by requirement."""

from __future__ import annotations

from countertop.testing.conformance import IdReaderConformance


class TestAcme(IdReaderConformance):
    """On the emulated device."""

    driver = "acme"
    emulator = "acme"
