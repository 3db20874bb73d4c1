"""A camera for `frames`: the emulated one, at 1080p30. `python -m benchmarks.frame_camera` says its port."""

from __future__ import annotations

import asyncio
import json
import signal

from countertop.emulators.camera.emulator import start


async def main() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    camera = await start({"width": 1920, "height": 1080, "fps": 30})
    print(json.dumps({"link": camera.link_url}), flush=True)
    await stop.wait()
    await camera.close()


if __name__ == "__main__":
    asyncio.run(main())
