"""One print: a job, step by step, each confirmed by the printer once it is on the paper."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from countertop.sdk import DeviceFault, LinkFault, NoAnswer, Run
from countertop.v1 import error_pb2, receipt_printer_pb2
from countertop.v1.error_pb2 import Reason
from countertop.v1.receipt_printer_pb2 import BlocksPrinted, PrintResult

from acme.job import PAPER, Step
from acme.protocol import Command, Status
from acme.session import Session
from acme.status import MENDABLE, blocking

__all__ = ["Printing"]

LOOK_SECONDS = 0.1
CONFIRMATION = receipt_printer_pb2.CONFIRMATION_PROCESS_ID


class Printing:
    """Carries out one print. `waits`: what a person can mend is waited for, and the job goes on where it stopped."""

    def __init__(
        self, session: Session, steps: Sequence[Step], blocks: int, run: Run, *, waits: bool, step_seconds: float
    ) -> None:
        self._session = session
        self._steps = steps
        self._blocks = blocks
        self._run = run
        self._waits = waits
        self._step_seconds = step_seconds
        self._dots = 0

    async def carry_out(self, job: int) -> PrintResult:
        """Print the steps as this job. Raises DeviceFault with the effect, where the printer says it."""
        total = len(self._steps)
        await self._run.commit_point("begin the job", {"job": job, "steps": total, "blocks": self._blocks})
        try:
            await self._session.ask(Command.BEGIN, job.to_bytes(4))
            for number, step in enumerate(self._steps, 1):
                await self._print(number, step)
        except (LinkFault, NoAnswer):
            raise  # the printer is asked about it once it is back
        except DeviceFault as fault:
            await self._drop(fault, job)
            raise
        await self._session.ask(Command.END, total.to_bytes(2))
        return PrintResult(
            confirmation=CONFIRMATION,
            blocks=self._blocks,
            bytes=sum(len(step.content) for step in self._steps),
            paper_mm=self._used(),
        )

    async def _print(self, number: int, step: Step) -> None:
        """The printer does a step once, however often it is told to, so that it is told again when it was mended."""
        while True:
            try:
                await self._session.ask(step.command, step.payload(number), seconds=self._step_seconds)
            except DeviceFault as fault:
                if not (self._waits and fault.reason in MENDABLE and await self._mended(fault.reason)):
                    raise
            else:
                break
        self._dots += step.dots
        last = number == len(self._steps)
        if last or self._steps[number].block != step.block:
            self._confirmed(self._blocks if last else step.block + 1)

    async def _mended(self, reason: Reason) -> bool:
        """Wait until somebody has mended it. False when the operation's time is up."""
        self._run.stop(reason, MENDABLE[reason])
        while (now := blocking(Status.parse(await self._session.ask(Command.STATUS)).bits)) is not None:
            if self._run.time_left <= 0:
                return False
            self._run.stop(now, MENDABLE[now])
            await asyncio.sleep(min(LOOK_SECONDS, self._run.time_left))
        self._run.working()
        return True

    async def _drop(self, fault: DeviceFault, job: int) -> None:
        """Nothing of the job may come out later; what has come out is told."""
        status = Status.parse(await self._session.ask(Command.STATUS))
        begun = status.job == job and status.begun
        fault.effect = error_pb2.PHYSICAL_EFFECT_PARTIAL if begun else error_pb2.PHYSICAL_EFFECT_NONE
        self._used()
        await self._session.ask(Command.ABORT)

    def _confirmed(self, blocks: int) -> None:
        self._run.progress(blocks, self._blocks, "blocks")
        self._run.emit(BlocksPrinted(blocks=blocks, confirmation=CONFIRMATION))

    def _used(self) -> float:
        millimetres = self._dots * 25.4 / PAPER.dpi
        self._run.used("paper_mm", millimetres)
        return millimetres
