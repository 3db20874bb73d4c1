"""What an error tells of the world: an app decides by it whether it may repeat."""

from __future__ import annotations

import grpc
import pytest

from countertop.client import (
    ConnectionLost,
    DeviceUnavailable,
    InvalidRequest,
    OperationFailed,
    OutcomeUncertain,
    connect,
)
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.error_pb2 import (
    PHYSICAL_EFFECT_NONE,
    PHYSICAL_EFFECT_PARTIAL,
    PHYSICAL_EFFECT_UNKNOWN,
    PHYSICAL_EFFECT_UNSPECIFIED,
)
from countertop.v1.id_reader_pb2 import ReadResponse
from countertop.v1.operation_pb2 import OPERATION_STATE_FAILED, OPERATION_STATE_RUNNING, Operation
from countertop.v1.receipt_pb2 import Block, Picture, Receipt, Rule
from countertop.v1.receipt_printer_pb2 import PrintRequest, PrintResponse

RECEIPT = Receipt(blocks=[Block(rule=Rule())])


def breaking(response, *, heard):
    """A verb whose connection always breaks, after one word of the operation or before it."""

    async def verb(request, context):
        if heard:
            operation = Operation(
                id=request.options.operation_id, state=OPERATION_STATE_RUNNING, physical_effect=PHYSICAL_EFFECT_NONE
            )
            yield response(operation=operation)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    return verb


@pytest.mark.parametrize("heard", [True, False])
async def test_a_print_whose_daemon_stays_away_may_be_on_paper(misbehaving, heard):
    misbehaving.methods["Print"] = breaking(PrintResponse, heard=heard)
    async with connect(misbehaving.address, patience=0.0) as counter:
        with pytest.raises(ConnectionLost) as caught:
            await counter.receipt_printer("printer").print(RECEIPT)
    assert caught.value.physical_effect == PHYSICAL_EFFECT_UNKNOWN


@pytest.mark.parametrize("heard", [True, False])
async def test_a_print_at_a_daemon_that_lost_its_journal_may_be_on_paper(misbehaving, heard):
    printed = []

    async def print_and_crash(request, context):
        printed.append(request)
        misbehaving.epoch = "two"
        async for response in breaking(PrintResponse, heard=heard)(request, context):
            yield response

    misbehaving.methods["Print"] = print_and_crash
    async with connect(misbehaving.address) as counter:
        with pytest.raises(OutcomeUncertain) as caught:
            await counter.receipt_printer("printer").print(RECEIPT)
    assert caught.value.physical_effect == PHYSICAL_EFFECT_UNKNOWN
    assert len(printed) == 1


async def test_a_print_that_was_never_sent_has_no_effect_to_tell(misbehaving):
    async def get_terminal(request, context):
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    misbehaving.methods["GetTerminal"] = get_terminal
    async with connect(misbehaving.address, patience=0.0) as counter:
        with pytest.raises(ConnectionLost) as caught:
            await counter.receipt_printer("printer").print(RECEIPT)
    assert caught.value.physical_effect == PHYSICAL_EFFECT_UNSPECIFIED
    assert misbehaving.requests_of(PrintRequest) == []


async def test_a_lost_read_has_no_effect_to_tell(misbehaving):
    misbehaving.methods["Read"] = breaking(ReadResponse, heard=True)
    async with connect(misbehaving.address, patience=0.0) as counter:
        with pytest.raises(ConnectionLost) as caught:
            await counter.id_reader("reader").read()
    assert caught.value.physical_effect == PHYSICAL_EFFECT_UNSPECIFIED


async def test_a_failed_print_tells_what_the_operation_says(misbehaving, refusing):
    async def run_out(request, context):
        operation = Operation(
            id=request.options.operation_id, state=OPERATION_STATE_FAILED, physical_effect=PHYSICAL_EFFECT_PARTIAL
        )
        yield PrintResponse(operation=operation)
        fault = error_pb2.DeviceFault(physical_effect=PHYSICAL_EFFECT_NONE)
        code = grpc.StatusCode.FAILED_PRECONDITION
        await refusing.refuse(context, code, "No paper.", refusing.reason("PAPER_OUT"), fault)

    misbehaving.methods["Print"] = run_out
    async with connect(misbehaving.address) as counter:
        with pytest.raises(OperationFailed) as caught:
            await counter.receipt_printer("printer").print(RECEIPT)
    assert caught.value.physical_effect == PHYSICAL_EFFECT_PARTIAL


async def test_without_an_operation_the_device_tells(misbehaving, refusing):
    async def offline(request, context):
        fault = error_pb2.DeviceFault(physical_effect=PHYSICAL_EFFECT_NONE)
        code = grpc.StatusCode.UNAVAILABLE
        await refusing.refuse(context, code, "Offline.", refusing.reason("DEVICE_OFFLINE"), fault)
        yield PrintResponse()

    misbehaving.methods["Print"] = offline
    async with connect(misbehaving.address) as counter:
        with pytest.raises(DeviceUnavailable) as caught:
            await counter.receipt_printer("printer").print(RECEIPT)
    assert caught.value.physical_effect == PHYSICAL_EFFECT_NONE


async def test_a_request_too_large_to_be_sent_is_a_mistake_and_does_not_break_the_connection(misbehaving):
    picture = Block(picture=Picture(data=bytes(700 * 1024)))
    async with connect(misbehaving.address) as counter:
        with pytest.raises(InvalidRequest, match="the daemon takes 1048576 at most") as caught:
            await counter.receipt_printer("printer").preview(Receipt(blocks=[picture] * 6))
        assert caught.value.reason == error_pb2.REASON_INVALID_REQUEST
        assert (await counter.terminal()) == device_pb2.Terminal(epoch="one")
