"""What every driver of an ID reader must do."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from countertop.sdk.device import IdReader
from countertop.sdk.errors import CountertopError
from countertop.testing.conformance._device import LINK_REASONS, DeviceConformance
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import device_pb2, error_pb2, id_reader_pb2, identity_pb2, operation_pb2
from countertop.v1.id_reader_pb2 import ReadRequest, ReadResult
from countertop.v1.identity_pb2 import DocumentType, IdentityDocument

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["IdReaderConformance"]

FIELDS = (
    "person.name",
    "person.latin_name",
    "person.sex",
    "person.birth_date",
    "person.nationality",
    "person.address",
    "number",
    "issuing_authority",
    "valid_from",
    "valid_until",
    "valid_long_term",
)
MARKED = "金丝雀标记"
WAIT_SECONDS = 2.0
LATE_SECONDS = 3.0
"""How much longer than its time a read may take."""
GONE = (
    error_pb2.REASON_NO_DOCUMENT,
    error_pb2.REASON_DOCUMENT_REMOVED,
    error_pb2.REASON_DOCUMENT_UNREADABLE,
)


class IdReaderConformance(DeviceConformance):
    """The suite for ID readers."""

    kind = device_pb2.DEVICE_KIND_ID_READER
    base = IdReader
    capabilities = "id_reader"
    canaries = (MARKED,)

    async def prepare(self, rig: Rig) -> None:
        """Lay a document on the reader; an emulated one bears a marked name, where the emulator has such cards."""
        if rig.emulator is not None:
            with suppress(ValueError):
                await rig.hands.do("insert_card", card=_marked())
                return
        await rig.hands.do("insert_card")

    async def _again(self, rig: Rig) -> None:
        await rig.hands.do("remove_card")

    async def use(self, rig: Rig, driver: Any, run: RecordingRun) -> ReadResult:
        """Read the document that lies there."""
        result: ReadResult = await driver.read(ReadRequest(), run)
        return result

    @requirement("R-01", "A reader without a document asks for one, and reads it when it comes.")
    async def test_r01_asks(self, rig: Rig) -> None:
        """The operation is WAITING_FOR_PERSON with PRESENT_DOCUMENT until somebody lays a document on the reader."""
        async with rig.connected() as driver:
            asked = asyncio.Event()
            run = rig.run(30.0, on_prompt=lambda kind: asked.set())
            task = asyncio.ensure_future(driver.read(ReadRequest(), run))
            await rig.within(5, "the prompt", asked.wait())
            expect(
                run.prompts[0] == operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT, "It must ask with PRESENT_DOCUMENT first."
            )
            await rig.hands.do("insert_card")
            result = await rig.perform("the read", task)
        expect(result.document.type, "The result must have a document with a type.")

    @requirement("R-02", "When no document comes in time the read ends with NO_DOCUMENT.")
    async def test_r02_nobody_comes(self, rig: Rig) -> None:
        """Neither sooner nor much later than the operation's time says, with nothing emitted; the reader works on."""
        async with rig.connected() as driver:
            loop, run = asyncio.get_running_loop(), rig.run(WAIT_SECONDS)
            began = loop.time()
            with rig.refuses("a read without a document", error_pb2.REASON_NO_DOCUMENT):
                await rig.within(WAIT_SECONDS + LATE_SECONDS, "the read", driver.read(ReadRequest(), run))
            expect(loop.time() - began >= WAIT_SECONDS - 0.5, "It must wait for as long as the operation has time.")
            expect(not run.events, "Nothing was there, so nothing may be emitted.")
            await rig.hands.do("insert_card")
            await rig.perform("the next read", driver.read(ReadRequest(), rig.run()))

    @requirement("R-03", "That a document was found is told before it is read.")
    async def test_r03_detected(self, rig: Rig) -> None:
        """DocumentDetected is emitted, so that the app can say `keep it still`."""
        await rig.hands.do("insert_card")
        async with rig.connected() as driver:
            run = rig.run()
            await rig.perform("the read", driver.read(ReadRequest(), run))
        kinds = [type(event) for event in run.events]
        expect(id_reader_pb2.DocumentDetected in kinds, "DocumentDetected must be emitted.")

    @requirement(
        "R-04",
        "What is read is what is on the document.",
        given=lambda suite: suite.documents(),
        always=lambda suite: [_for_good()],
    )
    async def test_r04_reads_what_is_there(self, rig: Rig, document: IdentityDocument) -> None:
        """Documents of every type that the reader says it reads, with rare characters and names at the field's limit.
        Which fields the reader gives is seen on the emulator's own document; those must agree, to the last character.
        """
        rig.needs_emulator()
        await rig.hands.do("insert_card")
        given = await self._lying(rig)
        if document.type not in rig.info.id_reader.document_types:
            return
        await rig.hands.do("remove_card")
        try:
            await rig.hands.do("insert_card", card=document)
        except ValueError:
            return  # the emulator has no such card
        read = await self._lying(rig)
        expect(read.type == document.type, f"The type must be {DocumentType.Name(document.type)}.")
        for path in FIELDS:
            if _value(given, path) or path.startswith("valid"):
                same = _value(read, path) == _value(document, path)
                expect(same, f"{path} must be read as it is on the document; it came otherwise.")

    def documents(self) -> SearchStrategy[IdentityDocument]:
        """What R-04 reads; drivers of other documents give their own."""
        from countertop.testing.strategies import identity_documents

        return identity_documents().map(_bare)

    @requirement("R-05", "A document of a type that is not wanted is refused.")
    async def test_r05_unwanted(self, rig: Rig) -> None:
        """`types` of the request names what is wanted; another document ends with DOCUMENT_UNSUPPORTED."""
        await rig.hands.do("insert_card")
        there = (await self._lying(rig)).type
        await rig.hands.do("remove_card")
        await rig.hands.do("insert_card")
        other = next(kind for kind in DocumentType.values() if kind and kind != there)
        async with rig.connected() as driver:
            with rig.refuses("a document that is not wanted", error_pb2.REASON_DOCUMENT_UNSUPPORTED):
                await rig.perform("the read", driver.read(ReadRequest(types=[DocumentType.Name(other)]), rig.run(5.0)))

    @requirement("R-06", "With `wait_for_removal` the data comes at once, and the end when the document is gone.")
    async def test_r06_removal(self, rig: Rig) -> None:
        """The document is emitted, the person is asked with REMOVE_DOCUMENT, DocumentRemoved is emitted, and the result
        has the document too.
        """
        await rig.hands.do("insert_card")
        async with rig.connected() as driver:
            asked = asyncio.Event()
            run = rig.run(
                30.0, on_prompt=lambda kind: asked.set() if kind == operation_pb2.PROMPT_KIND_REMOVE_DOCUMENT else None
            )
            task = asyncio.ensure_future(driver.read(ReadRequest(wait_for_removal=True), run))
            await rig.within(20, "the wish to take the document away", asked.wait())
            shown = [event for event in run.events if isinstance(event, IdentityDocument)]
            expect(len(shown) == 1, "The document must be emitted once, before it is taken away.")
            expect(not task.done(), "The read must not end before the document is taken away.")
            await rig.hands.do("remove_card")
            result = await rig.perform("the read", task)
        expect(isinstance(run.events[-1], id_reader_pb2.DocumentRemoved), "DocumentRemoved must be emitted last.")
        expect(result.document == shown[0], "The result must have the same document.")

    @requirement("R-07", "Photo, fingerprints and additional address are given only when they are asked for.")
    async def test_r07_only_what_is_asked(self, rig: Rig) -> None:
        """Data that nobody asked for is data that can leak."""
        await rig.hands.do("insert_card")
        async with rig.connected() as driver:
            result = await rig.perform("the read", driver.read(ReadRequest(), rig.run()))
        document = result.document
        expect(not document.HasField("photo"), "Nobody asked for the photo.")
        expect(not document.fingerprints, "Nobody asked for fingerprints.")
        expect(not document.additional_address, "Nobody asked for the additional address.")

    @requirement("R-08", "A document that is pulled away is never half read.", given=lambda suite: suite.moments())
    async def test_r08_pulled_away(self, rig: Rig, messages: int) -> None:
        """After so many messages on the line the document is taken away: the read gives the whole document, or ends
        with DOCUMENT_REMOVED, DOCUMENT_UNREADABLE or NO_DOCUMENT.
        """
        rig.needs_emulator()
        await rig.hands.do("insert_card")
        whole = await self._lying(rig)
        await rig.hands.do("remove_card")
        await rig.hands.do("insert_card")
        async with rig.connected() as driver:
            task = asyncio.ensure_future(driver.read(ReadRequest(), rig.run(1.0)))
            await self._under_way(rig, task, messages)
            await rig.hands.do("remove_card")
            try:
                result = await rig.perform("the read", task)
            except CountertopError as error:
                expect(error.reason in (*GONE, *LINK_REASONS), f"The reason must say what became of it; got {error}.")
            else:
                expect(result.document == whole, "A read that succeeds must give the whole document.")

    @requirement("R-09", "Nothing of one customer is left for the next.")
    async def test_r09_next_customer(self, rig: Rig) -> None:
        """Two documents, one after the other, by the same driver: the second read gives the second alone."""
        rig.needs_emulator()
        await rig.hands.do("insert_card")
        async with rig.connected() as driver:
            first = await rig.perform("the first read", driver.read(ReadRequest(), rig.run()))
            await rig.hands.do("remove_card")
            await driver.rest()
            await self.prepare(rig)
            second = await rig.perform("the second read", driver.read(ReadRequest(), rig.run()))
        if not second.document.person.name:
            pytest.skip("the reader gives no names")
        expect(first.document != second.document, "The second read must give the second document.")
        expect(second.document.person.name == MARKED, "The second read must give the second document's name.")

    async def _lying(self, rig: Rig) -> IdentityDocument:
        """Read what lies there, with a driver of its own."""
        async with rig.connected() as driver:
            result = await rig.perform("the read", driver.read(ReadRequest(), rig.run()))
        document: IdentityDocument = result.document
        return document


def _marked() -> IdentityDocument:
    """An invented resident's card whose name is a mark."""
    return IdentityDocument(
        type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD,
        person=identity_pb2.Person(
            name=MARKED, sex=identity_pb2.SEX_FEMALE, birth_date="1990-03-07", address="示例市样本区虚构路1号"
        ),
        number="11010119900307002X",
        issuing_authority="示例市公安局",
        valid_from="2020-01-01",
        valid_until="2040-01-01",
        resident_card=identity_pb2.ResidentCard(ethnicity_code="01"),
    )


def _for_good() -> IdentityDocument:
    """An invented resident's card that never ends; few of those that are drawn are of people who are old enough."""
    document = _marked()
    document.person.birth_date, document.number = "1950-03-07", "110101195003070021"
    document.person.nationality = "CHN"
    document.valid_until, document.valid_long_term = "", True
    return document


def _bare(document: IdentityDocument) -> IdentityDocument:
    """As an emulator is given it: without what only a reading adds."""
    kept = IdentityDocument()
    kept.CopyFrom(document)
    del kept.checks[:]
    kept.ClearField("photo")
    return kept


def _value(document: IdentityDocument, path: str) -> Any:
    at: Any = document
    for part in path.split("."):
        at = getattr(at, part)
    return at
