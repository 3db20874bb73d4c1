"""This terminal: its devices with their runners, its operations, its events."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.audit.carry import carry_over
from countertop.server.audit.log import AuditLog
from countertop.server.caller import CALLER
from countertop.server.card_inventory import HELD_PLACES, CardBook
from countertop.server.claims import ClaimBoard, ClaimPolicy
from countertop.server.events import EventLog
from countertop.server.faults import failure_of
from countertop.server.journal.batch import OperationRow
from countertop.server.journal.journal import Journal
from countertop.server.operations import OperationRecord, OperationStore
from countertop.server.plugins import Plugins
from countertop.server.runner import DeviceRunner
from countertop.server.settling import interrupted
from countertop.server.states import QUEUED, UNCERTAIN
from countertop.server.statistics import DeviceBook
from countertop.server.times import stamp
from countertop.server.verbs import Verb
from countertop.v1 import claim_pb2, device_pb2, error_pb2
from countertop.v1.card_pb2 import CardPlace, CardUnitCount
from countertop.v1.card_printer_pb2 import CARD_MOVE_RETAIN, MoveCardRequest
from countertop.v1.claim_pb2 import ClaimInfo, ClaimState
from countertop.v1.device_pb2 import DeviceKind, Event
from countertop.v1.operation_pb2 import Finding, Resolution

__all__ = ["Terminal"]

RESTORED = 2_000
"""Ended operations that a new daemon has at hand; older ones are looked up by their id."""
PUBLISH_SECONDS = 2.0

log = logging.getLogger("countertop.terminal")


class Terminal:
    """What the services work on."""

    def __init__(
        self, terminal_id: str, plugins: Plugins, journal: Journal, audit: AuditLog, policy: ClaimPolicy
    ) -> None:
        self.id = terminal_id
        self.plugins = plugins
        self.journal = journal
        self.audit = audit
        self.events = EventLog(journal)
        self.operations = OperationStore(self._find)
        self.verbs: dict[str, Verb] = {}
        self.runners: dict[str, DeviceRunner] = {}
        self.books: dict[str, DeviceBook] = {}
        self.card_books: dict[str, CardBook] = {}
        self.emulators: dict[str, Any] = {}
        self.emulated = asyncio.Event()
        """The emulators that the configuration names are there; the daemon may answer before."""
        self.claims = ClaimBoard(
            self.runners.__contains__,
            self._claim_changed,
            self._claim_ended,
            policy,
            fences=json.loads(journal.fact("fences") or "{}"),
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsecured: set[str] = set()
        """Printers that were away when a claim ended: a card that is found in them is still its holder's."""
        self._started = Timestamp()
        stamp(self._started)

    def add(self, runner: DeviceRunner) -> None:
        """Take in a device, with what the journal knows of it."""
        device_id = runner.id
        self.runners[device_id] = runner
        keep = f"statistics:{device_id}"
        book = DeviceBook(self.journal.fact(keep), lambda value: self.journal.put_fact(keep, value))
        self.books[device_id] = book
        runner.on_connected = book.connected
        if runner.view.device.kind == device_pb2.DEVICE_KIND_CARD_PRINTER:
            self._add_card_book(runner)
        reason = self.journal.fact(f"maintenance:{device_id}")
        if reason:
            runner.view.maintain(json.loads(reason))

    def _add_card_book(self, runner: DeviceRunner) -> None:
        device_id = runner.id
        keep = f"cards:{device_id}"

        def publish(unit: CardUnitCount) -> None:
            self.events.append(Event(card_unit_changed=device_pb2.CardUnitChanged(device_id=device_id, unit=unit)))

        book = CardBook(self.journal.fact(keep), lambda value: self.journal.put_fact(keep, value), publish)
        self.card_books[device_id] = book
        runner.view.on_card = book.moved
        runner.view.on_card_units = book.seen
        runner.on_rest = partial(self._at_rest, runner)

    def _at_rest(self, runner: DeviceRunner, status: device_pb2.DeviceStatus) -> None:
        self.card_books[runner.id].at_rest(status)
        if runner.id in self._unsecured:
            self._unsecured.discard(runner.id)
            self._secure(runner, status.card.place)

    def units(self) -> dict[str, list[str]]:
        """The devices of each unit, in the configuration's order."""
        found: dict[str, list[str]] = {}
        for device in self.devices():
            found.setdefault(device.unit, []).append(device.id)
        return found

    def unit(self, unit_id: str) -> list[str]:
        """The devices of a unit. Raises CountertopError(DEVICE_NOT_FOUND)."""
        units = self.units()
        if unit_id not in units:
            known = ", ".join(units) or "none"
            message = f"No unit {unit_id!r}; this terminal has: {known}."
            raise CountertopError(error_pb2.REASON_DEVICE_NOT_FOUND, message)
        return units[unit_id]

    def restore(self) -> None:
        """Take up the operations that the journal has; call it when devices and verbs are known."""
        if self.journal.old_audit(0, 1):
            self._do(self._carry_over(), "carry the audit over")
        for row in self.journal.newest_ended(RESTORED):
            record = self._restored(row)
            if record is not None:
                self.operations.add(record)
                self.operations.ended(record)
        for row in self.journal.unresolved(UNCERTAIN):  # however old, a person has yet to look
            record = None if row.id in self.operations else self._restored(row)
            if record is not None and not record.operation.HasField("resolution"):
                self.operations.add(record)
        unfinished = [record for row in self.journal.unfinished() if (record := self._restored(row)) is not None]
        for record in unfinished:
            self.operations.add(record)
            log.info("operation %s was under way when the daemon ended", record.id)
            record.touch()
            if record.committed:
                self._find_out(record)
            else:
                delay = record.queue_timeout
                record.timer = asyncio.get_running_loop().call_later(delay, self._request_stayed_away, record)

    async def _carry_over(self) -> None:
        try:
            await carry_over(self.journal, self.audit)
        except CountertopError as error:
            log.warning("the audit of an earlier version waits for the next start: %s", error.message)

    def _find_out(self, record: OperationRecord) -> None:
        runner = self.runners.get(record.operation.device_id)
        if runner is not None:
            runner.adopt(record)
            return
        failure = interrupted()
        failure.message += " Its device is no longer configured."
        record.fail(failure)

    def _request_stayed_away(self, record: OperationRecord) -> None:
        if record.operation.state == QUEUED and record.request is None:
            error = CountertopError(
                error_pb2.REASON_QUEUE_TIMEOUT,
                "The terminal's software ended while the operation waited, and nobody sent it again in its queue time.",
            )
            record.fail(failure_of(error, record.operation.device_id))

    def _restored(self, row: OperationRow) -> OperationRecord | None:
        operation = device_pb2.Event().operation_changed
        operation.ParseFromString(row.body or b"")
        verb = self.verbs.get(operation.verb)
        if verb is None:
            log.warning("the journal has an operation of a verb that this daemon does not know: %s", operation.verb)
            return None
        return OperationRecord.restored(verb, row, self._operation_changed)

    def _find(self, operation_id: str) -> OperationRecord | None:
        """An operation that only the journal knows. Raises CountertopError(OPERATION_EXPIRED)."""
        row = self.journal.find(operation_id)
        if row is None:
            return None
        if row.body is None:
            raise CountertopError(
                error_pb2.REASON_OPERATION_EXPIRED,
                f"The operation {operation_id!r} ended so long ago that only its id is kept; it is not run again.",
            )
        return self._restored(row)

    def describe(self) -> device_pb2.Terminal:
        """What GetTerminal answers."""
        from importlib.metadata import version

        return device_pb2.Terminal(
            id=self.id,
            version=version("countertop"),
            started=self._started,
            drivers=self.plugins.listed(),
            bench=any(runner.view.device.emulated for runner in self.runners.values()),
            epoch=self.events.epoch,
            journal=self.journal.status,
        )

    def runner(self, device_id: str, kind: DeviceKind = device_pb2.DEVICE_KIND_UNSPECIFIED) -> DeviceRunner:
        """Raises CountertopError: DEVICE_NOT_FOUND, WRONG_KIND with both kinds named."""
        runner = self.runners.get(device_id)
        if runner is None:
            known = ", ".join(self.runners) or "none"
            raise CountertopError(
                error_pb2.REASON_DEVICE_NOT_FOUND, f"No device {device_id!r}; this terminal has: {known}."
            )
        actual = runner.view.device.kind
        if kind and actual != kind:
            raise CountertopError(
                error_pb2.REASON_WRONG_KIND,
                f"The device {device_id!r} is of kind {_kind(actual)}; this verb needs {_kind(kind)}.",
            )
        return runner

    def devices(self) -> list[device_pb2.Device]:
        """All devices as they are now, in the configuration's order."""
        return [runner.view.device for runner in self.runners.values()]

    def begin(self, verb: Verb, request: Any) -> OperationRecord:
        """Start an operation, or attach to the one that the request's id belongs to. Raises CountertopError."""
        self._check_epoch(request.options.epoch)
        if request.options.operation_id:
            record = self.operations.attach(verb, request)
            if record is not None:
                if record.operation.state == QUEUED and record.request is None:
                    self._continue(record, request)
                return record
        elif verb.consumes:
            raise InvalidRequest({"options.operation_id": "required for verbs that use something up (a UUID is good)"})
        if verb.consumes:
            self.journal.check()
            self._check_copy(request.options.copy_of)
        runner = self.runner(request.device_id, verb.kind)
        self.claims.check(request.device_id, request.options.claim_token)
        record = OperationRecord.asked(verb, request, self._operation_changed)
        if verb.method == "reset":
            runner.reset(record)
        else:
            runner.submit(record)
        self.operations.add(record)
        if verb.consumes:
            self.journal.put_operation(record.row())
        return record

    def _continue(self, record: OperationRecord, request: Any) -> None:
        """Go on with one that waited when the daemon died: its client has sent the request again."""
        self.claims.check(request.device_id, request.options.claim_token)
        waiting, record.timer = record.timer, None
        record.take_up(request)
        if waiting is not None:
            waiting.cancel()
        try:
            self.runner(request.device_id, record.verb.kind).submit(record)
        except CountertopError as error:  # it cannot go on, and its client is told how it ended
            record.fail(failure_of(error, request.device_id))

    def _check_epoch(self, epoch: str) -> None:
        if epoch and epoch != self.events.epoch:
            raise CountertopError(
                error_pb2.REASON_EPOCH_CHANGED,
                "This daemon's journal is another than when the operation was first sent; it cannot tell what became "
                "of it. Look whether it was done.",
            )

    def _check_copy(self, copy_of: str) -> None:
        """Nothing that may have happened is repeated before a person has looked."""
        if not copy_of:
            return
        original = self.operations.get(copy_of).operation
        if original.state == UNCERTAIN and not original.HasField("resolution"):
            raise CountertopError(
                error_pb2.REASON_UNRESOLVED,
                f"The operation {copy_of!r} is UNCERTAIN; a person must say first what became of it.",
            )

    async def perform(self, verb: Verb, request: Any) -> AsyncIterator[Message]:
        """The verb's stream of updates. A READS operation ends with its last stream."""
        updates = self.attend(self.begin(verb, request))
        try:
            async for update in updates:
                yield update
        finally:
            await updates.aclose()  # type: ignore[attr-defined]

    async def attend(self, record: OperationRecord) -> AsyncIterator[Message]:
        """The updates of an operation for who called it."""
        verb = record.verb
        updates = record.follow(caller=True)
        try:
            if verb.consumes and not record.ended:
                await self._accepted()
            async for update in updates:
                yield update
        finally:
            await updates.aclose()  # type: ignore[attr-defined]
            if not verb.consumes and not record.called and not record.ended:
                self.cancel(record)

    def cancel(self, record: OperationRecord) -> bool:
        """Ask for an operation to be given up; False when it is too late."""
        runner = self.runners.get(record.operation.device_id)
        return runner is not None and runner.cancel(record)

    async def resolve(self, record: OperationRecord, resolution: Resolution) -> None:
        """Record a person's word; returns when it is on the disk. Raises CountertopError: NOT_UNCERTAIN,
        JOURNAL_FAILED.
        """
        self.journal.check()
        stamp(resolution.time)
        record.resolve(resolution)
        self.audit.record(
            "resolve",
            CALLER.get(),
            device_id=record.operation.device_id,
            operation_id=record.id,
            outcome=Finding.Name(resolution.finding).removeprefix("FINDING_"),
            reason=resolution.reason,
            by=resolution.by,
        )
        saved = self.journal.saved(durable=True)
        await asyncio.gather(saved, self.audit.flush())

    async def maintain(self, runner: DeviceRunner, reason: str | None, drain: float) -> None:
        """Take a device into maintenance for a reason, or with None back into use; returns when the audit has it on the
        disk. Where that cannot be written it goes on all the same: a full disk keeps nobody from a device.

        Raises CountertopError: DEVICE_DISABLED, DEVICE_TIMEOUT when what runs does not end in `drain` seconds.
        """
        device = runner.view.device
        if device.admin_state == device_pb2.ADMIN_STATE_DISABLED:
            raise CountertopError(error_pb2.REASON_DEVICE_DISABLED, "The configuration has put this device out of use.")
        runner.view.maintain(reason)
        self.journal.put_fact(f"maintenance:{runner.id}", "" if reason is None else json.dumps(reason))
        begin = reason is not None
        self.audit.record("maintenance", CALLER.get(), device_id=runner.id, begin=begin, reason=reason or "")
        with suppress(CountertopError):  # logged by the audit; the record waits
            await self.audit.flush()
        if reason is not None:
            try:
                async with asyncio.timeout(drain):
                    await runner.drained()
            except TimeoutError:
                raise CountertopError(
                    error_pb2.REASON_DEVICE_TIMEOUT,
                    f"The device {runner.id} takes no new work, but what it had has not ended within {drain:g} s.",
                ) from None

    async def commit(self, record: OperationRecord) -> None:
        """Put an operation on the disk that is about to take effect. Raises CountertopError(JOURNAL_FAILED)."""
        self.journal.put_operation(record.row())
        await self.journal.saved(durable=True)

    async def stop(self, drain: float) -> None:
        """Stop every runner at the same time, then end the event streams."""
        self.claims.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(runner.stop(drain) for runner in self.runners.values()))
        for book in self.books.values():
            book.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self.events.until(self.events.sequence)
        self.events.close()

    async def _accepted(self) -> None:
        """Nobody is told of an operation that the journal does not have. One that cannot be written ends at its commit
        point at the latest.
        """
        with suppress(CountertopError):
            await self.journal.saved(durable=False)

    def _operation_changed(self, record: OperationRecord) -> None:
        self.events.append(Event(operation_changed=record.operation))
        if record.verb.consumes:
            self.journal.put_operation(record.row())
        if not record.ended or record.done.is_set():
            return
        if record.verb.consumes:
            self.journal.saved(durable=record.committed).add_done_callback(lambda saved: _told(record, saved))
        else:
            record.done.set()
        self.operations.ended(record)
        book = self.books.get(record.operation.device_id)
        if book is not None:
            book.ended(record)

    def _claim_changed(self, claim: ClaimInfo) -> None:
        self.events.append(Event(claim_changed=claim))
        if claim.state != claim_pb2.CLAIM_STATE_QUEUED:
            self.audit.record(
                "claim",
                CALLER.get(),
                device_id=",".join(claim.device_ids),
                outcome=ClaimState.Name(claim.state).removeprefix("CLAIM_STATE_"),
                id=claim.id,
                label=claim.label,
            )
        if claim.state == claim_pb2.CLAIM_STATE_HELD:
            self._unsecured.difference_update(claim.device_ids)  # the next holder sees to it
            self.journal.put_fact("fences", json.dumps(self.claims.fences))

    def _claim_ended(self, device_ids: list[str], token: str) -> None:
        for device_id in device_ids:
            runner = self.runners[device_id]
            runner.claim_ended(token)
            self._do(runner.rest(), f"rest {device_id}")
            if device_id in self.card_books and runner.secures_cards:
                self._do(self._secure_card(runner), f"secure {device_id}")

    def _do(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _secure_card(self, runner: DeviceRunner) -> None:
        """Keep back a card that the claim's holder has left, once what runs on the device has ended."""
        running = runner.running
        if running is not None:
            await running.done.wait()
        if runner.view.failure is None:
            self._secure(runner, runner.view.device.status.card.place)
        else:
            self._unsecured.add(runner.id)

    def _secure(self, runner: DeviceRunner, place: CardPlace) -> None:
        if place not in HELD_PLACES:
            return
        verb = self.verbs["countertop.v1.CardPrinterService/MoveCard"]
        request = MoveCardRequest(device_id=runner.id, move=CARD_MOVE_RETAIN)
        request.options.operation_id = f"secure-{uuid.uuid4().hex}"
        record = OperationRecord.asked(verb, request, self._operation_changed)
        try:
            self.journal.check()
            runner.submit(record, first=True)
        except CountertopError as error:
            log.warning("the card in %s could not be kept back: %s", runner.id, error.message)
            return
        self.operations.add(record)
        self.journal.put_operation(record.row())


def _told(record: OperationRecord, saved: asyncio.Future[None]) -> None:
    """The outcome is on the disk, or will never be: either way it is what happened."""
    if not saved.cancelled() and saved.exception() is not None:
        log.error("the outcome of operation %s is not in the journal", record.id)
    record.done.set()


def _kind(kind: DeviceKind) -> str:
    return DeviceKind.Name(kind).removeprefix("DEVICE_KIND_")
