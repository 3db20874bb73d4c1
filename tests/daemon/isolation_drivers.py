"""Drivers that misbehave, for processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

from countertop.sdk import DeviceFault, InvalidRequest, Options, ReceiptPrinter, Run, Settlement, TcpLink, Unsettled
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_printer_pb2


class TrialOptions(Options):
    """Options of the driver on trial."""

    crash_when_idle: bool = False


class TrialPrinter(ReceiptPrinter):
    """Does what the first word of the receipt says."""

    name = "trial-printer"
    links = (TcpLink,)
    options_type = TrialOptions
    poll_interval = 0.05

    async def connect(self) -> device_pb2.DeviceInfo:
        print("a driver that prints to standard output")
        return device_pb2.DeviceInfo(vendor="Invented", model=f"pid {os.getpid()}", serial="S1")

    async def disconnect(self) -> None:
        pass

    async def status(self) -> device_pb2.DeviceStatus:
        if self.options.crash_when_idle:  # type: ignore[attr-defined]
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGSEGV)
        return device_pb2.DeviceStatus(consumables=[device_pb2.Consumable(name="paper")])

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        result = receipt_printer_pb2.PrintResult(blocks=int(unsettled.evidence["blocks"]))
        return Settlement(error_pb2.PHYSICAL_EFFECT_COMPLETE, f"{unsettled.verb} came out.", result)

    async def print(self, request: Any, run: Run) -> receipt_printer_pb2.PrintResult:
        what = request.receipt.blocks[0].paragraph.spans[0].text
        return await getattr(self, f"_{what}")(request, run)

    async def _well(self, request: Any, run: Run) -> receipt_printer_pb2.PrintResult:
        await run.commit_point("first byte", {"blocks": 1})
        run.progress(1, 2, "blocks")
        run.emit(receipt_printer_pb2.BlocksPrinted(blocks=1))
        run.stop(error_pb2.REASON_PAPER_OUT, operation_pb2.PROMPT_KIND_LOAD_PAPER)
        run.working()
        run.used("paper_mm", 5.0)
        self.report(device_pb2.DeviceStatus(media=device_pb2.MEDIA_STATE_PRESENT))
        assert 0 < run.time_left <= 600
        return receipt_printer_pb2.PrintResult(blocks=2)

    async def _invalid(self, request: Any, run: Run) -> Any:
        raise InvalidRequest({"receipt.blocks[0]": "expected something else"})

    async def _fault(self, request: Any, run: Run) -> Any:
        raise DeviceFault(
            error_pb2.REASON_PAPER_OUT, step="print", got="nothing", effect=error_pb2.PHYSICAL_EFFECT_PARTIAL
        )

    async def _bug(self, request: Any, run: Run) -> Any:
        raise ValueError("a name of a customer")

    async def _for_ever(self, request: Any, run: Run) -> Any:
        run.progress(1)
        await asyncio.Event().wait()

    async def _committed_crash(self, request: Any, run: Run) -> Any:
        await run.commit_point("first byte", {"blocks": 7})
        os.kill(os.getpid(), signal.SIGSEGV)

    async def _wrong_event(self, request: Any, run: Run) -> Any:
        run.emit(device_pb2.DeviceStatus())
        await asyncio.Event().wait()

    async def _slow_commit(self, request: Any, run: Run) -> Any:
        run.progress(1)
        await run.commit_point("first byte", {"blocks": 1})
        raise AssertionError("cancelled before")

    async def _hang(self, request: Any, run: Run) -> Any:
        time.sleep(600)  # noqa: ASYNC251 - a vendor's library that never returns

    async def _eat(self, request: Any, run: Run) -> Any:
        return [bytearray(50 * 1024 * 1024) for _ in range(1000)]

    async def _leave(self, request: Any, run: Run) -> Any:
        sys.exit(3)

    async def open_drawer(self, request: Any, run: Run) -> Any:
        raise AssertionError("not tried")
