"""The client's face of card printers, asynchronous and blocking, against the real daemon on an emulated printer."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import pytest
from PIL import Image

import countertop.client
from countertop.bench.v1 import bench_pb2
from countertop.client import Counter, CountertopError, DeviceUnavailable, OperationFailed, connect, sync
from countertop.drivers.evolis import driver, waking
from countertop.sdk.cards import session
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.v1 import card_design_pb2, card_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_design_pb2 import (
    CardBox,
    CardDesign,
    CardElement,
    CardField,
    CardPicture,
    CardSide,
    CardText,
    CardValue,
)
from countertop.v1.card_pb2 import StripeData

Result = TypeVar("Result")
PRINTER = "card-printer"
STRIPE = StripeData(track2="9999012345678901=31121010000000000")
SELECT = bytes.fromhex("00A4040006A000000CA7D000")
CHALLENGE = bytes.fromhex("0084000008")
LEAVES, TAKES = bench_pb2.CUSTOMER_HABIT_LEAVES, bench_pb2.CUSTOMER_HABIT_TAKES
TAKE_CARD = operation_pb2.PROMPT_KIND_TAKE_CARD
DESIGN = CardDesign(
    name="trial",
    fields=[
        CardField(name="name", kind=card_design_pb2.CARD_FIELD_KIND_TEXT),
        CardField(name="number", kind=card_design_pb2.CARD_FIELD_KIND_TEXT),
        CardField(name="photo", kind=card_design_pb2.CARD_FIELD_KIND_PICTURE),
    ],
    front=CardSide(
        elements=[
            CardElement(
                box=CardBox(x_mm=5, y_mm=5, width_mm=60, height_mm=8), text=CardText(text="{name}", size_pt=12)
            ),
            CardElement(
                box=CardBox(x_mm=5, y_mm=15, width_mm=60, height_mm=8), text=CardText(text="{number}", size_pt=12)
            ),
            CardElement(box=CardBox(x_mm=60, y_mm=30, width_mm=15, height_mm=15), picture=CardPicture(field="photo")),
        ]
    ),
)


def photo() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 40), "#000000").save(file, "PNG")
    return file.getvalue()


DATA = {"name": "试样", "number": CardValue(text="9999 0123"), "photo": photo()}


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver.EvolisPrinter, "poll_interval", 0.05)
        patch.setattr(waking, "QUIET_SECONDS", 0.02)
        patch.setattr(session, "LOOK_SECONDS", 0.02)
        yield


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Where a terminal answers that has an emulated reader and printer in one box."""
    folder = tmp_path_factory.mktemp("client")
    config = Config(
        terminal=TerminalConfig(id="client", state_dir=f"{folder}/state"),
        listen=ListenConfig(addresses=[f"unix:{folder}/c.sock"]),
        devices=[
            DeviceConfig(id="id-reader", emulator="sdt", unit="issuer", emulator_options={"speed": 0}),
            DeviceConfig(id=PRINTER, emulator="evolis", unit="issuer", emulator_options={"speed": 0, "ribbon": "KO"}),
        ],
    )
    async with Daemon(config) as daemon:
        yield daemon.addresses[0]


@pytest.fixture
async def counter(served: str) -> AsyncIterator[Counter]:
    """A counter whose printer is as new."""
    async with connect(served) as counter:
        await counter.bench.take_card()
        await counter.bench.remove_jam()
        await counter.bench.load_cards(50, empty=True)
        await counter.bench.set_customer(TAKES)
        await until(counter, lambda device: device.state >= device_pb2.DEVICE_STATE_READY)
        await counter.reset(PRINTER)
        await until(counter, lambda device: device.status.card.place != card_pb2.CARD_PLACE_PRINT)
        yield counter


async def until(counter: Counter, found: Callable[[device_pb2.Device], bool]) -> None:
    """The printer is so; fails after 10 s."""
    async with asyncio.timeout(10):
        async for response in counter.watch():
            devices = list(response.snapshot.devices) or [response.event.device_changed]
            if any(device.id == PRINTER and found(device) for device in devices):
                return


@pytest.fixture
def on_thread(counter: Counter) -> Any:
    """Runs a function of a blocking counter on a thread, as a program without an event loop would."""

    async def run(work: Callable[[sync.Counter], Result]) -> Result:
        def program() -> Result:
            with sync.connect(counter.address) as blocking:
                return work(blocking)

        async with asyncio.timeout(20):
            return await asyncio.to_thread(program)

    return run


async def last_card(counter: Counter) -> dict[str, Any]:
    output = await counter.bench.last_output(PRINTER)
    assert output is not None
    found: dict[str, Any] = json.loads(output.text)
    return found


