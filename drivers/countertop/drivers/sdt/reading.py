"""One Read: from the wait for a card to its removal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from countertop.drivers.sdt import protocol
from countertop.drivers.sdt.layouts import decode_additional_address, decode_fingerprints, decode_text
from countertop.drivers.sdt.protocol import Command, Response
from countertop.drivers.sdt.sam import Sam, refusal
from countertop.sdk import DeviceFault, ProtocolFault, Run
from countertop.v1 import error_pb2, id_reader_pb2, identity_pb2, operation_pb2
from countertop.v1.identity_pb2 import IdentityDocument
from countertop.v1.operation_pb2 import PromptKind

__all__ = ["Field", "Reading"]

RETRY_PAUSE = 0.1
"""Seconds between two tries to read the card: a hand that moves needs some."""

# Status words that a card in motion, or at the edge of the field, gives.
_UNSTEADY = frozenset({0x24, 0x31, 0x32, 0x33, 0x41, 0x47})


@dataclass
class Field:
    """What the driver knows of the reader's field, from one operation to the next."""

    sam: Sam
    find_interval: float
    """Least seconds between two tries to find a card."""
    read_lies: bool = False
    """A card that was read has not been seen to leave: the module finds it no more, but still talks to it."""
    last_find: float = float("-inf")

    async def turn(self, seconds: float) -> bool:
        """Wait until the interval allows to look for a card again. False when `seconds` are over before."""
        due = self.last_find + self.find_interval - asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, min(due, seconds)))
        return due <= seconds and seconds > 0

    async def find(self) -> bool:
        """Look for a card that was not read yet."""
        self.last_find = asyncio.get_running_loop().time()
        response = await self.sam.ask(protocol.FIND_CARD)
        if response.sw3 == protocol.FOUND:
            self.read_lies = False
            return True
        if response.sw3 == protocol.NOT_FOUND:
            return False
        raise refusal(protocol.FIND_CARD, response)

    async def still_read(self) -> bool:
        """Ask whether the card that was read still lies there; leaves the module's read-once latch alone.

        An answer to "read additional address", be it "none", tells that the selected card still answers.
        """
        response = await self.sam.ask(protocol.READ_ADDRESS)
        self.read_lies = response.sw3 in (protocol.OK, protocol.NO_CONTENT)
        return self.read_lies


class _CardLost(Exception):
    """The card could not be read to the end; it may be put on again."""


