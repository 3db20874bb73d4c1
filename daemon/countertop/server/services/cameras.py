"""CameraService. The first picture pays for importing what looks at pictures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from google.protobuf.message import Message

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.frame_watch import Lookout, next_frame
from countertop.server.operations import OperationRecord, seconds
from countertop.server.services.base import Service
from countertop.v1 import camera_pb2, device_pb2, error_pb2

__all__ = ["Cameras", "LargePictures"]

MAX_INLINE = 2 * 1024 * 1024
"""Bytes of a picture that goes along with its result."""
PART = 1024 * 1024
MAX_WAIT = 3.0
NEEDS_OPENCV = "Documents need OpenCV: pip install 'countertop[camera]'"


class Cameras(Service):
    """Looks through cameras."""

    descriptor = camera_pb2.DESCRIPTOR.services_by_name["CameraService"]
    kind = device_pb2.DEVICE_KIND_CAMERA
    default_timeout = 15.0
    timeouts: ClassVar[Mapping[str, float]] = {"ScanCodes": 60.0}

    def prepare(self, request: Any) -> Any:
        """What bounds cannot say."""
        if isinstance(request, camera_pb2.CaptureDocumentRequest):
            if len(request.corners) not in (0, 4):
                raise InvalidRequest({"corners": f"expected 4 corners or none, got {len(request.corners)}"})
        elif isinstance(request, camera_pb2.VerifyPresenceRequest):
            _check_over(request)
        return request

    def watch_frames(
        self, requests: AsyncIterator[camera_pb2.WatchFramesRequest]
    ) -> AsyncIterator[camera_pb2.WatchFramesResponse]:
        """One frame for each credit."""
        return Lookout(self.terminal, requests).responses()

    async def get_frame(self, request: camera_pb2.GetFrameRequest) -> camera_pb2.GetFrameResponse:
        """One frame."""
        within = seconds(request, "max_wait", MAX_WAIT)
        runner = self.terminal.runner(request.device_id, self.kind)
        self.terminal.claims.check(request.device_id, request.claim_token)
        driver = runner.reached()
        try:
            async with asyncio.timeout(within):
                frame = await next_frame(runner, driver, request.newer_than)
        except TimeoutError:
            raise CountertopError(
                error_pb2.REASON_CAMERA_STALLED, f"The camera gave no newer frame within {within:g} s."
            ) from None
        self.terminal.claims.check(request.device_id, request.claim_token)
        return camera_pb2.GetFrameResponse(frame=frame)

    async def get_picture(self, request: camera_pb2.GetPictureRequest) -> AsyncIterator[camera_pb2.GetPictureResponse]:
        """A large picture, in parts."""
        record = self.terminal.operations.get(request.operation_id)
        if record.verb not in (self.verbs["Capture"], self.verbs["CaptureDocument"]):
            raise InvalidRequest({"operation_id": "expected the operation of a Capture or CaptureDocument"})
        self.terminal.claims.check(record.operation.device_id, request.claim_token)
        picture = record.picture or _inline(record)
        if not picture:
            raise CountertopError(
                error_pb2.REASON_OPERATION_EXPIRED,
                f"The operation {record.id!r} has no picture: it has not ended well, or its picture is no longer kept.",
            )
        for at in range(0, len(picture), PART):
            yield camera_pb2.GetPictureResponse(data=picture[at : at + PART])

    async def compose_document(self, request: camera_pb2.ComposeDocumentRequest) -> camera_pb2.ComposeDocumentResponse:
        """Put pages together."""
        return await asyncio.to_thread(_compose, request)


class LargePictures:
    """Keeps a picture that is too large for its result beside it."""

    def concerns(self, message: Message) -> bool:
        """It has a large picture."""
        return len(_picture(message)) > MAX_INLINE

    async def complete(self, record: OperationRecord, message: Message) -> None:
        """Put it aside, for GetPicture."""
        record.picture = _picture(message)
        _still(message).ClearField("data")


def _still(message: Any) -> Any:
    """The frame of a result that holds a still; None for other messages."""
    if isinstance(message, camera_pb2.CaptureResult):
        return message.still
    return message.original if isinstance(message, camera_pb2.CaptureDocumentResult) else None


def _picture(message: Message) -> bytes:
    still = _still(message)
    return b"" if still is None else still.data


def _inline(record: OperationRecord) -> bytes:
    return b"" if record.result is None else _picture(record.result)


def _check_over(request: camera_pb2.VerifyPresenceRequest) -> None:
    over = request.over.ToNanoseconds() / 1e9
    if not 0 <= over <= 10:
        raise InvalidRequest({"over": f"expected 0 s to 10 s, got {over:g} s"})


def _compose(request: camera_pb2.ComposeDocumentRequest) -> camera_pb2.ComposeDocumentResponse:
    try:
        from countertop.sdk.cameras.documents.compose import compose
    except ImportError:
        raise CountertopError(error_pb2.REASON_NOT_CONFIGURED, NEEDS_OPENCV) from None
    pages = [(page.data, page.media_type) for page in request.pages]
    made = compose(pages, request.layout, request.dpi)
    return camera_pb2.ComposeDocumentResponse(pdf=made.pdf, sheet=made.sheet)
