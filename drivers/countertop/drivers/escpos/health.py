"""Health checks: INTERNAL asks, EXTERNAL prints a slip, INTERACTIVE watches the cover."""

from __future__ import annotations

from countertop.drivers.escpos.connected import Connected
from countertop.drivers.escpos.printing import Printing
from countertop.drivers.escpos.slip import test_slip
from countertop.sdk.device import Run, internal_health
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import CheckHealthRequest, CheckHealthResult, HealthFinding

__all__ = ["check_health"]

_COVER = ((operation_pb2.PROMPT_KIND_OPEN_COVER, True), (operation_pb2.PROMPT_KIND_CLOSE_COVER, False))


async def check_health(
    printer: Connected, printing: Printing, request: CheckHealthRequest, run: Run
) -> CheckHealthResult:
    """What the level asks for, once nothing stands that speaks against it. Raises as printing does."""
    result = internal_health(await printer.status())
    if request.level == device_pb2.HEALTH_LEVEL_INTERACTIVE and result.healthy:
        result.healthy = passed = await _cover_is_seen(printer, run)
        seen = "was seen to open and to close" if passed else "was not seen to open and close"
        result.findings.append(HealthFinding(item="cover sensor", passed=passed, detail=f"The cover {seen}."))
    if request.level == device_pb2.HEALTH_LEVEL_EXTERNAL and result.healthy:
        printed = await printing.print_receipt(
            test_slip(printer.profile.name), run, lambda blocks: None, printer.manner
        )
        how = receipt_printer_pb2.Confirmation.Name(printed.confirmation).removeprefix("CONFIRMATION_")
        detail = f"A test slip was printed; confirmed by {how}."
        result.findings.append(HealthFinding(item="test slip", passed=True, detail=detail))
    return result


async def _cover_is_seen(printer: Connected, run: Run) -> bool:
    """A person opens and closes the cover, and the sensor tells."""
    for prompt, is_open in _COVER:
        run.prompt(prompt)
        while any(item.reason == error_pb2.REASON_COVER_OPEN for item in printer.board.blocking()) != is_open:
            if run.time_left <= 0:
                return False
            await printer.session.heard(min(printer.options.answer_seconds, run.time_left))
            await printer.status()
    run.working()
    return True
