"""The daemon: puts the parts together, starts them in order, drains and stops them."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from countertop.sdk.links import parse_link
from countertop.sdk.plugins import Emulator
from countertop.sdk.vendor import check_vendor_commands
from countertop.server.access.builtin import role_table
from countertop.server.access.grants import Grants
from countertop.server.access.revoked import RevokedCertificates
from countertop.server.access.tokens import TokenStore
from countertop.server.audit.log import FOLDER as AUDIT_FOLDER
from countertop.server.audit.log import AuditLog
from countertop.server.claims import ClaimPolicy
from countertop.server.config import Config, ConfigError, DeviceConfig
from countertop.server.device_view import DeviceView
from countertop.server.doors.grpc_door import GrpcDoor
from countertop.server.emulation import start_emulators, stop_emulators
from countertop.server.gate import Gate
from countertop.server.hotplug import HotPlug, id_basis
from countertop.server.journal.journal import Journal
from countertop.server.plugins import Plugins
from countertop.server.runner import DeviceRunner, RunnerHooks
from countertop.server.services.base import Service
from countertop.server.services.bench import Bench
from countertop.server.services.cameras import Cameras, LargePictures
from countertop.server.services.card_printers import CardPrinters
from countertop.server.services.claims import Claims
from countertop.server.services.devices import Devices
from countertop.server.services.id_readers import IdReaders, PhotoDecoding
from countertop.server.services.operations import Operations
from countertop.server.services.receipt_printers import ReceiptPrinters
from countertop.server.services.signature_pads import SignaturePads, SignatureSealing
from countertop.server.services.vendor import Vendor
from countertop.server.signing_key import SigningKey
from countertop.server.terminal import Terminal
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import Device

if TYPE_CHECKING:
    from countertop.sdk.device import Device as Driver
    from countertop.sdk.device import Surroundings
    from countertop.server.doors.browser.server import BrowserDoor

__all__ = ["STOP_SECONDS", "Daemon"]

STOP_SECONDS = 10.0
"""How much longer than its drain time the daemon may take to stop."""

log = logging.getLogger("countertop.daemon")


class Daemon:
    """A running terminal. `async with Daemon(config) as daemon:` serves on `daemon.addresses` until the block ends.

    Raises ConfigError or OSError when it cannot start; nothing is left running then.
    """

    def __init__(self, config: Config, *, plugins: Plugins | None = None) -> None:
        self.config = config
        self.plugins = plugins or Plugins()
        self._terminal: Terminal | None = None
        self._emulators: dict[str, Emulator] = {}
        self._door: GrpcDoor | None = None
        self._browser: BrowserDoor | None = None
        self._tokens = TokenStore(Path(config.terminal.state_dir))
        self._hotplug = HotPlug(())
        self._key = SigningKey(Path(config.terminal.state_dir))

    @property
    def terminal(self) -> Terminal:
        """What is served; there from the start of the daemon on."""
        assert self._terminal is not None, "started"
        return self._terminal

    @property
    def addresses(self) -> list[str]:
        """Where it listens: `unix:/PATH`, `HOST:PORT`."""
        return self._door.addresses if self._door is not None else []

    @property
    def browser(self) -> BrowserDoor | None:
        """The door for web pages, where one is configured."""
        return self._browser

    async def __aenter__(self) -> Daemon:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def _start(self) -> None:
        journal = Journal(Path(self.config.terminal.state_dir))
        claims = self.config.claims
        policy = ClaimPolicy(claims.grace_seconds, claims.handover_seconds, claims.revoke_without_answer)
        audit = AuditLog(
            Path(self.config.terminal.state_dir) / AUDIT_FOLDER,
            self._key,
            terminal_id=self.config.terminal.id,
            days=self.config.audit.days,
        )
        self._terminal = Terminal(self.config.terminal.id, self.plugins, journal, audit, policy)
        completions = (PhotoDecoding(self.plugins), SignatureSealing(self.terminal, self._key), LargePictures())
        hooks = RunnerHooks(completions, self.terminal.commit)
        for device in self.config.devices:
            self.terminal.add(self._runner(device, hooks))
        if not self.config.serve_first and any(device.emulator_options for device in self.config.devices):
            await self._start_emulators()  # a mistake in their options must be found before anybody is served
        services = self._services()
        for service in services:
            self.terminal.verbs.update({verb.name: verb for verb in service.verbs.values()})
        self.terminal.restore()
        gate = Gate(self.terminal, services, role_table(self.config.roles), self.terminal.audit)
        access = self.config.access
        grants = Grants(self.config.grants, access)
        revoked = RevokedCertificates(Path(self.config.terminal.state_dir))
        self._door = GrpcDoor(gate, self.config.listen, grants, self._tokens, revoked, owner=access.owner)
        self._door.listen()
        if self.config.browser.address:
            self._browser = self._browser_door(gate)
            self._browser.listen()
        await self._door.start()
        if self._browser is not None:
            await self._browser.start()
        if not self.terminal.emulated.is_set():
            await self._start_emulators()
        self._hotplug = HotPlug(self.terminal.runners.values())
        self._hotplug.start()
        for runner in self.terminal.runners.values():
            if runner.view.device.admin_state != device_pb2.ADMIN_STATE_DISABLED:  # maintenance ends without a restart
                runner.start()

    def _browser_door(self, gate: Gate) -> BrowserDoor:
        try:
            from countertop.server.doors.browser.server import BrowserDoor
        except ImportError as error:
            problem = f"browser: the package {error.name!r} is missing; install it with: pip install 'countertop[web]'"
            raise ConfigError("the configuration", [problem]) from error
        return BrowserDoor(gate, self.config.browser, self._tokens)

    async def _start_emulators(self) -> None:
        self._emulators = await start_emulators(self.config.devices, self.plugins)
        for device_id, emulator in self._emulators.items():
            self.terminal.emulators[device_id] = emulator
            self.terminal.runners[device_id].view.device.link = emulator.link_url
        self.terminal.emulated.set()

    def _services(self) -> list[Service]:
        kinds: list[type[Service]] = [Devices, Operations, Claims]
        kinds += [IdReaders, ReceiptPrinters, CardPrinters, Cameras, Vendor]
        if any(device.emulator for device in self.config.devices):
            kinds.append(Bench)
        return [*(kind(self.terminal) for kind in kinds), SignaturePads(self.terminal, self._key)]

    def _runner(self, config: DeviceConfig, hooks: RunnerHooks) -> DeviceRunner:
        driver_name = config.driver or self.plugins.emulator(config.emulator).driver
        view = DeviceView(
            Device(
                id=config.id,
                id_basis=id_basis(config.link, config.serial),
                kind=self.plugins.drivers[driver_name].kind,
                unit=config.unit or config.id,
                driver=driver_name,
                link=config.link,
                labels=config.labels,
                emulated=bool(config.emulator),
                admin_state=device_pb2.ADMIN_STATE_ENABLED if config.enabled else device_pb2.ADMIN_STATE_DISABLED,
            ),
            self.terminal.events.append,
        )

        if config.isolation == "process":
            view.device.isolated = True

        def load() -> Driver:
            if config.isolation == "process":
                return self._isolated(config, driver_name, view.device.link)
            kind, url = self.plugins.driver_class(driver_name), parse_link(view.device.link)
            check_vendor_commands(kind)
            driver = kind(url, kind.options_type.model_validate(config.options))
            driver.surroundings = self._surroundings(config.id)
            return driver

        runner = DeviceRunner(view, load, hooks, serial=config.serial)
        runner.secures_cards = config.safe_state == "retain"
        return runner

    def _surroundings(self, device_id: str) -> Surroundings:
        from countertop.sdk.device import Surroundings  # with pydantic: at the first device

        analysis = self.config.analysis
        return Surroundings(
            folder=Path(self.config.terminal.state_dir) / "devices" / device_id,
            analyser=self.plugins.analyser(analysis.analyser),
            models_dir=Path(analysis.models_dir) if analysis.models_dir else None,
            analysis_options=analysis.options,
        )

    def _isolated(self, config: DeviceConfig, driver_name: str, link: str) -> Driver:
        """The driver in a process of its own; nothing of it is imported here."""
        from countertop.server.isolation.remote import IsolatedDriver

        driver: Any = IsolatedDriver(  # it has every method of the driver, by name
            driver_name,
            self.plugins.drivers[driver_name].factory,
            link,
            config.options,
            memory_mb=config.memory_mb,
            hang_seconds=config.hang_seconds,
            surroundings=self._surroundings(config.id),
        )
        return cast("Driver", driver)

    async def stop(self) -> None:
        """Drain and stop: running operations get `drain_seconds`, then they are cancelled; all within STOP_SECONDS
        more. Safe to call twice.
        """
        drain = self.config.terminal.drain_seconds
        if self._terminal is None:
            return
        await self._hotplug.stop()
        try:
            async with asyncio.timeout(drain + STOP_SECONDS):
                await self.terminal.stop(drain)
                if self._browser is not None:
                    await self._browser.stop()
                if self._door is not None:
                    await self._door.stop(1.0)
        except TimeoutError:
            log.error("something did not stop within %g s; it is left behind", drain + STOP_SECONDS)
        emulators, self._emulators = self._emulators, {}
        await stop_emulators(emulators)
        self.terminal.operations.close()
        await asyncio.to_thread(self.terminal.audit.close)
        self.terminal.journal.close()
