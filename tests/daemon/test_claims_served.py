"""Claims, fair turns, maintenance and statistics, over a real connection."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from countertop.client import CountertopError, DeviceUnavailable, connect, sync
from countertop.v1 import claim_pb2, device_pb2, error_pb2, operation_pb2, receipt_pb2

RECEIPT = receipt_pb2.Receipt(blocks=[receipt_pb2.Block(rule=receipt_pb2.Rule())])
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED


@pytest.fixture
async def two(counter):
    address = counter.daemon.addresses[0]
    async with connect(address, patience=5.0) as one, connect(address, patience=5.0) as other:
        yield one, other


async def test_others_are_refused_by_the_holders_label_and_the_holder_is_served(two):
    one, other = two
    async with one.claim("printer", "reader", label="counter 3") as claim:
        with pytest.raises(DeviceUnavailable, match="'counter 3'") as caught:
            await other.receipt_printer("printer").print(RECEIPT)
        assert caught.value.reason == error_pb2.REASON_CLAIMED_BY_OTHER
        assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
        await one.receipt_printer("printer").print(RECEIPT, claim_token=claim.token)
        (info,) = await other.claims()
        assert (info.label, info.state) == ("counter 3", claim_pb2.CLAIM_STATE_HELD)
    await other.receipt_printer("printer").print(RECEIPT)


async def test_a_claim_that_is_over_serves_nobody(two):
    one, _ = two
    async with one.claim("printer", label="counter 3") as claim:
        token = claim.token
    with pytest.raises(CountertopError, match="has ended") as caught:
        await one.receipt_printer("printer").print(RECEIPT, claim_token=token)
    assert caught.value.reason == error_pb2.REASON_CLAIM_LOST


async def test_a_holder_that_dies_makes_room_after_the_grace_time(counter, two):
    counter.daemon.terminal.claims._policy.grace_seconds = 0.2
    one, other = two
    await one.claim("printer", label="one").acquire()
    await one.close()
    async with asyncio.timeout(5), other.claim("printer", label="other") as claim:
        assert claim.fences == {"printer": 2}


async def test_a_holder_hands_over_when_it_is_asked(two):
    one, other = two
    asked = []

    def yields(label):
        asked.append(label)
        return True

    held = await one.claim("printer", label="one", on_handover=yields).acquire()
    async with asyncio.timeout(5), other.claim("printer", label="other"):
        await held.lost.wait()
    assert asked == ["other"]
    assert held.error is not None
    assert held.error.reason == error_pb2.REASON_CLAIM_LOST


async def test_who_waits_is_told_its_place_and_may_give_up(two):
    one, other = two
    told = asyncio.Queue()
    async with one.claim("printer", label="one"):
        waiting = asyncio.create_task(
            other.claim("printer", label="other", on_queued=lambda *place: told.put_nowait(place)).acquire()
        )
        assert await asyncio.wait_for(told.get(), 5) == (1, ["one"])
        waiting.cancel()
        await asyncio.wait({waiting})
        with pytest.raises(CountertopError, match="Claimed by one"):
            await other.claim("printer", label="other", wait=0.0).acquire()


async def test_what_waits_under_a_claim_ends_with_it_and_what_was_committed_goes_on(counter, two, world):
    one, _ = two
    entered, release = asyncio.Event(), asyncio.Event()
    original = world.print

    async def hold(request, run):
        await run.commit_point("first byte")
        entered.set()
        await release.wait()
        return await original(request, run)

    world.print = hold
    claim = await one.claim("printer", label="one").acquire()
    running = one.receipt_printer("printer").start_print(RECEIPT, claim_token=claim.token)
    await entered.wait()
    waiting = one.receipt_printer("printer").start_print(RECEIPT, claim_token=claim.token)
    await anext(aiter(waiting))
    await claim.release()
    with pytest.raises(CountertopError) as caught:
        await waiting.result()
    assert caught.value.reason == error_pb2.REASON_CLAIM_LOST
    release.set()
    await running.result()


async def test_the_blocking_client_claims_too(counter):
    def work():
        with sync.connect(counter.daemon.addresses[0]) as one, one.claim("printer", label="one") as claim:
            one.receipt_printer("printer").print(RECEIPT, claim_token=claim.token)
            return [info.label for info in one.claims()], claim.lost

    assert await asyncio.to_thread(work) == (["one"], False)


async def test_a_revoked_claim_ends_for_its_holder_and_the_next_in_line_has_it(two):
    one, other = two
    held = await one.claim("printer", label="one").acquire()
    queued = asyncio.Event()
    waiting = asyncio.create_task(other.claim("printer", label="other", on_queued=lambda *_: queued.set()).acquire())
    async with asyncio.timeout(5):
        await queued.wait()
        holder, _ = await other.claims()
        await other.revoke_claim(holder.id, "the app hangs", by="supervisor 2")
        await held.lost.wait()
        granted = await waiting
    assert held.error is not None
    assert held.error.reason == error_pb2.REASON_CLAIM_LOST
    assert granted.fences == {"printer": 2}
    with pytest.raises(CountertopError, match="has ended") as caught:
        await one.receipt_printer("printer").print(RECEIPT, claim_token=held.token)
    assert caught.value.reason == error_pb2.REASON_CLAIM_LOST
    await other.receipt_printer("printer").print(RECEIPT, claim_token=granted.token)
    with pytest.raises(CountertopError) as unknown:
        await other.revoke_claim(holder.id, "again")
    assert unknown.value.reason == error_pb2.REASON_CLAIM_NOT_FOUND
    await granted.release()


async def test_a_claim_that_waits_is_revoked_too_by_the_blocking_client(counter, two):
    one, other = two
    queued = asyncio.Event()
    async with one.claim("printer", label="one") as held, asyncio.timeout(5):
        waiting = asyncio.create_task(
            other.claim("printer", label="other", on_queued=lambda *_: queued.set()).acquire()
        )
        await queued.wait()

        def work():
            with sync.connect(counter.daemon.addresses[0]) as third:
                waits = next(info for info in third.claims() if info.state == claim_pb2.CLAIM_STATE_QUEUED)
                third.revoke_claim(waits.id, "asked for by mistake")
                return [info.label for info in third.claims()]

        assert await asyncio.to_thread(work) == ["one"]
        with pytest.raises(CountertopError) as caught:
            await waiting
        assert caught.value.reason == error_pb2.REASON_CLAIM_LOST
        await one.receipt_printer("printer").print(RECEIPT, claim_token=held.token)


async def test_claims_are_told_as_events_without_their_token(counter, two):
    one, other = two
    watch = other.watch()
    await anext(watch)
    async with one.claim("printer", label="one") as claim:
        async for response in watch:
            if response.event.HasField("claim_changed"):
                found = response
                break
        assert found.event.claim_changed.label == "one"
        assert claim.token not in str(found)
    await watch.aclose()


async def test_a_client_with_much_to_do_delays_another_by_one(counter, two, world):
    one, other = two
    entered, release = asyncio.Event(), asyncio.Event()
    order = []

    async def hold(request, run):
        order.append(run.operation_id)
        entered.set()
        await release.wait()
        return await world._print(request, run)

    world.print = hold
    prints = [one.receipt_printer("printer").start_print(RECEIPT, operation_id=f"one-{n}") for n in range(6)]
    await entered.wait()
    for handle in prints[1:]:
        await anext(aiter(handle))
    late = other.receipt_printer("printer").start_print(RECEIPT, operation_id="late")
    update = await anext(aiter(late))
    assert update.operation.queue_position == 1
    release.set()
    await late.result()
    assert order.index("late") == 2
    for handle in prints:
        await handle.result()


class TestMaintenance:
    async def test_it_finishes_what_it_has_and_refuses_the_rest_with_the_reason(self, counter, two, world):
        one, other = two
        entered, release = asyncio.Event(), asyncio.Event()

        async def hold(request, run):
            entered.set()
            await release.wait()
            return await world._print(request, run)

        world.print = hold
        running = one.receipt_printer("printer").start_print(RECEIPT)
        await entered.wait()
        draining = asyncio.create_task(other.set_maintenance("printer", True, "new roll"))
        async for response in other.watch():
            devices = [*response.snapshot.devices, response.event.device_changed]
            if any(device.admin_state == device_pb2.ADMIN_STATE_MAINTENANCE for device in devices):
                break
        with pytest.raises(DeviceUnavailable, match="in maintenance: new roll"):
            await one.receipt_printer("printer").print(RECEIPT)
        assert not draining.done()
        release.set()
        await running.result()
        assert (await draining).maintenance_reason == "new roll"
        device = await other.set_maintenance("printer", False)
        assert device.admin_state == device_pb2.ADMIN_STATE_ENABLED
        await one.receipt_printer("printer").print(RECEIPT)

    async def test_what_does_not_end_in_time_is_told(self, two, world):
        one, other = two
        entered = asyncio.Event()

        async def for_ever(request, run):
            entered.set()
            await asyncio.Event().wait()

        world.print = for_ever
        running = one.receipt_printer("printer").start_print(RECEIPT)
        await entered.wait()
        with pytest.raises(CountertopError, match="has not ended within") as caught:
            await other.set_maintenance("printer", True, drain=0.05)
        assert caught.value.reason == error_pb2.REASON_DEVICE_TIMEOUT
        await running.cancel()

    async def test_it_stays_so_over_a_restart(self, start, world, until, tmp_path):
        async with start(world, tmp_path) as first:
            await until(first.call, "printer", device_pb2.DEVICE_STATE_READY)
            await first.call.unary(
                "DeviceService", "SetMaintenance", device_id="printer", maintenance=True, reason="new roll"
            )
        async with start(world, tmp_path) as second:
            device = (await second.call.unary("DeviceService", "GetDevice", device_id="printer")).device
            assert device.admin_state == device_pb2.ADMIN_STATE_MAINTENANCE
            assert device.maintenance_reason == "new roll"


class TestStatistics:
    async def test_operations_are_counted_by_verb_and_outcome(self, two, world):
        one, _ = two
        await one.receipt_printer("printer").print(RECEIPT)
        await one.receipt_printer("printer").print(RECEIPT)
        with pytest.raises(CountertopError):
            await one.receipt_printer("printer").open_drawer()
        found = (await one.statistics("printer")).since_start
        counts = {(item.verb.rpartition("/")[2], item.state): item.count for item in found.operations}
        assert counts == {("Print", SUCCEEDED): 2, ("OpenDrawer", operation_pb2.OPERATION_STATE_FAILED): 1}
        assert sum(found.device_time.counts) == 3
        assert len(found.device_time.counts) == len(found.device_time.bounds) + 1

    async def test_they_go_on_over_a_restart_with_reconnects_and_firmware(self, start, world, until, tmp_path):
        ready, offline = device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_OFFLINE
        async with start(world, tmp_path) as first:
            await until(first.call, "printer", ready)
            world.present = False
            await until(first.call, "printer", offline)
            world.present = True
            await until(first.call, "printer", ready)
            found = await first.call.unary("DeviceService", "GetStatistics", device_id="printer")
            assert found.since_start.reconnects == 1
        world.info = device_pb2.DeviceInfo(vendor="Invented", serial="1", firmware="2.0")
        async with start(world, tmp_path) as second:
            await until(second.call, "printer", ready)
            found = await second.call.unary("DeviceService", "GetStatistics", device_id="printer")
            assert (found.since_install.reconnects, found.since_start.reconnects) == (1, 0)
            assert [seen.version for seen in found.firmware] == ["1.0", "2.0"]


async def test_two_alike_devices_never_swap(start, world, until, tmp_path, monkeypatch):
    offline = device_pb2.DEVICE_STATE_OFFLINE
    async with start(world, tmp_path, serials={"printer": "2"}) as found:
        device = await until(found.call, "printer", offline)
        assert device.failure.reason == error_pb2.REASON_WRONG_DEVICE
        assert (device.failure.device_fault.expected, device.failure.device_fault.got) == (
            "serial number 2",
            "serial number 1",
        )
        world.info = device_pb2.DeviceInfo(serial="2")
        await until(found.call, "printer", device_pb2.DEVICE_STATE_READY)
