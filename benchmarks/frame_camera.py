"""The emulated camera at 1080p, by default with 30 frames a second: `python -m benchmarks.frame_camera [FPS]` says its
link.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from countertop.emulators.camera.emulator import start


async def main(fps: float) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    camera = await start({"width": 1920, "height": 1080, "fps": fps})
    print(json.dumps({"link": camera.link_url}), flush=True)
    await stop.wait()
    await camera.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if sys.argv[1:] else 30.0))
