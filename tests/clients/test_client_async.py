"""The asynchronous client against the real daemon on made-up drivers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import grpc
import pytest

from countertop.client import (
    CountertopError,
    DeviceUnavailable,
    InvalidRequest,
    NotFound,
    OperationCancelled,
    OperationFailed,
    OutcomeUncertain,
    connect,
)
from countertop.sdk import DeviceFault
from countertop.v1 import device_pb2, error_pb2, identity_pb2, operation_pb2
from countertop.v1.receipt_pb2 import Block, Paragraph, Receipt, Rule, Span

RECEIPT = Receipt(blocks=[Block(rule=Rule())])


@pytest.fixture
async def counter(served):
    async with connect(served.address) as counter:
        yield counter


async def ended(counter, operation_id):
    """The operation once it ended, whatever became of it."""
    async with asyncio.timeout(10):
        return [operation async for operation in counter.operations.watch(operation_id)][-1]


def prompting(world, kind=operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT):
    """Makes the made-up reader wait for a person for ever."""

    async def read(request, run):
        run.prompt(kind)
        await asyncio.Event().wait()

    world.read = read


async def test_a_read_gives_the_document(counter):
    result = await counter.id_reader("reader").read()
    assert result.document.type == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD


async def test_without_an_id_the_only_device_of_the_kind_is_used(counter):
    reader = counter.id_reader()
    await reader.read(visit_id="v1")
    [operation] = await counter.operations.list(visit_id="v1")
    assert operation.device_id == "reader"
    assert await reader.device_id() == "reader"


async def test_a_handle_tells_every_state_up_to_the_end(counter, served):
    entered, release = served.hold("read")
    async with counter.id_reader("reader").start_read(operation_id="mine") as handle:
        assert handle.id == "mine"
        states = []
        async for update in handle:
            states.append(update.operation.state)
            release.set()
        assert entered.is_set()
        assert states[-1] == operation_pb2.OPERATION_STATE_SUCCEEDED
        assert handle.operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED
        assert (await handle.result()) == update.result


async def test_a_cancelled_operation_says_so_to_whoever_waits(counter, served):
    prompting(served.world)
    async with counter.id_reader("reader").start_read() as handle:
        async for update in handle:
            if update.operation.prompt == operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT:
                break
        assert await handle.cancel() == operation_pb2.CANCEL_OUTCOME_CANCELLED
        with pytest.raises(OperationCancelled) as caught:
            await handle.result()
    assert caught.value.reason == error_pb2.REASON_CANCELLED
    assert caught.value.operation.state == operation_pb2.OPERATION_STATE_CANCELLED


async def test_a_failed_operation_ends_the_iteration_with_its_error(counter, served):
    async def read(request, run):
        raise DeviceFault(error_pb2.REASON_DOCUMENT_UNREADABLE, step="select card", expected="90 00", got="6A 82")

    served.world.read = read
    updates = []

    async def follow():
        async for update in counter.id_reader("reader").start_read():
            updates.append(update)  # noqa: PERF401 - those before the error are kept

    with pytest.raises(OperationFailed) as caught:
        await follow()
    assert updates[-1].operation.state == operation_pb2.OPERATION_STATE_FAILED
    assert caught.value.reason_name == "DOCUMENT_UNREADABLE"
    assert caught.value.code is grpc.StatusCode.ABORTED
    assert caught.value.device_fault.step == "select card"
    assert caught.value.retry_after == 1.0
    assert caught.value.localized["zh-CN"] == "证件无法读取，请拿起后重新放置。"
    assert caught.value.operation.physical_effect == error_pb2.PHYSICAL_EFFECT_NONE


async def test_leaving_a_read_hangs_up_and_cancels_it(counter, served):
    entered, _ = served.hold("read")
    async with counter.id_reader("reader").start_read(operation_id="left"):
        await entered.wait()
    assert (await ended(counter, "left")).state == operation_pb2.OPERATION_STATE_CANCELLED


async def test_a_read_that_is_not_awaited_to_its_end_is_cancelled(counter, served):
    entered, _ = served.hold("read")
    task = asyncio.create_task(counter.id_reader("reader").read(operation_id="gone"))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ended(counter, "gone")).state == operation_pb2.OPERATION_STATE_CANCELLED


async def test_closing_the_counter_hangs_up_every_handle(counter, served):
    entered, _ = served.hold("read")
    async with connect(served.address) as other:
        handle = other.id_reader("reader").start_read(operation_id="open")
        await entered.wait()
    with pytest.raises(CountertopError, match="ended before"):
        await handle.result()
    assert (await ended(counter, "open")).state == operation_pb2.OPERATION_STATE_CANCELLED


async def test_leaving_a_print_lets_it_go_on(counter, served):
    entered, release = served.hold("print")
    async with counter.receipt_printer("printer").start_print(RECEIPT, operation_id="p") as handle:
        await entered.wait()
    release.set()
    assert (await ended(counter, "p")).state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert handle.id == "p"
    assert served.world.printed == ["p"]


async def test_the_same_operation_id_prints_once(counter, served):
    printer = counter.receipt_printer("printer")
    first = await printer.print(RECEIPT, operation_id="p")
    assert await printer.print(RECEIPT, operation_id="p") == first
    assert served.world.printed == ["p"]


async def test_each_print_has_an_id_of_its_own(counter, served):
    printer = counter.receipt_printer()
    await printer.print(RECEIPT)
    await printer.print(RECEIPT)
    assert len(set(served.world.printed)) == 2


async def test_it_is_too_late_to_cancel_a_print_that_has_begun(counter, served):
    entered, release = served.hold("print", commit=True)
    handle = counter.receipt_printer("printer").start_print(RECEIPT)
    await entered.wait()
    cancelling = asyncio.create_task(handle.cancel())
    release.set()
    assert await cancelling == operation_pb2.CANCEL_OUTCOME_TOO_LATE
    await handle.result()


async def test_an_unknown_outcome_is_uncertain_and_keeps_the_operation(counter, served):
    async def vanish(request, run):
        await run.commit_point("first byte")
        raise DeviceFault(error_pb2.REASON_LINK_LOST, step="write")

    served.world.print = vanish
    with pytest.raises(OutcomeUncertain) as caught:
        await counter.receipt_printer().print(RECEIPT)
    assert caught.value.operation.state == operation_pb2.OPERATION_STATE_UNCERTAIN
    assert caught.value.device_fault.physical_effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN


async def test_an_offline_device_is_unavailable(counter, served):
    served.world.present = False
    await served.until("reader", device_pb2.DEVICE_STATE_OFFLINE)
    with pytest.raises(DeviceUnavailable) as caught:
        await counter.id_reader("reader").read()
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE
    assert caught.value.device_fault.device_id == "reader"


REFUSALS = [
    (lambda counter: counter.device("nobody"), NotFound, "DEVICE_NOT_FOUND"),
    (lambda counter: counter.operations.get("nothing"), NotFound, "OPERATION_NOT_FOUND"),
    (lambda counter: counter.id_reader("printer").read(), InvalidRequest, "WRONG_KIND"),
    (lambda counter: counter.receipt_printer("printer").open_drawer(), OperationFailed, "NOT_SUPPORTED"),
    (lambda counter: counter.bench.insert_card("reader"), CountertopError, "NOT_EMULATED"),
    (lambda counter: counter.bench.insert_card(), NotFound, "DEVICE_NOT_FOUND"),
    (lambda counter: counter.id_reader("reader").read(timeout=0.01), InvalidRequest, "INVALID_REQUEST"),
]


@pytest.mark.parametrize(("call", "kind", "reason"), REFUSALS)
async def test_a_refusal_has_its_class_and_reason(counter, call, kind, reason):
    with pytest.raises(kind) as caught:
        await call(counter)
    assert type(caught.value) is kind
    assert caught.value.reason_name == reason
    assert str(caught.value).endswith(f"[{reason}]")
    assert set(caught.value.localized) == {"en", "zh-CN"}


async def test_a_mistake_in_the_request_names_the_field(counter):
    with pytest.raises(InvalidRequest) as caught:
        await counter.id_reader("reader").read(visit_id="not allowed")
    assert list(caught.value.violations) == ["options.visit_id"]
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT


async def test_terminal_and_devices_are_told(counter):
    assert (await counter.terminal()).id == "test"
    assert [device.id for device in await counter.devices()] == ["reader", "printer"]
    [printer] = await counter.devices(device_pb2.DEVICE_KIND_RECEIPT_PRINTER)
    assert printer == await counter.device("printer")


async def test_health_and_reset_give_their_results(counter, served):
    assert (await counter.check_health("reader")).healthy
    connects = served.world.connects
    await counter.reset("reader")
    assert served.world.connects > connects


async def test_operations_are_listed_over_pages(counter):
    for _ in range(5):
        await counter.id_reader("reader").read(visit_id="v")
    assert len(await counter.operations.list(visit_id="v", limit=3)) == 3
    operations = await counter.operations.list(device_id="reader", visit_id="v")
    assert len({operation.id for operation in operations}) == 5


async def test_cancelling_by_id_gives_outcome_and_operation(counter, served):
    entered, _ = served.hold("read")
    handle = counter.id_reader("reader").start_read()
    await entered.wait()
    answer = await counter.operations.cancel(handle.id)
    assert answer.outcome == operation_pb2.CANCEL_OUTCOME_CANCELLED
    assert answer.operation.state == operation_pb2.OPERATION_STATE_CANCELLED


async def test_a_watch_begins_with_a_snapshot_and_goes_on_with_events_without_holes(counter):
    kinds, sequences = [], []
    async with aclosing(counter.watch()) as events:
        async for response in events:
            kinds.append(response.WhichOneof("payload"))
            sequences.append(response.sequence)
            if kinds[-1] == "synced":
                await counter.id_reader("reader").read()
            if len(kinds) == 5:
                break
    assert kinds[:3] == ["snapshot", "synced", "event"]
    assert sequences[2:] == list(range(sequences[1] + 1, sequences[1] + 4))


async def test_a_watch_goes_on_from_a_given_bookmark(counter):
    async with aclosing(counter.watch()) as events:
        bookmark = (await anext(events)).bookmark
    await counter.id_reader("reader").read()
    async with aclosing(counter.watch(bookmark)) as events:
        assert (await anext(events)).WhichOneof("payload") == "event"


async def test_a_void_bookmark_is_refused_unless_a_snapshot_will_do(counter):
    with pytest.raises(InvalidRequest) as caught:
        await anext(counter.watch("other:1", snapshot_on_gap=False))
    assert caught.value.reason == error_pb2.REASON_BOOKMARK_INVALID
    async with aclosing(counter.watch("other:1")) as events:
        assert (await anext(events)).WhichOneof("payload") == "gap"


async def test_a_preview_needs_no_printer(counter):
    receipt = Receipt(blocks=[Block(paragraph=Paragraph(spans=[Span(text="谢谢")]))])
    preview = await counter.receipt_printer("").preview(receipt, width_dots=384)
    assert preview.image.width == 384
    assert "谢谢" in preview.text


async def test_the_bench_lays_a_card_on_the_only_emulated_reader(emulated, soon):
    async with emulated({"id-reader": "sdt"}) as address, connect(address) as counter:
        async with aclosing(counter.watch()) as events:
            async for response in events:
                changed = response.event.device_changed if response.HasField("event") else None
                devices = response.snapshot.devices if response.HasField("snapshot") else [changed]
                if any(device and device.state == device_pb2.DEVICE_STATE_READY for device in devices):
                    break
        await counter.bench.insert_card()
        result = await soon(counter.id_reader().read())
        assert result.document.type == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD
        assert await counter.bench.remove_card()
        assert not await counter.bench.remove_card()
        faults = await counter.bench.faults("id-reader")
        await counter.bench.inject_fault("id-reader", faults[0].name, times=1, duration=5.0)
        assert [fault.name for fault in await counter.bench.faults("id-reader") if fault.active] == [faults[0].name]
        await counter.bench.clear_fault("id-reader")
        assert not any(fault.active for fault in await counter.bench.faults("id-reader"))
