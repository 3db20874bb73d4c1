"""What becomes of operations when the device is lost, and when the daemon dies and is started again."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration

from countertop.sdk import CountertopError, LinkFault, Settlement
from countertop.server import runner
from countertop.server.audit.reading import find
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_pb2, receipt_printer_pb2
from countertop.v1.operation_pb2 import OperationOptions

RECEIPT = receipt_pb2.Receipt(
    blocks=[receipt_pb2.Block(paragraph=receipt_pb2.Paragraph(spans=[receipt_pb2.Span(text="王小明 6222 0000")]))]
)
COMPLETE = error_pb2.PHYSICAL_EFFECT_COMPLETE
NONE = error_pb2.PHYSICAL_EFFECT_NONE
PARTIAL = error_pb2.PHYSICAL_EFFECT_PARTIAL
UNKNOWN = error_pb2.PHYSICAL_EFFECT_UNKNOWN
QUEUED = operation_pb2.OPERATION_STATE_QUEUED
STOPPED = operation_pb2.OPERATION_STATE_STOPPED
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
UNCERTAIN = operation_pb2.OPERATION_STATE_UNCERTAIN
RESULT = receipt_printer_pb2.PrintResult(confirmation=receipt_printer_pb2.CONFIRMATION_PROCESS_ID, blocks=1)


def printing(operation_id, **options):
    return {
        "options": OperationOptions(operation_id=operation_id, **options),
        "device_id": "printer",
        "receipt": RECEIPT,
    }


async def until_operation(call, operation_id, *states):
    """Follow an operation until it is in one of these states."""
    async with asyncio.timeout(5):
        watch = call.stream("OperationService", "WatchOperation", operation_id=operation_id)
        async for response in watch:
            if response.operation.state in states:
                watch.cancel()
                return response.operation
    raise AssertionError("the stream ended")


def crash(tmp_path):
    """The state directory as `kill -9` would leave it now; the daemon that goes on does not matter any more."""
    died = tmp_path / "died"
    shutil.copytree(tmp_path / "state", died)
    return str(died)


def print_until(world, entered, *, evidence=None, commit=True):
    async def hold(request, run):
        if commit:
            await run.commit_point("first byte", evidence or {})
        run.progress(1, 3, "blocks")
        world.printed.append(run.operation_id)
        entered.set()
        await asyncio.Event().wait()

    world.print = hold


def settling(world, *found):
    """Answers of the device, one per question; an exception is raised."""
    asked = []
    answers = list(found)

    async def reconcile(unsettled):
        asked.append(unsettled)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    world.reconcile = reconcile
    return asked


@pytest.fixture
def restart(start, world, until, tmp_path):
    """Runs a print up to a point in one daemon, and gives a daemon that finds the journal of that moment."""

    class Restart:
        async def __aenter__(self):
            async with start(world, tmp_path, drain_seconds=0.0) as first:
                await until(first.call, "printer", device_pb2.DEVICE_STATE_READY)
                await self.before(first)
                self.state_dir = crash(tmp_path)
            self._second = start(world, tmp_path, state_dir=self.state_dir)
            second = await self._second.__aenter__()
            await until(second.call, "printer", device_pb2.DEVICE_STATE_READY)
            return second

        async def __aexit__(self, *error):
            await self._second.__aexit__(*error)

        def __init__(self, before):
            self.before = before

    return Restart


def in_the_middle(world, **how):
    """A print that has passed its commit point, and goes on."""

    async def before(counter):
        entered = asyncio.Event()
        original = world.print
        print_until(world, entered, **how)
        stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("p"))
        await stream.read()
        await entered.wait()
        world.print = original
        await counter.daemon.terminal.journal.saved(durable=False)
        stream.cancel()

    return before


@pytest.mark.parametrize(
    ("effect", "result", "state"),
    [(COMPLETE, RESULT, SUCCEEDED), (PARTIAL, None, FAILED), (NONE, None, FAILED), (UNKNOWN, None, UNCERTAIN)],
)
async def test_a_print_that_was_cut_off_ends_as_the_printer_tells(restart, world, effect, result, state):
    asked = settling(world, Settlement(effect, "The printer was asked.", result))
    async with restart(in_the_middle(world, evidence={"ids": [1, 2]})) as counter:
        operation = await until_operation(counter.call, "p", state)
        assert operation.physical_effect == effect
        assert [(item.verb, item.evidence, item.operation.progress.done) for item in asked] == [
            ("print", {"ids": [1, 2]}, 1)
        ]
        if state == SUCCEEDED:
            (last,) = (await counter.call.all("ReceiptPrinterService", "Print", **printing("p")))[-1:]
            assert last.result == RESULT
        else:
            assert operation.failure.reason == error_pb2.REASON_INTERRUPTED
            assert "The printer was asked." in operation.failure.message
        assert world.printed == ["p"]


async def test_a_driver_that_cannot_tell_leaves_it_to_a_person(restart, world):
    async with restart(in_the_middle(world)) as counter:
        operation = await until_operation(counter.call, "p", UNCERTAIN)
        assert operation.physical_effect == UNKNOWN
        with pytest.raises(Exception, match="ended while") as caught:
            await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))
        assert caught.value.reason == "INTERRUPTED"
        assert world.printed == ["p"]


async def test_a_printer_lost_while_it_is_asked_is_asked_again(restart, world):
    lost = LinkFault(error_pb2.REASON_LINK_LOST, step="reconcile")
    asked = settling(world, lost, lost, Settlement(COMPLETE, "It came out.", RESULT))
    async with restart(in_the_middle(world)) as counter:
        await until_operation(counter.call, "p", SUCCEEDED)
        assert len(asked) == 3


async def test_a_bug_in_reconcile_leaves_it_to_a_person(restart, world):
    settling(world, ZeroDivisionError())
    async with restart(in_the_middle(world)) as counter:
        await until_operation(counter.call, "p", UNCERTAIN)


async def test_complete_without_a_result_is_not_believed(restart, world):
    settling(world, Settlement(COMPLETE, "It came out, I think."))
    async with restart(in_the_middle(world)) as counter:
        await until_operation(counter.call, "p", UNCERTAIN)


async def test_a_printer_that_stays_away_leaves_it_to_a_person(start, world, until, tmp_path, monkeypatch):
    monkeypatch.setattr(runner.Limits, "settle_after_restart", 0.05)
    settling(world, Settlement(COMPLETE, "", RESULT))
    async with start(world, tmp_path, drain_seconds=0.0) as first:
        await until(first.call, "printer", device_pb2.DEVICE_STATE_READY)
        await in_the_middle(world)(first)
        died = crash(tmp_path)
    world.present = False
    async with start(world, tmp_path, state_dir=died) as second:
        operation = await until_operation(second.call, "p", UNCERTAIN)
        assert "did not come back" in operation.failure.message


async def test_a_print_that_had_not_begun_waits_for_its_client_and_is_printed_once(restart, world):
    async with restart(in_the_middle(world, commit=False)) as counter:
        assert (await until_operation(counter.call, "p", QUEUED)).state == QUEUED
        world.printed.clear()
        last = (await counter.call.all("ReceiptPrinterService", "Print", **printing("p")))[-1]
        assert last.operation.state == SUCCEEDED
        assert world.printed == ["p"]


async def test_a_print_that_had_not_begun_refuses_another_request_under_its_id(restart, world):
    async with restart(in_the_middle(world, commit=False)) as counter:
        other = printing("p") | {"receipt": receipt_pb2.Receipt(blocks=[*RECEIPT.blocks, *RECEIPT.blocks])}
        with pytest.raises(Exception, match="another request"):
            await counter.call.all("ReceiptPrinterService", "Print", **other)


async def test_a_print_that_had_not_begun_ends_when_its_device_is_offline(start, world, until, tmp_path):
    async with start(world, tmp_path, drain_seconds=0.0) as first:
        await until(first.call, "printer", device_pb2.DEVICE_STATE_READY)
        await in_the_middle(world, commit=False)(first)
        died = crash(tmp_path)
    world.present = False
    async with start(world, tmp_path, state_dir=died) as second:
        await until(second.call, "printer", device_pb2.DEVICE_STATE_OFFLINE)
        with pytest.raises(Exception, match="is offline") as caught:
            await second.call.all("ReceiptPrinterService", "Print", **printing("p"))
        operation = caught.value.updates[-1].operation
        assert (operation.state, operation.physical_effect) == (FAILED, NONE)


async def test_a_print_that_had_not_begun_expires_by_its_own_limit(restart, world):
    async def before(counter):
        entered = asyncio.Event()
        print_until(world, entered, commit=False)
        options = {"queue_timeout": Duration(nanos=300_000_000)}
        await counter.call.stream("ReceiptPrinterService", "Print", **printing("p", **options)).read()
        await entered.wait()

    async with restart(before) as counter:
        operation = await until_operation(counter.call, "p", FAILED)
        assert operation.failure.reason == error_pb2.REASON_QUEUE_TIMEOUT
        assert operation.physical_effect == NONE


async def test_a_print_that_succeeded_has_its_result_after_a_restart_and_is_not_repeated(restart, world):
    async def before(counter):
        await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))

    async with restart(before) as counter:
        last = (await counter.call.all("ReceiptPrinterService", "Print", **printing("p")))[-1]
        assert last.result.confirmation == receipt_printer_pb2.CONFIRMATION_WRITTEN
        assert world.printed == ["p"]
        listed = await counter.call.unary("OperationService", "ListOperations")
        assert [operation.id for operation in listed.operations] == ["p"]


async def test_an_operation_that_only_the_journal_remembers_is_found_and_not_repeated(restart, world, monkeypatch):
    monkeypatch.setattr("countertop.server.terminal.RESTORED", 0)

    async def before(counter):
        await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))

    async with restart(before) as counter:
        found = await counter.call.unary("OperationService", "GetOperation", operation_id="p")
        assert found.operation.state == SUCCEEDED
        assert (await counter.call.all("ReceiptPrinterService", "Print", **printing("p")))[-1].HasField("result")
        assert world.printed == ["p"]


async def test_the_journal_holds_nothing_of_what_was_printed(restart, world):
    async def before(counter):
        await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))

    async with restart(before) as counter:
        path = counter.daemon.terminal.journal.status.path
        for name in (path, f"{path}-wal"):
            data = Path(name).read_bytes()  # noqa: ASYNC240
            assert "王小明".encode() not in data
            assert b"6222" not in data


async def test_a_cable_that_was_pulled_leaves_it_stopped_until_the_printer_tells(start, world, until, tmp_path):
    settling(world, Settlement(COMPLETE, "It came out.", RESULT))

    async def lost(request, run):
        await run.commit_point("first byte")
        world.present = False
        raise LinkFault(error_pb2.REASON_LINK_LOST, step="print")

    world.print = lost
    async with start(world, tmp_path) as counter:
        await until(counter.call, "printer", device_pb2.DEVICE_STATE_READY)
        stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("p"))
        operation = await until_stopped(stream)
        assert operation.stopped_by == error_pb2.REASON_LINK_LOST
        world.present = True
        updates = [update async for update in stream]
        assert updates[-1].operation.state == SUCCEEDED
        assert updates[-1].result == RESULT


async def until_stopped(stream):
    async for update in stream:
        if update.operation.state == STOPPED:
            return update.operation
    raise AssertionError("never stopped")


async def test_a_daemon_that_is_stopped_in_the_middle_leaves_the_question_to_the_next_one(
    start, world, until, tmp_path
):
    settling(world, Settlement(PARTIAL, "Half of it came out."))
    async with start(world, tmp_path, drain_seconds=0.0) as first:
        await until(first.call, "printer", device_pb2.DEVICE_STATE_READY)
        entered = asyncio.Event()
        original = world.print
        print_until(world, entered)
        stream = first.call.stream("ReceiptPrinterService", "Print", **printing("p"))
        await stream.read()
        await entered.wait()
    world.print = original
    async with start(world, tmp_path) as second:
        assert (await until_operation(second.call, "p", FAILED)).physical_effect == PARTIAL


async def test_nothing_leaves_when_the_commit_point_cannot_be_written(counter, world, monkeypatch):
    journal = counter.daemon.terminal.journal

    def saved(*, durable):
        future = asyncio.get_running_loop().create_future()
        if durable:
            future.set_exception(CountertopError(error_pb2.REASON_JOURNAL_FAILED, "The disk is full."))
        else:
            future.set_result(None)
        return future

    monkeypatch.setattr(journal, "saved", saved)
    with pytest.raises(Exception, match="disk is full") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))
    assert caught.value.reason == "JOURNAL_FAILED"
    assert caught.value.updates[-1].operation.physical_effect == NONE
    assert world.printed == []


async def test_a_print_costs_two_syncs(counter, monkeypatch):
    from countertop.server.journal.batch import Batch

    durable = []
    real = Batch.write

    def write(batch, connection):
        if batch.durable:
            durable.append(batch)
        real(batch, connection)

    monkeypatch.setattr(Batch, "write", write)
    await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))
    assert len(durable) == 2


async def test_an_operation_of_another_epoch_is_refused(counter, world):
    epoch = (await counter.call.unary("DeviceService", "GetTerminal")).terminal.epoch
    with pytest.raises(Exception, match="journal is another") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **printing("p", epoch="other"))
    assert caught.value.reason == "EPOCH_CHANGED"
    await counter.call.all("ReceiptPrinterService", "Print", **printing("p", epoch=epoch))
    assert world.printed == ["p"]


WORD = {"finding": operation_pb2.FINDING_DONE, "reason": "The customer holds it.", "by": "teller 7"}


class TestResolve:
    async def uncertain(self, counter, world):
        async def lost(request, run):
            await run.commit_point("first byte")
            raise LinkFault(error_pb2.REASON_LINK_LOST)

        original, world.print = world.print, lost
        with pytest.raises(Exception, match=r"."):
            await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))
        world.print = original

    async def test_a_persons_word_is_kept_with_the_operation_and_in_the_audit(self, counter, world):
        await self.uncertain(counter, world)
        listed = await counter.call.unary("OperationService", "ListOperations", unresolved=True)
        assert [operation.id for operation in listed.operations] == ["p"]
        answer = await counter.call.unary("OperationService", "ResolveOperation", operation_id="p", **WORD)
        assert answer.operation.state == UNCERTAIN
        assert answer.operation.resolution.by == "teller 7"
        assert answer.operation.resolution.HasField("time")
        listed = await counter.call.unary("OperationService", "ListOperations", unresolved=True)
        assert not listed.operations
        (found,) = find(counter.daemon.terminal.audit.folder, what=("resolve",))  # on the disk before the answer
        assert (found.record["operation_id"], found.record["outcome"]) == ("p", "DONE")
        assert found.record["details"] == {"reason": "The customer holds it.", "by": "teller 7"}

    async def test_nobody_gives_a_word_twice_or_on_what_is_known(self, counter, world):
        await self.uncertain(counter, world)
        await counter.call.unary("OperationService", "ResolveOperation", operation_id="p", **WORD)
        await counter.call.all("ReceiptPrinterService", "Print", **printing("known"))
        for operation_id in ("p", "known"):
            with pytest.raises(Exception, match="not UNCERTAIN") as caught:
                await counter.call.unary("OperationService", "ResolveOperation", operation_id=operation_id, **WORD)
            assert caught.value.reason == "NOT_UNCERTAIN"

    async def test_a_word_without_a_reason_is_refused_by_field(self, counter, world):
        await self.uncertain(counter, world)
        with pytest.raises(Exception, match=r"finding.*reason"):
            await counter.call.unary("OperationService", "ResolveOperation", operation_id="p")

    async def test_nothing_is_copied_before_a_person_has_looked(self, counter, world):
        await self.uncertain(counter, world)
        with pytest.raises(Exception, match="a person must say") as caught:
            await counter.call.all("ReceiptPrinterService", "Print", **printing("again", copy_of="p"))
        assert caught.value.reason == "UNRESOLVED"
        await counter.call.unary("OperationService", "ResolveOperation", operation_id="p", **WORD)
        await counter.call.all("ReceiptPrinterService", "Print", **printing("again", copy_of="p"))
        assert world.printed == ["again"]


class TestWatch:
    async def test_a_bookmark_is_good_after_a_restart_and_no_event_is_lost_or_repeated(
        self, start, world, until, tmp_path
    ):
        async with start(world, tmp_path) as first:
            await until(first.call, "printer", device_pb2.DEVICE_STATE_READY)
            await first.call.all("ReceiptPrinterService", "Print", **printing("p"))
            watch = first.call.stream("DeviceService", "WatchEvents")
            bookmark = (await watch.read()).bookmark
            watch.cancel()
            epoch, _, number = bookmark.partition(":")
            middle = f"{epoch}:{int(number) // 2}"
            died = crash(tmp_path)
        async with start(world, tmp_path, state_dir=died) as second:
            await until(second.call, "printer", device_pb2.DEVICE_STATE_READY)
            last = second.daemon.terminal.events.sequence
            watch = second.call.stream("DeviceService", "WatchEvents", bookmark=middle)
            numbers = [(await watch.read()).sequence for _ in range(int(number) // 2, last)]
            watch.cancel()
            assert numbers == list(range(int(number) // 2 + 1, last + 1))