class Reading:
    """Carries out one request."""

    def __init__(
        self,
        request: id_reader_pb2.ReadRequest,
        run: Run,
        field: Field,
        *,
        retries: int,
        today: Callable[[], date],
    ) -> None:
        self._request = request
        self._run = run
        self._field = field
        self._sam = field.sam
        self._retries = retries
        self._today = today
        self._prompted: PromptKind | None = None
        self._detected = False
        self._asked = False  # whether a card lies there that was read, perhaps before the daemon started
        self._fault = DeviceFault(error_pb2.REASON_NO_DOCUMENT, step=protocol.FIND_CARD.step)

    async def document(self) -> IdentityDocument:
        """Wait for a card and read it; wait for another try while there is time.

        Raises DeviceFault: NO_DOCUMENT, DOCUMENT_REMOVED, DOCUMENT_UNREADABLE, DOCUMENT_ALREADY_READ (whichever was
        the case when time was up), DOCUMENT_UNSUPPORTED at once.
        """
        self._prompt(operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT)
        while await self._field.turn(self._run.time_left):
            if not await self._field.find():
                await self._nothing_found()
                continue
            try:
                document = await self._read_card()
            except _CardLost:
                self._fail(error_pb2.REASON_DOCUMENT_UNREADABLE)
            else:
                self._check_wanted(document)
                return document
        raise self._fault

    async def removal(self) -> bool:
        """Ask for the card's removal and wait for it. False when time was up before."""
        self._prompt(operation_pb2.PROMPT_KIND_REMOVE_DOCUMENT)
        while await self._still_there():
            if self._run.time_left <= 0:
                return False
            await asyncio.sleep(min(self._field.find_interval, self._run.time_left))
        self._run.emit(id_reader_pb2.DocumentRemoved())
        self._run.working()
        return True

    async def _still_there(self) -> bool:
        try:
            return await self._field.still_read()
        except ProtocolFault:  # a garbled answer says nothing of the card, and must not cost the document
            return True

    async def _nothing_found(self) -> None:
        """No new card: is it one that was read before, was one pulled away, or was there none?"""
        ask, self._asked = self._field.read_lies or not self._asked, True
        if ask and await self._field.still_read():
            self._fail(error_pb2.REASON_DOCUMENT_ALREADY_READ, operation_pb2.PROMPT_KIND_REMOVE_DOCUMENT)
        elif self._detected:
            self._detected = False
            self._run.emit(id_reader_pb2.DocumentRemoved())
            self._fail(error_pb2.REASON_DOCUMENT_REMOVED)
        elif self._fault.reason == error_pb2.REASON_DOCUMENT_ALREADY_READ:
            self._fail(error_pb2.REASON_NO_DOCUMENT, operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT)

    async def _read_card(self) -> IdentityDocument:
        """Read the card that was found. Raises _CardLost when that fails for a cause that lies in the card's place."""
        if not self._detected:
            self._detected = True
            self._run.emit(id_reader_pb2.DocumentDetected())
            self._prompt(operation_pb2.PROMPT_KIND_KEEP_DOCUMENT)
        response = await self._sam.ask(protocol.SELECT_CARD)
        if response.sw3 == protocol.NOT_SELECTED:
            raise _CardLost
        if response.sw3 != protocol.OK:
            raise refusal(protocol.SELECT_CARD, response)
        command = protocol.READ_CARD_AND_FINGERPRINTS if self._request.fingerprints else protocol.READ_CARD
        response = await self._insist(command)
        self._field.read_lies = True
        content = protocol.split_content(command, response.data)
        document = decode_text(content.text, self._today())
        if self._request.photo and content.photo:
            document.photo.raw, document.photo.raw_format = content.photo, "wlt"
        document.fingerprints.extend(decode_fingerprints(content.fingerprints))
        if self._request.additional_address:
            response = await self._insist(protocol.READ_ADDRESS, protocol.NO_CONTENT)
            if response.sw3 == protocol.OK:
                document.additional_address = decode_additional_address(response.data)
        self._run.working()
        return document

    async def _insist(self, command: Command, *also_fine: int) -> Response:
        """Ask again while the card is unsteady."""
        for attempt in range(1 + self._retries):
            if attempt:
                if self._run.time_left <= RETRY_PAUSE:
                    break
                await asyncio.sleep(RETRY_PAUSE)
            response = await self._sam.ask(command)
            if response.sw3 == protocol.OK or response.sw3 in also_fine:
                return response
            if response.sw3 not in _UNSTEADY:
                raise refusal(command, response)
        await self._sam.ask(protocol.RESET)
        raise _CardLost

    def _check_wanted(self, document: IdentityDocument) -> None:
        wanted = self._request.types
        if wanted and document.type not in wanted:
            name = identity_pb2.DocumentType.Name
            raise DeviceFault(
                error_pb2.REASON_DOCUMENT_UNSUPPORTED,
                "The document is of another type than those asked for.",
                step=protocol.READ_CARD.step,
                expected=", ".join(name(kind) for kind in wanted),
                got=name(document.type),
            )

    def _fail(
        self,
        reason: error_pb2.Reason,
        prompt: PromptKind = operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT_AGAIN,
    ) -> None:
        """Note how it ends if nothing better comes, and ask the person for it."""
        self._fault = DeviceFault(reason, step=protocol.READ_CARD.step)
        self._prompt(prompt)

    def _prompt(self, kind: PromptKind) -> None:
        if kind != self._prompted:
            self._prompted = kind
            self._run.prompt(kind)