# --- cards ------------------------------------------------------------------------------------------------------------


async def test_a_card_is_issued_in_one_call_with_text_and_pictures(counter: Counter) -> None:
    result = await counter.card_printer().issue(DESIGN, DATA, stripe=STRIPE, take_within=10)
    assert result.card.place == card_pb2.CARD_PLACE_TAKEN
    card = await last_card(counter)
    assert (card["place"], card["stripe"]["track2"]) == ("taken", STRIPE.track2)
    output = await counter.bench.last_output(PRINTER)
    assert output is not None
    with Image.open(io.BytesIO(output.image.data)) as picture:
        assert picture.convert("RGB").getpixel((790, 440)) == (0, 0, 0)  # the photo


async def test_a_handle_tells_movements_and_prompts_and_who_hangs_up_stops_no_card(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES)
    async with counter.card_printer().start_issue(stripe=STRIPE) as handle:
        async for update in handle:
            if update.operation.prompt == TAKE_CARD:
                break
    assert (await counter.operations.get(handle.id)).state == operation_pb2.OPERATION_STATE_WAITING_FOR_PERSON
    assert await counter.bench.take_card()
    states = [operation.state async for operation in counter.operations.watch(handle.id)]
    assert states[-1] == operation_pb2.OPERATION_STATE_SUCCEEDED


async def test_a_card_under_way_cannot_be_cancelled(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES)
    handle = counter.card_printer().start_issue(stripe=STRIPE)
    async for update in handle:
        if update.operation.prompt == TAKE_CARD:
            break
    assert await handle.cancel() == operation_pb2.CANCEL_OUTCOME_TOO_LATE
    await counter.bench.take_card()
    assert (await handle.result()).card.place == card_pb2.CARD_PLACE_TAKEN


async def test_an_error_says_where_the_card_is(counter: Counter) -> None:
    blank = cards.BlankCheck(stripe_begins=StripeData(track2="9"))
    with pytest.raises(OperationFailed) as wrong:
        await counter.card_printer().issue(blank=blank)
    assert wrong.value.reason_name == "WRONG_BLANK"
    assert wrong.value.device_fault is not None
    assert wrong.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN
    assert wrong.value.operation is not None
    assert wrong.value.operation.device_id == PRINTER


async def test_a_stripe_is_encoded_read_and_the_card_moved(counter: Counter) -> None:
    printer = counter.card_printer()
    assert (await printer.move(cards.CARD_MOVE_FEED)).card.fed
    await printer.encode_stripe(STRIPE, coercivity=card_pb2.COERCIVITY_HIGH)
    assert (await printer.read_stripe([2])).stripe == STRIPE
    moved = await printer.move(cards.CARD_MOVE_PRESENT, take_within=10)
    assert moved.card.place == card_pb2.CARD_PLACE_TAKEN


async def test_a_chip_is_talked_to_and_reset(counter: Counter) -> None:
    printer = counter.card_printer()
    await printer.move(cards.CARD_MOVE_FEED)
    async with printer.chip(protocols=[1]) as chip:
        assert chip.protocol == 1
        assert len(await chip.transmit(CHALLENGE)) == 10
        atr = chip.atr
        assert await chip.reset() == chip.atr == atr


async def test_a_chip_session_that_is_over_says_so(counter: Counter) -> None:
    printer = counter.card_printer()
    await printer.move(cards.CARD_MOVE_FEED)
    async with printer.chip() as chip:
        pass
    for call in (chip.transmit(SELECT), chip.reset()):
        with pytest.raises(CountertopError):
            await call


async def test_a_command_that_is_given_up_ends_the_session(counter: Counter) -> None:
    printer = counter.card_printer()
    await printer.move(cards.CARD_MOVE_FEED)
    session = printer.chip(operation_id="given-up")
    chip = await session.__aenter__()
    asking = asyncio.create_task(chip.transmit(SELECT))
    await asyncio.sleep(0)  # it has begun
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(CountertopError):
        await chip.transmit(CHALLENGE)  # its answer could be the other one's
    states = [operation.state async for operation in counter.operations.watch("given-up")]
    assert states[-1] == operation_pb2.OPERATION_STATE_CANCELLED


async def test_a_fault_of_the_app_ends_the_session_and_is_raised_as_it_is(counter: Counter) -> None:
    printer = counter.card_printer()
    await printer.move(cards.CARD_MOVE_FEED)
    with pytest.raises(ZeroDivisionError):
        async with printer.chip(operation_id="app-fault"):
            raise ZeroDivisionError
    states = [operation.state async for operation in counter.operations.watch("app-fault")]
    assert states[-1] == operation_pb2.OPERATION_STATE_CANCELLED


