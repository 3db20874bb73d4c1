"""What a terminal was asked for and what it told, and the laws that both must keep."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from countertop.client.errors import NotFound
from countertop.server.app import Daemon
from countertop.testing._loop import shared_loop
from countertop.testing.terminal import EmulatedTerminal
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_printer_pb2
from countertop.v1.device_pb2 import Device, WatchEventsResponse
from countertop.v1.operation_pb2 import Operation, OperationState
from countertop.v1.receipt_printer_pb2 import PrintRequest

__all__ = ["FINAL", "Ledger"]

SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
UNCERTAIN = operation_pb2.OPERATION_STATE_UNCERTAIN
FINAL = frozenset(
    (
        SUCCEEDED,
        UNCERTAIN,
        operation_pb2.OPERATION_STATE_FAILED,
        operation_pb2.OPERATION_STATE_CANCELLED,
    )
)
_COMPARED = re.compile(r"[ -Z\\^-~\u4e00-\u9fa5\u3001\u3002\uff01-\uff5e]+")
"""Lines that every printer has a font for; others are printed as pictures. Pictures and codes are told in brackets."""
_RULE = re.compile(r"[-=\u2500\u2550 ]*")
_MARK = "补打"
"""What the printer's driver adds to a receipt that it prints anew."""


@dataclass(frozen=True)
class _Asked:
    """A request that uses something up, as the daemon took it."""

    request: Any
    meaning: tuple[str, str, bytes]
    """Verb, visit and what was asked for: alike in two requests of which one repeats the other under a new id."""

    @classmethod
    def of(cls, verb: str, request: Any) -> _Asked:
        """A copy of the request."""
        kept, bare = type(request)(), type(request)()
        kept.CopyFrom(request)
        bare.CopyFrom(request)
        bare.ClearField("options")
        return cls(kept, (verb, request.options.visit_id, bare.SerializeToString(deterministic=True)))


