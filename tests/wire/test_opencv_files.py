"""Video files as cameras, through OpenCV."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from countertop.drivers.opencv.driver import OpenCvCamera
from countertop.drivers.opencv.options import CameraOptions
from countertop.sdk import DeviceFault
from countertop.sdk.cameras.stills import check_still, decode
from countertop.sdk.links import parse_link
from countertop.v1 import error_pb2

FRAMES, FPS = 8, 50.0


@pytest.fixture(autouse=True)
async def in_time() -> Any:
    async with asyncio.timeout(30):
        yield


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Frames that grow brighter."""
    path = tmp_path / "lobby.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (160, 120))
    for number in range(FRAMES):
        writer.write(np.full((120, 160, 3), 20 + 25 * number, np.uint8))
    writer.release()
    return path


@pytest.fixture
async def camera(video: Path) -> AsyncIterator[OpenCvCamera]:
    made = OpenCvCamera(parse_link(f"file://{video}"), CameraOptions())
    yield made
    await made.disconnect()


async def test_a_file_is_shown_again_and_again(camera: OpenCvCamera) -> None:
    info = await camera.connect()
    assert (info.camera.width, info.camera.height, info.camera.format) == (160, 120, "BGR")
    assert info.camera.fps == FPS
    sequence, brightness = 0, []
    while len(brightness) < 3 * FRAMES:
        shot = await camera.shot(sequence)
        sequence = shot.sequence
        jpeg = await asyncio.to_thread(shot.jpeg)
        assert check_still(jpeg) == (160, 120)
        brightness.append(int(decode(jpeg).mean()))
    assert sum(b < a for a, b in pairwise(brightness)) >= 2, "it began anew"


@pytest.mark.parametrize("content", [b"no video", b"", None])
def test_a_file_that_is_not_there_or_is_none_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "lobby.avi"
    if content is not None:
        path.write_bytes(content)

    async def connect() -> None:
        camera = OpenCvCamera(parse_link(f"file://{path}"), CameraOptions())
        try:
            await camera.connect()
        finally:
            await camera.disconnect()

    with pytest.raises(DeviceFault) as caught:
        asyncio.run(connect())
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE
