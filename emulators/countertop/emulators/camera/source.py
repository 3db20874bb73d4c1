"""Where the emulated camera's pictures come from, whatever link they go over."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import cv2

from countertop.emulators.camera.scenes.motion import LOOP
from countertop.emulators.camera.scenes.scene import Rendered, render
from countertop.emulators.camera.scenes.settings import SceneSettings
from countertop.emulators.core.faults import FaultBoard, FaultSpec

__all__ = ["FRAME_FAULTS", "FrameSource", "cut_in_half", "spoil"]

FRAME_FAULTS = (
    FaultSpec("truncated", "Half a JPEG comes, as a frame of that length."),
    FaultSpec("truncated-eoi", "Half a JPEG comes, with an end-of-image marker glued on: many decoders show it."),
)
"""Faults that spoil a frame, on every link."""

SMALLEST, LARGEST = 16, 4096
"""Pixels of a side."""
_QUALITY = 85
_SIZES_KEPT = 2
_BYTES_KEPT = 48 * 1024 * 1024


class FrameSource:
    """Frames of what is before the camera. Deterministic: the same scene, seed, index and size give the same bytes,
    and after 60 frames they begin again. May be asked from several threads.
    """

    def __init__(self, scene: SceneSettings | None = None, seed: int = 0) -> None:
        self._seed = seed
        self._stage = _Stage(scene or SceneSettings(), seed)

    @property
    def scene(self) -> SceneSettings:
        """What is before the camera."""
        return self._stage.scene

    @scene.setter
    def scene(self, scene: SceneSettings) -> None:
        self._stage = _Stage(scene, self._seed)

    def frame(self, index: int, width: int, height: int) -> bytes:
        """Frame `index` as a JPEG (quality 85). Blocks while it is drawn: tens of milliseconds, at the first of a
        scene and size some hundreds.

        Raises ValueError for a side out of 16 to 4096 pixels, and for a text that makes no code.
        """
        if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
            raise ValueError(f"size: expected {SMALLEST} to {LARGEST} pixels a side, got {width} x {height}")
        return self._stage.frame(index % LOOP, width, height)


class _Stage:
    """One scene, with what was drawn of it."""

    def __init__(self, scene: SceneSettings, seed: int) -> None:
        self.scene = scene
        self._seed = seed
        self._lock = threading.Lock()
        self._rendered: OrderedDict[tuple[int, int], Rendered] = OrderedDict()
        self._encoded: OrderedDict[tuple[int, int, int], bytes] = OrderedDict()
        self._encoded_bytes = 0

    def frame(self, index: int, width: int, height: int) -> bytes:
        key = (width, height, index)
        with self._lock:
            found = self._encoded.get(key)
            if found is not None:
                self._encoded.move_to_end(key)
                return found
            encoded = _encode(self._at_size(width, height).frame(index))
            self._encoded[key] = encoded
            self._encoded_bytes += len(encoded)
            while self._encoded_bytes > _BYTES_KEPT and len(self._encoded) > 1:
                self._encoded_bytes -= len(self._encoded.popitem(last=False)[1])
            return encoded

    def _at_size(self, width: int, height: int) -> Rendered:
        size = (width, height)
        rendered = self._rendered.get(size) or render(self.scene, width, height, self._seed)
        self._rendered[size] = rendered
        self._rendered.move_to_end(size)
        while len(self._rendered) > _SIZES_KEPT:
            self._rendered.popitem(last=False)
        return rendered


def spoil(jpeg: bytes, board: FaultBoard) -> bytes:
    """The frame as it leaves the camera: half of it while a fault of FRAME_FAULTS is in force."""
    if board.take("truncated"):
        return cut_in_half(jpeg)
    if board.take("truncated-eoi"):
        return cut_in_half(jpeg) + b"\xff\xd9"
    return jpeg


def cut_in_half(jpeg: bytes) -> bytes:
    """The headers and the first half of the picture's data; all up to the middle of what is no JPEG."""
    scan = max(0, jpeg.find(b"\xff\xda"))
    return jpeg[: (scan + len(jpeg)) // 2]


def _encode(picture: Any) -> bytes:
    _, encoded = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return encoded.tobytes()