class Ledger:
    """Keeps the events of a terminal as a client hears them, and the requests as the daemon takes them.

    The checks raise AssertionError that names the operation or the event, never what is printed.
    """

    def __init__(self, terminal: EmulatedTerminal) -> None:
        self._terminal = terminal
        self._asked: dict[str, _Asked] = {}
        self._problems: list[str] = []
        self._sequence: int | None = None
        self._skip: dict[str, int] = {}
        self._before: dict[str, Counter[str]] = {}
        self._previews: dict[str, Counter[str]] = {}
        self._heard: Daemon | None = None
        self._task = shared_loop().run(self._start())

    def begin(self) -> None:
        """Forget what was; what is on paper now is of no interest."""
        if self._heard is not self._terminal.daemon:
            self._heard = self._terminal.daemon
            self._listen_in(self._heard)
        self._asked.clear()
        self._previews.clear()
        self._problems.clear()
        for printer in self._printers():
            last = self._terminal.bench.last_output(printer)
            # what was not cut off goes on in the same piece of paper
            self._skip[printer] = 0 if last is None else last.number - (not last.finished)
            self._before[printer] = Counter(self._paper(printer))

    def close(self) -> None:
        """Hear no more."""

        async def end() -> None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

        shared_loop().run(end())

    def when(self, device_id: str, states: Collection[int], seconds: float) -> Device:
        """The device as soon as it is in one of these states, or as it is when the time is up."""

        async def watch() -> Device:
            device = Device(id=device_id)
            with suppress(TimeoutError):
                async with (
                    asyncio.timeout(seconds),
                    self._terminal.connect() as counter,
                    aclosing(counter.watch()) as updates,
                ):
                    async for update in updates:
                        for changed in (*update.snapshot.devices, update.event.device_changed):
                            device = changed if changed.id == device_id else device
                        if device.state in states:
                            break
            return device

        return shared_loop().run(watch())

    # -- what is heard --

    async def _start(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._hear(), name="ledger of a terminal")

    async def _hear(self) -> None:
        async with self._terminal.connect() as counter, aclosing(counter.watch()) as updates:
            async for update in updates:
                self._note(update)

    def _note(self, update: WatchEventsResponse) -> None:
        kind = update.WhichOneof("payload")
        if kind == "gap":
            self._problems.append("events are missing: the stream told of a gap")
        elif kind == "event" and self._sequence is not None and update.sequence != self._sequence + 1:
            self._problems.append(f"event {update.sequence} came behind event {self._sequence}")
        self._sequence = update.sequence

    def _listen_in(self, daemon: Daemon) -> None:
        """Hear every request that begins an operation. The daemon keeps no requests, and gives none away."""
        terminal: Any = daemon.terminal
        take = terminal.begin

        def begin(verb: Any, request: Any) -> Any:
            record = take(verb, request)
            if verb.consumes and record.id not in self._asked:
                self._asked[record.id] = _Asked.of(verb.name, request)
            return record

        terminal.begin = begin

    # -- laws --

    def check_events(self) -> None:
        """Every event came once, in order."""
        assert not self._problems, "; ".join(self._problems)

    def operations(self) -> dict[str, Operation]:
        """Every operation that used something up, as the daemon knows it. None may be lost."""
        found = {}
        for operation_id in list(self._asked):
            try:
                found[operation_id] = self._terminal.counter.operations.get(operation_id)
            except NotFound:
                raise AssertionError(f"The operation {operation_id} was taken and is not known any more.") from None
        return found

    def check_ended(self) -> None:
        """Every operation ended. For when nothing holds it up any more."""
        for operation in self.operations().values():
            for last in self._terminal.counter.operations.watch(operation.id):
                operation = last
            name = OperationState.Name(operation.state)
            assert operation.state in FINAL, f"The operation {operation.id} hangs: it is {name}."

    def check_no_uncertain_is_repeated(self) -> None:
        """What may have happened is not asked for again before a person has looked; a wanted second copy names the
        first in `copy_of`.
        """
        known = self.operations()
        for first_id, first in known.items():
            if first.state != UNCERTAIN:
                continue
            for again_id, again in known.items():
                same = self._asked[again_id].meaning == self._asked[first_id].meaning
                if not same or again_id == first_id or again.copy_of == first_id:
                    continue
                later = again.created.ToNanoseconds() >= first.ended.ToNanoseconds()
                looked = first.HasField("resolution") and (
                    first.resolution.time.ToNanoseconds() <= again.created.ToNanoseconds()
                )
                assert not later or looked, (
                    f"The operation {first_id} is UNCERTAIN, and {again_id} asked for the same before a person looked."
                )

    def check_paper(self) -> None:
        """On paper is each line of what SUCCEEDED, no line of what had no effect, and nothing else; of what FAILED in
        part or is UNCERTAIN any part may be. What is printed as a picture, or below a barcode, is not looked at.
        """
        known = self.operations()
        for printer in self._printers():
            must: Counter[str] = Counter()
            may: Counter[str] = Counter()
            free: set[str] = set()
            for operation_id, operation in known.items():
                request = self._asked[operation_id].request
                if operation.device_id == printer and isinstance(request, PrintRequest):
                    self._account(operation, request, must, may, free)
            paper = Counter(self._paper(printer)) - self._before[printer]
            for line in set(must) | set(paper):
                if line in free:
                    continue
                problem = f"{printer}: a line of {len(line)} characters is on paper {paper[line]} times"
                assert paper[line] >= must[line], f"{problem}, and was confirmed {must[line]} times"
                assert paper[line] <= may[line], f"{problem}, and may be there {may[line]} times"

    def _account(
        self, operation: Operation, request: PrintRequest, must: Counter[str], may: Counter[str], free: set[str]
    ) -> None:
        if operation.physical_effect == error_pb2.PHYSICAL_EFFECT_NONE and operation.state in FINAL:
            return
        lines = self._lines(operation.id, request)
        may.update(lines)
        free.update(_below_codes(request))
        if request.interruption == receipt_printer_pb2.INTERRUPTION_REPRINT:
            free.update(lines)
        elif operation.state == SUCCEEDED:
            # the same id and the same request attach to the operation, and give its result
            result = self._terminal.counter.receipt_printer(request.device_id).print(
                request.receipt, interruption=request.interruption, operation_id=operation.id
            )
            if result.confirmation > receipt_printer_pb2.CONFIRMATION_WRITTEN and not result.rasterised_lines:
                must.update(lines)

    def _lines(self, operation_id: str, request: PrintRequest) -> Counter[str]:
        if operation_id not in self._previews:
            preview = self._terminal.counter.receipt_printer(request.device_id).preview(request.receipt)
            self._previews[operation_id] = Counter(_compared(preview.text))
        return self._previews[operation_id]

    def _paper(self, printer: str) -> Iterator[str]:
        skip = self._skip.get(printer, 0)
        while outputs := self._terminal.bench.output(printer, skip=skip, limit=20, text_only=True):
            for output in outputs:
                yield from _compared(output.text)
            skip = outputs[-1].number

    def _printers(self) -> list[str]:
        return [device.id for device in self._terminal.counter.devices(device_pb2.DEVICE_KIND_RECEIPT_PRINTER)]


def _below_codes(request: PrintRequest) -> Iterator[str]:
    """What printers print below barcodes; with the check digit that EAN may have been given without."""
    for block in request.receipt.blocks:
        if block.barcode.text_below:
            data = block.barcode.data
            yield from _compared(data)
            yield from _compared(f"*{data}*")
            yield from (f"{data}{digit}" for digit in range(10))


def _compared(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = " ".join(line.split())
        if _COMPARED.fullmatch(words) and not _RULE.fullmatch(words) and _MARK not in words:
            yield words
