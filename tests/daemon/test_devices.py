"""Devices and events over a real gRPC connection."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from countertop.v1 import device_pb2, error_pb2
from countertop.v1.operation_pb2 import OperationOptions


async def test_devices_are_listed_in_the_configurations_order_with_what_they_told(counter):
    devices = (await counter.call.unary("DeviceService", "ListDevices")).devices
    assert [device.id for device in devices] == ["reader", "printer"]
    assert devices[0].info.vendor == "Invented"
    assert devices[0].state == device_pb2.DEVICE_STATE_READY


async def test_an_unknown_device_is_not_found_and_the_known_ones_are_named(counter):
    with pytest.raises(Exception, match="reader, printer") as caught:
        await counter.call.unary("DeviceService", "GetDevice", device_id="nothing")
    assert caught.value.code == grpc.StatusCode.NOT_FOUND
    assert caught.value.reason == "DEVICE_NOT_FOUND"


async def test_a_device_of_the_wrong_kind_is_refused_with_both_kinds_named(counter):
    with pytest.raises(Exception, match=r"RECEIPT_PRINTER.*ID_READER") as caught:
        await counter.call.all("IdReaderService", "Read", device_id="printer")
    assert caught.value.code == grpc.StatusCode.FAILED_PRECONDITION


async def test_terminal_lists_drivers_and_where_they_came_from(counter):
    terminal = (await counter.call.unary("DeviceService", "GetTerminal")).terminal
    drivers = {driver.name: driver for driver in terminal.drivers}
    assert {"sdt", "escpos", "fake-reader", "fake-printer"} <= set(drivers)
    assert drivers["sdt"].distribution.startswith("countertop ")
    assert terminal.id == "test"
    assert not terminal.bench


async def test_a_watch_begins_with_a_snapshot_and_goes_on_without_holes(counter, world):
    watch = counter.call.stream("DeviceService", "WatchEvents")
    snapshot = await watch.read()
    assert [device.id for device in snapshot.snapshot.devices] == ["reader", "printer"]
    assert (await watch.read()).HasField("synced")
    await counter.call.all("IdReaderService", "Read", device_id="reader")
    sequence, ended = snapshot.sequence, False
    async with asyncio.timeout(5):
        while not ended:
            response = await watch.read()
            sequence += 1
            assert response.sequence == sequence
            ended = response.event.operation_changed.HasField("ended")
    watch.cancel()


async def test_a_bookmark_resumes_with_exactly_what_was_missed(counter):
    watch = counter.call.stream("DeviceService", "WatchEvents")
    bookmark = (await watch.read()).bookmark
    watch.cancel()
    await counter.call.all("IdReaderService", "Read", device_id="reader")
    resumed = counter.call.stream("DeviceService", "WatchEvents", bookmark=bookmark)
    first = await resumed.read()
    assert first.sequence == int(bookmark.partition(":")[2]) + 1
    assert first.HasField("event")
    resumed.cancel()


@pytest.mark.parametrize("bookmark", ["nonsense", "x:1", "x:-1", ":", "x:1:2"])
async def test_a_bookmark_that_cannot_be_served_is_refused_or_becomes_a_gap(counter, bookmark):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await counter.call.stream("DeviceService", "WatchEvents", bookmark=bookmark).read()
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    if bookmark == "x:1":
        watch = counter.call.stream("DeviceService", "WatchEvents", bookmark=bookmark, snapshot_on_gap=True)
        kinds = [(await watch.read()).WhichOneof("payload") for _ in range(3)]
        assert kinds == ["gap", "snapshot", "synced"]
        watch.cancel()


async def test_an_idle_watch_gets_heartbeats(counter):
    watch = counter.call.stream("DeviceService", "WatchEvents", heartbeat_seconds=1)
    async with asyncio.timeout(5):
        while not (await watch.read()).HasField("heartbeat"):
            pass
    watch.cancel()


async def test_a_device_that_vanishes_is_offline_and_comes_back_by_itself_with_the_same_id(counter, world, until):
    world.present = False
    device = await until(counter.call, "reader", device_pb2.DEVICE_STATE_OFFLINE)
    assert "Nobody answers" in device.failure.message
    with pytest.raises(Exception, match="offline") as caught:
        await counter.call.all("IdReaderService", "Read", device_id="reader")
    assert caught.value.reason == "DEVICE_OFFLINE"
    assert caught.value.code == grpc.StatusCode.UNAVAILABLE
    world.present = True
    await until(counter.call, "reader", device_pb2.DEVICE_STATE_READY)
    assert (await counter.call.all("IdReaderService", "Read", device_id="reader"))[-1].HasField("result")


async def test_fault_stands_exactly_while_a_blocking_condition_does(counter, world, until):
    world.conditions = [device_pb2.Condition(reason=error_pb2.REASON_COVER_OPEN, severity=device_pb2.SEVERITY_BLOCKING)]
    device = await until(counter.call, "printer", device_pb2.DEVICE_STATE_FAULT)
    since = device.status.conditions[0].since
    assert since.seconds > 0
    world.conditions = [
        device_pb2.Condition(reason=error_pb2.REASON_PAPER_NEAR_END, severity=device_pb2.SEVERITY_WARNING)
    ]
    await until(counter.call, "printer", device_pb2.DEVICE_STATE_ATTENTION)
    world.conditions = []
    await until(counter.call, "printer", device_pb2.DEVICE_STATE_READY)


async def test_a_medium_that_comes_or_goes_is_an_event(counter, world):
    watch = counter.call.stream("DeviceService", "WatchEvents")
    async with asyncio.timeout(5):
        assert (await watch.read()).HasField("snapshot")
        world.media = device_pb2.MEDIA_STATE_PRESENT
        while True:
            response = await watch.read()
            if response.event.HasField("media_changed"):
                assert response.event.media_changed.media == device_pb2.MEDIA_STATE_PRESENT
                break
    watch.cancel()


async def test_health_tells_each_condition(counter, world, until):
    world.conditions = [device_pb2.Condition(reason=error_pb2.REASON_PAPER_OUT, severity=device_pb2.SEVERITY_BLOCKING)]
    await until(counter.call, "printer", device_pb2.DEVICE_STATE_FAULT)
    updates = await counter.call.all(
        "DeviceService", "CheckHealth", device_id="printer", options=OperationOptions(operation_id="h")
    )
    result = updates[-1].result
    assert not result.healthy
    assert [finding.item for finding in result.findings] == ["answers", "paper_out"]


async def test_unknown_methods_and_bad_enums_are_refused(counter):
    with pytest.raises(Exception, match="kind") as caught:
        await counter.call.unary("DeviceService", "ListDevices", kind=99)
    assert caught.value.code == grpc.StatusCode.INVALID_ARGUMENT
    call = counter.channel.unary_unary("/countertop.v1.DeviceService/Nothing")
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await call(b"")
    assert missing.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_health_and_reflection_are_served(counter):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub = health_pb2_grpc.HealthStub(counter.channel)
    for service in ("", "countertop.v1.IdReaderService"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
