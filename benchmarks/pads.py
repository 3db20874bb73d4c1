"""Emulated signature pads in a process of their own: `python -m benchmarks.pads COUNT`.

Says their links. Each line on standard input makes all of them write for so many seconds; the answer is one line of
JSON: for each pad, when each point that touched was sent (CLOCK_MONOTONIC, which all processes share).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import count
from math import sin

from countertop.bench.v1.bench_pb2 import PressPadButtonRequest, SignRequest
from countertop.emulators.wacom_stu.emulator import StuEmulator, start
from countertop.v1.ink_pb2 import Ink, InkPoint
from countertop.v1.signature_pad_pb2 import PAD_BUTTON_ACCEPT

RATE = 200


class _Recorded:
    """Stands before a pad's pen, and notes when each touch goes out."""

    def __init__(self, emulator: StuEmulator) -> None:
        self.times: list[float] = []
        self._pen = emulator.device.pen
        emulator.device.pen = self  # type: ignore[assignment,method-assign]

    def __call__(self, x: int, y: int, pressure: int, *, near: bool = True) -> None:
        if pressure:
            self.times.append(time.monotonic())
        self._pen(x, y, pressure, near=near)


def writing(seconds: float) -> Ink:
    """One long stroke at the pad's rate."""
    ink = Ink()
    stroke = ink.strokes.add()
    for index in range(int(seconds * RATE)):
        stroke.points.append(
            InkPoint(
                x=500 + index * 7 % 8000,
                y=2500 + round(1000 * sin(index / 20)),
                pressure=0.5,
                time_us=index * 1_000_000 // RATE,
            )
        )
    return ink


async def main(pads: int) -> None:
    """Until standard input ends."""
    emulators = [await start({}) for _ in range(pads)]
    recorded = [_Recorded(emulator) for emulator in emulators]
    print(json.dumps({"links": [emulator.link_url for emulator in emulators]}), flush=True)
    for _ in count():
        line = await asyncio.to_thread(sys.stdin.readline)
        if not line.strip():
            break
        ink = writing(float(line))
        for one in recorded:
            one.times.clear()
        await asyncio.gather(*(emulator.sign(SignRequest(ink=ink)) for emulator in emulators))
        sent = [list(one.times) for one in recorded]
        accept = PressPadButtonRequest(button=PAD_BUTTON_ACCEPT)
        await asyncio.gather(*(emulator.press_pad_button(accept) for emulator in emulators))
        print(json.dumps({"sent": sent, "lost": [emulator.device.lost for emulator in emulators]}), flush=True)
    for emulator in emulators:
        await emulator.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
