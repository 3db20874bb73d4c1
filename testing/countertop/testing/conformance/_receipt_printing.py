"""What the parts of the receipt printers' suite have in common."""

from __future__ import annotations

from typing import Any

from countertop.testing.conformance._device import DeviceConformance
from countertop.testing.conformance._paper import Slip
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import receipt_printer_pb2
from countertop.v1.receipt_printer_pb2 import Interruption, PrintRequest, PrintResult

__all__ = ["ReceiptPrinting"]


class ReceiptPrinting(DeviceConformance):
    """Base of the parts."""

    async def printed(
        self,
        rig: Rig,
        driver: Any,
        slip: Slip,
        run: RecordingRun | None = None,
        interruption: Interruption = receipt_printer_pb2.INTERRUPTION_UNSPECIFIED,
    ) -> PrintResult:
        """Print a slip. Raises what the driver raises."""
        request = PrintRequest(receipt=slip.receipt, interruption=interruption)
        result: PrintResult = await rig.perform("print", driver.print(request, run or rig.run()))
        return result
