"""Documents under the camera, through the daemon."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from countertop.bench.v1 import bench_pb2
from countertop.client import CountertopError, InvalidRequest, OperationFailed
from countertop.v1 import camera_pb2, error_pb2
from countertop.v1.camera_pb2 import CaptureDocumentResult
from countertop.v1.image_pb2 import Image

CAMERA = "camera"
LARGE = {"width": 1280, "height": 720, "fps": 15}
A4, ID_1 = camera_pb2.DOCUMENT_SIZE_A4, camera_pb2.DOCUMENT_SIZE_ID_1


@pytest.fixture(autouse=True)
async def in_time() -> Any:
    async with asyncio.timeout(60):
        yield


def pixels(image: Image) -> np.ndarray[Any, Any]:
    return cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_UNCHANGED)


async def laid(terminal: SimpleNamespace, scene: bench_pb2.Scene, turned: float = 0.0) -> None:
    await terminal.bench.set_scene(scene, CAMERA, turned=turned)
    async with aclosing(terminal.camera.frames()) as frames:
        for _ in range(5):  # what was on its way shows the scene before
            await anext(frames)


def is_straight(result: CaptureDocumentResult) -> None:
    picture = pixels(result.document)
    height, width = picture.shape[:2]
    assert (result.document.width, result.document.height) == (width, height)
    edge = np.concatenate([picture[3, :].reshape(-1, 3), picture[:, 3].reshape(-1, 3), picture[-4, :].reshape(-1, 3)])
    assert np.median(edge) > 180, "paper up to the edge, no mat"


async def test_a_document_is_found_by_what_differs_from_the_empty_stage(start: Any) -> None:
    async with start(LARGE) as terminal:
        await laid(terminal, bench_pb2.SCENE_MAT)
        stage = await terminal.camera.calibrate_stage()
        assert len(stage.stage_sha256) == 32
        assert stage.dpi == 0
        await laid(terminal, bench_pb2.SCENE_DOCUMENT, turned=8)
        measured = await terminal.camera.calibrate_stage(A4)
        assert 20 < measured.dpi < 200
        assert measured.stage_sha256 == stage.stage_sha256
        result = await terminal.camera.capture_document(A4, pdf=True)
        assert result.method == camera_pb2.DOCUMENT_METHOD_STAGE
        assert result.confidence > 0.6
        assert len(result.corners) == 4
        assert len(result.homography) == 9
        assert (result.document.width, result.document.height) == (1654, 2339), "A4 at 200 dpi"
        is_straight(result)
        assert result.pdf.startswith(b"%PDF")
        assert hashlib.sha256(result.original.data).digest() == result.original.sha256
    async with start({**LARGE, "scene": "document"}) as again:
        result = await again.camera.capture_document(A4)
        assert result.method == camera_pb2.DOCUMENT_METHOD_STAGE, "it is known after a restart"
        assert (await again.camera.calibrate_stage()).dpi == 0


async def test_without_a_stage_its_edges_are_looked_for(start: Any) -> None:
    async with start({**LARGE, "scene": "document"}) as terminal:
        result = await terminal.camera.capture_document(A4, color=camera_pb2.DOCUMENT_COLOR_BITONAL, dpi=100)
        assert result.method == camera_pb2.DOCUMENT_METHOD_EDGES
        assert result.document.media_type == "image/png"
        assert set(np.unique(pixels(result.document))) <= {0, 255}
        assert result.dpi == 100


async def test_nothing_is_cut_off_when_it_is_not_sure(start: Any) -> None:
    async with start({**LARGE, "scene": "person"}) as terminal:
        result = await terminal.camera.capture_document()
        assert not result.HasField("document")
        assert result.confidence < 0.6
        assert result.original.data


async def test_a_person_may_drag_the_corners(start: Any) -> None:
    async with start({**LARGE, "scene": "mat"}) as terminal:
        corners = [(300.0, 100.0), (900.0, 120.0), (880.0, 500.0), (310.0, 480.0)]
        result = await terminal.camera.capture_document(ID_1, corners=corners)
        assert result.method == camera_pb2.DOCUMENT_METHOD_GIVEN
        assert (result.document.width, result.document.height) == (1011, 638), "a card at 300 dpi"
        with pytest.raises(InvalidRequest) as caught:
            await terminal.camera.capture_document(corners=corners[:3])
        assert "corners" in caught.value.violations
        with pytest.raises(CountertopError):
            await terminal.camera.capture_document(corners=[(0, 0), (1, 1), (2, 2), (9999, 9)])


async def test_a_sheet_needs_an_empty_stage_first(start: Any) -> None:
    async with start({**LARGE, "scene": "document"}) as terminal:
        with pytest.raises(OperationFailed) as caught:
            await terminal.camera.calibrate_stage(A4)
        assert caught.value.reason == error_pb2.REASON_STAGE_NOT_CALIBRATED


async def test_two_sides_of_a_card_come_on_one_sheet(terminal: SimpleNamespace) -> None:
    side = np.full((638, 1011, 3), 200, np.uint8)
    data = cv2.imencode(".jpg", side)[1].tobytes()
    pages = [Image(media_type="image/jpeg", data=data)] * 2
    answer = await terminal.camera.compose(pages, camera_pb2.PAGE_LAYOUT_CARD_ON_A4)
    assert answer.pdf.startswith(b"%PDF")
    assert (answer.sheet.width, answer.sheet.height) == (2480, 3508), "A4 at 300 dpi"
    with pytest.raises(InvalidRequest):
        await terminal.camera.compose(pages[:1], camera_pb2.PAGE_LAYOUT_CARD_ON_A4)


async def test_many_pages_fit_into_one_request(terminal: SimpleNamespace) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (700, 500, 3), dtype=np.uint8)
    data = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    pages = [Image(media_type="image/jpeg", data=data)] * (3_000_000 // len(data))
    assert sum(len(page.data) for page in pages) > 2**21
    answer = await terminal.camera.compose(pages)
    assert answer.pdf.count(b"/Type /Page\n") + answer.pdf.count(b"/Type /Page ") >= len(pages)
