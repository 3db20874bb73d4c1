"""The daemon with a configuration, for a benchmark: `python -m benchmarks.pen_daemon FILE`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from countertop.server.app import Daemon
from countertop.server.config_file import load_config
from countertop.server.plugins import Plugins


async def main(path: Path) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Daemon(load_config(path, Plugins())) as daemon:
        print(json.dumps({"addresses": daemon.addresses}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
