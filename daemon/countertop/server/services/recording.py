"""RecordLink, of DeviceService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from countertop.sdk.errors import InvalidRequest
from countertop.server.caller import CALLER
from countertop.server.recording import LinkRecording
from countertop.server.terminal import Terminal
from countertop.v1.device_pb2 import RecordLinkRequest, RecordLinkResponse

__all__ = ["record_link"]

WITHIN = 10.0
"""Seconds that what runs on the device may take to end."""


async def record_link(terminal: Terminal, request: RecordLinkRequest) -> AsyncIterator[RecordLinkResponse]:
    """Record until the client hangs up. Who may use the device may record it."""
    runner = terminal.runner(request.device_id)
    terminal.claims.check(request.device_id, request.claim_token)
    if request.encrypt_to:
        _check_key(request.encrypt_to)
    recording = LinkRecording(request.encrypt_to)
    await runner.record(recording, WITHIN)
    caller, encrypted = CALLER.get(), bool(request.encrypt_to)
    terminal.audit.record("record", caller, device_id=runner.id, begin=True, encrypted=encrypted)
    try:
        yield RecordLinkResponse()
        async for lines in recording.batches():
            yield RecordLinkResponse(lines=lines)
    finally:
        runner.recordings.leave(recording)
        terminal.audit.record("record", caller, device_id=runner.id, begin=False, encrypted=encrypted)


def _check_key(pem: str) -> None:
    """Raises InvalidRequest, CountertopError(NOT_SUPPORTED) where cryptography is missing."""
    from countertop.sdk.trace.sealing import read_public_key

    try:
        read_public_key(pem)
    except ValueError as error:
        raise InvalidRequest({"encrypt_to": str(error)}) from None
