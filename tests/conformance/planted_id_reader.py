"""What drivers of ID readers can do wrong (R-01 to R-09)."""

from __future__ import annotations

from typing import Any

from countertop.drivers.sdt.driver import SdtReader
from countertop.sdk.errors import DeviceFault
from countertop.testing.conformance import IdReaderConformance
from countertop.v1 import error_pb2, id_reader_pb2, identity_pb2, operation_pb2
from countertop.v1.id_reader_pb2 import ReadRequest, ReadResult
from countertop.v1.identity_pb2 import IdentityDocument
from tests.conformance.planted import Planted

__all__ = ["PLANTED"]

EMULATOR = {"boot_seconds": 0, "read_seconds": 0.05}


def _without(kind: type, run: Any) -> Any:
    """The operation, deaf to events of one kind."""
    emit = run.emit
    run.emit = lambda event: None if isinstance(event, kind) else emit(event)
    return run


class AsksForTheWrongThing(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        prompt = run.prompt
        run.prompt = lambda kind: prompt(operation_pb2.PROMPT_KIND_REMOVE_DOCUMENT)
        return await super().read(request, run)


class GivesUpAtOnce(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        field = self._connected()
        if not await field.find():
            raise DeviceFault(error_pb2.REASON_NO_DOCUMENT, step="find")
        return await super().read(request, run)


class SpeaksOfWhatIsNotThere(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        run.emit(id_reader_pb2.DocumentDetected())
        return await super().read(request, run)


class DoesNotTellWhatItFound(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        return await super().read(request, _without(id_reader_pb2.DocumentDetected, run))


class CutsNames(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        result = await super().read(request, run)
        result.document.person.name = result.document.person.name[:3]
        return result


class TakesLongTermForNever(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        result = await super().read(request, run)
        result.document.valid_long_term = False
        return result


class TakesWhatComes(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        return await super().read(ReadRequest(wait_for_removal=request.wait_for_removal), run)


class GivesTheDocumentAtTheEnd(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        return await super().read(request, _without(IdentityDocument, run))


class DoesNotTellTheRemoval(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        return await super().read(request, _without(id_reader_pb2.DocumentRemoved, run))


class GivesThePhotoUnasked(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        result = await super().read(request, run)
        result.document.photo.raw = b"\xff\xd8"
        return result


class GivesHalfOfWhatWasPulledAway(SdtReader):
    async def read(self, request: Any, run: Any) -> ReadResult:
        try:
            return await super().read(request, run)
        except DeviceFault as fault:
            if fault.reason not in (error_pb2.REASON_DOCUMENT_REMOVED, error_pb2.REASON_DOCUMENT_UNREADABLE):
                raise
            return ReadResult(document=IdentityDocument(type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD))


class KeepsTheFirst(SdtReader):
    kept: ReadResult | None = None

    async def read(self, request: Any, run: Any) -> ReadResult:
        self.kept = self.kept or await super().read(request, run)
        return self.kept


def _planted(name: str, broken: type[SdtReader], number: str) -> Planted:
    return Planted(name, IdReaderConformance, broken, number, EMULATOR)


PLANTED = [
    _planted("asks for the wrong thing", AsksForTheWrongThing, "R-01"),
    _planted("gives up at once", GivesUpAtOnce, "R-02"),
    _planted("speaks of what is not there", SpeaksOfWhatIsNotThere, "R-02"),
    _planted("does not tell what it found", DoesNotTellWhatItFound, "R-03"),
    _planted("cuts names", CutsNames, "R-04"),
    _planted("takes long-term for never", TakesLongTermForNever, "R-04"),
    _planted("takes what comes", TakesWhatComes, "R-05"),
    _planted("gives the document at the end", GivesTheDocumentAtTheEnd, "R-06"),
    _planted("does not tell the removal", DoesNotTellTheRemoval, "R-06"),
    _planted("gives the photo unasked", GivesThePhotoUnasked, "R-07"),
    _planted("gives half of what was pulled away", GivesHalfOfWhatWasPulledAway, "R-08"),
    _planted("keeps the first", KeepsTheFirst, "R-09"),
]
