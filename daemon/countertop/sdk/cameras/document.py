"""Takes documents under a camera. What the empty stage looks like is kept in the device's folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countertop.sdk.cameras.documents import SURE, Finding, Quad, Stage, find
from countertop.sdk.cameras.documents.compose import compose
from countertop.sdk.cameras.documents.straighten import straighten
from countertop.sdk.cameras.stills import decode
from countertop.sdk.cameras.taking import take_still
from countertop.sdk.errors import CountertopError
from countertop.v1 import camera_pb2, error_pb2
from countertop.v1.camera_pb2 import (
    CalibrateStageRequest,
    CalibrateStageResult,
    CaptureDocumentRequest,
    CaptureDocumentResult,
    Frame,
    PicturePoint,
)

if TYPE_CHECKING:
    from countertop.sdk.cameras.camera import Camera

__all__ = ["calibrate_stage", "capture_document"]

PICTURE, FACTS = "stage.jpg", "stage.json"
_stages: dict[Path, Stage] = {}
"""By the device's folder: reading one again costs as much as a frame."""


async def capture_document(camera: Camera, request: CaptureDocumentRequest) -> CaptureDocumentResult:
    """Take a still, find the document, straighten it when that is sure enough. Raises InvalidRequest, DeviceFault."""
    original = await take_still(camera)
    return await asyncio.to_thread(_document, original, request, camera.surroundings.folder)


async def calibrate_stage(camera: Camera, request: CalibrateStageRequest) -> CalibrateStageResult:
    """Look at the empty stage, or at a sheet on it. Raises CountertopError(STAGE_NOT_CALIBRATED)."""
    still = await take_still(camera)
    stage = await asyncio.to_thread(_calibrated, still, request, camera.surroundings.folder)
    return CalibrateStageResult(dpi=stage.dpi, stage_sha256=stage.sha256)


def _document(original: Frame, request: CaptureDocumentRequest, folder: Path | None) -> CaptureDocumentResult:
    picture = decode(original.data)
    stage = _stage(folder)
    found = _found(picture, stage, request)
    result = CaptureDocumentResult(
        original=original, method=found.method, confidence=found.confidence, size=len(original.data)
    )
    if found.quad is None:
        return result
    result.corners.extend(PicturePoint(x=x, y=y) for x, y in found.quad.corners)
    least = request.min_confidence if request.HasField("min_confidence") else SURE
    if found.confidence < least:
        return result
    dpi = 0.0 if stage is None else stage.dpi_at(picture.shape[1])
    made = straighten(picture, found.quad, size=request.size, color=request.color, dpi=request.dpi, stage_dpi=dpi)
    result.document.CopyFrom(made.image)
    result.dpi = made.dpi
    result.homography.extend(made.homography)
    if request.pdf:
        page = (made.image.data, made.image.media_type)
        result.pdf = compose([page], camera_pb2.PAGE_LAYOUT_PAGES, made.dpi).pdf
    return result


def _found(picture: Any, stage: Stage | None, request: CaptureDocumentRequest) -> Finding:
    if request.corners:
        height, width = picture.shape[:2]
        quad = Quad.given([(corner.x, corner.y) for corner in request.corners], width, height)
        return Finding(quad, 1.0, camera_pb2.DOCUMENT_METHOD_GIVEN)
    return find(picture, stage, request.size)


# --- the stage -----------------------------------------------------------------------------------------------------


def _calibrated(still: Frame, request: CalibrateStageRequest, folder: Path | None) -> Stage:
    picture = decode(still.data)
    if request.sheet:
        stage = _stage(folder)
        if stage is None:
            raise CountertopError(
                error_pb2.REASON_STAGE_NOT_CALIBRATED,
                "Clear the stage and calibrate it empty first, then with a sheet.",
            )
        stage = stage.measured(picture, request.sheet)
    else:
        stage = Stage.of(picture, still.data)
    if folder is not None:
        _keep(folder, stage, None if request.sheet else still.data)
    return stage


def _keep(folder: Path, stage: Stage, picture: bytes | None) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if picture is not None:
        _write(folder / PICTURE, picture)
    _write(folder / FACTS, json.dumps({"sha256": stage.sha256.hex(), "dpi": stage.dpi}).encode())
    _stages[folder] = stage


def _write(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.replace(path)


def _stage(folder: Path | None) -> Stage | None:
    """As it was calibrated last; None when it was not, or when its picture does not fit what is known of it."""
    if folder is None:
        return None
    if folder not in _stages:
        try:
            picture, facts = (folder / PICTURE).read_bytes(), json.loads((folder / FACTS).read_bytes())
            stage = Stage.of(decode(picture), picture)
            if stage.sha256.hex() != facts["sha256"]:
                return None
            _stages[folder] = Stage(stage.width, stage.height, stage.sha256, float(facts["dpi"]), stage.shrunk)
        except (OSError, ValueError, KeyError, TypeError, CountertopError):
            return None
    return _stages[folder]
