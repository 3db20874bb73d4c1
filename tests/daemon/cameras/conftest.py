"""The real daemon on emulated cameras, and its client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from countertop.client import connect
from countertop.server.app import Daemon
from countertop.server.config import AnalysisConfig, Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.v1 import device_pb2

CAMERA = "camera"
SMALL: dict[str, Any] = {"width": 320, "height": 240, "still_width": 320, "still_height": 240, "speed": 2.0}
Start = Callable[..., AbstractAsyncContextManager[SimpleNamespace]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a daemon with a camera: `emulator` and `options` change them, `device` the rest of its configuration."""

    @asynccontextmanager
    async def running(
        emulator: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        analysis: AnalysisConfig | None = None,
        plugins: tuple[ModuleType, ...] = (),
        **device: Any,
    ) -> AsyncIterator[SimpleNamespace]:
        camera = DeviceConfig(
            id=CAMERA,
            emulator="camera",
            emulator_options={**SMALL, **(emulator or {})},
            options=options or {},
            **device,
        )
        config = Config(
            terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state", drain_seconds=0.0),
            listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
            analysis=analysis or AnalysisConfig(),
            devices=[camera],
        )
        async with (
            Daemon(config, plugins=Plugins(*plugins)) as daemon,
            connect(daemon.addresses[0], patience=5.0) as counter,
        ):
            await until_ready(counter)
            yield SimpleNamespace(daemon=daemon, counter=counter, camera=counter.camera(CAMERA), bench=counter.bench)

    return running


async def until_ready(counter: Any) -> None:
    async with asyncio.timeout(20):
        async for response in counter.watch():
            changed = [response.event.device_changed] if response.event.HasField("device_changed") else []
            for device in [*response.snapshot.devices, *changed]:
                if device.id == CAMERA and device.state == device_pb2.DEVICE_STATE_READY:
                    return


@pytest.fixture
async def terminal(start: Start) -> AsyncIterator[SimpleNamespace]:
    async with start() as found:
        yield found
