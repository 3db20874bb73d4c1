"""The folder that is /dev to programs which are started with its environment."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from countertop.emulators.core.clock import Clock
from countertop.emulators.core.v4l2.camera import CameraNode
from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.emulators.core.v4l2.modes import PixelFormat, default_formats
from countertop.emulators.core.v4l2.preload import preload_environment
from countertop.emulators.core.v4l2.stream import FrameSource
from countertop.emulators.core.v4l2.tree import Tree

__all__ = ["V4l2Root"]


class V4l2Root:
    """/dev, /sys and /run/udev for programs with `environment`. All methods belong to the event loop that runs when a
    camera is added. An async context manager that closes itself.

    `folder` is made if it is not there and removed by `close`; by default it is a new one among the temporary files.
    Its path must be short, about 35 characters, since it holds sockets. Raises ValueError unless it is empty.
    """

    def __init__(self, clock: Clock, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise ValueError(f"expected an empty folder, got {folder}")
            folder = folder.resolve()
        self.folder = folder or Path(tempfile.mkdtemp(prefix="v4l2-"))
        self._clock = clock
        self._tree = Tree(self.folder)
        self.cameras: list[CameraNode] = []

    def environment(self, base: Mapping[str, str] | None = None, library: str | None = None) -> dict[str, str]:
        """`base`, by default this process's environment, with what makes a program see the nodes. Raises
        UmockdevMissingError when the preload library is not installed.
        """
        return preload_environment(self.folder, dict(os.environ if base is None else base), library)

    def add(
        self,
        identity: CameraIdentity,
        frame: FrameSource,
        formats: tuple[PixelFormat, ...] | None = None,
        *,
        metadata: bool = True,
    ) -> CameraNode:
        """Plug a camera in. `formats` are `default_formats()` unless given; with `metadata` it has a second node, as
        UVC cameras have. Raises ValueError when its port is taken, or the folder's path is too long.
        """
        if any(camera.identity.port == identity.port for camera in self.cameras):
            raise ValueError(f"port: expected one that is free, got {identity.port!r}")
        camera = CameraNode(self._tree, self._clock, identity, frame, formats or default_formats(), metadata)
        camera.replug()
        self.cameras.append(camera)
        return camera

    async def close(self) -> None:
        """Unplug all, hang up, and take the folder away. A client that still has a node open ends with SIGABRT at its
        next call to it: end clients first. Safe to call twice.
        """
        cameras, self.cameras = self.cameras, []
        for camera in cameras:
            camera.unplug()
            camera.hang_up()
            await asyncio.to_thread(camera.end)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
