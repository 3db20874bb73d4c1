"""The emulated camera with its bench: scenes before it, a plug. What it sees is drawn by Countertop's own scenes."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.camera.scenes.settings import SceneSettings
from countertop.emulators.camera.source import FRAME_FAULTS, FrameSource, spoil
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.link_faults import LINK_FAULTS
from countertop.emulators.core.options import Table, check_options, number, text, whole
from countertop.v1.image_pb2 import Image

from acme.emulator.device import DEVICE_FAULTS, AcmeDevice
from acme.emulator.plugged import OPTIONS, Plugged

__all__ = ["AcmeEmulator", "start"]

BAUD = 115200
LARGEST_PICTURE = 768 * 1024
"""Bytes that a message of the bench carries."""


async def start(options: dict[str, Any]) -> AcmeEmulator:
    """Start a camera. Options, all of them optional:

    - `tcp` ("127.0.0.1:0"): HOST:PORT to listen on;
    - `serial` ("AV100001"): its serial number;
    - `width` (640), `height` (480), `fps` (15): of its pictures;
    - `speed` (1): how fast its clock runs; `seed` (0): of the faults' randomness, and of the pictures' noise.

    Raises ValueError that names the option and what was expected, OSError when the address cannot be had.
    """
    emulator = AcmeEmulator(check_options(_OPTIONS, options))
    await emulator.open()
    return emulator


class AcmeEmulator(Plugged):
    """A camera that runs. Bench verbs raise ValueError that names the field when a request cannot be carried out."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._clock = Clock(values["speed"])
        super().__init__(FaultBoard((*DEVICE_FAULTS, *FRAME_FAULTS, *LINK_FAULTS), self._clock))
        self._size, self._fps = (values["width"], values["height"]), values["fps"]
        self._source = FrameSource(seed=values["seed"])
        self.device = AcmeDevice(values["serial"], *self._size, self._fps, self._sending)
        self.plug_in(self.device, self._clock, values, baud=BAUD)
        self._shutter: asyncio.Task[None] | None = None
        self._sent, self._newest = 0, b""

    async def close(self) -> None:
        """End it. Safe to call twice."""
        shutter = self._shutter
        await super().close()
        if shutter is not None:
            await asyncio.wait({shutter})

    async def set_scene(self, request: bench.SetSceneRequest) -> bench.SetSceneResponse:
        """Put something before the camera; the next picture shows it."""
        self._source.scene = await asyncio.to_thread(SceneSettings.of, request)
        return bench.SetSceneResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """The newest picture that it sent; its number counts all of them."""
        if request.skip >= self._sent:
            return bench.GetOutputResponse(total=self._sent)
        output = bench.Output(number=self._sent, finished=True)
        if not request.text_only and len(self._newest) <= LARGEST_PICTURE:
            width, height = self._size
            digest = hashlib.sha256(self._newest).digest()
            output.image.CopyFrom(
                Image(media_type="image/jpeg", width=width, height=height, data=self._newest, sha256=digest)
            )
        return bench.GetOutputResponse(outputs=[output], total=self._sent)

    def _sending(self, on: bool) -> None:
        if on:
            self._shutter = asyncio.create_task(self._shoot(), name="acme shutter")
        elif self._shutter is not None:
            self._shutter.cancel()

    async def _shoot(self) -> None:
        """A picture at its time; one that the line has no room for is not sent, as with any camera."""
        index, due = 0, self._clock.now()
        while True:
            jpeg = await asyncio.to_thread(self._source.frame, index, *self._size)
            index += 1
            if not self._board.active("sensor-stall") and self._bus.output_room > 2 * len(jpeg):
                self._sent, self._newest = self._sent + 1, spoil(jpeg, self._board)
                self.device.picture(self._newest)
            due = max(due + 1 / self._fps, self._clock.now())
            await self._clock.sleep(due - self._clock.now())


_OPTIONS: Table = {
    **OPTIONS,
    "speed": (number(0.01, 1000), 1.0),
    "serial": (text, "AV100001"),
    "width": (whole(160, 1280), 640),
    "height": (whole(120, 960), 480),
    "fps": (whole(1, 60), 15),
}
