"""A thread that reads a camera as fast as it gives frames, so that none in the slot is ever old.

OpenCV's `release` may not return while a `read` hangs in the kernel. So the thread that reads also releases, and one
that hangs is left behind; a driver in a process of its own is ended with it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from abc import ABC, abstractmethod
from typing import Any

from countertop.sdk import DeviceFault, LinkFault
from countertop.v1 import error_pb2

__all__ = ["END_SECONDS", "Grabber"]

END_SECONDS = 1.0
FAILURES = 3
"""Reads in a row that may fail. A camera that is unplugged fails at once and for ever, and still says it is open."""
log = logging.getLogger("countertop.drivers.opencv")


class Grabber(ABC):
    """Reads from `start` on, in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def ended(self) -> bool:
        """Nobody wants its frames any more."""
        return self._ending.is_set()

    def wait(self, seconds: float) -> None:
        """In the thread: wait, but no longer than frames are wanted."""
        self._ending.wait(seconds)

    @abstractmethod
    def open(self) -> Any:
        """Open the capture, set it up. In the thread. Raises DeviceFault."""

    @abstractmethod
    def read(self, capture: Any) -> bool:
        """Read one frame and pass it on. In the thread. False when there was none."""

    @abstractmethod
    def failed(self, fault: DeviceFault) -> None:
        """It is over. In the thread."""

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name=f"camera {self._name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            capture = self.open()
            try:
                self._read_on(capture)
            finally:
                capture.release()
        except DeviceFault as fault:
            self._over(fault)
        except Exception as error:  # whatever OpenCV raises must reach those who wait for a frame
            log.error("camera %s: reading failed with %s", self._name, type(error).__name__)
            self._over(DeviceFault(error_pb2.REASON_DRIVER_FAILED, step="read", got=type(error).__name__))

    def _read_on(self, capture: Any) -> None:
        failures = 0
        while not self.ended:
            failures = 0 if self.read(capture) else failures + 1
            if failures >= FAILURES:
                raise LinkFault(
                    error_pb2.REASON_LINK_LOST,
                    "The camera gives no more frames.",
                    step="read",
                    got="no frame",
                    action="Plug the camera in again.",
                )

    def _over(self, fault: DeviceFault) -> None:
        if not self.ended:
            self.failed(fault)

    async def end(self) -> None:
        """Stop reading; returns when the camera is released, or is given up."""
        self._ending.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        await asyncio.to_thread(thread.join, END_SECONDS)
        if thread.is_alive():
            log.warning('camera %s hangs and is left behind; isolation = "process" would end it', self._name)
