"""The asynchronous client against daemons that break off, vanish, come back and refuse."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from countertop.client import (
    ConnectionLost,
    CountertopError,
    DeviceUnavailable,
    InvalidRequest,
    NotFound,
    OperationFailed,
    OutcomeUncertain,
    connect,
)
from countertop.v1 import device_pb2, error_pb2, operation_pb2
from countertop.v1.device_pb2 import WatchEventsRequest, WatchEventsResponse
from countertop.v1.id_reader_pb2 import DocumentDetected, ReadRequest, ReadResponse, ReadResult
from countertop.v1.operation_pb2 import Operation
from countertop.v1.receipt_pb2 import Block, Receipt, Rule
from countertop.v1.receipt_printer_pb2 import PrintRequest, PrintResponse, PrintResult

RECEIPT = Receipt(blocks=[Block(rule=Rule())])
RUNNING = operation_pb2.OPERATION_STATE_RUNNING
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED


def running(request, response=ReadResponse, **payload):
    return response(operation=Operation(id=request.options.operation_id, state=RUNNING), **payload)


def succeeded(request, response=ReadResponse, result=None):
    operation = Operation(id=request.options.operation_id, state=SUCCEEDED)
    return response(operation=operation, result=result or ReadResult())


async def for_ever():
    await asyncio.Event().wait()


def breaking_off(times, *, response=ReadResponse, result=None, code=grpc.StatusCode.UNAVAILABLE, word=True):
    """A verb that breaks off the first few times, after a word or before; then it ends well."""
    left = [times]

    async def verb(request, context):
        if left[0]:
            left[0] -= 1
            if word:
                yield running(request, response)
            if code is not grpc.StatusCode.OK:
                await context.abort(code, "Socket closed")
            return
        yield succeeded(request, response, result)

    return verb


@pytest.fixture
async def counter(misbehaving):
    async with connect(misbehaving.address, patience=5.0) as counter:
        yield counter


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.OK])
@pytest.mark.parametrize("word", [True, False])
async def test_a_stream_that_breaks_off_is_attached_to_again(counter, misbehaving, code, word):
    misbehaving.methods["Read"] = breaking_off(2, code=code, word=word)
    await counter.id_reader("reader").read(photo=True)
    requests = misbehaving.requests_of(ReadRequest)
    assert len(requests) == 3
    assert requests[0] == requests[1] == requests[2]
    assert requests[0].options.operation_id


async def test_a_read_outlives_a_restart_of_the_daemon(counter, misbehaving):
    begun = asyncio.Event()

    async def read(request, context):
        yield running(request)
        begun.set()
        await for_ever()

    misbehaving.methods["Read"] = read
    handle = counter.id_reader("reader").start_read()
    await begun.wait()
    await misbehaving.stop()
    misbehaving.methods["Read"] = breaking_off(0)
    misbehaving.epoch = "two"
    await misbehaving.start()
    await handle.result()
    assert [request.options.operation_id for request in misbehaving.requests_of(ReadRequest)] == [handle.id] * 2


async def test_a_print_is_attached_to_again_at_the_same_daemon(counter, misbehaving):
    misbehaving.methods["Print"] = breaking_off(1, response=PrintResponse, result=PrintResult(blocks=1))
    assert (await counter.receipt_printer("printer").print(RECEIPT)).blocks == 1
    first, second = misbehaving.requests_of(PrintRequest)
    assert first == second


async def test_a_print_is_never_done_again_by_a_daemon_that_lost_its_journal(counter, misbehaving):
    printed = []

    async def print_and_crash(request, context):
        printed.append(request)
        yield running(request, PrintResponse)
        misbehaving.epoch = "two"
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    misbehaving.methods["Print"] = print_and_crash
    with pytest.raises(OutcomeUncertain) as caught:
        await counter.receipt_printer("printer").print(RECEIPT, operation_id="p")
    assert [request.options.epoch for request in misbehaving.requests_of(PrintRequest)] == ["one", "one"]
    assert len(printed) == 1
    assert caught.value.reason == error_pb2.REASON_EPOCH_CHANGED
    assert caught.value.operation.id == "p"


async def test_a_print_outlives_a_daemon_that_stops_before_its_outcome_is_known(counter, misbehaving, refusing):
    answers = []

    async def leave(request, context):
        answers.append(request)
        if len(answers) == 1:
            yield running(request, PrintResponse)
            await refusing.refuse(
                context, grpc.StatusCode.UNAVAILABLE, "Stopping.", refusing.reason("TERMINAL_STOPPING")
            )
        yield succeeded(request, PrintResponse, PrintResult(blocks=1))

    misbehaving.methods["Print"] = leave
    assert (await counter.receipt_printer("printer").print(RECEIPT)).blocks == 1


async def test_events_of_a_verb_are_kept_for_whoever_iterates_later(counter, misbehaving):
    async def read(request, context):
        yield running(request)
        yield running(request, detected=DocumentDetected())
        yield running(request)
        yield succeeded(request)

    misbehaving.methods["Read"] = read
    handle = counter.id_reader("reader").start_read()
    await handle.result()
    payloads = [update.WhichOneof("payload") async for update in handle]
    assert [payload for payload in payloads if payload] == ["detected", "result"]


async def test_patience_ends_with_the_operation_as_last_known(misbehaving):
    misbehaving.methods["Read"] = breaking_off(1000)
    async with connect(misbehaving.address, patience=0.25) as counter:
        handle = counter.id_reader("reader").start_read(operation_id="r")
        misbehaving.methods["Read"] = breaking_off(1000, word=False)
        with pytest.raises(ConnectionLost) as caught:
            await handle.result()
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert len(misbehaving.requests_of(ReadRequest)) >= 3


async def test_where_no_daemon_is_the_first_call_says_so_at_once(tmp_path, soon):
    async with connect(f"unix:{tmp_path}/nobody.sock", patience=1000) as counter:
        for call in (counter.terminal(), counter.id_reader("r").read(), anext(counter.watch())):
            with pytest.raises(ConnectionLost, match="No daemon answers at unix:"):
                await soon(call)


async def test_a_failure_is_told_even_when_the_call_breaks_off_before_its_status(counter, misbehaving):
    async def read(request, context):
        failure = error_pb2.Failure(
            reason=error_pb2.REASON_DOCUMENT_REMOVED, device_fault=error_pb2.DeviceFault(device_id="reader")
        )
        yield ReadResponse(operation=Operation(id=request.options.operation_id, state=FAILED, failure=failure))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    misbehaving.methods["Read"] = read
    with pytest.raises(OperationFailed) as caught:
        await counter.id_reader("reader").read()
    assert caught.value.reason_name == "DOCUMENT_REMOVED"
    assert caught.value.code is grpc.StatusCode.ABORTED
    assert caught.value.device_fault.device_id == "reader"
    assert caught.value.localized["en"].startswith("The card was taken away")
    assert len(misbehaving.requests_of(ReadRequest)) == 1


async def test_every_detail_of_a_status_is_unpacked(counter, misbehaving, refusing):
    async def get_device(request, context):
        await refusing.refuse(
            context,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Too much to do.",
            refusing.reason("QUEUE_FULL"),
            error_pb2.DeviceFault(device_id="d", step="wait"),
            error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000)),
            error_details_pb2.BadRequest(field_violations=[{"field": "a.b", "description": "expected c"}]),
            error_details_pb2.LocalizedMessage(locale="zh-CN", message="设备繁忙，请稍候。"),
            error_details_pb2.Help(),
        )

    misbehaving.methods["GetDevice"] = get_device
    with pytest.raises(DeviceUnavailable) as caught:
        await counter.device("d")
    error = caught.value
    assert (error.reason, error.message) == (error_pb2.REASON_QUEUE_FULL, "Too much to do.")
    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.device_fault.step == "wait"
    assert error.retry_after == 2.5
    assert error.violations == {"a.b": "expected c"}
    assert error.localized == {"zh-CN": "设备繁忙，请稍候。"}
    assert error.operation is None


@pytest.mark.parametrize(
    "details",
    [b"\xff\xff\xff", error_details_pb2.ErrorInfo(reason="PAPER_OUT", domain="elsewhere"), None],
    ids=["garbage", "another domain", "none"],
)
async def test_a_status_without_our_details_keeps_code_and_sentence(counter, misbehaving, refusing, details):
    async def get_device(request, context):
        if isinstance(details, bytes):
            metadata = (("grpc-status-details-bin", details),)
            await context.abort(grpc.StatusCode.INTERNAL, "It broke.", trailing_metadata=metadata)
        await refusing.refuse(context, grpc.StatusCode.INTERNAL, "It broke.", *([details] if details else []))

    misbehaving.methods["GetDevice"] = get_device
    with pytest.raises(CountertopError) as caught:
        await counter.device("d")
    assert type(caught.value) is CountertopError
    assert caught.value.code is grpc.StatusCode.INTERNAL
    assert (caught.value.reason_name, str(caught.value)) == ("UNSPECIFIED", "It broke.")


async def test_of_several_devices_of_a_kind_one_must_be_named(counter, misbehaving):
    async def list_devices(request, context):
        return device_pb2.ListDevicesResponse(devices=[{"id": "left"}, {"id": "right", "emulated": True}])

    async def remove_card(request, context):
        return device_pb2.GetDeviceResponse()  # as empty on the wire as the right answer

    misbehaving.methods |= {"ListDevices": list_devices, "RemoveCard": remove_card}
    with pytest.raises(InvalidRequest, match="left, right") as caught:
        await counter.id_reader().read()
    assert list(caught.value.violations) == ["device_id"]
    await counter.bench.remove_card()
    assert misbehaving.requests[-1].device_id == "right"


async def test_where_no_device_of_a_kind_is_the_first_call_says_so(counter, misbehaving):
    async def list_devices(request, context):
        return device_pb2.ListDevicesResponse()

    misbehaving.methods["ListDevices"] = list_devices
    with pytest.raises(NotFound, match="RECEIPT_PRINTER"):
        await counter.receipt_printer().print(RECEIPT)


async def reading_for_ever(request, context):
    yield running(request)
    await for_ever()


async def watching_for_ever(request, context):
    yield WatchEventsResponse(sequence=1, bookmark="e:1", synced=device_pb2.Synced())
    await for_ever()


async def hanging(request, context):
    await for_ever()


async def _leave_handle(counter):
    async with counter.id_reader("reader").start_read() as handle:
        async for _ in handle:
            break


async def _cancel_read(counter):
    handle = counter.id_reader("reader").start_read()
    async for _ in handle:
        break
    await handle.close()


async def _leave_watch(counter):
    async with aclosing(counter.watch()) as events:
        await anext(events)


async def _time_out_unary(counter):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await counter.terminal()


async def _time_out_read(counter):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await counter.id_reader("reader").read()


@pytest.mark.parametrize("leave", [_leave_handle, _cancel_read, _leave_watch, _time_out_unary, _time_out_read])
async def test_a_call_that_is_left_is_hung_up(counter, misbehaving, soon, leave):
    misbehaving.methods |= {"Read": reading_for_ever, "WatchEvents": watching_for_ever, "GetTerminal": hanging}
    await leave(counter)
    await soon(misbehaving.hung_up.wait())


async def test_closing_the_counter_is_no_cancellation_to_those_who_wait(misbehaving, soon):
    misbehaving.methods |= {"Read": reading_for_ever, "WatchEvents": watching_for_ever, "GetTerminal": hanging}
    counter = connect(misbehaving.address)
    events = counter.watch()
    await anext(events)
    waiting = [
        asyncio.ensure_future(wait) for wait in (anext(events), counter.terminal(), counter.id_reader("reader").read())
    ]
    await soon(misbehaving.until_requests(3))
    await counter.close()
    outcomes = await soon(asyncio.gather(*waiting, return_exceptions=True))
    assert [type(outcome) for outcome in outcomes] == [CountertopError] * 3
    with pytest.raises(CountertopError, match="closed"):
        await counter.terminal()


class Ring:
    """A watch over numbered events that breaks off behind each `break_after`; serves bookmarks as the daemon does."""

    def __init__(self, last, break_after):
        self.last = last
        self.break_after = set(break_after)

    async def watch(self, request, context):
        epoch, _, after = request.bookmark.partition(":")
        number = int(after or 3)
        if not epoch:
            for payload in ({"snapshot": device_pb2.Snapshot()}, {"synced": device_pb2.Synced()}):
                yield WatchEventsResponse(sequence=number, bookmark=f"e:{number}", **payload)
                await self.perhaps_break(next(iter(payload)), context)
        while number < self.last:
            number += 1
            yield WatchEventsResponse(sequence=number, bookmark=f"e:{number}", event=device_pb2.Event())
            await self.perhaps_break(number, context)
        await for_ever()

    async def perhaps_break(self, place, context):
        if place in self.break_after:
            self.break_after.discard(place)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


async def take(events, count):
    async with aclosing(events), asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


async def test_a_watch_goes_on_behind_the_last_event_without_loss_or_repetition(counter, misbehaving):
    misbehaving.methods["WatchEvents"] = Ring(10, [5, 6, 9]).watch
    found = await take(counter.watch(), 9)
    assert [response.sequence for response in found] == [3, 3, 4, 5, 6, 7, 8, 9, 10]
    assert [request.bookmark for request in misbehaving.requests_of(WatchEventsRequest)] == ["", "e:5", "e:6", "e:9"]


async def test_a_watch_that_breaks_inside_the_snapshot_begins_it_anew(counter, misbehaving):
    misbehaving.methods["WatchEvents"] = Ring(5, ["snapshot"]).watch
    found = await take(counter.watch(), 4)
    assert [response.WhichOneof("payload") for response in found] == ["snapshot", "snapshot", "synced", "event"]
    assert [request.bookmark for request in misbehaving.requests_of(WatchEventsRequest)] == ["", ""]


async def test_a_watch_outlives_a_restart_of_the_daemon(counter, misbehaving):
    misbehaving.methods["WatchEvents"] = Ring(4, []).watch
    events = counter.watch()
    async with asyncio.timeout(10):
        while (await anext(events)).sequence < 4:
            pass
        await misbehaving.stop()
        misbehaving.methods["WatchEvents"] = Ring(5, []).watch
        await misbehaving.start()
        assert (await anext(events)).sequence == 5
    await events.aclose()


@pytest.mark.parametrize("reason", ["WATCHER_TOO_SLOW", "TERMINAL_STOPPING"])
async def test_a_watch_goes_on_when_the_daemon_ended_it_for_a_while(counter, misbehaving, refusing, reason):
    ring = Ring(5, [])

    async def watch(request, context):
        if not request.bookmark:
            yield WatchEventsResponse(sequence=3, bookmark="e:3", heartbeat=device_pb2.Heartbeat())
            await refusing.refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "No.", refusing.reason(reason))
        async for response in ring.watch(request, context):
            yield response

    misbehaving.methods["WatchEvents"] = watch
    assert [response.sequence for response in await take(counter.watch(), 3)] == [3, 4, 5]


async def test_a_refused_bookmark_ends_the_watch(counter, misbehaving, refusing):
    async def watch(request, context):
        await refusing.refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "Void.", refusing.reason("BOOKMARK_INVALID"))
        yield

    misbehaving.methods["WatchEvents"] = watch
    with pytest.raises(InvalidRequest):
        await anext(counter.watch("x:1"))
    assert len(misbehaving.requests_of(WatchEventsRequest)) == 1


async def test_watching_an_operation_outlives_a_broken_connection(counter, misbehaving):
    calls = []

    async def watch(request, context):
        calls.append(request.operation_id)
        yield operation_pb2.WatchOperationResponse(operation=Operation(id="o", state=RUNNING, revision=1))
        if len(calls) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        yield operation_pb2.WatchOperationResponse(operation=Operation(id="o", state=SUCCEEDED, revision=2))

    misbehaving.methods["WatchOperation"] = watch
    assert [operation.revision async for operation in counter.operations.watch("o")] == [1, 2]
    assert calls == ["o", "o"]