async def test_who_joins_second_is_told_that_the_exchange_is_over(counter: Counter) -> None:
    printer = counter.card_printer()
    step = cards.ChipStep(app=cards.AppDrivenChip(within={"seconds": 20}))
    handle = printer.start_issue(chip=step)
    async for update in handle:
        if update.HasField("chip_ready"):
            break
    second = await printer.chip(issue=handle.id).__aenter__()
    async with printer.chip(issue=handle.id) as first:
        assert (await first.transmit(SELECT))[-2:] == b"\x90\x00"
    await handle.result()
    with pytest.raises(CountertopError):
        await second.transmit(SELECT)


async def test_a_closed_counter_ends_its_chip_session_with_a_sentence(counter: Counter) -> None:
    await counter.card_printer().move(cards.CARD_MOVE_FEED)
    async with connect(counter.address) as other:
        chip = await other.card_printer().chip().__aenter__()
    with pytest.raises(CountertopError):
        await chip.transmit(SELECT)


async def test_an_inventory_is_exchanged_by_names(counter: Counter) -> None:
    printer = counter.card_printer()
    assert (await printer.begin_exchange(by="staff 1", drain=5)).exchanging
    with pytest.raises(ValueError, match="reject"):
        await printer.end_exchange({"feeder": 50}, thresholds={"reject": 3})
    ended = await printer.end_exchange({"feeder": 50, "reject": 0}, thresholds={"feeder": 10})
    assert {item.unit.name: (item.count, item.threshold) for item in ended.units} == {
        "feeder": (50, 10),
        "reject": (0, 0),
    }
    assert not (await printer.inventory()).exchanging


async def test_previews_are_drawn_with_and_without_the_printer(counter: Counter) -> None:
    printer = counter.card_printer()
    for picture in (
        (await printer.preview(DESIGN, DATA)).front,
        (await printer.preview(DESIGN, DATA, standalone=True, mono=True)).front,
        (await printer.preview(DESIGN, samples=True)).front,
    ):
        assert (picture.media_type, picture.width, picture.height) == ("image/png", 1011, 638)


async def test_a_whole_box_is_claimed(counter: Counter) -> None:
    assert [(unit.id, list(unit.device_ids)) for unit in await counter.units()] == [("issuer", ["id-reader", PRINTER])]
    claim = counter.claim(units=["issuer"], label="counter 3")
    assert repr(claim) == "<Claim of issuer by 'counter 3'>"
    async with claim, connect(counter.address) as other:
        assert claim.fences.keys() == {"id-reader", PRINTER}
        with pytest.raises(DeviceUnavailable) as refused:
            await other.card_printer().issue(stripe=STRIPE)
        assert refused.value.reason == error_pb2.REASON_CLAIMED_BY_OTHER
        assert (await counter.card_printer().issue(stripe=STRIPE, claim_token=claim.token)).card.fed


# --- hands ------------------------------------------------------------------------------------------------------------


async def test_the_hands_fill_empty_and_count(counter: Counter) -> None:
    hands = counter.bench
    before = await hands.count_cards()
    assert await hands.load_cards(5, stripe=STRIPE, chip=bench_pb2.BlankChip(absent=True)) == 55
    assert await hands.load_cards(7, empty=True) == 7
    await hands.empty_bin()
    await counter.card_printer().move(cards.CARD_MOVE_FEED)
    await counter.card_printer().move(cards.CARD_MOVE_RETAIN)
    assert await hands.empty_bin() == 1
    assert await hands.empty_bin(unit="reject") == 0
    after = await hands.count_cards(PRINTER)
    assert (after.loaded - before.loaded, after.retained - before.retained, after.supply) == (12, 1, 6)
    with pytest.raises(CountertopError, match="expected reject or output"):
        await hands.empty_bin(unit="drawer")


async def test_the_hands_take_push_and_remove_cards(counter: Counter) -> None:
    hands, printer = counter.bench, counter.card_printer()
    assert not await hands.take_card()
    assert not await hands.remove_jam()
    await hands.set_customer(LEAVES, after=2)
    await hands.push_card(stripe=STRIPE)
    assert await hands.take_card()
    await printer.move(cards.CARD_MOVE_FEED)
    with pytest.raises(CountertopError, match="without a card inside"):
        await hands.push_card()
    assert await hands.remove_jam()


