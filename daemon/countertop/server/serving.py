"""Runs the daemon as a process: signals, the log, the service manager, the console's address."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from countertop.sdk.marks import safe
from countertop.server.app import STOP_SECONDS, Daemon
from countertop.server.config import BrowserConfig, Config, ConfigError
from countertop.server.log_safety import loop_failed
from countertop.server.logs import logs_to
from countertop.server.notify import keep_telling, tell_ready, tell_stopping
from countertop.server.plugins import Plugins
from countertop.v1 import device_pb2

__all__ = ["serve"]

CONSOLE_ADDRESS = "127.0.0.1:7480"
_WORKS = (device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_BUSY, device_pb2.DEVICE_STATE_ATTENTION)

log = logging.getLogger("countertop.daemon")


def _calm_the_collector() -> None:
    """Of a process that is a daemon alone: what was imported stays; ten thousand remembered operations must not be
    walked through every second, for a full collection stops every device.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def serve(
    config_path: Path | None = None,
    listen: list[str] | None = None,
    *plugins: ModuleType,
    json_logs: bool = False,
    state_dir: Path | None = None,
    console: bool = False,
    browser: str = "",
    on_console: Callable[[str], None] = print,
) -> int:
    """Run the daemon until SIGTERM or SIGINT. Returns the exit code: 0, or 1 when it could not start.

    `console` serves the web console, `browser` is the address for web pages; `on_console` is told the console's
    address, in which there is a token.
    """
    _leave_no_core()
    try:
        with logs_to(json=json_logs):
            found = Plugins(*plugins)
            config = _configuration(config_path, found)
            if listen:
                config.listen.addresses = listen
            if state_dir is not None:
                config.terminal.state_dir = str(state_dir.absolute())
            _set_browser(config.browser, browser, console=console)
            asyncio.run(_serve(Daemon(config, plugins=found), on_console, emulated=config_path is None))
    except (ConfigError, OSError, ValueError) as error:
        print(f"countertop: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # its traceback would show its text
        print(f"countertop: the daemon failed: {safe(error)}", file=sys.stderr)
        return 1
    return 0


def _leave_no_core() -> None:
    """The memory of a process that dies holds customer data, of its drivers' processes as well: none is dumped."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _set_browser(config: BrowserConfig, address: str, *, console: bool) -> None:
    """Raises ValueError for an address beyond loopback without a certificate."""
    config.console = config.console or console
    config.address = address or config.address or (CONSOLE_ADDRESS if console else "")
    if address:
        from countertop.server.config_file import check_browser_address

        check_browser_address(address, certified=bool(config.certificate))


def _configuration(path: Path | None, plugins: Plugins) -> Config:
    if path is None:
        return Config.emulated()
    from countertop.server.config_file import load_config  # only a file pays for pydantic before the first reply

    return load_config(path, plugins)


async def _serve(daemon: Daemon, on_console: Callable[[str], None], *, emulated: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(loop_failed)
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with daemon:
        _calm_the_collector()
        if emulated:
            log.info("no configuration: serving the emulated terminal")
        log.info("listening on %s", ", ".join(daemon.addresses))
        tell_ready(_status(daemon))
        telling = asyncio.create_task(keep_telling(lambda: _status(daemon)), name="service manager")
        if daemon.browser is not None:
            log.info("serving web pages on %s", daemon.browser.url)
            if daemon.config.browser.console:
                on_console(daemon.browser.console_url())
        await stop.wait()
        log.info("stopping")
        telling.cancel()
        tell_stopping(daemon.config.terminal.drain_seconds + STOP_SECONDS)


def _status(daemon: Daemon) -> str:
    """For who asks the service manager."""
    devices = daemon.terminal.devices()
    ready = sum(device.state in _WORKS for device in devices)
    return f"{ready} of {len(devices)} devices ready; listening on {', '.join(daemon.addresses)}"
