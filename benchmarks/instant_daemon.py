"""The real daemon on made-up devices, as a child process: `python -m benchmarks.instant_daemon ADDRESS...`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from benchmarks import instant
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins

LINK = "tcp://127.0.0.1:1"
"""Never opened."""


async def main(addresses: list[str]) -> None:
    """Serve until SIGTERM."""
    config = Config(
        terminal=TerminalConfig(id="benchmark"),
        listen=ListenConfig(addresses=addresses),
        devices=[
            DeviceConfig(id="id-reader", driver="instant-reader", link=LINK),
            DeviceConfig(id="receipt-printer", driver="instant-printer", link=LINK),
        ],
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Daemon(config, plugins=Plugins(instant)) as daemon:
        print(json.dumps({"addresses": daemon.addresses}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
