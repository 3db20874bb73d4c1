"""A camera, with its bench."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from random import Random
from typing import Any, Protocol

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.camera.faults import CAMERA_FAULTS
from countertop.emulators.camera.feed import Feed
from countertop.emulators.camera.options import FLAWS, camera_options
from countertop.emulators.camera.output import Newest
from countertop.emulators.camera.scenes.code import make_code
from countertop.emulators.camera.scenes.settings import SCENES, SceneSettings
from countertop.emulators.camera.server import HttpDoor, HttpSettings
from countertop.emulators.camera.source import FrameSource
from countertop.emulators.camera.v4l2_door import V4l2Door
from countertop.emulators.core.bench import FaultBench
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.v1.image_pb2 import Image

__all__ = ["CameraEmulator", "Door", "start"]


async def start(options: dict[str, Any]) -> CameraEmulator:
    """Start a camera. Options, all of them optional:

    - `http`: HOST:PORT to listen on (127.0.0.1 and a free port; with `v4l2` none), or false for none;
    - `v4l2`: a folder, with a short path, that is /dev to programs which are started with `environment`; on Linux,
      where umockdev is installed; `product` ("Counter Cam") and `serial` ("EMU0001") are what it is called there;
    - `width`, `height` (1280 x 720, at most 1920 x 1080), `fps` (30): of the stream;
    - `still_width`, `still_height` (1920 x 1080, at most 4096 a side): of `/snapshot.jpg`;
    - `scene` ("person"): "person", "other-person", "phone-replay", "print", "empty", "two-people", "code", "document",
      "mat"; `flaw` ("none"): "dark", "blur", "glare"; what is before the camera until the bench changes it;
    - `picture`: path of a JPEG, PNG or BMP of the person or the document; `text`: what the code says;
    - `turned` (0): degrees clockwise of a document or a code; `size` (the scene's own): the height of the face, the
      code or the document as a part of the frame's, 0.05 to 1.2;
    - `boundary` ("standard"): "dashes" has the leading dashes in the header too, "quoted" has it in quotes;
    - `content_length` (true): each part of the stream says how long it is;
    - `speed` (1): how fast the clock runs, 0.01 to 1000; `seed` (0): of pictures and of the faults' randomness.

    Raises ValueError that names the option and what was expected; OSError when the address cannot be had.
    """
    values = camera_options(options)
    emulator = CameraEmulator(values, await asyncio.to_thread(_scene, values))
    try:
        await emulator.open()
    except BaseException:
        await emulator.close()
        raise
    return emulator


class Door(Protocol):
    """A link that the camera is served on."""

    @property
    def link_url(self) -> str:
        """Where a driver reaches it; stable while it runs."""
        ...

    async def open(self) -> None:
        """Serve. Raises OSError when it cannot."""
        ...

    async def close(self) -> None:
        """Stop, and free everything. Safe to call twice."""
        ...

    async def unplug(self) -> None:
        """Break the link. Safe to call twice."""
        ...

    async def replug(self) -> None:
        """Bring it back where it was."""
        ...

    def drop_all(self) -> None:
        """Throw off whoever is connected; the link stays."""
        ...


class CameraEmulator(FaultBench):
    """A camera that runs. Bench verbs take and return the messages of the bench service; they raise ValueError that
    names the field when a request cannot be carried out. `doors` are its links; the first one names it.
    """

    def __init__(self, values: dict[str, Any], scene: SceneSettings) -> None:
        clock = Clock(values["speed"])
        super().__init__(FaultBoard(CAMERA_FAULTS, clock))
        self.source = FrameSource(scene, values["seed"])
        self.newest = Newest()
        self.doors: list[Door] = []
        self._feed = Feed(clock, values["fps"], self._board)
        if values["v4l2"] is not None:
            identity = CameraIdentity("Countertop", values["product"], values["serial"])
            folder = Path(values["v4l2"])
            self.doors.append(V4l2Door(self.source, self._board, clock, folder, identity, self.newest.keep))
        if values["http"] is not None:
            self.doors.append(self._http_door(values))

    def _http_door(self, values: dict[str, Any]) -> HttpDoor:
        host, port = values["http"]
        settings = HttpSettings(
            host,
            port,
            (values["width"], values["height"]),
            (values["still_width"], values["still_height"]),
            values["boundary"],
            values["content_length"],
        )
        return HttpDoor(
            self.source, self._feed, self._board, settings, Random(values["seed"]), on_served=self.newest.keep
        )

    @property
    def link_url(self) -> str:
        """`http://host:port/stream`, or what the first link is; the same until `close`."""
        if not self.doors:
            raise RuntimeError("the camera has no link")
        return self.doors[0].link_url

    @property
    def environment(self) -> dict[str, str]:
        """What programs need in their environment to see the camera; empty where it is on the network."""
        found = (door.environment for door in self.doors if isinstance(door, V4l2Door))
        return next(found, {})

    async def open(self) -> None:
        """Switch on, and serve on every link."""
        self._feed.start()
        for door in self.doors:
            await door.open()

    async def close(self) -> None:
        """Stop, and free every port. Safe to call twice."""
        self._board.clear()
        for door in self.doors:
            await door.close()
        await self._feed.stop()

    async def set_scene(self, request: bench.SetSceneRequest) -> bench.SetSceneResponse:
        """Put something before the camera; the next frame shows it."""
        self.source.scene = await asyncio.to_thread(_checked, request)
        return bench.SetSceneResponse()

    async def unplug(self, request: bench.UnplugRequest) -> bench.UnplugResponse:
        """Pull the plug: connections break, and nobody can connect. What is before the camera stays."""
        for door in self.doors:
            await door.unplug()
        await self._feed.stop()
        return bench.UnplugResponse()

    async def replug(self, request: bench.ReplugRequest) -> bench.ReplugResponse:
        """Put it back, in the same place."""
        self._feed.start()
        for door in self.doors:
            await door.replug()
        return bench.ReplugResponse()

    async def power_cycle(self, request: bench.PowerCycleRequest) -> bench.PowerCycleResponse:
        """Off and on: connections break, one can connect again at once, frames are counted anew."""
        for door in self.doors:
            door.drop_all()
        if self._feed.running:
            await self._feed.stop()
            self._feed.start()
        return bench.PowerCycleResponse()

    async def get_output(self, request: bench.GetOutputRequest) -> bench.GetOutputResponse:
        """The newest frame that it sent to anybody; its number counts all of them. Earlier ones are not kept."""
        number = self.newest.number
        if request.skip >= number:
            return bench.GetOutputResponse(total=number)
        output = bench.Output(number=number, finished=True)
        if not request.text_only:
            data, width, height = await asyncio.to_thread(self.newest.picture)
            digest = hashlib.sha256(data).digest()
            output.image.CopyFrom(Image(media_type="image/jpeg", width=width, height=height, data=data, sha256=digest))
        return bench.GetOutputResponse(outputs=[output], total=number)


def _checked(request: bench.SetSceneRequest) -> SceneSettings:
    settings = SceneSettings.of(request)
    if settings.scene == bench.SCENE_CODE:
        make_code(settings.text)
    return settings


def _scene(values: dict[str, Any]) -> SceneSettings:
    request = bench.SetSceneRequest(
        scene=SCENES[values["scene"]],
        flaw=FLAWS[values["flaw"]],
        text=values["text"] or "",
        turned=values["turned"],
        size=values["size"],
    )
    if values["picture"]:
        try:
            request.picture.data = Path(values["picture"]).read_bytes()
        except OSError as error:
            raise ValueError(f"picture: expected a file that can be read ({error.strerror})") from None
    return _checked(request)
