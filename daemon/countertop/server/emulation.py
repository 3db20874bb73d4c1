"""Starts the emulators that a configuration names, and finds the links that lead to them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from countertop.sdk.plugins import Emulator
from countertop.server.config import ConfigError, DeviceConfig
from countertop.server.plugins import Plugins

__all__ = ["start_emulators", "stop_emulators"]

log = logging.getLogger("countertop.emulation")


async def start_emulators(devices: Sequence[DeviceConfig], plugins: Plugins) -> dict[str, Emulator]:
    """Emulators by device id. Raises ConfigError that names each option an emulator refuses; none is left running."""
    started: dict[str, Emulator] = {}
    problems: list[str] = []
    for index, device in enumerate(devices):
        if device.emulator:
            try:
                started[device.id] = await plugins.emulator(device.emulator).start(device.emulator_options)
            except (ValueError, OSError) as error:
                problems.append(f"devices[{index}].emulator_options: {error}")
    if problems:
        await stop_emulators(started)
        raise ConfigError("the configuration", problems)
    return started


async def stop_emulators(emulators: dict[str, Emulator]) -> None:
    """End them all; one that fails does not keep the others."""
    for device_id, emulator in emulators.items():
        try:
            await emulator.close()
        except Exception as error:  # an emulator is a plugin; its failure must not keep the daemon from stopping
            log.error("the emulator of %s failed to close: %s", device_id, type(error).__name__)
