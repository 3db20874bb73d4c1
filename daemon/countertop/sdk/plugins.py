"""What plugins announce. pluggy hooks are synchronous and only announce; nothing heavy is imported for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pluggy

from countertop.v1.device_pb2 import DeviceKind
from countertop.v1.image_pb2 import Image

__all__ = ["AnalyserSpec", "DriverSpec", "Emulator", "EmulatorSpec", "PluginHooks", "hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("countertop")
hookimpl = pluggy.HookimplMarker("countertop")


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """A driver, announced."""

    name: str
    """Its name in the configuration."""
    kind: DeviceKind
    """The kind of device it drives."""
    factory: str
    """`package.module:Class`, a subclass of countertop.sdk.Device; imported only when a device uses it."""
    description: str
    """One line for people."""


@dataclass(frozen=True, slots=True)
class AnalyserSpec:
    """An analyser, announced."""

    name: str
    """Its name in the configuration (`[analysis] analyser = "..."`) and in verdicts."""
    factory: str
    """`package.module:callable`, called with AnalysisSettings; a PresenceAnalyser. Imported at the first check."""
    description: str
    """One line for people."""


class Emulator(Protocol):
    """A running emulator. Beside this it has one coroutine method per bench verb that makes sense for it, named as
    the verb in snake_case, taking the verb's request message and returning its response message
    (`async def insert_card(self, request: InsertCardRequest) -> InsertCardResponse`).
    """

    @property
    def link_url(self) -> str:
        """Where a driver reaches it (`serial:///dev/pts/7?baud=115200`, `tcp://127.0.0.1:4321`); stable."""
        ...

    async def close(self) -> None:
        """End it and free its port or pty. Safe to call twice."""
        ...


class EmulatorSpec(Protocol):
    """An emulator, announced."""

    @property
    def name(self) -> str:
        """Its name in the configuration; by custom the same as the driver's that it is made for."""
        ...

    @property
    def kind(self) -> DeviceKind:
        """The kind of device that it plays."""
        ...

    @property
    def driver(self) -> str:
        """The driver that the emulated terminal uses for it."""
        ...

    @property
    def description(self) -> str:
        """One line for people."""
        ...

    async def start(self, options: dict[str, Any]) -> Emulator:
        """Start one on a free pty or loopback port. Raises ValueError that names the option and what was expected."""
        ...


class PluginHooks:
    """The hooks; implement them with `countertop.sdk.hookimpl` in a module named by an entry point of the group
    `countertop.plugins`.
    """

    @hookspec
    def countertop_drivers(self) -> Sequence[DriverSpec]:
        """Drivers that the plugin brings."""
        raise AssertionError("only specifies the hook")

    @hookspec
    def countertop_emulators(self) -> Sequence[EmulatorSpec]:
        """Emulators that the plugin brings."""
        raise AssertionError("only specifies the hook")

    @hookspec
    def countertop_analysers(self) -> Sequence[AnalyserSpec]:
        """Analysers of faces that the plugin brings. A bank that has certified software announces it here, and names it
        in the configuration.
        """
        raise AssertionError("only specifies the hook")

    @hookspec(firstresult=True)
    def countertop_decode_photo(self, raw: bytes, raw_format: str) -> Image | None:
        """Decode a chip photo, or return None when it is not yours. Called in a worker thread.

        `raw_format` is "wlt" for the 1024 bytes of Chinese identity cards; a bank fills this hook with its vendor's
        library.
        """
        raise AssertionError("only specifies the hook")
