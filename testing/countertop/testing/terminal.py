"""A whole emulated terminal, for tests: the real daemon behind real gRPC, with emulators that speak the devices' wire
protocols.

::

    with EmulatedTerminal(devices=["id-reader", "receipt-printer"]) as terminal:
        terminal.bench.insert_card()
        print(terminal.counter.id_reader().read().document.type)
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from countertop import client
from countertop.client import sync
from countertop.server.app import Daemon
from countertop.server.config import BrowserConfig, Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.testing._loop import shared_loop
from countertop.v1 import device_pb2

__all__ = ["DEVICES", "DeviceLike", "EmulatedTerminal", "FaultLike", "FaultsLike"]

DEVICES: dict[str, DeviceConfig] = {
    "id-reader": DeviceConfig(
        id="id-reader", emulator="sdt", emulator_options={"boot_seconds": 0, "read_seconds": 0.05}
    ),
    "receipt-printer": DeviceConfig(id="receipt-printer", emulator="escpos"),
    "signature-pad": DeviceConfig(id="signature-pad", emulator="wacom-stu"),
    "card-printer": DeviceConfig(id="card-printer", emulator="evolis", emulator_options={"speed": 0}),
    "camera": DeviceConfig(id="camera", emulator="camera", emulator_options={"fps": 60}),
}
"""The devices of the terminal that comes up with nothing said: one of each kind. They do not keep people waiting: the
reader needs no time to boot, the camera is quick, and the card printer works at once, where a real one takes half a
minute for a card."""

DeviceLike: TypeAlias = str | Mapping[str, Any] | DeviceConfig
"""A name among DEVICES, the name of an installed emulator, or the fields of `[[devices]]` in a configuration."""
FaultLike: TypeAlias = str | Mapping[str, Any]
"""A fault's name, or the arguments of `Bench.inject_fault`."""
FaultsLike: TypeAlias = Mapping[str, FaultLike | Sequence[FaultLike]]
"""Faults by device: one, or several."""

READY_SECONDS = 30.0
_NO_BROWSER = "The terminal has no door for web pages; start it with browser=True."
SOCKET_PATH_BYTES = 100
"""Of sun_path, which has 108 on Linux and 104 elsewhere."""
_AWAITED = (
    device_pb2.DEVICE_STATE_UNSPECIFIED,
    device_pb2.DEVICE_STATE_CONNECTING,
    device_pb2.DEVICE_STATE_OFFLINE,
)


