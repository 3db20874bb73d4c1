"""ReceiptPrinterService. The first preview pays for importing the receipt engine."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.services.base import Service
from countertop.v1 import device_pb2, error_pb2, image_pb2, receipt_pb2, receipt_printer_pb2

if TYPE_CHECKING:
    from countertop.sdk.receipt.ir import Paper

__all__ = ["ReceiptPrinters"]

MAX_PREVIEW_DOTS = 40_000
MAX_PNG_BYTES = 768 * 1024


class ReceiptPrinters(Service):
    """Prints receipts, and shows them."""

    descriptor = receipt_printer_pb2.DESCRIPTOR.services_by_name["ReceiptPrinterService"]
    kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER

    def prepare(self, request: Any) -> Any:
        """A block must be something."""
        if isinstance(request, receipt_printer_pb2.PrintRequest):
            check_blocks(request.receipt)
        return request

    async def preview(self, request: receipt_printer_pb2.PreviewRequest) -> receipt_printer_pb2.PreviewResponse:
        """The receipt as a picture and as text, as the named printer would print it."""
        check_blocks(request.receipt)
        paper = self._paper(request)
        return await asyncio.to_thread(render, request.receipt, paper)

    def _paper(self, request: receipt_printer_pb2.PreviewRequest) -> Paper:
        from countertop.sdk.receipt.ir import Paper

        if not request.device_id:
            return Paper(width_dots=request.width_dots or 576)
        info = self.terminal.runner(request.device_id, self.kind).view.device.info
        if not info.HasField("receipt_printer"):
            raise CountertopError(
                error_pb2.REASON_DEVICE_OFFLINE,
                f"The printer {request.device_id!r} was not reached yet: its paper is not known; give width_dots.",
            )
        printer = info.receipt_printer
        return Paper(width_dots=printer.width_dots, dpi=printer.dpi)


def check_blocks(receipt: receipt_pb2.Receipt) -> None:
    """Raises InvalidRequest for a block without content."""
    empty = {
        f"receipt.blocks[{index}]": "expected one of paragraph, table, rule, picture, barcode, symbol, feed, cut, "
        "seal_field"
        for index, block in enumerate(receipt.blocks)
        if block.WhichOneof("block") is None
    }
    if empty:
        raise InvalidRequest(empty)


def render(receipt: receipt_pb2.Receipt, paper: Paper) -> receipt_printer_pb2.PreviewResponse:
    """Lay out and draw. Raises InvalidRequest for a receipt that cannot be shown within the limits."""
    from countertop.sdk.receipt import lay_out, rasterise, to_png, to_text

    layout = lay_out(receipt, paper)
    bitmap = rasterise(layout)
    if bitmap.height > MAX_PREVIEW_DOTS:
        raise InvalidRequest({"receipt": f"expected at most {MAX_PREVIEW_DOTS} dots of paper, got {bitmap.height}"})
    data = to_png(bitmap)
    if len(data) > MAX_PNG_BYTES:
        raise InvalidRequest({"receipt": f"expected a picture of at most {MAX_PNG_BYTES} bytes, got {len(data)}"})
    image = image_pb2.Image(
        media_type="image/png",
        width=bitmap.width,
        height=bitmap.height,
        data=data,
        sha256=hashlib.sha256(data).digest(),
    )
    return receipt_printer_pb2.PreviewResponse(
        image=image, text=to_text(layout), paper_mm=bitmap.height * 25.4 / paper.dpi
    )
