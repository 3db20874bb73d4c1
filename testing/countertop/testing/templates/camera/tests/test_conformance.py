"""What every driver of the kind must do, requirement by requirement."""

from __future__ import annotations

from typing import Any, ClassVar

from countertop.testing.conformance import CameraConformance


class TestAcme(CameraConformance):
    """On the emulated device."""

    driver = "acme"
    emulator = "acme"
    emulator_options: ClassVar[dict[str, Any]] = {"width": 320, "height": 240, "fps": 30}
