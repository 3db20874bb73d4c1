"""What the parts of the card printers' suite have in common."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.testing.conformance._cards import Order
from countertop.testing.conformance._device import DeviceConformance
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1.card_printer_pb2 import IssueCardResult, MoveCardRequest, MoveCardResult
from countertop.v1.device_pb2 import CardPrinterCapabilities
from countertop.v1.operation_pb2 import PROMPT_KIND_TAKE_CARD, PromptKind

__all__ = ["CardMaking"]


class CardMaking(DeviceConformance):
    """Base of the parts."""

    async def issued(self, rig: Rig, driver: Any, order: Order, run: RecordingRun | None = None) -> IssueCardResult:
        """Make a card; the customer takes it. Raises what the driver raises."""
        run = run or rig.run()
        with self.customer(rig, run):
            result: IssueCardResult = await rig.perform("issue_card", driver.issue_card(order.request, run))
        return result

    def customer(self, rig: Rig, run: RecordingRun) -> Customer:
        """Somebody who takes the card when the operation asks for that."""
        return Customer(rig, run)

    async def moved(self, rig: Rig, driver: Any, run: RecordingRun | None = None, **fields: Any) -> MoveCardResult:
        """Move a card. Raises what the driver raises."""
        moving = driver.move_card(MoveCardRequest(**fields), run or rig.run())
        result: MoveCardResult = await rig.perform("move_card", moving)
        return result

    async def customer_leaves(self, rig: Rig) -> None:
        """From now on nobody takes the cards."""
        if rig.hands.can("set_customer"):
            await rig.hands.do("set_customer", habit=bench_pb2.CUSTOMER_HABIT_LEAVES)

    @staticmethod
    def has(rig: Rig) -> CardPrinterCapabilities:
        """What the printer said that it can do when it was connected last."""
        return rig.info.card_printer

    def needs(self, rig: Rig, *fields: str) -> None:
        """Skip the requirement for a printer that lacks one of these capabilities; once it is connected."""
        for field in fields:
            if not getattr(self.has(rig), field):
                pytest.skip(f"the printer has no {field.replace('_', ' ')}")

    def needs_steps(self, rig: Rig) -> None:
        """Skip it for a printer that makes a card in one job."""
        if self.has(rig).one_pass:
            pytest.skip("the printer makes a card in one job")


class Customer:
    """Takes a card from the exit when a run asks for it; a context manager."""

    def __init__(self, rig: Rig, run: RecordingRun) -> None:
        self._rig, self._run = rig, run
        self._tasks: list[asyncio.Task[Any]] = []

    def __enter__(self) -> None:
        self._run.on_prompt = self._asked

    def _asked(self, kind: PromptKind) -> None:
        if kind == PROMPT_KIND_TAKE_CARD and self._rig.hands.can("take_card"):
            self._tasks.append(asyncio.ensure_future(self._rig.hands.do("take_card")))

    def __exit__(self, *error: object) -> None:
        self._run.on_prompt = None
        for task in self._tasks:
            task.cancel()
