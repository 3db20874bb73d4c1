"""Operations whose outcome the device has yet to tell: asked when it is back, in their order, before anything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.server.faults import failure_of
from countertop.server.operations import OperationRecord
from countertop.server.run import Commit, OperationRun
from countertop.server.states import STOPPED
from countertop.v1 import error_pb2
from countertop.v1.card_pb2 import CardReport
from countertop.v1.error_pb2 import Failure, PhysicalEffect

if TYPE_CHECKING:
    from countertop.sdk.device import Device as Driver
    from countertop.sdk.device import Settlement

__all__ = ["Settling", "interrupted"]

log = logging.getLogger("countertop.runner")

RECONCILE_SECONDS = 30.0
UNTOLD = "The device cannot tell what became of it."


class Settling:
    """The unsettled operations of one device. One that the device does not settle in its time is UNCERTAIN."""

    def __init__(
        self, device_id: str, translate: Callable[[BaseException, str], CountertopError], commit: Commit
    ) -> None:
        self._device_id = device_id
        self._translate = translate
        self._commit = commit
        self._waiting: dict[str, tuple[OperationRecord, Failure, asyncio.TimerHandle]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def hold(self, record: OperationRecord, failure: Failure, seconds: float) -> None:
        """Keep an operation STOPPED until the device is asked, for so long at most."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(seconds, self._give_up, record.id)
        self._waiting[record.id] = (record, failure, timer)
        if record.operation.state != STOPPED:
            record.move(STOPPED, stopped_by=failure.reason)

    async def settle(self, driver: Driver) -> bool:
        """Ask for each one. False when the device was lost meanwhile: those left are asked for again."""
        for operation_id, (record, failure, timer) in list(self._waiting.items()):
            try:
                async with asyncio.timeout(RECONCILE_SECONDS):
                    found = await self._ask(driver, record)
            except Exception as error:
                ours = self._translate(error, "reconcile")
                log.warning("operation %s could not be settled: %s", operation_id, ours.message)
                if isinstance(ours, DeviceFault) and ours.reason != error_pb2.REASON_DRIVER_FAILED:
                    return False
                self._end(record, failure, error_pb2.PHYSICAL_EFFECT_UNKNOWN, UNTOLD)
            else:
                if not record.ended:
                    self._take(record, failure, found)
            timer.cancel()
            self._waiting.pop(operation_id, None)
        return True

    async def _ask(self, driver: Driver, record: OperationRecord) -> Settlement:
        from countertop.sdk.device import Unsettled

        commit_point = OperationRun(record, (), self._commit).commit_point
        return await driver.reconcile(Unsettled(record.verb.method, record.operation, record.evidence, commit_point))

    def _take(self, record: OperationRecord, failure: Failure, found: Settlement) -> None:
        name = error_pb2.PhysicalEffect.Name(found.effect).removeprefix("PHYSICAL_EFFECT_")
        log.info("operation %s is settled: %s. %s", record.id, name, found.message)
        if found.effect == error_pb2.PHYSICAL_EFFECT_COMPLETE and found.result is not None:
            record.succeed(found.result)
        else:
            self._end(record, failure, found.effect, found.message, found.card)

    def _end(
        self,
        record: OperationRecord,
        failure: Failure,
        effect: PhysicalEffect,
        message: str,
        card: CardReport | None = None,
    ) -> None:
        if effect in (error_pb2.PHYSICAL_EFFECT_UNSPECIFIED, error_pb2.PHYSICAL_EFFECT_COMPLETE):
            effect = error_pb2.PHYSICAL_EFFECT_UNKNOWN  # a driver that says COMPLETE owes the result
        settled = Failure()
        settled.CopyFrom(failure)
        settled.message = f"{failure.message} {message}"
        if not settled.HasField("device_fault"):
            settled.device_fault.CopyFrom(DeviceFault(failure.reason).to_proto(self._device_id))
        settled.device_fault.physical_effect = effect
        if card is not None:
            settled.device_fault.card.CopyFrom(card)
        record.fail(settled)

    def _give_up(self, operation_id: str) -> None:
        record, failure, _ = self._waiting.pop(operation_id)
        if not record.ended:
            message = "The device did not come back in time to tell what became of it."
            self._end(record, failure, error_pb2.PHYSICAL_EFFECT_UNKNOWN, message)

    def close(self) -> None:
        """Stop the clocks; what is left is asked for when the daemon is back."""
        for _, _, timer in self._waiting.values():
            timer.cancel()
        self._waiting.clear()


def interrupted() -> Failure:
    """Why an operation is unsettled that the journal kept."""
    return failure_of(
        CountertopError(
            error_pb2.REASON_INTERRUPTED, "The terminal's software ended while the operation was under way."
        )
    )
