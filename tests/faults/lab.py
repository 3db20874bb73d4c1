"""The laboratory: a real daemon as a process, an emulated printer that outlives it, a client, and misfortunes.

After each round the paper that came out is compared with what the journal and the client say.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.client import CountertopError
from countertop.emulators.escpos.emulator import EscPosEmulator, start
from countertop.v1 import error_pb2, operation_pb2, receipt_pb2, receipt_printer_pb2
from tests.faults.daemon import CANCELLED, FAILED, FINAL, HANG_SECONDS, SUCCEEDED, UNCERTAIN, DaemonLab, Report

__all__ = ["Lab", "Verdict"]

QUEUE_SECONDS = 5.0
MARK = "补打"
MISFORTUNES = ("none",) * 5 + ("disconnect", "unplug", "power", "cover", "paper")

CONFIG = """
[terminal]
id = "lab"
state_dir = "{folder}/state"

[listen]
addresses = ["unix:{folder}/lab.sock"]

[[devices]]
id = "printer"
driver = "escpos"
link = "{link}"
options = {{ answer_seconds = 0.5, identify_seconds = 0.3, stall_seconds = 2.0 }}
"""


@dataclass
class Verdict:
    """One receipt: what was asked for, what was said of it, what lies on the paper."""

    token: str
    lines: int
    interruption: int
    acknowledged: bool = False
    """The daemon had told the client of the operation."""
    operation: operation_pb2.Operation | None = None
    """As the daemon knows it in the end; None if it knows none."""
    told: str = ""
    """What the client was told in the end: a state, or the name of the error."""
    paper: list[str] = field(default_factory=list)
    confirmed: bool = True
    """The printer itself confirmed it; else the daemon only says that all bytes were written."""

    def problems(self) -> list[str]:
        """What must not be."""
        expected = [f"{self.token}-{number}" for number in range(self.lines)]
        found: list[str] = []
        paper = self._without_void()
        if paper != expected[: len(paper)]:
            found.append("DUPLICATE or disorder on paper")
        if self.operation is None:
            if self.acknowledged:
                found.append("LOST: told to the client, unknown to the daemon")
            return found + ["printed, but unknown to the daemon"] * bool(paper)
        state, effect = self.operation.state, self.operation.physical_effect
        if state not in FINAL:
            found.append(f"HANG: still {operation_pb2.OperationState.Name(state)}")
        if state == SUCCEEDED and self.confirmed and paper != expected:
            found.append("said to be printed, and is not")
        if state in (FAILED, CANCELLED) and effect == error_pb2.PHYSICAL_EFFECT_NONE and self.paper:
            found.append("said to be unprinted, and is printed")
        partly = state == FAILED and effect == error_pb2.PHYSICAL_EFFECT_PARTIAL
        if partly and len(paper) < min(self.operation.progress.done, self.lines):
            found.append("fewer lines on paper than said")
        if state in (FAILED, CANCELLED) and effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN:
            found.append("FAILED without saying what happened")
        name = operation_pb2.OperationState.Name(state).removeprefix("OPERATION_STATE_")
        if self.told and self.told not in (name, "ConnectionLost", "hung up"):
            found.append(f"the client was told {self.told}, the daemon says {name}")
        return found

    def _without_void(self) -> list[str]:
        """The lines of this receipt; what was voided and printed anew under the mark counts from the mark on."""
        if MARK in self.paper:
            last = len(self.paper) - 1 - self.paper[::-1].index(MARK)
            return self.paper[last + 1 :]
        return self.paper


class Lab(DaemonLab):
    """One printer with one daemon after the other. `async with Lab(folder) as lab: await lab.round(seed)`."""

    def __init__(self, folder: Path, report: Report) -> None:
        super().__init__(
            folder, report, ("countertop.server.services.receipt_printers", "countertop.drivers.escpos.driver")
        )
        self._printer: EscPosEmulator | None = None
        self._skip = 0

    async def __aenter__(self) -> Lab:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._printer = await start({"speed": 4})
        config = CONFIG.format(folder=self._folder, link=self._printer.link_url)
        (self._folder / "countertop.toml").write_text(config)
        self._start_daemon()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._kill()
        assert self._printer is not None
        await self._printer.close()

    # -- a round --

    async def round(self, name: str) -> None:
        """Print, kill, start again, compare. The name is the seed."""
        rng = Random(name)
        async with self._client() as counter:
            await self._mended(counter)
            self._skip = self._last_number()
            if rng.random() < 0.2:
                self._self_test()
            verdicts = [
                Verdict(uuid.UUID(int=rng.getrandbits(128)).hex[:8], rng.randint(1, 30), self._interruption(rng))
                for _ in range(rng.randint(1, 3))
            ]
            point = self._arm(rng)
            misfortune = asyncio.create_task(self._misfortune(rng))
            prints = [asyncio.create_task(self._print(counter, verdict, rng.random())) for verdict in verdicts]
            died = await self._die_and_recover(rng, point, prints)
            await misfortune
            await self._mended(counter)
            self._report.recoveries.append(time.monotonic() - died)
            await self._ended(counter, verdicts, prints)
        for verdict in verdicts:
            self._add(f"round {name}", verdict)

    async def _print(self, counter: Any, verdict: Verdict, chance: float) -> None:
        """One receipt; a few clients hang up on the way."""
        blocks = [
            receipt_pb2.Block(paragraph={"spans": [{"text": f"{verdict.token}-{number}"}]})
            for number in range(verdict.lines)
        ]
        receipt = receipt_pb2.Receipt(blocks=[*blocks, receipt_pb2.Block(cut=receipt_pb2.Cut())])
        handle = counter.receipt_printer("printer").start_print(
            receipt,
            operation_id=verdict.token,
            queue_timeout=QUEUE_SECONDS,
            timeout=20.0,
            interruption=verdict.interruption,
        )
        try:
            async for update in handle:
                verdict.acknowledged = True
                if update.HasField("result"):
                    written = receipt_printer_pb2.CONFIRMATION_WRITTEN
                    verdict.confirmed = update.result.confirmation > written
                if chance < 0.1:
                    await handle.close()
                    verdict.told = "hung up"
                    return
            verdict.told = "SUCCEEDED"
        except CountertopError as error:
            verdict.acknowledged = verdict.acknowledged or handle.operation.revision > 0
            final = handle.operation.state in FINAL
            state = operation_pb2.OperationState.Name(handle.operation.state).removeprefix("OPERATION_STATE_")
            verdict.told = state if final else type(error).__name__

    async def _ended(self, counter: Any, verdicts: list[Verdict], prints: list[asyncio.Task[None]]) -> None:
        """Wait for the outcomes, then look at the paper."""
        _, hanging = await asyncio.wait(prints, timeout=HANG_SECONDS)
        for task in hanging:
            task.cancel()
            self._report.problems.append("HANG: a client waits for ever")
        for task in prints:
            if task not in hanging:
                task.result()
        for verdict in verdicts:
            with suppress(CountertopError):
                async with asyncio.timeout(HANG_SECONDS):
                    verdict.operation = await counter.operations.get(verdict.token)
                    async for operation in counter.operations.watch(verdict.token):
                        verdict.operation = operation
            if verdict.operation is None and verdict.told not in ("", "hung up"):
                verdict.told = ""
        await self._mended(counter)
        assert self._printer is not None
        await self._printer.wait_idle()
        lines = [line.strip() for line in self._paper()]
        for verdict in verdicts:
            for before, line in pairwise(["", *lines]):
                if line.startswith(f"{verdict.token}-"):
                    verdict.paper += [MARK] * (before == MARK) + [line]

    # -- the printer --

    @property
    def _hands(self) -> EscPosEmulator:
        assert self._printer is not None
        return self._printer

    def _self_test(self) -> None:
        """Somebody prints a self test at the printer: cuts and lines that the daemon knows nothing of."""
        counters = self._hands.machine.counters
        counters.count("dots fed", 480)
        counters.count("cuts", 1)

    def _last_number(self) -> int:
        roll = self._hands.machine.roll
        return roll.current.number if roll.current.lines else roll.current.number - 1

    def _paper(self) -> list[str]:
        roll = self._hands.machine.roll
        receipts = [*roll.receipts, *([roll.current] if roll.current.lines else [])]
        return [line for receipt in receipts if receipt.number >= self._skip for line in receipt.text.splitlines()]

    async def _misfortune(self, rng: Random) -> None:
        """Something that happens to the printer while it prints."""
        what, printer = rng.choice(MISFORTUNES), self._hands
        delay, duration = rng.uniform(0, 0.3), rng.uniform(0.05, 1.0)
        if what == "disconnect":
            after = rng.randint(0, 2000)
            await printer.inject_fault(bench.InjectFaultRequest(fault=what, after_bytes=after, times=1))
            return
        if what == "none":
            return
        await asyncio.sleep(delay)
        if what == "unplug":
            await printer.unplug(bench.UnplugRequest())
            await asyncio.sleep(duration)
            await printer.replug(bench.ReplugRequest())
        elif what == "power":
            await printer.power_cycle(bench.PowerCycleRequest())
        elif what == "cover":
            await printer.open_cover(bench.OpenCoverRequest())
            await asyncio.sleep(duration)
            await printer.close_cover(bench.CloseCoverRequest())
        elif what == "paper":
            await printer.load_paper(bench.LoadPaperRequest(empty=True))
            await asyncio.sleep(duration)
            await printer.load_paper(bench.LoadPaperRequest())

    async def _mended(self, counter: Any) -> None:
        """Everything is in order again, and the daemon knows it."""
        printer = self._hands
        await printer.clear_fault(bench.ClearFaultRequest())
        await printer.close_cover(bench.CloseCoverRequest())
        await printer.load_paper(bench.LoadPaperRequest())
        await self._until_ready(counter)

    def _add(self, round_name: str, verdict: Verdict) -> None:
        """Take one receipt into the report."""
        operation = verdict.operation
        self._report.count(operation)
        if operation is not None and operation.state == SUCCEEDED and not verdict.confirmed:
            self._report.outcomes["of those merely written"] += 1
        if operation is not None and operation.state == UNCERTAIN:
            lines = f"{len(verdict.paper)} of {verdict.lines} lines on paper"
            self._report.uncertain.append(f"{round_name}: {lines}; {operation.failure.message}")
        self._report.problems += [
            f"{round_name} {verdict.token}: {problem}; {verdict}" for problem in verdict.problems()
        ]

    @staticmethod
    def _interruption(rng: Random) -> int:
        return rng.choice(receipt_printer_pb2.Interruption.values())