async def test_the_hands_change_the_ribbon(counter: Counter) -> None:
    await counter.bench.load_ribbon(kind="YMCKO", prints=3)
    await counter.reset(PRINTER)
    (ribbon,) = (await counter.card_printer().inventory()).consumables
    assert (ribbon.type, ribbon.remaining, ribbon.capacity) == ("YMCKO", 3, 200)
    await counter.bench.load_ribbon(absent=True)
    await counter.reset(PRINTER)
    (ribbon,) = (await counter.card_printer().inventory()).consumables
    assert ribbon.level == device_pb2.SUPPLY_LEVEL_OUT
    with pytest.raises(CountertopError, match="expected one of YMCKO"):
        await counter.bench.load_ribbon(kind="XYZ")
    await counter.bench.load_ribbon(kind="KO")
    await counter.reset(PRINTER)


# --- the blocking twin ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CardPrinter", "ChipSession", "Claim", "Bench", "Counter"])
def test_each_asynchronous_name_has_a_blocking_one(name: str) -> None:
    original = getattr(countertop.client, name)
    wanted = {item for item in vars(original) if not item.startswith("_")} - {"acquire", "error", "fences"}
    assert wanted - set(dir(getattr(sync, name))) == set()


@pytest.mark.parametrize("method", ["issue", "move", "read_stripe", "end_exchange", "preview", "chip"])
def test_blocking_methods_take_the_same_arguments(method: str) -> None:
    blocking, original = getattr(sync.CardPrinter, method), getattr(countertop.client.CardPrinter, method)
    assert inspect.signature(blocking).parameters.keys() == inspect.signature(original).parameters.keys()


async def test_a_program_without_a_loop_issues_and_counts(on_thread: Any) -> None:
    def work(counter: sync.Counter) -> None:
        printer = counter.card_printer()
        before = counter.bench.count_cards().taken
        assert printer.issue(DESIGN, DATA, stripe=STRIPE).card.place == card_pb2.CARD_PLACE_TAKEN
        with printer.start_issue(stripe=STRIPE) as handle:
            moved = [update.moved.movement for update in handle if update.HasField("moved")]
        assert moved == [
            card_pb2.CARD_MOVEMENT_FED,
            card_pb2.CARD_MOVEMENT_PRESENTED,
            card_pb2.CARD_MOVEMENT_TAKEN,
        ]
        assert counter.bench.count_cards().taken == before + 2
        last = counter.bench.last_output(PRINTER)
        assert last is not None
        assert json.loads(last.text)["stripe"]["track2"] == STRIPE.track2
        assert [item.unit.name for item in printer.inventory().units] == ["feeder", "reject"]
        assert printer.begin_exchange().exchanging
        assert not printer.end_exchange({"feeder": 48}).exchanging
        assert printer.preview(DESIGN, DATA).front.width == 1011

    await on_thread(work)


async def test_a_program_without_a_loop_talks_to_a_chip_and_moves_the_card(on_thread: Any) -> None:
    def work(counter: sync.Counter) -> None:
        printer = counter.card_printer()
        printer.move(cards.CARD_MOVE_FEED)
        printer.encode_stripe(STRIPE)
        assert printer.read_stripe([2]).stripe == STRIPE
        with printer.chip() as chip:
            assert (chip.atr, chip.protocol) == (chip.reset(), 0)
            assert chip.transmit(SELECT)[-2:] == b"\x90\x00"
        with pytest.raises(ZeroDivisionError), printer.chip():
            raise ZeroDivisionError
        printer.move(cards.CARD_MOVE_RETAIN)

    await on_thread(work)


async def test_a_program_without_a_loop_drives_the_chip_of_a_card_that_is_made(on_thread: Any) -> None:
    def work(counter: sync.Counter) -> None:
        printer = counter.card_printer()
        with printer.start_issue(chip=cards.ChipStep(app=cards.AppDrivenChip())) as handle:
            for update in handle:
                if update.HasField("chip_ready"):
                    with printer.chip(issue=handle.id) as chip:
                        assert chip.transmit(SELECT)[-2:] == b"\x90\x00"
            assert handle.result().card.chip == card_pb2.CARD_WORK_DONE

    await on_thread(work)


async def test_a_program_without_a_loop_claims_a_box_and_pulls_its_plug(on_thread: Any, counter: Counter) -> None:
    def work(blocking: sync.Counter) -> None:
        with blocking.claim(units=["issuer"], label="blocking") as claim:
            blocking.card_printer().issue(stripe=STRIPE, claim_token=claim.token)
        assert [unit.id for unit in blocking.units()] == ["issuer"]
        blocking.bench.unplug("issuer")

    await on_thread(work)
    await until(counter, lambda device: device.state == device_pb2.DEVICE_STATE_OFFLINE)
    await counter.bench.replug("issuer")
    await until(counter, lambda device: device.state == device_pb2.DEVICE_STATE_READY)
