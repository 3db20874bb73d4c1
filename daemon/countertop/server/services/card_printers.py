"""CardPrinterService. The first preview and the first design pay for importing the design engine."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.apdu_exchange import ApduExchange, check_command
from countertop.server.caller import CALLER
from countertop.server.operations import OperationRecord, seconds
from countertop.server.services.base import Service
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1 import device_pb2, error_pb2, image_pb2

__all__ = ["CardPrinters"]

DEFAULT_DRAIN = 60.0
EXCHANGE = "card exchange"
"""The reason for maintenance while a person fills hoppers and empties bins."""
PANELS = re.compile(r"[YMCKOSU]+")
"""A ribbon's type that names its panels."""
MAX_PICTURE_BYTES = 768 * 1024


class CardPrinters(Service):
    """Prints, encodes, issues and takes back cards."""

    descriptor = cards.DESCRIPTOR.services_by_name["CardPrinterService"]
    kind = device_pb2.DEVICE_KIND_CARD_PRINTER
    default_timeout = 60.0
    timeouts: ClassVar[Mapping[str, float]] = {"IssueCard": 180.0, "ExchangeApdus": 120.0}

    def prepare(self, request: Any) -> Any:
        """What bounds cannot say."""
        if isinstance(request, cards.IssueCardRequest):
            check_issue(request)
        elif isinstance(request, cards.EncodeStripeRequest):
            _check_stripe(request.stripe, "stripe")
        elif isinstance(request, cards.MoveCardRequest):
            seconds(request, "take_within", 0.0, least=1.0)
        return request

    async def exchange_apdus(
        self, requests: AsyncIterator[cards.ExchangeApdusRequest]
    ) -> AsyncIterator[cards.ExchangeApdusResponse]:
        """Talk to the chip of the card inside, or of a card that is being issued."""
        first = await anext(requests, cards.ExchangeApdusRequest())
        what = first.WhichOneof("message")
        if what not in ("open", "issue_operation_id"):
            raise InvalidRequest({"message": "expected open or issue_operation_id in the first message"})
        if not first.device_id:
            raise InvalidRequest({"device_id": "required in the first message"})
        joined = what == "issue_operation_id"
        if joined:
            record = self._issuing(first)
            updates = record.follow()
        else:
            record = self.terminal.begin(self.verbs["ExchangeApdus"], first)
            updates = self.terminal.attend(record)
        responses = ApduExchange(record, requests, joined=joined).follow(updates)
        try:
            async for response in responses:
                yield response
        finally:
            await responses.aclose()  # type: ignore[attr-defined]
            await updates.aclose()  # type: ignore[attr-defined]

    def _issuing(self, first: cards.ExchangeApdusRequest) -> OperationRecord:
        """The IssueCard that a client wants to join. Raises CountertopError."""
        record = self.terminal.operations.get(first.issue_operation_id)
        if record.verb is not self.verbs["IssueCard"] or record.operation.device_id != first.device_id:
            raise InvalidRequest({"issue_operation_id": "expected the operation of an IssueCard on this device"})
        if record.request is not None and not record.request.chip.HasField("app"):
            raise InvalidRequest({"issue_operation_id": "expected an IssueCard whose `chip` is `app`"})
        self.terminal.claims.check(first.device_id, first.options.claim_token)
        if record.ended:
            raise CountertopError(error_pb2.REASON_NOT_RUNNING, f"The operation {record.id!r} has ended.")
        return record

    # --- inventory -------------------------------------------------------------------------------------------------

    async def get_card_inventory(self, request: cards.GetCardInventoryRequest) -> cards.GetCardInventoryResponse:
        """What is in a device."""
        return cards.GetCardInventoryResponse(inventory=self._inventory(request.device_id))

    async def begin_card_exchange(self, request: cards.BeginCardExchangeRequest) -> cards.BeginCardExchangeResponse:
        """Into maintenance."""
        runner = self.terminal.runner(request.device_id, self.kind)
        drain = seconds(request, "drain", DEFAULT_DRAIN)
        book, device = self.terminal.card_books[request.device_id], runner.view.device
        if book.exchanging:
            raise CountertopError(error_pb2.REASON_EXCHANGE_ACTIVE)
        maintained = device.admin_state == device_pb2.ADMIN_STATE_MAINTENANCE
        before = device.maintenance_reason if maintained else None
        book.begin_exchange(before)  # first: nobody else may begin one, or end the maintenance, while it drains
        try:
            await self.terminal.maintain(runner, EXCHANGE, drain)
        except CountertopError as error:
            book.end_exchange()
            if error.reason == error_pb2.REASON_DEVICE_TIMEOUT:  # it still works: nobody may open it
                await self.terminal.maintain(runner, before, drain=0.0)
            raise
        inventory = self._inventory(request.device_id)
        self._audit(inventory, request.by, begin=True)
        return cards.BeginCardExchangeResponse(inventory=inventory)

    async def end_card_exchange(self, request: cards.EndCardExchangeRequest) -> cards.EndCardExchangeResponse:
        """Take the counts, and the device back into use."""
        runner = self.terminal.runner(request.device_id, self.kind)
        book = self.terminal.card_books[request.device_id]
        if not book.exchanging:
            raise CountertopError(error_pb2.REASON_NO_EXCHANGE)
        book.exchanged(request.counts)
        await self.terminal.maintain(runner, book.end_exchange(), DEFAULT_DRAIN)
        inventory = self._inventory(request.device_id)
        self._audit(inventory, request.by, begin=False)
        return cards.EndCardExchangeResponse(inventory=inventory)

    def _inventory(self, device_id: str) -> cards.CardInventory:
        device = self.terminal.runner(device_id, self.kind).view.device
        return cards.CardInventory(
            device_id=device_id,
            units=self.terminal.card_books[device_id].units(),
            consumables=device.status.consumables,
            totals=self.terminal.card_books[device_id].totals(),
            exchanging=self.terminal.card_books[device_id].exchanging,
        )

    def _audit(self, inventory: cards.CardInventory, by: str, *, begin: bool) -> None:
        counts: dict[str, Any] = {f"cards in {unit.unit.name}": unit.count for unit in inventory.units}
        device_id = inventory.device_id
        self.terminal.audit.record("card exchange", CALLER.get(), device_id=device_id, begin=begin, by=by, **counts)

    # --- preview ---------------------------------------------------------------------------------------------------

    async def preview_card(self, request: cards.PreviewCardRequest) -> cards.PreviewCardResponse:
        """Draw it."""
        capabilities = None
        if request.device_id:
            device = self.terminal.runner(request.device_id, self.kind).view.device
            info = device.info
            if not info.HasField("card_printer"):
                raise CountertopError(
                    error_pb2.REASON_DEVICE_OFFLINE,
                    f"The printer {request.device_id!r} was not reached yet: its canvas is not known; leave device_id "
                    "out.",
                )
            capabilities = _with_ribbon(info.card_printer, device.status)
        return await asyncio.to_thread(_preview, request, capabilities)