class EmulatedTerminal:
    """The daemon, on a thread of this process, on a socket in a folder of its own. Use `with`.

    When the block is entered every device is connected, and the faults are injected. When it is left nothing remains:
    no process, port, pty, thread or file.

    `devices`: what is on the counter; by default DEVICES. `faults`: what is wrong from the start. `state_dir`: where
    the journal lies, to start a second terminal on it; by default in a folder that goes with the terminal. `plugins`:
    drivers and emulators, instead of the installed ones. `ready`: wait for the devices. `browser`: open a door for web
    pages, with the console, at `browser_url`; it needs the extra `[web]`. `origins`: other pages that may call there.

    Raises ValueError that names a device, an emulator or a fault that does not exist, RuntimeError that says which
    device did not come up in 30 s and why.
    """

    def __init__(
        self,
        devices: Sequence[DeviceLike] | None = None,
        *,
        faults: FaultsLike | None = None,
        state_dir: Path | None = None,
        plugins: Plugins | None = None,
        ready: bool = True,
        browser: bool = False,
        origins: Sequence[str] = (),
    ) -> None:
        self._plugins = plugins or Plugins()
        wanted = tuple(DEVICES) if devices is None else devices
        self.devices: list[DeviceConfig] = [_device(device, self._plugins) for device in wanted]
        """The configuration of each."""
        self._faults = faults or {}
        self._ready = ready
        self._browser = BrowserConfig(address="127.0.0.1:0" if browser else "", origins=[*origins], console=browser)
        self._state_dir = state_dir
        self._folder: Path | None = None
        self._daemon: Daemon | None = None
        self._addresses: list[str] = []
        known = [device.id for device in self.devices]
        if twice := {device_id for device_id in known if known.count(device_id) > 1}:
            raise ValueError(f"devices: expected distinct ids, got {', '.join(sorted(twice))} more than once")
        for device_id in self._faults:
            if device_id not in known:
                raise ValueError(f"faults: expected one of {', '.join(known)}, got {device_id!r}")

    def __enter__(self) -> EmulatedTerminal:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """`unix:/PATH` or `HOST:PORT`: what clients connect to. Raises RuntimeError before the start."""
        if self._daemon is None:
            raise RuntimeError("The terminal does not run; use it in a `with` block.")
        return self._addresses[0]

    @property
    def daemon(self) -> Daemon:
        """The daemon itself, for who tests it; its objects belong to its own thread."""
        if self._daemon is None:
            raise RuntimeError("The terminal does not run; use it in a `with` block.")
        return self._daemon

    @property
    def browser_url(self) -> str:
        """`http://127.0.0.1:PORT`: where web pages find it. Raises RuntimeError without `browser=True`."""
        if self.daemon.browser is None:
            raise RuntimeError(_NO_BROWSER)
        return self.daemon.browser.url

    @cached_property
    def browser_token(self) -> str:
        """A token with all rights for the console's own pages, whose origin is `browser_url`."""
        return self._token(self.browser_url)

    @cached_property
    def program_token(self) -> str:
        """A token with all rights for programs that are no web pages."""
        return self._token("")

    def _token(self, origin: str) -> str:
        if self.daemon.browser is None:
            raise RuntimeError(_NO_BROWSER)
        return self.daemon.browser.token("test", origin)

    @cached_property
    def counter(self) -> sync.Counter:
        """A client that blocks; closed with the terminal."""
        return sync.connect(self.address)

    @property
    def bench(self) -> sync.Bench:
        """Hands on the devices."""
        return self.counter.bench

    def connect(self, *, patience: float = 30.0) -> client.Counter:
        """An asynchronous client, for `async with`."""
        return client.connect(self.address, patience=patience)

    def start(self) -> None:
        """Start, as entering the block does."""
        self._folder = Path(tempfile.mkdtemp(prefix="countertop-"))
        config = Config(
            terminal=TerminalConfig(
                id="test-terminal", drain_seconds=0.0, state_dir=str(self._state_dir or self._folder / "state")
            ),
            listen=ListenConfig(addresses=[_socket_in(self._folder)]),
            browser=self._browser,
            devices=self.devices,
        )
        daemon = Daemon(config, plugins=self._plugins)
        try:
            shared_loop().run(daemon.__aenter__())
            self._daemon, self._addresses = daemon, daemon.addresses
            if self._ready:
                shared_loop().run(self.until_ready())
            for device_id, faults in self._faults.items():
                self._inject(device_id, faults)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop, as leaving the block does. Safe to call twice."""
        self._forget_tokens()
        counter = self.__dict__.pop("counter", None)
        if counter is not None:
            counter.close()
        daemon, self._daemon = self._daemon, None
        if daemon is not None:
            shared_loop().run(daemon.stop())
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def restart(self) -> None:
        """Stop the daemon and start another on the same journal, at the same address, with new emulators. Clients find
        it by themselves.
        """
        shared_loop().run(self.daemon.stop())
        self._forget_tokens()
        config = replace(self.daemon.config, listen=ListenConfig(addresses=self._addresses))
        if self.daemon.browser is not None:
            config.browser = replace(config.browser, address=self.daemon.browser.url.rpartition("/")[2])
        daemon = Daemon(config, plugins=self._plugins)
        shared_loop().run(daemon.__aenter__())
        self._daemon = daemon
        shared_loop().run(self.until_ready())

    def _forget_tokens(self) -> None:
        """They have ended with the daemon."""
        self.__dict__.pop("browser_token", None)
        self.__dict__.pop("program_token", None)

    async def until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until every device is connected. Raises RuntimeError that says which is not, and why."""
        waiting: dict[str, device_pb2.Device] = {}
        try:
            async with asyncio.timeout(seconds), self.connect() as counter, aclosing(counter.watch()) as updates:
                async for update in updates:
                    kind = update.WhichOneof("payload")
                    changed: Iterable[device_pb2.Device] = update.snapshot.devices if kind == "snapshot" else ()
                    if kind == "event" and update.event.HasField("device_changed"):
                        changed = (update.event.device_changed,)
                    waiting |= {device.id: device for device in changed}
                    if kind != "snapshot" and not any(_is_awaited(device) for device in waiting.values()):
                        return
        except TimeoutError:
            late = "; ".join(_how(device) for device in waiting.values() if _is_awaited(device))
            raise RuntimeError(f"Not ready after {seconds:g} s: {late}.") from None

    def _inject(self, device_id: str, faults: FaultLike | Sequence[FaultLike]) -> None:
        for fault in (faults,) if isinstance(faults, str | Mapping) else faults:
            arguments: dict[str, Any] = {"fault": fault} if isinstance(fault, str) else dict(fault)
            try:
                self.bench.inject_fault(device_id, **arguments)
            except client.CountertopError as error:
                raise ValueError(f"faults: {device_id}: {error}") from None


def _device(given: DeviceLike, plugins: Plugins) -> DeviceConfig:
    if isinstance(given, DeviceConfig):
        return given
    if isinstance(given, str):
        if given in DEVICES:
            return DEVICES[given]
        if given in plugins.emulators:
            return DeviceConfig(id=given, emulator=given)
        raise ValueError(
            f"devices: expected one of {', '.join([*DEVICES, *sorted(plugins.emulators)])}, got {given!r}; "
            "other devices are given with the fields of a configuration's [[devices]]"
        )
    known = {field.name for field in fields(DeviceConfig)}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"devices: expected the fields {', '.join(sorted(known))}, got {', '.join(unknown)}")
    if "id" not in given:
        raise ValueError("devices: expected an `id`")
    return DeviceConfig(**given)


def _socket_in(folder: Path) -> str:
    """A socket in the folder; a port of the loopback interface where its path is too long for a socket."""
    path = f"{folder}/countertop.sock"
    return f"unix:{path}" if len(os.fsencode(path)) <= SOCKET_PATH_BYTES else "127.0.0.1:0"


def _is_awaited(device: device_pb2.Device) -> bool:
    return device.admin_state == device_pb2.ADMIN_STATE_ENABLED and device.state in _AWAITED


def _how(device: device_pb2.Device) -> str:
    state = device_pb2.DeviceState.Name(device.state).removeprefix("DEVICE_STATE_")
    return f"{device.id} is {state}" + (f" ({device.failure.message})" if device.HasField("failure") else "")
