"""The real daemon on made-up devices, as a child process: `python -m benchmarks.instant_daemon ADDRESS...`.

`--unsynced` leaves out waiting for the disk. With `--orders` a line with a number on standard input makes so many
events at once, one with a number and a time in seconds so many, one each so often.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile

from benchmarks import instant
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.journal.batch import Batch
from countertop.server.plugins import Plugins
from countertop.v1.device_pb2 import Event, MediaChanged

LINK = "tcp://127.0.0.1:1"
"""Never opened."""
DEVICES = {
    "id-reader": "instant-reader",
    "receipt-printer": "instant-printer",
    "card-printer": "instant-card-printer",
    "hanging": "hanging-reader",
    "crashing": "crashing-reader",
}


async def make_events(daemon: Daemon, orders: asyncio.Queue[str]) -> None:
    """Obey standard input."""
    while True:
        count, _, pause = (await orders.get()).partition(" ")
        for number in range(int(count)):
            daemon.terminal.events.append(Event(media_changed=MediaChanged(device_id="id-reader", media=1)))
            if pause:
                await asyncio.sleep(float(pause))
            elif number % 50 == 49:
                await asyncio.sleep(0)


async def main(addresses: list[str], state_dir: str, *, obey: bool) -> None:
    """Serve until SIGTERM."""
    config = Config(
        terminal=TerminalConfig(id="benchmark", state_dir=state_dir, drain_seconds=0.0),
        listen=ListenConfig(addresses=addresses),
        devices=[DeviceConfig(id=name, driver=driver, link=LINK) for name, driver in DEVICES.items()],
    )
    stop, orders, loop = asyncio.Event(), asyncio.Queue[str](), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if obey:
        loop.add_reader(sys.stdin, lambda: orders.put_nowait(line) if (line := sys.stdin.readline().strip()) else None)
    async with Daemon(config, plugins=Plugins(instant)) as daemon:
        maker = asyncio.create_task(make_events(daemon, orders))
        print(json.dumps({"addresses": daemon.addresses}), flush=True)
        await stop.wait()
        maker.cancel()


def unsynced() -> None:
    """Let commits return before the disk has them."""
    write = Batch.write

    def lazy(batch: Batch, connection: object) -> None:
        batch.durable = False
        write(batch, connection)  # type: ignore[arg-type]

    Batch.write = lazy  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    given = sys.argv[1:]
    if "--unsynced" in given:
        unsynced()
    words = [word for word in given if not word.startswith("--")]
    with tempfile.TemporaryDirectory(prefix="countertop-bench-state-") as directory:
        asyncio.run(main(words, directory, obey="--orders" in given))