def _with_ribbon(
    known: device_pb2.CardPrinterCapabilities, status: device_pb2.DeviceStatus
) -> device_pb2.CardPrinterCapabilities:
    """What a printer can print with the ribbon that is in it now; it may be another than when it was connected."""
    panels = next((supply.type for supply in status.consumables if supply.name == "ribbon"), "")
    if not PANELS.fullmatch(panels):
        return known
    changed = device_pb2.CardPrinterCapabilities()
    changed.CopyFrom(known)
    changed.color, changed.black, changed.overlay = "YMC" in panels, "K" in panels, "O" in panels
    return changed


def check_issue(request: cards.IssueCardRequest) -> None:
    """Raises InvalidRequest for what no device could do."""
    seconds(request, "take_within", 0.0, least=1.0)
    if request.HasField("stripe"):
        _check_stripe(request.stripe, "stripe")
    if request.HasField("chip"):
        if request.chip.WhichOneof("by") is None:
            raise InvalidRequest({"chip": "expected script or app"})
        if request.chip.HasField("app"):
            seconds(request.chip.app, "within", 0.0, least=1.0, prefix="chip.app.")
        for index, item in enumerate(request.chip.script.commands):
            check_command(item.command, f"chip.script.commands[{index}].command")
    if request.HasField("artwork"):
        from countertop.sdk.cards.artwork import check_artwork

        check_artwork(request.artwork)


def _check_stripe(stripe: Any, field: str) -> None:
    from countertop.sdk.cards.stripe import check_stripe

    check_stripe(stripe, field, (1, 2, 3))


def _preview(
    request: cards.PreviewCardRequest, capabilities: device_pb2.CardPrinterCapabilities | None
) -> cards.PreviewCardResponse:
    from countertop.sdk.cards.artwork import check_artwork
    from countertop.sdk.cards.planes import Canvas
    from countertop.sdk.cards.preview import preview_png
    from countertop.sdk.cards.render import render

    check_artwork(request.artwork, samples=request.samples)
    standalone = Canvas(color=False) if request.mono else Canvas()
    canvas = standalone if capabilities is None else Canvas.of(capabilities)
    image = render(request.artwork, canvas, samples=request.samples)
    response = cards.PreviewCardResponse(warnings=image.warnings)
    for name in ("front", "back"):
        planes = getattr(image, name)
        if planes is not None:
            getattr(response, name).CopyFrom(_picture(preview_png(planes, canvas), f"artwork.design.{name}"))
    return response


def _picture(png: bytes, field: str) -> image_pb2.Image:
    """The PNG file as a message. Raises InvalidRequest for one that is larger than a picture may be."""
    if len(png) > MAX_PICTURE_BYTES:
        raise InvalidRequest({field: f"expected a picture of at most {MAX_PICTURE_BYTES} bytes, got {len(png)}"})
    width, height = (int.from_bytes(png[at : at + 4]) for at in (16, 20))  # IHDR
    digest = hashlib.sha256(png).digest()
    return image_pb2.Image(media_type="image/png", width=width, height=height, data=png, sha256=digest)
