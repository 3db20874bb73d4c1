"""The face of cameras: frames, stills, codes, documents, and whether somebody is really there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias, Unpack

import grpc

from countertop.client._devices import DeviceFace
from countertop.client._operation import CallOptions, OperationHandle, call_options
from countertop.client._stubs import Outage
from countertop.client.errors import ConnectionLost, CountertopError, translate
from countertop.v1 import camera_pb2, device_pb2, error_pb2
from countertop.v1.camera_pb2 import (
    CalibrateStageRequest,
    CalibrateStageResponse,
    CalibrateStageResult,
    CaptureDocumentRequest,
    CaptureDocumentResponse,
    CaptureDocumentResult,
    CaptureRequest,
    CaptureResponse,
    CaptureResult,
    CodeFormat,
    ComposeDocumentRequest,
    ComposeDocumentResponse,
    DocumentColor,
    DocumentSize,
    Frame,
    GetFrameRequest,
    GetPictureRequest,
    PageLayout,
    PicturePoint,
    ScanCodesRequest,
    ScanCodesResponse,
    ScanCodesResult,
    VerifyPresenceRequest,
    VerifyPresenceResponse,
    VerifyPresenceResult,
    WatchFramesRequest,
    WatchFramesResponse,
)
from countertop.v1.image_pb2 import Image

__all__ = ["Camera"]

CaptureHandle: TypeAlias = OperationHandle[CaptureResponse, CaptureResult]
ScanHandle: TypeAlias = OperationHandle[ScanCodesResponse, ScanCodesResult]
DocumentHandle: TypeAlias = OperationHandle[CaptureDocumentResponse, CaptureDocumentResult]
StageHandle: TypeAlias = OperationHandle[CalibrateStageResponse, CalibrateStageResult]
PresenceHandle: TypeAlias = OperationHandle[VerifyPresenceResponse, VerifyPresenceResult]


class Camera(DeviceFace):
    """Looks through a camera."""

    kind = device_pb2.DEVICE_KIND_CAMERA

    async def frames(self, *, claim_token: str = "") -> AsyncGenerator[Frame, None]:
        """Frames, each the newest when it is asked for: however long the caller works on one, the next is not old.

        While the camera is lost no frame comes; `watch` tells why. Raises CountertopError, and ConnectionLost when the
        daemon stayed away.
        """
        async with aclosing(self.watch(claim_token=claim_token)) as responses:
            async for response in responses:
                if response.HasField("frame"):
                    yield response.frame

    async def watch(self, *, claim_token: str = "") -> AsyncGenerator[WatchFramesResponse, None]:
        """As `frames`, with the frames that were passed over, and with what interrupted them."""
        first = WatchFramesRequest(device_id=await self.device_id(), claim_token=claim_token)
        await self._connection.reach()
        outage = Outage(self._connection.patience)
        while True:
            try:
                async with aclosing(self._credits(first)) as responses:
                    async for response in responses:
                        outage.over()
                        yield response
                broken: CountertopError = ConnectionLost("The daemon ended the stream of frames.")
            except CountertopError as error:
                if not isinstance(error, ConnectionLost) and error.reason != error_pb2.REASON_TERMINAL_STOPPING:
                    raise
                broken = error
            await outage.pause(broken)

    async def _credits(self, first: WatchFramesRequest) -> AsyncGenerator[WatchFramesResponse, None]:
        """One stream: a credit for each frame that the caller has done with."""
        call: Any = self._connection.exchange(WatchFramesRequest)
        try:
            await call.write(first)
            while (response := await call.read()) is not grpc.aio.EOF:
                yield response
                if response.HasField("frame"):
                    await call.write(WatchFramesRequest(credits=1))
            if await call.code() is not grpc.StatusCode.OK:
                raise ConnectionLost("The stream of frames broke.")
        except grpc.RpcError as error:
            raise translate(error) from None
        except asyncio.InvalidStateError:  # it ended while a credit was written
            raise ConnectionLost("The daemon ended the stream of frames.") from None
        finally:
            call.cancel()

    async def frame(self, *, newer_than: int = 0, max_wait: float | None = None, claim_token: str = "") -> Frame:
        """One frame: the newest, or the first after the sequence `newer_than`. Raises CountertopError."""
        request = GetFrameRequest(device_id=await self.device_id(), newer_than=newer_than, claim_token=claim_token)
        if max_wait is not None:
            request.max_wait.FromNanoseconds(round(max_wait * 1e9))
        frame: Frame = (await self._connection.ask(request)).frame
        return frame

    async def capture(self, **options: Unpack[CallOptions]) -> Frame:
        """A still at full resolution, with its picture however large that is. Raises CountertopError."""
        request = CaptureRequest(options=call_options(options), device_id=self._device_id)
        handle: CaptureHandle = OperationHandle(self._connection, request, self.device_id)
        async with handle:
            result = await handle.result()
        return await self._whole(result.still, handle.id, request.options.claim_token)

    async def scan(
        self, formats: Iterable[CodeFormat] = (), *, count: int = 1, **options: Unpack[CallOptions]
    ) -> ScanCodesResult:
        """Look for codes until `count` different ones are found. Cancelled, it gives up. Raises CountertopError."""
        async with self.start_scan(formats, count=count, **options) as handle:
            return await handle.result()

    def start_scan(
        self, formats: Iterable[CodeFormat] = (), *, count: int = 1, **options: Unpack[CallOptions]
    ) -> ScanHandle:
        """Begin to look; the handle tells each code."""
        request = ScanCodesRequest(
            options=call_options(options), device_id=self._device_id, formats=formats, count=count
        )
        return OperationHandle(self._connection, request, self.device_id)

    async def capture_document(
        self,
        size: DocumentSize = camera_pb2.DOCUMENT_SIZE_UNSPECIFIED,
        *,
        color: DocumentColor = camera_pb2.DOCUMENT_COLOR_UNSPECIFIED,
        dpi: int = 0,
        min_confidence: float | None = None,
        corners: Sequence[tuple[float, float]] = (),
        pdf: bool = False,
        **options: Unpack[CallOptions],
    ) -> CaptureDocumentResult:
        """Take the document under the camera. Without `document` in the result it was not found surely enough: let a
        person drag `corners`, and call again with them. Raises CountertopError.
        """
        request = CaptureDocumentRequest(
            options=call_options(options),
            device_id=self._device_id,
            size=size,
            color=color,
            dpi=dpi,
            min_confidence=min_confidence,
            corners=[PicturePoint(x=x, y=y) for x, y in corners],
            pdf=pdf,
        )
        handle: DocumentHandle = OperationHandle(self._connection, request, self.device_id)
        async with handle:
            result = await handle.result()
        await self._whole(result.original, handle.id, request.options.claim_token)
        return result

    async def calibrate_stage(
        self, sheet: DocumentSize = camera_pb2.DOCUMENT_SIZE_UNSPECIFIED, **options: Unpack[CallOptions]
    ) -> CalibrateStageResult:
        """Measure the empty stage, then with a sheet on it its resolution. Raises CountertopError."""
        request = CalibrateStageRequest(options=call_options(options), device_id=self._device_id, sheet=sheet)
        handle: StageHandle = OperationHandle(self._connection, request, self.device_id)
        async with handle:
            return await handle.result()

    async def compose(
        self, pages: Iterable[Image], layout: PageLayout = camera_pb2.PAGE_LAYOUT_UNSPECIFIED, *, dpi: int = 0
    ) -> ComposeDocumentResponse:
        """Pages as a PDF file, or the two sides of a card on one sheet. Needs no camera. Raises CountertopError."""
        answer: ComposeDocumentResponse = await self._connection.ask(
            ComposeDocumentRequest(pages=pages, layout=layout, dpi=dpi)
        )
        return answer

    async def verify_presence(
        self,
        reference: Image | None = None,
        *,
        frames: int = 0,
        over: float | None = None,
        best_frame: bool = False,
        **options: Unpack[CallOptions],
    ) -> VerifyPresenceResult:
        """Check that a living person is there; with a photo, that it is the person on it. Raises CountertopError, with
        NOT_CONFIGURED where nothing on the terminal can tell.
        """
        async with self.start_verify_presence(
            reference, frames=frames, over=over, best_frame=best_frame, **options
        ) as handle:
            return await handle.result()

    def start_verify_presence(
        self,
        reference: Image | None = None,
        *,
        frames: int = 0,
        over: float | None = None,
        best_frame: bool = False,
        **options: Unpack[CallOptions],
    ) -> PresenceHandle:
        """Begin a check; the handle tells guidance for the person."""
        request = VerifyPresenceRequest(
            options=call_options(options),
            device_id=self._device_id,
            reference=reference,
            frames=frames,
            best_frame=best_frame,
        )
        if over is not None:
            request.over.FromNanoseconds(round(over * 1e9))
        return OperationHandle(self._connection, request, self.device_id)

    async def _whole(self, still: Frame, operation_id: str, claim_token: str) -> Frame:
        """A still with its picture, which is fetched apart when it is large."""
        if not still.data:
            request = GetPictureRequest(operation_id=operation_id, claim_token=claim_token)
            async with aclosing(self._connection.stream(request)) as parts:
                still.data = b"".join([part.data async for part in parts])
        return still
