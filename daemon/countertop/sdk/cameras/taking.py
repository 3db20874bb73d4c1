"""Takes a still that is whole to its last line."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from countertop.sdk.cameras.stills import check_still
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.v1 import error_pb2
from countertop.v1.camera_pb2 import Frame

if TYPE_CHECKING:
    from countertop.sdk.cameras.camera import Camera

__all__ = ["take_still"]

TRIES = 3
"""A cable that damages one picture may let the next one through."""


async def take_still(camera: Camera) -> Frame:
    """A still with its digest, decoded once to the end. Raises DeviceFault(CAMERA_PICTURE_DAMAGED) when none of three
    is whole.
    """
    from countertop.sdk.cameras.camera import frame_of

    for _ in range(TRIES):
        frame = await frame_of(await camera.still())
        try:
            frame.width, frame.height = await asyncio.to_thread(check_still, frame.data)
        except CountertopError as error:
            if error.reason != error_pb2.REASON_CAMERA_PICTURE_DAMAGED:
                raise
            continue
        frame.sha256 = hashlib.sha256(frame.data).digest()
        return frame
    raise DeviceFault(
        error_pb2.REASON_CAMERA_PICTURE_DAMAGED,
        f"{TRIES} stills, one after another, were cut off.",
        step="take a still",
        expected="a whole JPEG file",
        got="one that ends early",
        action="Check the cable; use another port or hub.",
    )
