"""Operations over a real gRPC connection: attach, cancel, limits, outcomes."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from countertop.sdk import DeviceFault, LinkFault
from countertop.v1 import device_pb2, error_pb2, id_reader_pb2, identity_pb2, operation_pb2, receipt_pb2
from countertop.v1.operation_pb2 import OperationOptions

RECEIPT = receipt_pb2.Receipt(blocks=[receipt_pb2.Block(rule=receipt_pb2.Rule())])


def printing(operation_id: str, **options):
    return {
        "options": OperationOptions(operation_id=operation_id, **options),
        "device_id": "printer",
        "receipt": RECEIPT,
    }


def reading(operation_id: str = "", **options):
    return {"options": OperationOptions(operation_id=operation_id, **options), "device_id": "reader"}


async def first_running(stream):
    async for update in stream:
        if update.operation.state != operation_pb2.OPERATION_STATE_QUEUED:
            return update
    raise AssertionError("the stream ended")


async def first(stream):
    async for update in stream:
        return update
    raise AssertionError("the stream ended")


def held(world, method, *, commit=False):
    """Makes a verb of the made-up device wait for the returned event."""
    entered, release = asyncio.Event(), asyncio.Event()
    original = getattr(world, method)

    async def hold(request, run):
        if commit:
            await run.commit_point("first byte")
        entered.set()
        await release.wait()
        return await original(request, run)

    setattr(world, method, hold)
    return entered, release


async def test_a_read_ends_with_its_result(counter):
    updates = await counter.call.all("IdReaderService", "Read", **reading())
    last = updates[-1]
    assert last.operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert last.result.document.type == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD
    assert last.operation.verb == "countertop.v1.IdReaderService/Read"
    assert last.operation.HasField("ended")


async def test_a_print_without_an_operation_id_is_refused_by_field(counter, world):
    with pytest.raises(Exception, match="operation_id") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **printing(""))
    violations = caught.value.detail(error_details_pb2.BadRequest).field_violations
    assert [violation.field for violation in violations] == ["options.operation_id"]
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    assert world.printed == []


async def test_a_request_that_is_too_large_is_refused_by_field(counter, world):
    picture = receipt_pb2.Block(picture=receipt_pb2.Picture(data=bytes(600_000)))
    fields = printing("large") | {"receipt": receipt_pb2.Receipt(blocks=[picture, picture])}
    with pytest.raises(Exception, match="1048576 bytes") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **fields)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    (violation,) = caught.value.detail(error_details_pb2.BadRequest).field_violations
    assert violation.field == "receipt"
    assert world.printed == []


async def test_the_same_id_and_request_attach_to_the_running_operation(counter, world):
    entered, release = held(world, "print")
    first = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    await first_running(first)
    await entered.wait()
    second = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    assert (await first_running(second)).operation.id == "one"
    release.set()
    ends = [[update async for update in stream][-1] for stream in (first, second)]
    assert [end.operation.state for end in ends] == [operation_pb2.OPERATION_STATE_SUCCEEDED] * 2
    assert world.printed == ["one"]


async def test_the_same_id_and_request_attach_to_the_ended_operation_and_have_its_result(counter, world):
    first = (await counter.call.all("ReceiptPrinterService", "Print", **printing("one")))[-1]
    again = (await counter.call.all("ReceiptPrinterService", "Print", **printing("one")))[-1]
    assert again == first
    assert world.printed == ["one"]


async def test_the_same_id_with_another_request_is_refused(counter, world):
    await counter.call.all("ReceiptPrinterService", "Print", **printing("one"))
    other = printing("one") | {"receipt": receipt_pb2.Receipt(blocks=[*RECEIPT.blocks, *RECEIPT.blocks])}
    with pytest.raises(Exception, match="another request") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **other)
    assert caught.value.code == grpc.StatusCode.ALREADY_EXISTS
    assert world.printed == ["one"]


async def test_a_print_goes_on_when_its_stream_is_lost(counter, world):
    entered, release = held(world, "print")
    stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    await first_running(stream)
    await entered.wait()
    stream.cancel()
    release.set()
    assert (await counter.call.all("ReceiptPrinterService", "Print", **printing("one")))[-1].HasField("result")
    assert world.printed == ["one"]


async def test_a_read_ends_with_its_stream(counter, world):
    entered, _ = held(world, "read")
    stream = counter.call.stream("IdReaderService", "Read", **reading("r"))
    await first_running(stream)
    await entered.wait()
    watch = counter.call.stream("OperationService", "WatchOperation", operation_id="r")
    await watch.read()
    stream.cancel()
    watch.cancel()
    async with asyncio.timeout(5):
        while True:
            found = await counter.call.unary("OperationService", "GetOperation", operation_id="r")
            if found.operation.state == operation_pb2.OPERATION_STATE_CANCELLED:
                break


async def test_cancel_before_the_commit_point_cancels(counter, world):
    entered, _ = held(world, "print")
    stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    await first_running(stream)
    await entered.wait()
    answer = await counter.call.unary("OperationService", "CancelOperation", operation_id="one")
    assert answer.outcome == operation_pb2.CANCEL_OUTCOME_CANCELLED
    assert answer.operation.physical_effect == error_pb2.PHYSICAL_EFFECT_NONE
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [update async for update in stream]
    assert caught.value.code() == grpc.StatusCode.CANCELLED
    assert world.printed == []


async def test_cancel_behind_the_commit_point_is_too_late(counter, world):
    entered, release = held(world, "print", commit=True)
    stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    await first_running(stream)
    await entered.wait()
    answer = await counter.call.unary("OperationService", "CancelOperation", operation_id="one")
    assert answer.outcome == operation_pb2.CANCEL_OUTCOME_TOO_LATE
    release.set()
    assert [update async for update in stream][-1].operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED


async def test_a_queued_operation_is_cancelled_at_once(counter, world):
    entered, release = held(world, "print")
    running = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    await first_running(running)
    await entered.wait()
    second = counter.call.stream("ReceiptPrinterService", "Print", **printing("two"))
    assert (await first(second)).operation.state == operation_pb2.OPERATION_STATE_QUEUED
    answer = await counter.call.unary("OperationService", "CancelOperation", operation_id="two")
    assert answer.outcome == operation_pb2.CANCEL_OUTCOME_CANCELLED
    release.set()
    [update async for update in running]
    assert world.printed == ["one"]


async def test_queue_time_and_device_time_are_limited_apart(counter, world):
    entered, release = held(world, "print")
    first = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    await first_running(first)
    await entered.wait()
    with pytest.raises(Exception, match="queue time") as caught:
        await counter.call.all(
            "ReceiptPrinterService", "Print", **printing("two", queue_timeout=Duration(nanos=50_000_000))
        )
    assert caught.value.reason == "QUEUE_TIMEOUT"
    assert caught.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    release.set()
    [update async for update in first]


async def test_a_full_queue_says_its_length(counter, world):
    entered, release = held(world, "print")
    streams = [counter.call.stream("ReceiptPrinterService", "Print", **printing("running"))]
    await first_running(streams[0])
    await entered.wait()
    for number in range(32):
        streams.append(counter.call.stream("ReceiptPrinterService", "Print", **printing(f"waiting-{number}")))
        await first(streams[-1])
    with pytest.raises(Exception, match="32 operations wait") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **printing("too-many"))
    assert caught.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    release.set()
    for stream in streams:
        [update async for update in stream]
    assert world.printed == ["running", *(f"waiting-{number}" for number in range(32))]


async def test_operations_of_one_device_run_in_the_order_they_came(counter, world):
    calls = [counter.call.all("ReceiptPrinterService", "Print", **printing(f"n{number}")) for number in range(5)]
    await asyncio.gather(*calls)
    listed = await counter.call.unary("OperationService", "ListOperations", device_id="printer")
    assert [operation.id for operation in reversed(listed.operations)] == world.printed


async def test_a_fault_with_a_stated_effect_fails_with_that_effect(counter, world):
    async def paper_out(request, run):
        await run.commit_point("first byte")
        run.progress(3, 7, "blocks")
        raise DeviceFault(
            error_pb2.REASON_PAPER_OUT, "Printed up to block 3 of 7.", effect=error_pb2.PHYSICAL_EFFECT_PARTIAL
        )

    world.print = paper_out
    with pytest.raises(Exception, match="block 3 of 7") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **printing("one"))
    operation = caught.value.updates[-1].operation
    assert operation.state == operation_pb2.OPERATION_STATE_FAILED
    assert operation.physical_effect == error_pb2.PHYSICAL_EFFECT_PARTIAL
    assert operation.progress.done == 3
    fault = caught.value.detail(error_pb2.DeviceFault)
    assert (fault.device_id, fault.physical_effect) == ("printer", error_pb2.PHYSICAL_EFFECT_PARTIAL)
    locales = [item for item in caught.value.status.details if item.Is(error_details_pb2.LocalizedMessage.DESCRIPTOR)]
    assert len(locales) == 2


async def test_a_fault_behind_the_commit_point_without_a_stated_effect_is_uncertain(counter, world):
    async def lost(request, run):
        await run.commit_point("first byte")
        raise LinkFault(error_pb2.REASON_LINK_LOST)

    world.print = lost
    with pytest.raises(Exception, match="lost") as caught:
        await counter.call.all("ReceiptPrinterService", "Print", **printing("one"))
    operation = caught.value.updates[-1].operation
    assert operation.state == operation_pb2.OPERATION_STATE_UNCERTAIN
    assert operation.physical_effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN


async def test_a_bug_in_a_driver_ends_that_operation_and_tells_no_customer_data(counter, world, until):
    async def bug(request, run):
        raise ZeroDivisionError("王小明 11010519491231002X")

    good, world.read = world.read, bug
    with pytest.raises(Exception, match="ZeroDivisionError") as caught:
        await counter.call.all("IdReaderService", "Read", **reading())
    assert caught.value.reason == "DRIVER_FAILED"
    assert "王小明" not in str(caught.value.status)
    world.read = good
    await until(counter.call, "reader", device_pb2.DEVICE_STATE_READY)
    assert (await counter.call.all("IdReaderService", "Read", **reading()))[-1].HasField("result")


async def test_a_verb_that_runs_over_its_time_is_ended(counter, world, monkeypatch):
    monkeypatch.setattr("countertop.server.runner.Limits.over_time", 0.05)
    held(world, "read")
    with pytest.raises(Exception, match="took too long") as caught:
        await counter.call.all("IdReaderService", "Read", **reading(timeout=Duration(nanos=100_000_000)))
    assert caught.value.reason == "DEVICE_TIMEOUT"


async def test_reset_ends_what_runs_and_the_device_works_again(counter, world):
    entered, _ = held(world, "print", commit=True)
    stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
    await first_running(stream)
    await entered.wait()
    connects = world.connects
    updates = await counter.call.all("DeviceService", "ResetDevice", device_id="printer")
    assert updates[-1].operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert world.connects == connects + 1
    with pytest.raises(grpc.aio.AioRpcError):
        [update async for update in stream]
    ended = (await counter.call.unary("OperationService", "GetOperation", operation_id="one")).operation
    assert ended.state == operation_pb2.OPERATION_STATE_UNCERTAIN
    assert ended.failure.reason == error_pb2.REASON_RESET_BY_REQUEST


async def test_prompts_and_events_reach_the_stream_in_order(counter, world):
    async def read(request, run):
        run.prompt(operation_pb2.PROMPT_KIND_PRESENT_DOCUMENT)
        run.emit(id_reader_pb2.DocumentDetected())
        run.working()
        photo = identity_pb2.DocumentPhoto(raw=b"WL" + bytes(1022), raw_format="wlt")
        run.emit(identity_pb2.IdentityDocument(photo=photo))
        run.emit(id_reader_pb2.DocumentRemoved())
        return id_reader_pb2.ReadResult()

    world.read = read
    updates = await counter.call.all("IdReaderService", "Read", **reading())
    payloads = [update.WhichOneof("payload") for update in updates if update.WhichOneof("payload")]
    assert payloads == ["detected", "document", "removed", "result"]


async def test_listing_pages_through_all_operations(counter):
    for number in range(7):
        await counter.call.all("ReceiptPrinterService", "Print", **printing(f"n{number}"))
    seen, token = [], ""
    while True:
        page = await counter.call.unary("OperationService", "ListOperations", page_size=3, page_token=token)
        seen += [operation.id for operation in page.operations]
        token = page.next_page_token
        if not token:
            break
    assert seen == [f"n{number}" for number in reversed(range(7))]
    with pytest.raises(Exception, match="page_token"):
        await counter.call.unary("OperationService", "ListOperations", page_token="unknown")


async def test_stopping_lets_a_committed_print_end_and_refuses_new_work(world, start, until, tmp_path):
    entered, release = held(world, "print", commit=True)
    async with start(world, tmp_path) as counter:
        await until(counter.call, "printer", device_pb2.DEVICE_STATE_READY)
        stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
        await first_running(stream)
        await entered.wait()
        stopping = asyncio.create_task(counter.daemon.stop())
        await asyncio.sleep(0)
        with pytest.raises(Exception, match="restarting"):
            await counter.call.all("ReceiptPrinterService", "Print", **printing("two"))
        release.set()
        assert [update async for update in stream][-1].operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED
        await stopping


async def test_stopping_ends_what_does_not_end_within_the_drain_time(world, start, until, tmp_path):
    entered, _ = held(world, "print", commit=True)
    async with start(world, tmp_path, drain_seconds=0.05) as counter:
        await until(counter.call, "printer", device_pb2.DEVICE_STATE_READY)
        stream = counter.call.stream("ReceiptPrinterService", "Print", **printing("one"))
        await first_running(stream)
        await entered.wait()
        async with asyncio.timeout(5):
            await counter.daemon.stop()
        with pytest.raises(grpc.aio.AioRpcError):
            [update async for update in stream]


async def test_a_driver_that_never_lets_go_is_abandoned_and_the_device_works_again(counter, world, monkeypatch):
    monkeypatch.setattr("countertop.server.runner.Limits.over_time", 0.05)
    monkeypatch.setattr("countertop.server.runner.Limits.let_go", 0.05)
    release = asyncio.Event()

    async def deaf(request, run):
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return id_reader_pb2.ReadResult()

    good, world.read = world.read, deaf
    with pytest.raises(Exception, match="took too long"):
        await counter.call.all("IdReaderService", "Read", **reading(timeout=Duration(nanos=100_000_000)))
    stuck = counter.call.stream("IdReaderService", "Read", **reading("stuck"))
    await first_running(stuck)
    async with asyncio.timeout(5):
        await counter.call.all("DeviceService", "ResetDevice", device_id="reader")
    assert len({id(instance) for instance in world.instances}) >= 3
    world.read = good
    assert (await counter.call.all("IdReaderService", "Read", **reading()))[-1].HasField("result")
    release.set()
    stuck.cancel()


async def test_one_devices_trouble_is_no_others(counter, world):
    held(world, "read")
    stuck = counter.call.stream("IdReaderService", "Read", **reading("stuck"))
    await first_running(stuck)
    assert (await counter.call.all("ReceiptPrinterService", "Print", **printing("fine")))[-1].HasField("result")
    stuck.cancel()
