"""How emulators are announced to the daemon and the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from countertop.v1.device_pb2 import DeviceKind

__all__ = ["Emulator", "EmulatorSpec"]


class Emulator(Protocol):
    """A running emulator; beside this, one coroutine method per bench verb that makes sense for it."""

    @property
    def link_url(self) -> str:
        """Where a driver reaches it; stable while it runs."""
        ...

    async def close(self) -> None:
        """End it and free its port or pty. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class EmulatorSpec:
    """An emulator, announced; `factory` (`package.module:function`) is imported only when one is started."""

    name: str
    kind: DeviceKind
    driver: str
    factory: str
    description: str

    async def start(self, options: dict[str, Any]) -> Emulator:
        """Start one. Raises ValueError that names the option and what was expected."""
        module, _, function = self.factory.partition(":")
        loaded = await asyncio.to_thread(import_module, module)  # others have their turn meanwhile
        start = cast("Callable[[dict[str, Any]], Awaitable[Emulator]]", getattr(loaded, function))
        return await start(options)
