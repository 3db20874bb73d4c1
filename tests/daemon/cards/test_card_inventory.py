"""Hoppers, bins, ribbon: counts, levels, exchanges, and what became of each card."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.client import Counter, CountertopError, DeviceUnavailable, InvalidRequest, OperationFailed
from countertop.server.config import DeviceConfig
from countertop.v1 import card_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_pb2 import StripeData
from countertop.v1.card_printer_pb2 import BlankCheck
from tests.daemon.cards.world import DESKTOP, KIOSK, LEAVES, STRIPE, Watch, fed, started, terminal, until, went


def levels(inventory: cards.CardInventory) -> dict[str, tuple[int, str]]:
    name = card_pb2.CardUnitLevel.Name
    return {item.unit.name: (item.count, name(item.level).removeprefix("CARD_UNIT_LEVEL_")) for item in inventory.units}


async def nothing_inside(counter: Counter, device_id: str = KIOSK) -> cards.CardInventory:
    """The inventory, once a card that was taken out unseen is missed."""
    async with asyncio.timeout(10):
        while True:
            found = await counter.card_printer(device_id).inventory()
            if not found.totals.inside:
                return found


async def exchanged(counter: Counter, device_id: str = KIOSK, **counts: int) -> cards.CardInventory:
    printer = counter.card_printer(device_id)
    await nothing_inside(counter, device_id)
    await printer.begin_exchange(by="staff 1")
    thresholds = {"feeder": 2, "reject": 1}
    return await printer.end_exchange(counts, thresholds=thresholds if thresholds.keys() <= counts.keys() else None)


async def test_an_exchange_takes_the_printer_out_of_use_and_back_with_new_counts(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    begun = await printer.begin_exchange(by="staff 1")
    assert begun.exchanging
    with pytest.raises(CountertopError) as twice:
        await printer.begin_exchange()
    assert twice.value.reason == error_pb2.REASON_EXCHANGE_ACTIVE
    with pytest.raises(DeviceUnavailable) as refused:
        await printer.issue(stripe=STRIPE)
    assert refused.value.reason == error_pb2.REASON_DEVICE_IN_MAINTENANCE
    with pytest.raises(InvalidRequest) as unknown:
        await printer.end_exchange({"feeder": 7, "feedre": 3})
    assert unknown.value.violations.keys() == {"counts[1].unit"}
    assert levels(await printer.inventory()) == levels(begun)
    ended = await printer.end_exchange({"feeder": 50, "reject": 0}, by="staff 1")
    assert not ended.exchanging
    assert levels(ended) == {"feeder": (50, "OK"), "reject": (0, "OK")}
    assert [(item.initial, item.counted) for item in ended.units] == [(50, True), (0, True)]
    assert went(ended) == {}
    assert (ended.consumables[0].name, ended.consumables[0].type) == ("ribbon", "KO")
    with pytest.raises(CountertopError) as none:
        await printer.end_exchange({})
    assert none.value.reason == error_pb2.REASON_NO_EXCHANGE
    await printer.issue(stripe=STRIPE)


async def test_a_printer_that_was_out_of_use_stays_so_after_an_exchange(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await counter.set_maintenance(KIOSK, True, reason="head broken")
    try:
        await printer.begin_exchange()
        for maintenance in (True, False):
            with pytest.raises(CountertopError) as refused:
                await counter.set_maintenance(KIOSK, maintenance, reason="other")
            assert refused.value.reason == error_pb2.REASON_EXCHANGE_ACTIVE
        await printer.end_exchange({})
        device = await counter.device(KIOSK)
        assert device.admin_state == device_pb2.ADMIN_STATE_MAINTENANCE
        assert device.maintenance_reason == "head broken"
    finally:
        await counter.set_maintenance(KIOSK, False)


async def test_of_two_who_begin_an_exchange_at_the_same_time_one_does(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await counter.bench.set_customer(LEAVES, KIOSK)
    handle = printer.start_issue(stripe=STRIPE, take_within=1.0)
    async for update in handle:
        if update.operation.prompt:
            break
    begun = await asyncio.gather(printer.begin_exchange(), printer.begin_exchange(), return_exceptions=True)
    refused = [found.reason for found in begun if isinstance(found, CountertopError)]
    assert refused == [error_pb2.REASON_EXCHANGE_ACTIVE]
    await printer.end_exchange({})
    assert (await counter.device(KIOSK)).admin_state == device_pb2.ADMIN_STATE_ENABLED
    with pytest.raises(OperationFailed):
        await handle.result()


async def test_an_exchange_does_not_begin_while_a_card_is_made(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await counter.bench.set_customer(LEAVES, KIOSK)
    handle = printer.start_issue(stripe=STRIPE, take_within=2.0)
    async for update in handle:
        if update.operation.prompt:
            break
    with pytest.raises(CountertopError) as busy:
        await printer.begin_exchange(drain=0.05)
    assert busy.value.reason == error_pb2.REASON_DEVICE_TIMEOUT
    assert not (await printer.inventory()).exchanging
    assert (await counter.device(KIOSK)).admin_state == device_pb2.ADMIN_STATE_ENABLED
    with pytest.raises(OperationFailed):
        await handle.result()


async def test_counts_go_with_the_cards_and_levels_are_told_when_they_are_reached(counter: Counter) -> None:
    await exchanged(counter, feeder=3, reject=0)
    printer = counter.card_printer(KIOSK)
    async with Watch(counter) as watch:
        await printer.issue(stripe=STRIPE)
        low = await watch.until(lambda event: event.HasField("card_unit_changed"))
        assert low.card_unit_changed.device_id == KIOSK
        assert low.card_unit_changed.unit.unit.name == "feeder"
        assert low.card_unit_changed.unit.level == card_pb2.CARD_UNIT_LEVEL_LOW
        with pytest.raises(OperationFailed):
            await printer.issue(blank=BlankCheck(stripe_begins=StripeData(track2="9")))
        high = card_pb2.CARD_UNIT_LEVEL_HIGH
        await watch.until(lambda event: event.card_unit_changed.unit.level == high)
        await counter.bench.load_cards(0, KIOSK, empty=True)
        empty = card_pb2.CARD_UNIT_LEVEL_EMPTY
        await watch.until(lambda event: event.card_unit_changed.unit.level == empty)
    found = await printer.inventory()
    assert levels(found) == {"feeder": (1, "EMPTY"), "reject": (1, "HIGH")}  # the sensor knows better
    assert went(found) == {"fed": 2, "taken": 1, "rejected": 1}


async def test_every_card_is_in_the_totals_whatever_became_of_it(counter: Counter) -> None:
    await exchanged(counter, feeder=50, reject=0)
    printer = counter.card_printer(KIOSK)
    await counter.bench.set_customer(LEAVES, KIOSK)
    with pytest.raises(OperationFailed):
        await printer.issue(stripe=STRIPE, take_within=1)
    async with Watch(counter) as watch:
        await fed(counter)
        assert went(await printer.inventory()) == {"fed": 2, "retained": 1, "inside": 1}
        await counter.bench.remove_jam(KIOSK)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_REMOVED)
        await counter.bench.push_card(KIOSK)  # nobody asked for it
        await watch.until_moved(card_pb2.CARD_MOVEMENT_INSERTED)
        assert went(await printer.inventory())["inside"] == 1
        await counter.bench.take_card(KIOSK)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_TAKEN)
    found = await printer.inventory()
    assert went(found) == {"fed": 2, "inserted": 1, "taken": 1, "retained": 1, "removed": 1}
    assert levels(found)["feeder"][0] == 48


async def test_a_card_that_staff_takes_out_before_a_reset_is_counted_as_removed(counter: Counter) -> None:
    await exchanged(counter, feeder=50, reject=0)
    printer = counter.card_printer(KIOSK)
    await counter.bench.inject_fault(KIOSK, "jam-exit", times=1)
    with pytest.raises(OperationFailed):
        await printer.issue(stripe=STRIPE)
    await counter.bench.remove_jam(KIOSK)
    await counter.reset(KIOSK)
    assert went(await printer.inventory()) == {"fed": 1, "removed": 1}


async def test_the_output_hopper_is_counted(counter: Counter) -> None:
    await exchanged(counter, DESKTOP, feeder=50, reject=0, output=0)
    await counter.card_printer(DESKTOP).issue(stripe=STRIPE)
    found = await counter.card_printer(DESKTOP).inventory()
    assert levels(found) == {"feeder": (49, "OK"), "reject": (0, "OK"), "output": (1, "OK")}
    assert went(found) == {"fed": 1, "ejected": 1}


async def test_an_exchange_waits_for_the_card_that_is_being_made(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    printer = counter.card_printer(KIOSK)
    handle = printer.start_issue(stripe=STRIPE)
    async for update in handle:
        if update.operation.prompt == operation_pb2.PROMPT_KIND_TAKE_CARD:
            break
    beginning = asyncio.create_task(printer.begin_exchange())
    await until(counter, KIOSK, lambda device: device.admin_state == device_pb2.ADMIN_STATE_MAINTENANCE)
    assert not beginning.done()
    await counter.bench.take_card(KIOSK)
    await handle.result()
    assert (await beginning).exchanging
    await printer.end_exchange({})


async def test_counts_and_an_exchange_survive_the_daemon(tmp_path: Path) -> None:
    emulator = await started(ribbon="KO")
    device = DeviceConfig(id=KIOSK, driver="evolis", link=emulator.link_url)
    try:
        async with terminal(tmp_path, device) as counter:
            await exchanged(counter, feeder=50, reject=0)
            await counter.card_printer(KIOSK).issue(stripe=STRIPE)
            await fed(counter)
            await counter.card_printer(KIOSK).begin_exchange()
        await emulator.remove_jam(bench_pb2.RemoveJamRequest())  # while nobody looks
        async with terminal(tmp_path, device) as counter:
            await until(counter, KIOSK, lambda device: device.status.card.place == card_pb2.CARD_PLACE_NONE)
            found = await nothing_inside(counter)
            assert levels(found) == {"feeder": (48, "OK"), "reject": (0, "OK")}
            assert [item.threshold for item in found.units] == [2, 1]
            assert went(found) == {"fed": 2, "taken": 1, "removed": 1}
            assert found.exchanging
            await counter.card_printer(KIOSK).end_exchange({})
            await counter.card_printer(KIOSK).issue(stripe=STRIPE)
    finally:
        await emulator.close()
