"""The daemon with a camera and both kinds of doors: `python -m benchmarks.browser_server CAMERA_LINK`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile

from countertop.server.app import Daemon
from countertop.server.config import AccessConfig, BrowserConfig, Config, DeviceConfig, ListenConfig, TerminalConfig


async def main(link: str, folder: str) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = Config(
        terminal=TerminalConfig(id="benchmark", state_dir=f"{folder}/state", drain_seconds=0.0),
        listen=ListenConfig(addresses=[f"unix:{folder}/native.sock", "127.0.0.1:0"]),
        access=AccessConfig(loopback="admin"),
        browser=BrowserConfig(address="127.0.0.1:0", console=True),
        devices=[DeviceConfig(id="camera", driver="opencv", link=link)],
    )
    async with Daemon(config) as daemon:
        assert daemon.browser is not None
        told = {"addresses": daemon.addresses, "url": daemon.browser.url, "token": daemon.browser.token("program", "")}
        print(json.dumps(told | {"console": daemon.browser.console_url()}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(sys.argv[1], directory))
