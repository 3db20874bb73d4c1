"""Finds drivers and emulators through pluggy; a plugin that fails to load is listed with its error."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

from countertop.sdk.plugins import AnalyserSpec, DriverSpec, EmulatorSpec, PluginHooks
from countertop.v1 import device_pb2
from countertop.v1.image_pb2 import Image

if TYPE_CHECKING:
    from countertop.sdk.device import Device

__all__ = ["GROUP", "Plugins"]

GROUP = "countertop.plugins"
OWN_ANALYSER = "countertop"
log = logging.getLogger("countertop.plugins")


@dataclass(frozen=True, slots=True)
class _Found:
    spec: DriverSpec
    distribution: str


class Plugins:
    """The drivers and emulators of this installation; `extra` modules are registered beside the installed ones."""

    def __init__(self, *extra: ModuleType) -> None:
        self._manager = pluggy.PluginManager("countertop")
        self._manager.add_hookspecs(PluginHooks)
        self.drivers: dict[str, DriverSpec] = {}
        self.emulators: dict[str, EmulatorSpec] = {}
        self.analysers: dict[str, AnalyserSpec] = {}
        self._listed: dict[str, device_pb2.Driver] = {}
        for entry in entry_points(group=GROUP):
            self._load(entry)
        for module in extra:
            self._register(module, module.__name__)

    def listed(self) -> list[device_pb2.Driver]:
        """What clients see: each driver, and each plugin that could not be loaded."""
        return list(self._listed.values())

    def driver_class(self, name: str) -> type[Device]:
        """Import a driver. Raises LookupError for an unknown one; import errors come through and are listed."""
        spec = self.drivers.get(name)
        if spec is None:
            raise LookupError(f"expected one of {', '.join(sorted(self.drivers)) or 'no driver is installed'}")
        module, _, attribute = spec.factory.partition(":")
        try:
            found: type[Device] = getattr(import_module(module), attribute)
        except Exception as error:
            self._listed[name].error = f"{type(error).__name__}: {error}"
            raise
        return found

    def emulator(self, name: str) -> EmulatorSpec:
        """Raises LookupError for an unknown one."""
        spec = self.emulators.get(name)
        if spec is None:
            raise LookupError(f"expected one of {', '.join(sorted(self.emulators)) or 'no emulator is installed'}")
        return spec

    def analyser(self, name: str) -> str:
        """The factory of an analyser, of the one that comes with Countertop for ""; empty when there is none."""
        spec = self.analysers.get(name or OWN_ANALYSER)
        return spec.factory if spec is not None else ""

    def decode_photo(self, raw: bytes, raw_format: str) -> Image | None:
        """Ask the plugins for a decoded chip photo; None where nobody can. Blocks: call it in a thread."""
        image: Image | None = self._manager.hook.countertop_decode_photo(raw=raw, raw_format=raw_format)
        return image

    def _load(self, entry: EntryPoint) -> None:
        distribution = f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
        try:
            self._register(entry.load(), distribution)
        except Exception as error:  # a foreign package may fail in any way; it is listed and the others go on
            log.error("plugin %s of %s cannot be loaded: %s", entry.name, distribution, error)
            self._listed[entry.name] = device_pb2.Driver(
                name=entry.name, distribution=distribution, error=f"{type(error).__name__}: {error}"
            )

    def _register(self, module: ModuleType, distribution: str) -> None:
        self._manager.register(module)
        if hasattr(module, "countertop_drivers"):
            for driver in module.countertop_drivers():
                self.drivers[driver.name] = driver
                self._listed[driver.name] = device_pb2.Driver(
                    name=driver.name,
                    kinds=[driver.kind],
                    description=driver.description,
                    distribution=distribution,
                )
        if hasattr(module, "countertop_emulators"):
            for emulator in module.countertop_emulators():
                self.emulators[emulator.name] = emulator
        if hasattr(module, "countertop_analysers"):
            for analyser in module.countertop_analysers():
                self.analysers[analyser.name] = analyser
