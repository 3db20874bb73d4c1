"""The camera as /dev/videoN, for programs that are started with its environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from countertop.emulators.camera.source import FrameSource, spoil
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.core.v4l2.camera import CameraNode
from countertop.emulators.core.v4l2.faults import IoError, Slow, Stall, StreamFault
from countertop.emulators.core.v4l2.identity import CameraIdentity
from countertop.emulators.core.v4l2.preload import UmockdevMissingError, find_library
from countertop.emulators.core.v4l2.root import V4l2Root

__all__ = ["V4l2Door"]

_FAULTS: dict[str, Callable[[], StreamFault]] = {"stall": Stall, "slow": Slow, "error": IoError}
"""Of the camera's faults, those that are the stream's; the first that stands is in force."""
_TURN_SECONDS = 5.0
"""For the event loop to have its turn at a frame."""


class V4l2Door:
    """Serves frames as a V4L2 device. `folder` is what programs see as /dev; it is made, and removed by `close`."""

    def __init__(
        self,
        source: FrameSource,
        board: FaultBoard,
        clock: Clock,
        folder: Path,
        identity: CameraIdentity,
        on_served: Callable[[bytes, int, int], None],
    ) -> None:
        self._source = source
        self._board = board
        self._clock = clock
        self._folder = folder
        self._identity = identity
        self._on_served = on_served
        self._root: V4l2Root | None = None
        self._node: CameraNode | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def link_url(self) -> str:
        """`v4l2:///dev/v4l/by-id/...`, for programs with `environment`."""
        if self._node is None:
            raise RuntimeError("the camera was not opened")
        return f"v4l2://{self._node.by_id}"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to see the device: LD_PRELOAD and UMOCKDEV_DIR."""
        if self._root is None:
            raise RuntimeError("the camera was not opened")
        return self._root.environment({})

    async def open(self) -> None:
        """Make the folder, and plug the camera in. Raises OSError, which names the package that is missing; ValueError
        for a folder that is not empty.
        """
        try:
            find_library()
        except UmockdevMissingError as error:
            raise OSError(str(error)) from None
        self._loop = asyncio.get_running_loop()
        self._root = V4l2Root(self._clock, self._folder)
        self._node = self._root.add(self._identity, self._frame)
        self._board.subscribe(lambda name, began: self._heed())
        self._heed()

    async def close(self) -> None:
        """Unplug, and take the folder away. Safe to call twice."""
        root, self._root = self._root, None
        if root is not None:
            await root.close()

    async def unplug(self) -> None:
        """The device vanishes; whoever has it open gets ENODEV. Safe to call twice."""
        if self._node is not None:
            self._node.unplug()

    async def replug(self) -> None:
        """It comes back, with the same names and perhaps another number."""
        if self._node is not None:
            self._node.replug()

    def drop_all(self) -> None:
        """As if the plug had been pulled and put back."""
        if self._node is not None and self._node.plugged:
            self._node.unplug()
            self._node.replug()

    def _heed(self) -> None:
        if self._node is not None:
            standing = (make() for name, make in _FAULTS.items() if self._board.active(name))
            self._node.fault = next(standing, None)

    def _frame(self, index: int, width: int, height: int) -> bytes:
        """In the camera's thread."""
        jpeg = self._source.frame(index, width, height)
        assert self._loop is not None, "opened"
        turn = asyncio.run_coroutine_threadsafe(self._sent(jpeg, width, height), self._loop)
        return turn.result(_TURN_SECONDS)

    async def _sent(self, jpeg: bytes, width: int, height: int) -> bytes:
        body = spoil(jpeg, self._board)
        self._on_served(body, width, height)
        if self._board.take("disconnect"):
            self.drop_all()
        return body
