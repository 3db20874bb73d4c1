"""The base of camera drivers: a driver gives frames and stills; what is looked for in them is looked for here."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from countertop.sdk.cameras.slot import Shot
from countertop.sdk.device import Device, Run, internal_health
from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.v1 import camera_pb2, device_pb2, error_pb2
from countertop.v1.camera_pb2 import Frame

__all__ = ["Camera"]


class Camera(Device):
    """Base of camera drivers.

    A driver gives the two members below. `shot` differs from all that a device does: it is called at any time between
    `connect` and `disconnect`, by several at once, also while a verb runs.
    """

    kind = device_pb2.DEVICE_KIND_CAMERA
    poll_interval = 1.0

    @abstractmethod
    async def shot(self, newer_than: int = 0) -> Shot:
        """The newest frame if its sequence is higher than `newer_than`, else the next one. Never an old one: a camera
        that was off begins anew. Raises DeviceFault: CAMERA_STALLED, CAMERA_PICTURE_DAMAGED, LINK_LOST.
        """

    @abstractmethod
    async def still(self) -> Shot:
        """A still at the camera's full resolution, taken after the call. Its picture may yet be cut off: it is checked
        by who calls. Raises DeviceFault.
        """

    async def next_frame(self, request: camera_pb2.GetFrameRequest) -> Frame:
        """A frame as a message; `newer_than` of the request. Raises as `shot`."""
        return await frame_of(await self.shot(request.newer_than))

    async def check_health(self, request: device_pb2.CheckHealthRequest, run: Run) -> device_pb2.CheckHealthResult:
        """INTERNAL: it answers. EXTERNAL: it also gives a whole still. Raises CountertopError(NOT_SUPPORTED)."""
        if request.level > device_pb2.HEALTH_LEVEL_EXTERNAL:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"The driver {self.name} checks at EXTERNAL at most.")
        result = internal_health(await self.status())
        if request.level == device_pb2.HEALTH_LEVEL_EXTERNAL:
            with installed():
                from countertop.sdk.cameras.taking import take_still
            try:
                still = await take_still(self)
            except DeviceFault as fault:
                passed, detail = False, fault.message
            else:
                passed, detail = True, f"{still.width} x {still.height}, whole"
            result.findings.add(item="picture", passed=passed, detail=detail)
            result.healthy = result.healthy and passed
        return result

    # --- verbs -----------------------------------------------------------------------------------------------------

    async def capture(self, request: camera_pb2.CaptureRequest, run: Run) -> camera_pb2.CaptureResult:
        """Take a still. Raises DeviceFault(CAMERA_PICTURE_DAMAGED) when none is whole."""
        with installed():
            from countertop.sdk.cameras.taking import take_still

        still = await take_still(self)
        return camera_pb2.CaptureResult(still=still, size=len(still.data))

    async def scan_codes(self, request: camera_pb2.ScanCodesRequest, run: Run) -> camera_pb2.ScanCodesResult:
        """Look for codes. Emits Code. Raises DeviceFault(NO_CODE_FOUND) when the time is up."""
        with installed():
            from countertop.sdk.cameras.scanning import scan_codes

        return await scan_codes(self, request, run)

    async def capture_document(
        self, request: camera_pb2.CaptureDocumentRequest, run: Run
    ) -> camera_pb2.CaptureDocumentResult:
        """Take a document, and straighten it."""
        with installed():
            from countertop.sdk.cameras.document import capture_document

        return await capture_document(self, request)

    async def calibrate_stage(
        self, request: camera_pb2.CalibrateStageRequest, run: Run
    ) -> camera_pb2.CalibrateStageResult:
        """Measure the stage. Raises CountertopError(STAGE_NOT_CALIBRATED) for a sheet without an empty stage before."""
        with installed():
            from countertop.sdk.cameras.document import calibrate_stage

        return await calibrate_stage(self, request)

    async def verify_presence(
        self, request: camera_pb2.VerifyPresenceRequest, run: Run
    ) -> camera_pb2.VerifyPresenceResult:
        """Check that a person is there. Emits GuidanceChanged. Raises CountertopError(NOT_CONFIGURED)."""
        from countertop.sdk.cameras.presence import verify_presence

        return await verify_presence(self, request, run)


@contextmanager
def installed() -> Iterator[None]:
    """Imports of what looks at pictures. Raises CountertopError(NOT_CONFIGURED) that names the missing package."""
    try:
        yield
    except ImportError as error:
        raise CountertopError(
            error_pb2.REASON_NOT_CONFIGURED, f"{error.name} is missing: pip install 'countertop[camera]'"
        ) from None


async def frame_of(shot: Shot) -> Frame:
    """A frame as a message, without its digest."""
    data = shot.jpeg() if shot.is_jpeg else await asyncio.to_thread(shot.jpeg)
    frame = Frame(
        sequence=shot.sequence,
        monotonic_ns=shot.monotonic_ns,
        width=shot.width,
        height=shot.height,
        media_type="image/jpeg",
        data=data,
    )
    frame.time.FromNanoseconds(shot.time_ns)
    return frame
