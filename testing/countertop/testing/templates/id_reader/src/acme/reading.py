"""One read: from the wait for a document to its removal."""

from __future__ import annotations

import asyncio

from countertop.sdk import DeviceFault, Run
from countertop.v1 import error_pb2, id_reader_pb2, identity_pb2, operation_pb2
from countertop.v1.identity_pb2 import IdentityDocument

from acme.protocol import Command, StatusBit, parse_document, parse_status
from acme.session import Session

__all__ = ["Reading"]

_TRY_AGAIN = (
    error_pb2.REASON_NO_DOCUMENT,
    error_pb2.REASON_DOCUMENT_REMOVED,
    error_pb2.REASON_DOCUMENT_UNREADABLE,
)
"""Refusals that a person can mend by laying the document on the reader once more."""


class Reading:
    """Carries out one request."""

    def __init__(
        self, session: Session, request: id_reader_pb2.ReadRequest, run: Run, *, look_seconds: float, seconds: float
    ) -> None:
        self._session = session
        self._request = request
        self._run = run
        self._look_seconds = look_seconds
        self._seconds = seconds
        self._fault = DeviceFault(error_pb2.REASON_NO_DOCUMENT, step="look")

    async def document(self) -> IdentityDocument:
        """Wait for a document and read it, again and again while there is time. Raises DeviceFault."""
        self._run.prompt(operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT)
        while True:
            if await self._lies():
                self._run.emit(id_reader_pb2.DocumentDetected())
                self._run.prompt(operation_pb2.PROMPT_KIND_KEEP_DOCUMENT)
                try:
                    document = await self._read()
                except DeviceFault as fault:
                    if fault.reason not in _TRY_AGAIN:
                        raise
                    await self._failed(fault)
                else:
                    self._run.working()
                    return document
            if not await self._time_for_another_look():
                raise self._fault

    async def removal(self) -> bool:
        """Ask for the document's removal and wait for it. False when time was up before: what was read is not lost."""
        self._run.prompt(operation_pb2.PROMPT_KIND_REMOVE_DOCUMENT)
        while await self._lies():
            if not await self._time_for_another_look():
                return False
        self._run.emit(id_reader_pb2.DocumentRemoved())
        self._run.working()
        return True

    async def _lies(self) -> bool:
        return bool(parse_status(await self._session.ask(Command.STATUS)) & StatusBit.DOCUMENT)

    async def _time_for_another_look(self) -> bool:
        if self._run.time_left <= 0:
            return False
        await asyncio.sleep(min(self._look_seconds, self._run.time_left))
        return True

    async def _read(self) -> IdentityDocument:
        document = parse_document(await self._session.ask(Command.READ, seconds=self._seconds))
        if self._request.types and document.type not in self._request.types:
            name = identity_pb2.DocumentType.Name
            raise DeviceFault(
                error_pb2.REASON_DOCUMENT_UNSUPPORTED,
                "The document is of another type than those asked for.",
                step="read",
                expected=", ".join(name(kind) for kind in self._request.types),
                got=name(document.type),
            )
        if not self._request.additional_address:
            document.ClearField("additional_address")
        if self._request.photo and (photo := await self._session.ask(Command.PHOTO, seconds=self._seconds)):
            document.photo.raw, document.photo.raw_format = photo, "jpeg"
        return document

    async def _failed(self, fault: DeviceFault) -> None:
        """Note how it ends if nothing better comes; ask for the document again, and wait until it was taken away."""
        self._fault = fault
        self._run.prompt(operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT_AGAIN)
        while await self._lies():
            if not await self._time_for_another_look():
                return
        self._run.emit(id_reader_pb2.DocumentRemoved())
