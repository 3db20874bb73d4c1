"""Looks for codes on frame after frame."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from countertop.sdk.cameras.codes import Found, check_formats, scan
from countertop.sdk.cameras.stills import decode
from countertop.sdk.device import Run
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.v1 import error_pb2, operation_pb2
from countertop.v1.camera_pb2 import Code, CodeFormat, ScanCodesRequest, ScanCodesResult

if TYPE_CHECKING:
    from collections.abc import Collection

    from countertop.sdk.cameras.camera import Camera
    from countertop.sdk.cameras.slot import Shot

__all__ = ["scan_codes"]


async def scan_codes(camera: Camera, request: ScanCodesRequest, run: Run) -> ScanCodesResult:
    """Until `count` different codes are found. Raises DeviceFault(NO_CODE_FOUND) when the time is up with none."""
    wanted = request.count or 1
    formats = check_formats(request.formats)
    found = Found()
    frames = sequence = 0
    run.prompt(operation_pb2.PROMPT_KIND_SHOW_CODE)
    try:
        async with asyncio.timeout(run.time_left):
            while len(found) < wanted:
                shot = await camera.shot(sequence)
                sequence, frames = shot.sequence, frames + 1
                for code in found.add(await asyncio.to_thread(_look, shot, formats)):
                    run.emit(code)
    except TimeoutError:
        if not len(found):
            raise DeviceFault(
                error_pb2.REASON_NO_CODE_FOUND,
                f"No code was found on {frames} frames.",
                step="scan",
                got=f"{frames} frames",
                action="Hold the code nearer, flat and still.",
            ) from None
    return ScanCodesResult(codes=found.codes[:wanted], frames=frames)


def _look(shot: Shot, formats: Collection[CodeFormat]) -> list[Code]:
    try:
        picture = decode(shot.jpeg(), gray=True)
    except CountertopError as error:
        if error.reason != error_pb2.REASON_CAMERA_PICTURE_DAMAGED:
            raise
        return []  # the next one may be whole
    return scan(picture, formats, shot.sequence)
