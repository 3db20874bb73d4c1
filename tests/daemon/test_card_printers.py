"""Cards, whole: emulated printers, their driver, the daemon, the client."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image, ImageDraw

import countertop.cli
from countertop.bench.v1 import bench_pb2
from countertop.cli.card_file import read_design
from countertop.client import (
    Counter,
    CountertopError,
    DeviceUnavailable,
    InvalidRequest,
    NotFound,
    OperationFailed,
    connect,
)
from countertop.drivers.evolis import driver, status
from countertop.emulators.evolis.emulator import EvolisEmulator, start
from countertop.sdk.cards import session
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.v1 import card_design_pb2, card_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_design_pb2 import CardBox, CardDesign, CardElement, CardField, CardShape, CardSide, CardText
from countertop.v1.card_pb2 import CardMovement, CardPlace, StripeData
from countertop.v1.card_printer_pb2 import ApduScript, AppDrivenChip, BlankCheck, ChipStep, ScriptedApdu

KIOSK, DESKTOP, COLOR = "kiosk", "desktop", "color"
READY = (device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_ATTENTION)
NONE, PARTIAL = error_pb2.PHYSICAL_EFFECT_NONE, error_pb2.PHYSICAL_EFFECT_PARTIAL
DONE, FAILED = card_pb2.CARD_WORK_DONE, card_pb2.CARD_WORK_FAILED
TAKES, LEAVES = bench_pb2.CUSTOMER_HABIT_TAKES, bench_pb2.CUSTOMER_HABIT_LEAVES
ATR = "3B86800143544341524404"
STRIPE = StripeData(track1="B9999012345678901^SHI/YANG^31121010000000000", track2="9999012345678901=31121010000000000")
BOX = CardElement(box=CardBox(x_mm=10, y_mm=10, width_mm=60, height_mm=20), shape=CardShape(fill="#000000"))
NAME = CardElement(box=CardBox(x_mm=10, y_mm=35, width_mm=60, height_mm=8), text=CardText(text="{name}", size_pt=12))
DESIGN = CardDesign(
    name="trial",
    fields=[CardField(name="name", kind=card_design_pb2.CARD_FIELD_KIND_TEXT, max_chars=20)],
    front=CardSide(elements=[BOX, NAME]),
)
TWO_SIDED = CardDesign(name="two", front=CardSide(elements=[BOX]), back=CardSide(elements=[BOX]))
SELECT_APPLICATION = bytes.fromhex("00A4040006A000000CA7D000")
SELECT_FILE = bytes.fromhex("00A4000002EF0100")
WRITE = bytes.fromhex("00D6000004DEADBEEF")
READ = bytes.fromhex("00B0000004")
SCRIPT = ChipStep(
    script=ApduScript(
        commands=[
            ScriptedApdu(command=SELECT_APPLICATION, expect="9000"),
            ScriptedApdu(command=SELECT_FILE),
            ScriptedApdu(command=WRITE),
            ScriptedApdu(command=READ, answer=True),
        ]
    )
)
APP = ChipStep(app=AppDrivenChip())


# --- the terminal -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def terminal(folder: Path, *devices: DeviceConfig, patience: float = 30.0) -> AsyncIterator[Counter]:
    """A daemon with these devices, all of them ready."""
    config = Config(
        terminal=TerminalConfig(id="cards", state_dir=f"{folder}/state"),
        listen=ListenConfig(addresses=[f"unix:{folder}/c.sock"]),
        devices=list(devices),
    )
    async with Daemon(config) as daemon, connect(daemon.addresses[0], patience=patience) as counter:
        for device in devices:
            await until_ready(counter, device.id)
        yield counter


def evolis(
    device_id: str, *, unit: str = "", safe_state: Any = "retain", isolation: Any = "none", **options: Any
) -> DeviceConfig:
    """An emulated printer that takes no time."""
    return DeviceConfig(
        id=device_id,
        emulator="evolis",
        unit=unit,
        safe_state=safe_state,
        isolation=isolation,
        emulator_options={"speed": 0, "ribbon": "KO", **options},
    )


@pytest.fixture(scope="module", autouse=True)
def quick() -> Any:
    """The daemon looks at its printers, and they at their exits, more often than in earnest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver.EvolisPrinter, "poll_interval", 0.05)
        patch.setattr(driver, "QUIET_SECONDS", 0.02)
        patch.setattr(status, "SLOW_SECONDS", 0.0)
        patch.setattr(session, "LOOK_SECONDS", 0.02)
        yield


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    devices = (evolis(KIOSK), evolis(DESKTOP, model="Primacy", output_capacity=2), evolis(COLOR, ribbon="YMCKO"))
    async with terminal(tmp_path_factory.mktemp("cards"), *devices) as counter:
        yield counter


@pytest.fixture
async def counter(shared: Counter) -> Counter:
    """The shared terminal with its printers as new: staff has been there."""
    await asyncio.gather(mended(shared, KIOSK), mended(shared, DESKTOP))
    return shared


async def mended(counter: Counter, device_id: str) -> None:
    hands = counter.bench
    await hands.clear_fault(device_id)
    await hands.close_cover(device_id)
    await hands.take_card(device_id)
    await hands.remove_jam(device_id)
    for unit in ("reject", "output"):
        await hands.empty_bin(device_id, unit)
    await hands.load_cards(50, device_id, empty=True)
    await hands.load_ribbon(device_id, kind="KO")
    await hands.set_customer(TAKES, device_id)
    await counter.reset(device_id)
    await until_ready(counter, device_id)


async def until(counter: Counter, device_id: str, found: Callable[[device_pb2.Device], bool]) -> device_pb2.Device:
    """The device as soon as it is so; fails after 10 s."""
    async with asyncio.timeout(10):
        async for response in counter.watch():
            devices = response.snapshot.devices if response.HasField("snapshot") else ()
            if response.event.HasField("device_changed"):
                devices = (response.event.device_changed,)
            for device in devices:
                if device.id == device_id and found(device):
                    return device
    raise AssertionError("the event stream ended")


async def until_ready(counter: Counter, device_id: str) -> None:
    await until(counter, device_id, lambda device: device.state in READY)


class Watch:
    """What the terminal's one stream tells from now on."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._synced, self._more = asyncio.Event(), asyncio.Event()
        self.events: list[device_pb2.Event] = []

    async def __aenter__(self) -> Watch:
        self._task = asyncio.create_task(self._follow())
        await self._synced.wait()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _follow(self) -> None:
        async for response in self._counter.watch():
            if response.HasField("synced"):
                self._synced.set()
            elif response.HasField("event"):
                self.events.append(response.event)
                self._more.set()

    def moved(self) -> list[card_pb2.CardMoved]:
        return [event.card_moved for event in self.events if event.HasField("card_moved")]

    async def until(self, found: Callable[[device_pb2.Event], bool]) -> device_pb2.Event:
        async with asyncio.timeout(10):
            while True:
                for event in self.events:
                    if found(event):
                        return event
                self._more.clear()
                await self._more.wait()

    async def until_moved(self, movement: CardMovement) -> card_pb2.CardMoved:
        found = await self.until(lambda event: event.card_moved.movement == movement)
        return found.card_moved


def movements(updates: list[Any]) -> list[str]:
    moved = [update.moved.movement for update in updates if update.HasField("moved")]
    return [CardMovement.Name(movement).removeprefix("CARD_MOVEMENT_") for movement in moved]


async def updates_of(handle: Any) -> list[Any]:
    async with asyncio.timeout(20):
        return [update async for update in handle]


async def last_card(counter: Counter, device_id: str = KIOSK) -> tuple[dict[str, Any], bench_pb2.Output]:
    """The card that came out last: what it is, and its pictures."""
    output = await counter.bench.last_output(device_id)
    assert output is not None
    return json.loads(output.text), output


async def place_of(counter: Counter, device_id: str = KIOSK) -> str:
    return CardPlace.Name((await counter.device(device_id)).status.card.place).removeprefix("CARD_PLACE_")


async def counted(counter: Counter, device_id: str = KIOSK) -> dict[str, int]:
    found = await counter.bench.count_cards(device_id)
    return {field.name: getattr(found, field.name) for field in found.DESCRIPTOR.fields}


async def more_than(before: dict[str, int], counter: Counter, device_id: str = KIOSK) -> dict[str, int]:
    """How many more cards are where now; places without a change are left out."""
    now = await counted(counter, device_id)
    return {name: now[name] - before[name] for name in now if now[name] != before[name]}


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


async def fed(counter: Counter, device_id: str = KIOSK) -> None:
    """A card of the supply lies inside."""
    await counter.card_printer(device_id).move(cards.CARD_MOVE_FEED)


# --- a card, from the supply into the customer's hand ----------------------------------------------------------------


async def test_a_card_comes_out_with_its_stripe_its_chip_and_its_picture(counter: Counter) -> None:
    result = await counter.card_printer(KIOSK).issue(DESIGN, {"name": "王小明"}, stripe=STRIPE, chip=SCRIPT)
    card, output = await last_card(counter)
    assert card["place"] == "taken"
    assert card["stripe"] == {"track1": STRIPE.track1, "track2": STRIPE.track2, "damaged": [], "coercivity": ["high"]}
    assert card["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF00")
    assert card["front"] == {"printed": True, "dyes": [], "black": True, "overlay": 1.0}
    assert not card["back"]["printed"]
    assert (output.image.width, output.image.height) == (1011, 638)
    dark = pixels(output.image.data).sum(axis=2) == 0
    assert dark[130:340, 130:810].all()  # the box: 10 to 30 mm from above, 10 to 70 mm from the left
    assert dark[410:510, 110:].any()  # the name
    assert not dark[540:].any()
    assert result.atr == bytes.fromhex(ATR)
    work = (result.card.stripe, result.card.chip, result.card.front, result.card.back)
    assert work == (DONE, DONE, DONE, card_pb2.CARD_WORK_UNSPECIFIED)
    assert (result.card.place, result.card.fed) == (card_pb2.CARD_PLACE_TAKEN, True)


async def test_the_way_of_a_card_is_told_step_by_step(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    handle = counter.card_printer(KIOSK).start_issue(DESIGN, {"name": "x"}, stripe=STRIPE, chip=SCRIPT)
    seen: list[Any] = []
    async with Watch(counter) as watch, asyncio.timeout(20):
        async for update in handle:
            if update.operation.prompt == operation_pb2.PROMPT_KIND_TAKE_CARD and "TAKEN" not in movements(seen):
                assert update.operation.state == operation_pb2.OPERATION_STATE_WAITING_FOR_PERSON
                await counter.bench.take_card(KIOSK)
            seen.append(update)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_TAKEN)
        told = watch.moved()
    assert movements(seen) == ["FED", "MOVED", "MOVED", "PRESENTED", "TAKEN"]
    assert [(moved.movement, moved.place) for moved in told] == [
        (card_pb2.CARD_MOVEMENT_FED, card_pb2.CARD_PLACE_PRINT),
        (card_pb2.CARD_MOVEMENT_MOVED, card_pb2.CARD_PLACE_CONTACT),
        (card_pb2.CARD_MOVEMENT_MOVED, card_pb2.CARD_PLACE_PRINT),
        (card_pb2.CARD_MOVEMENT_PRESENTED, card_pb2.CARD_PLACE_EXIT),
        (card_pb2.CARD_MOVEMENT_TAKEN, card_pb2.CARD_PLACE_TAKEN),
    ]
    assert {(moved.device_id, moved.operation_id) for moved in told} == {(KIOSK, handle.id)}
    steps = [update.operation.progress.done for update in seen if update.operation.progress.total]
    assert steps == sorted(steps)
    last = seen[-1].operation.progress
    assert (last.done, last.total, last.unit) == (6, 6, "steps")
    assert [update.chip_answered.id for update in seen if update.HasField("chip_answered")] == [3]
    assert seen[-1].result.card.place == card_pb2.CARD_PLACE_TAKEN


async def test_the_statistics_count_cards_and_printed_sides(counter: Counter) -> None:
    def total(found: Any) -> tuple[float, float]:
        used = {item.name: item.amount for item in found.since_start.media}
        return used.get("cards", 0.0), used.get("card_sides", 0.0)

    before = total(await counter.statistics(KIOSK))
    await counter.card_printer(KIOSK).issue(TWO_SIDED)
    assert total(await counter.statistics(KIOSK)) == (before[0] + 1, before[1] + 2)


async def test_a_printer_with_an_output_hopper_puts_the_card_there(counter: Counter) -> None:
    handle = counter.card_printer(DESKTOP).start_issue(TWO_SIDED)
    assert movements(await updates_of(handle)) == ["FED", "EJECTED"]
    card, output = await last_card(counter, DESKTOP)
    assert card["place"] == "output"
    assert card["front"]["black"]
    assert card["back"]["black"]
    assert (pixels(output.back.data) == pixels(output.image.data)).all()


async def test_the_same_operation_id_twice_makes_one_card(counter: Counter) -> None:
    before, printer = await counted(counter), counter.card_printer(KIOSK)
    first, second = await asyncio.gather(*(printer.issue(stripe=STRIPE, operation_id="once") for _ in range(2)))
    assert first == second == await printer.issue(stripe=STRIPE, operation_id="once")
    assert await more_than(before, counter) == {"supply": -1, "taken": 1}
    with pytest.raises(InvalidRequest) as reused:
        await printer.issue(operation_id="once")
    assert reused.value.reason == error_pb2.REASON_OPERATION_ID_REUSED


async def test_a_card_may_be_made_in_several_operations(counter: Counter) -> None:
    printer, before = counter.card_printer(KIOSK), await counted(counter)
    held = await printer.issue(stripe=STRIPE, delivery=cards.CARD_DELIVERY_HOLD)
    assert held.card.place == card_pb2.CARD_PLACE_PRINT
    device = await until(counter, KIOSK, lambda device: device.state == device_pb2.DEVICE_STATE_READY)
    assert not device.status.conditions  # it is held on purpose
    blank = BlankCheck(stripe_begins=StripeData(track2="9999"))
    result = await printer.issue(DESIGN, {"name": "x"}, source=cards.CARD_SOURCE_INSIDE, blank=blank)
    assert not result.card.fed
    assert await more_than(before, counter) == {"supply": -1, "taken": 1}
    card, _ = await last_card(counter)
    assert (card["stripe"]["track2"], card["front"]["printed"]) == (STRIPE.track2, True)


async def test_a_customers_own_card_is_taken_in_and_given_back(counter: Counter) -> None:
    before = await counted(counter)
    handle = counter.card_printer(KIOSK).start_issue(stripe=STRIPE, source=cards.CARD_SOURCE_EXIT)
    seen = []
    async with asyncio.timeout(20):
        async for update in handle:
            if update.operation.prompt == operation_pb2.PROMPT_KIND_INSERT_CARD and not seen:
                await counter.bench.push_card(KIOSK)
                seen.append(update)
            if update.HasField("moved"):
                seen.append(update)
    assert movements(seen) == ["INSERTED", "PRESENTED", "TAKEN"]
    assert await more_than(before, counter) == {"pushed": 1, "taken": 1}


async def test_a_customer_who_brings_no_card_uses_none_up(counter: Counter) -> None:
    before = await counted(counter)
    with pytest.raises(OperationFailed) as nobody:
        await counter.card_printer(KIOSK).issue(stripe=STRIPE, source=cards.CARD_SOURCE_EXIT, timeout=0.3)
    assert nobody.value.reason == error_pb2.REASON_CARD_NOT_INSERTED
    assert nobody.value.physical_effect == NONE
    assert await more_than(before, counter) == {}


async def test_an_emulated_card_looks_like_its_preview(shared: Counter) -> None:
    design = read_design(Path(countertop.cli.__file__).parent / "designs" / "bank-card.yaml")
    data = {"name": "试样 SHI YANG", "number": "9999 0123 4567 8901", "expiry": "12/31", "photo": photo()}
    printer = shared.card_printer(COLOR)
    await printer.issue(design, data)
    _, output = await last_card(shared, COLOR)
    preview = await printer.preview(design, data)
    for made, drawn in ((output.image, preview.front), (output.back, preview.back)):
        one, other = pixels(made.data), pixels(drawn.data)
        assert one.shape == other.shape == (638, 1011, 3)
        assert one.std() > 20  # there is something to compare
        assert np.abs(one - other).mean(axis=(0, 1)).max() < 6
        assert np.abs(blocks(one) - blocks(other)).max() < 16


def photo() -> bytes:
    """A face of sorts, before a gradient."""
    picture = Image.linear_gradient("L").resize((420, 530)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((110, 90, 310, 350), fill=(222, 184, 150))
    draw.rectangle((60, 380, 360, 530), fill=(40, 70, 130))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def blocks(picture: Any) -> Any:
    """Means of 16 by 16 dots."""
    height, width = (size // 16 * 16 for size in picture.shape[:2])
    return picture[:height, :width].reshape(height // 16, 16, width // 16, 16, 3).mean(axis=(1, 3))


# --- what is refused before anything moves ---------------------------------------------------------------------------


def text(value: str) -> CardDesign:
    return CardDesign(front=CardSide(elements=[CardElement(box=BOX.box, text=CardText(text=value, size_pt=9))]))


def script(*commands: bytes) -> ChipStep:
    return ChipStep(script=ApduScript(commands=[ScriptedApdu(command=command) for command in commands]))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"stripe": StripeData(track2="99990123A")}, "stripe.track2"),
    ({"stripe": StripeData(track1="lower case")}, "stripe.track1"),
    ({"stripe": StripeData()}, "stripe"),
    ({"stripe": StripeData(track3="9" * 105)}, "stripe.track3"),
    ({"design": text("{nmae}")}, "artwork.design.front.elements[0].text.text"),
    ({"design": DESIGN}, "artwork.data"),
    ({"design": DESIGN, "data": {"name": "x" * 21}}, "artwork.data[name]"),
    ({"design": TWO_SIDED, "data": {"extra": "x"}}, "artwork.data[extra]"),
    ({"chip": ChipStep()}, "chip"),
    ({"chip": script(SELECT_FILE, b"\0\xa4\0")}, "chip.script.commands[1].command"),
    ({"chip": ChipStep(script=ApduScript())}, "chip.script.commands"),
    ({"chip": ChipStep(app=AppDrivenChip(within={"seconds": 601}))}, "chip.app.within"),
    ({"take_within": 0.5}, "take_within"),
    ({"take_within": 601}, "take_within"),
    ({"blank": BlankCheck(stripe_begins=StripeData(track2="9" * 38))}, "blank.stripe_begins.track2"),
]


@pytest.mark.parametrize(("asked", "field"), REFUSED, ids=[field for _, field in REFUSED])
async def test_a_mistake_is_named_by_its_field_and_nothing_moves(
    asked: dict[str, Any], field: str, counter: Counter
) -> None:
    before = await counted(counter)
    with pytest.raises(InvalidRequest) as mistake:
        await counter.card_printer(KIOSK).issue(**asked)
    assert any(place.startswith(field) for place in mistake.value.violations), mistake.value.violations
    assert await more_than(before, counter) == {}


LACKING = [
    (KIOSK, {"delivery": cards.CARD_DELIVERY_EJECT}),
    (DESKTOP, {"delivery": cards.CARD_DELIVERY_PRESENT}),
    (DESKTOP, {"source": cards.CARD_SOURCE_EXIT, "timeout": 1.0}),
]


@pytest.mark.parametrize(("device_id", "asked"), LACKING)
async def test_what_the_printer_cannot_do_uses_no_card_up(
    device_id: str, asked: dict[str, Any], counter: Counter
) -> None:
    before = await counted(counter, device_id)
    with pytest.raises(CountertopError) as refused:
        await counter.card_printer(device_id).issue(stripe=STRIPE, **asked)
    assert refused.value.reason == error_pb2.REASON_NOT_SUPPORTED
    assert refused.value.physical_effect == NONE
    assert await more_than(before, counter, device_id) == {}


async def staff_empties_the_feeder(counter: Counter) -> None:
    await counter.bench.load_cards(0, KIOSK, empty=True)


async def staff_opens_the_cover(counter: Counter) -> None:
    await counter.bench.open_cover(KIOSK)


async def staff_takes_the_ribbon_out(counter: Counter) -> None:
    await counter.bench.load_ribbon(KIOSK, absent=True)
    await until(counter, KIOSK, lambda device: error_pb2.REASON_RIBBON_OUT in standing(device))


async def the_bin_fills_up(counter: Counter) -> None:
    for _ in range(30):
        await counter.card_printer(KIOSK).move(cards.CARD_MOVE_FEED)
        await counter.card_printer(KIOSK).move(cards.CARD_MOVE_RETAIN)


async def a_card_is_inside(counter: Counter) -> None:
    await fed(counter)


async def a_card_lies_at_the_exit(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    await fed(counter)
    await counter.card_printer(KIOSK).move(cards.CARD_MOVE_PRESENT)


OBSTACLES = [
    (staff_empties_the_feeder, error_pb2.REASON_CARDS_OUT),
    (staff_opens_the_cover, error_pb2.REASON_COVER_OPEN),
    (staff_takes_the_ribbon_out, error_pb2.REASON_RIBBON_OUT),
    (the_bin_fills_up, error_pb2.REASON_RETAIN_BIN_FULL),
    (a_card_is_inside, error_pb2.REASON_CARD_INSIDE),
    (a_card_lies_at_the_exit, error_pb2.REASON_CARD_AT_EXIT),
]


def standing(device: device_pb2.Device) -> list[int]:
    return [condition.reason for condition in device.status.conditions]


@pytest.mark.parametrize(("happens", "reason"), OBSTACLES, ids=[happens.__name__ for happens, _ in OBSTACLES])
async def test_what_stands_in_the_way_is_told_before_a_card_is_used(
    happens: Any, reason: int, counter: Counter
) -> None:
    await happens(counter)
    before = await counted(counter)
    with pytest.raises(OperationFailed) as refused:
        await counter.card_printer(KIOSK).issue(DESIGN, {"name": "x"})
    assert (refused.value.reason, refused.value.physical_effect) == (reason, NONE)
    assert await more_than(before, counter) == {}


# --- what goes wrong on the way ---------------------------------------------------------------------------------------


WRONG = [
    (BlankCheck(stripe_begins=StripeData(track2="9998")), "track 2 to begin"),
    (BlankCheck(stripe_blank=True), "track 2 blank"),
    (BlankCheck(atr=bytes.fromhex("3B00")), "the ATR 3B00"),
]


@pytest.mark.parametrize(("blank", "expected"), WRONG, ids=[expected for _, expected in WRONG])
async def test_a_wrong_blank_is_put_away_before_anything_is_written(
    blank: BlankCheck, expected: str, counter: Counter
) -> None:
    await counter.bench.load_cards(5, KIOSK, stripe=StripeData(track2="9999000000000000"), empty=True)
    handle = counter.card_printer(KIOSK).start_issue(DESIGN, {"name": "x"}, stripe=STRIPE, chip=SCRIPT, blank=blank)
    with pytest.raises(OperationFailed) as wrong:
        await handle.result()
    assert (wrong.value.reason, wrong.value.physical_effect) == (error_pb2.REASON_WRONG_BLANK, PARTIAL)
    fault = wrong.value.device_fault
    assert fault is not None
    assert expected in fault.expected
    assert fault.card == card_pb2.CardReport(place=card_pb2.CARD_PLACE_RETAIN_BIN, fed=True)
    card, _ = await last_card(counter)
    assert card["place"] == "retained"
    assert card["stripe"]["track2"] == "9999000000000000"
    assert not card["front"]["printed"]


async def test_the_right_blank_is_checked_in_every_way_and_then_made(counter: Counter) -> None:
    await counter.bench.load_cards(5, KIOSK, stripe=StripeData(track2="9999000000000000"), empty=True)
    blank = BlankCheck(stripe_begins=StripeData(track2="999900"), atr=bytes.fromhex(ATR))
    handle = counter.card_printer(KIOSK).start_issue(DESIGN, {"name": "x"}, stripe=STRIPE, chip=SCRIPT, blank=blank)
    updates = await updates_of(handle)
    assert movements(updates) == ["FED", "MOVED", "MOVED", "MOVED", "MOVED", "PRESENTED", "TAKEN"]
    card, _ = await last_card(counter)
    assert card["stripe"]["track2"] == STRIPE.track2
    assert card["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")


async def test_a_card_at_the_contacts_is_checked_and_written_where_the_stripe_is(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await printer.move(cards.CARD_MOVE_CONTACT)
    blank = BlankCheck(stripe_blank=True, atr=bytes.fromhex(ATR))
    result = await printer.issue(
        source=cards.CARD_SOURCE_INSIDE, blank=blank, stripe=STRIPE, delivery=cards.CARD_DELIVERY_HOLD
    )
    assert (result.card.place, result.card.stripe) == (card_pb2.CARD_PLACE_PRINT, DONE)
    assert await place_of(counter) == "PRINT"


async def test_a_card_that_nobody_takes_is_kept_back(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    handle = counter.card_printer(KIOSK).start_issue(stripe=STRIPE, take_within=1)
    async with Watch(counter) as watch:
        with pytest.raises(OperationFailed) as forgotten:
            await handle.result()
        await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
        told = [CardMovement.Name(moved.movement).removeprefix("CARD_MOVEMENT_") for moved in watch.moved()]
    assert told == ["FED", "PRESENTED", "FORGOTTEN", "MOVED", "RETAINED"]
    assert (forgotten.value.reason, forgotten.value.physical_effect) == (error_pb2.REASON_CARD_NOT_TAKEN, PARTIAL)
    assert forgotten.value.device_fault is not None
    assert forgotten.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN
    assert forgotten.value.device_fault.card.stripe == DONE
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_may_stay_at_the_exit_is_taken_later(counter: Counter) -> None:
    await counter.bench.set_customer(LEAVES, KIOSK)
    handle = counter.card_printer(KIOSK).start_issue(stripe=STRIPE, take_within=1, if_not_taken=cards.NOT_TAKEN_LEAVE)
    with pytest.raises(OperationFailed) as forgotten:
        await handle.result()
    assert forgotten.value.device_fault is not None
    assert forgotten.value.device_fault.card.place == card_pb2.CARD_PLACE_EXIT
    device = await until(counter, KIOSK, lambda device: error_pb2.REASON_CARD_AT_EXIT in standing(device))
    assert device.status.card.movement == card_pb2.CARD_MOVEMENT_FORGOTTEN
    async with Watch(counter) as watch:
        assert await counter.bench.take_card(KIOSK)
        taken = await watch.until_moved(card_pb2.CARD_MOVEMENT_TAKEN)
    assert (taken.operation_id, taken.place) == (handle.id, card_pb2.CARD_PLACE_TAKEN)


async def test_a_customer_who_pushes_the_card_back_has_not_taken_it(counter: Counter) -> None:
    await counter.bench.set_customer(bench_pb2.CUSTOMER_HABIT_PUSHES_BACK, KIOSK)
    before = await counted(counter)
    with pytest.raises(OperationFailed) as forgotten:
        await counter.card_printer(KIOSK).issue(stripe=STRIPE, take_within=1)
    assert forgotten.value.reason == error_pb2.REASON_CARD_NOT_TAKEN
    assert await more_than(before, counter) == {"supply": -1, "retained": 1}


JAMS: list[tuple[str, str, dict[str, Any]]] = [
    ("jam-feeder", KIOSK, {"stripe": STRIPE}),
    ("jam-contact", KIOSK, {"chip": SCRIPT}),
    ("jam-print", KIOSK, {"chip": SCRIPT}),
    ("jam-flip", KIOSK, {"design": TWO_SIDED}),
    ("jam-exit", KIOSK, {"stripe": STRIPE}),
    ("jam-output", DESKTOP, {"stripe": STRIPE}),
]


@pytest.mark.parametrize(("fault", "device_id", "asked"), JAMS, ids=[fault for fault, *_ in JAMS])
async def test_a_card_that_sticks_is_told_and_staff_takes_it_out(
    fault: str, device_id: str, asked: dict[str, Any], counter: Counter
) -> None:
    before = await counted(counter, device_id)
    await counter.bench.inject_fault(device_id, fault, times=1)
    with pytest.raises(OperationFailed) as jammed:
        await counter.card_printer(device_id).issue(**asked)
    assert (jammed.value.reason, jammed.value.physical_effect) == (error_pb2.REASON_CARD_JAMMED, PARTIAL)
    assert jammed.value.device_fault is not None
    assert jammed.value.device_fault.card.place == card_pb2.CARD_PLACE_JAMMED
    assert jammed.value.device_fault.card.fed
    device = await until(counter, device_id, lambda device: device.state == device_pb2.DEVICE_STATE_FAULT)
    assert standing(device) == [error_pb2.REASON_CARD_JAMMED]
    assert device.status.media == device_pb2.MEDIA_STATE_JAMMED
    async with Watch(counter) as watch:
        assert await counter.bench.remove_jam(device_id)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_REMOVED)
    await until_ready(counter, device_id)
    assert await more_than(before, counter, device_id) == {"supply": -1, "removed": 1}


async def test_a_wrong_blank_that_sticks_on_its_way_into_the_bin_is_told_there(counter: Counter) -> None:
    await counter.bench.inject_fault(KIOSK, "jam-retain", times=1)
    with pytest.raises(OperationFailed) as wrong:
        await counter.card_printer(KIOSK).issue(blank=BlankCheck(stripe_begins=StripeData(track2="9")))
    assert wrong.value.reason == error_pb2.REASON_WRONG_BLANK
    assert wrong.value.device_fault is not None
    assert wrong.value.device_fault.card.place == card_pb2.CARD_PLACE_JAMMED


MISHAPS: list[tuple[str, int, str, dict[str, Any]]] = [
    ("stripe-write", error_pb2.REASON_STRIPE_WRITE_FAILED, "stripe", {"stripe": STRIPE}),
    ("stripe-spoilt", error_pb2.REASON_STRIPE_WRITE_FAILED, "stripe", {"stripe": STRIPE}),
    ("chip-mute", error_pb2.REASON_CHIP_NOT_ANSWERING, "chip", {"chip": SCRIPT}),
    ("chip-tears", error_pb2.REASON_CHIP_REFUSED, "chip", {"chip": SCRIPT}),
    ("ribbon-break", error_pb2.REASON_RIBBON_OUT, "front", {"design": TWO_SIDED}),
    ("head-error", error_pb2.REASON_PRINTER_FAULT, "front", {"design": TWO_SIDED}),
]


@pytest.mark.parametrize(("fault", "reason", "work", "asked"), MISHAPS, ids=[fault for fault, *_ in MISHAPS])
async def test_a_half_made_card_is_put_away_and_the_failure_says_how_far_it_came(
    fault: str, reason: int, work: str, asked: dict[str, Any], counter: Counter
) -> None:
    before = await counted(counter)
    await counter.bench.inject_fault(KIOSK, fault, times=1)
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).issue(**asked)
    assert (failed.value.reason, failed.value.physical_effect) == (reason, PARTIAL)
    assert failed.value.device_fault is not None
    card = failed.value.device_fault.card
    assert (card.place, getattr(card, work)) == (card_pb2.CARD_PLACE_RETAIN_BIN, FAILED)
    assert await more_than(before, counter) == {"supply": -1, "retained": 1}
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_finds_no_room_in_the_output_hopper_is_put_away(counter: Counter) -> None:
    printer = counter.card_printer(DESKTOP)
    for _ in range(2):
        await printer.issue(stripe=STRIPE)
    with pytest.raises(OperationFailed) as full:
        await printer.issue(stripe=STRIPE)
    assert (full.value.reason, full.value.physical_effect) == (error_pb2.REASON_OUTPUT_FULL, PARTIAL)
    assert full.value.device_fault is not None
    assert full.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN


async def test_a_card_that_an_open_cover_holds_inside_is_told_there_and_kept_back_later(counter: Counter) -> None:
    handle = await waiting_for_its_app(counter)
    await counter.bench.open_cover(KIOSK)
    async with counter.card_printer(KIOSK).chip(issue=handle.id):
        pass
    with pytest.raises(OperationFailed) as open_cover:
        await handle.result()
    assert (open_cover.value.reason, open_cover.value.physical_effect) == (error_pb2.REASON_COVER_OPEN, PARTIAL)
    assert open_cover.value.device_fault is not None
    assert open_cover.value.device_fault.card.place == card_pb2.CARD_PLACE_CONTACT
    await counter.bench.close_cover(KIOSK)
    await until(counter, KIOSK, lambda device: standing(device) == [error_pb2.REASON_CARD_INSIDE])
    await counter.reset(KIOSK)
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_the_printer_draws_in_again_is_offered_again(tmp_path: Path) -> None:
    emulator = await started(ribbon="KO", customer="leaves")
    emulator.machine.accepts = True
    try:
        async with terminal(tmp_path, DeviceConfig(id=KIOSK, driver="evolis", link=emulator.link_url)) as counter:
            seen, hands = [], [emulator.take_card, emulator.push_card]
            async for update in counter.card_printer(KIOSK).start_issue(stripe=STRIPE):
                seen.append(update)
                if update.moved.movement == card_pb2.CARD_MOVEMENT_PRESENTED:
                    request = bench_pb2.PushCardRequest() if len(hands) == 2 else bench_pb2.TakeCardRequest()
                    await hands.pop()(request)
            assert movements(seen) == ["FED", "PRESENTED", "MOVED", "PRESENTED", "TAKEN"]
    finally:
        await emulator.close()


async def test_nothing_of_a_card_is_kept_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="countertop")
    async with terminal(tmp_path, evolis(KIOSK)) as counter:
        printer = counter.card_printer(KIOSK)
        await printer.issue(DESIGN, {"name": "王小明"}, stripe=STRIPE, chip=SCRIPT, delivery=cards.CARD_DELIVERY_HOLD)
        assert (await printer.read_stripe()).stripe.track2 == STRIPE.track2
        async with printer.chip() as chip:
            assert await chip.transmit(SELECT_APPLICATION)
            assert (await chip.transmit(SELECT_FILE))[-2:] == b"\x90\x00"
            assert await chip.transmit(READ) == bytes.fromhex("DEADBEEF9000")
        wrong = BlankCheck(stripe_begins=StripeData(track2="99987654321"))
        with pytest.raises(OperationFailed) as refused:
            await printer.issue(source=cards.CARD_SOURCE_INSIDE, blank=wrong)
        told = f"{refused.value!r} {refused.value.device_fault} {refused.value.operation}"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert b"CardPrinterService" in kept
    for secret in ("王小明", "9999012345678901", "SHI/YANG", "DEADBEEF", "99987654321"):
        assert secret.encode() not in kept
        assert secret not in caplog.text
        assert secret not in told
    assert bytes.fromhex("DEADBEEF") not in kept


async def test_the_last_print_of_a_ribbon_is_the_last_card(counter: Counter) -> None:
    await counter.bench.load_ribbon(KIOSK, kind="KO", prints=1)
    await until(counter, KIOSK, lambda device: device.status.consumables[0].remaining == 1)
    await counter.card_printer(KIOSK).issue(DESIGN, {"name": "x"})
    before = await counted(counter)
    with pytest.raises(OperationFailed) as out:
        await counter.card_printer(KIOSK).issue(DESIGN, {"name": "x"})
    assert (out.value.reason, out.value.physical_effect) == (error_pb2.REASON_RIBBON_OUT, NONE)
    assert await more_than(before, counter) == {}


async def test_a_card_is_drawn_for_the_ribbon_that_is_in_the_printer(counter: Counter) -> None:
    colored = CardElement(box=BOX.box, shape=CardShape(fill="#CC2010"))
    design = CardDesign(front=CardSide(elements=[colored]))
    await counter.bench.load_ribbon(KIOSK, kind="YMCKO")
    await until(counter, KIOSK, lambda device: device.status.consumables[0].type == "YMCKO")
    await counter.card_printer(KIOSK).issue(design)
    assert (await last_card(counter))[0]["front"]["dyes"] == ["c", "m", "y"]
    await counter.bench.load_ribbon(KIOSK, kind="K")
    await until(counter, KIOSK, lambda device: device.status.consumables[0].type == "K")
    await counter.card_printer(KIOSK).issue(design)
    front = (await last_card(counter))[0]["front"]
    assert (front["dyes"], front["black"]) == ([], True)


async def test_a_cable_that_breaks_in_the_middle_loses_no_card(counter: Counter) -> None:
    before = await counted(counter)
    await counter.bench.inject_fault(KIOSK, "disconnect", after_bytes=3000, times=1)
    with pytest.raises(OperationFailed) as lost:
        await counter.card_printer(KIOSK).issue(TWO_SIDED, stripe=STRIPE)
    assert lost.value.physical_effect == PARTIAL
    assert lost.value.device_fault is not None
    assert lost.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN
    assert await more_than(before, counter) == {"supply": -1, "retained": 1}


# --- stripes ----------------------------------------------------------------------------------------------------------


async def test_a_stripe_is_written_read_back_and_read_again(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    written = await printer.encode_stripe(STRIPE)
    assert (written.card.stripe, written.card.place) == (DONE, card_pb2.CARD_PLACE_PRINT)
    found = await printer.read_stripe()
    assert (found.stripe.track1, found.stripe.track2, found.stripe.track3) == (STRIPE.track1, STRIPE.track2, "")
    assert list(found.states) == [cards.TRACK_STATE_READ, cards.TRACK_STATE_READ, cards.TRACK_STATE_BLANK]
    one = await printer.read_stripe([2])
    assert (one.stripe.track1, one.stripe.track2) == ("", STRIPE.track2)
    assert list(one.states) == [cards.TRACK_STATE_UNSPECIFIED, cards.TRACK_STATE_READ, cards.TRACK_STATE_UNSPECIFIED]
    await printer.move(cards.CARD_MOVE_RETAIN)


async def test_a_damaged_track_is_told_and_is_no_error(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await counter.bench.inject_fault(KIOSK, "stripe-spoilt", times=1)
    with pytest.raises(OperationFailed) as spoilt:
        await printer.encode_stripe(StripeData(track2="9999"))
    assert spoilt.value.device_fault is not None
    assert spoilt.value.device_fault.card.place == card_pb2.CARD_PLACE_PRINT  # perhaps a customer's: it stays
    assert (await printer.read_stripe([2])).states[1] == cards.TRACK_STATE_DAMAGED
    await printer.encode_stripe(StripeData(track2="9999"))
    assert (await printer.read_stripe([2])).stripe.track2 == "9999"


async def test_a_blank_whose_stripe_cannot_be_written_is_put_away(counter: Counter) -> None:
    await counter.bench.inject_fault(KIOSK, "stripe-write", times=1)
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).encode_stripe(STRIPE, source=cards.CARD_SOURCE_SUPPLY)
    assert failed.value.device_fault is not None
    assert failed.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN


async def test_a_weakly_magnetised_stripe_does_not_stay_on_a_strong_card(counter: Counter) -> None:
    low = card_pb2.COERCIVITY_LOW
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).encode_stripe(STRIPE, coercivity=low, source=cards.CARD_SOURCE_SUPPLY)
    assert failed.value.reason == error_pb2.REASON_STRIPE_WRITE_FAILED


@pytest.mark.parametrize(
    ("device_id", "delivery", "place"),
    [(KIOSK, cards.CARD_DELIVERY_PRESENT, "taken"), (DESKTOP, cards.CARD_DELIVERY_EJECT, "output")],
)
async def test_an_encoded_card_is_given_out(device_id: str, delivery: int, place: str, counter: Counter) -> None:
    printer = counter.card_printer(device_id)
    await printer.encode_stripe(STRIPE, source=cards.CARD_SOURCE_SUPPLY, delivery=delivery)
    card, _ = await last_card(counter, device_id)
    assert (card["place"], card["stripe"]["track2"]) == (place, STRIPE.track2)


async def test_a_stripe_is_read_and_written_only_of_a_card_that_is_inside(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    for call in (printer.read_stripe, lambda: printer.encode_stripe(STRIPE)):
        with pytest.raises(OperationFailed) as none:
            await call()
        assert (none.value.reason, none.value.physical_effect) == (error_pb2.REASON_NO_CARD_INSIDE, NONE)


async def test_a_card_at_the_contacts_is_read_at_the_stripes_station(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await printer.move(cards.CARD_MOVE_CONTACT)
    written = await printer.encode_stripe(STRIPE)
    assert written.card.place == card_pb2.CARD_PLACE_PRINT
    await printer.move(cards.CARD_MOVE_CONTACT)
    async with Watch(counter) as watch:
        await printer.read_stripe(operation_id="read-at-contacts")
        moved = await watch.until_moved(card_pb2.CARD_MOVEMENT_MOVED)
    assert (moved.place, moved.operation_id) == (card_pb2.CARD_PLACE_PRINT, "read-at-contacts")


# --- movements --------------------------------------------------------------------------------------------------------


async def test_a_card_is_moved_to_every_station_and_out(counter: Counter) -> None:
    printer, before = counter.card_printer(KIOSK), await counted(counter)
    ways = [
        (cards.CARD_MOVE_FEED, "PRINT"),
        (cards.CARD_MOVE_CONTACT, "CONTACT"),
        (cards.CARD_MOVE_PRINT, "PRINT"),
        (cards.CARD_MOVE_RETAIN, "RETAIN_BIN"),
        (cards.CARD_MOVE_FEED, "PRINT"),
        (cards.CARD_MOVE_REJECT, "RETAIN_BIN"),
    ]
    for move, place in ways:
        result = await printer.move(move)
        assert CardPlace.Name(result.card.place) == f"CARD_PLACE_{place}"
        assert await place_of(counter) == place
    assert await more_than(before, counter) == {"supply": -2, "retained": 2}


async def test_a_card_at_the_exit_is_waited_for_or_left_or_taken_in_again(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    await counter.bench.set_customer(LEAVES, KIOSK)
    assert (await printer.move(cards.CARD_MOVE_PRESENT)).card.place == card_pb2.CARD_PLACE_EXIT
    assert (await printer.move(cards.CARD_MOVE_PRINT)).card.place == card_pb2.CARD_PLACE_PRINT
    with pytest.raises(OperationFailed) as forgotten:
        await printer.move(cards.CARD_MOVE_PRESENT, take_within=1, if_not_taken=cards.NOT_TAKEN_LEAVE)
    assert forgotten.value.reason == error_pb2.REASON_CARD_NOT_TAKEN
    assert (await printer.move(cards.CARD_MOVE_PRINT)).card.place == card_pb2.CARD_PLACE_PRINT
    await counter.bench.set_customer(TAKES, KIOSK)
    assert (await printer.move(cards.CARD_MOVE_PRESENT, take_within=5)).card.place == card_pb2.CARD_PLACE_TAKEN


async def test_a_card_that_a_person_brings_is_accepted(counter: Counter) -> None:
    async with Watch(counter) as watch:
        moving = asyncio.create_task(counter.card_printer(KIOSK).move(cards.CARD_MOVE_ACCEPT, timeout=20))
        asked = operation_pb2.PROMPT_KIND_INSERT_CARD
        await watch.until(lambda event: event.operation_changed.prompt == asked)
        await counter.bench.push_card(KIOSK, stripe=StripeData(track2="9999123"))
    assert (await moving).card.place == card_pb2.CARD_PLACE_PRINT
    assert (await counter.card_printer(KIOSK).read_stripe([2])).stripe.track2 == "9999123"


IMPOSSIBLE = [
    (KIOSK, cards.CARD_MOVE_EJECT, True, error_pb2.REASON_NOT_SUPPORTED),
    (KIOSK, cards.CARD_MOVE_CONTACTLESS, True, error_pb2.REASON_NOT_SUPPORTED),
    (DESKTOP, cards.CARD_MOVE_PRESENT, True, error_pb2.REASON_NOT_SUPPORTED),
    (DESKTOP, cards.CARD_MOVE_ACCEPT, False, error_pb2.REASON_NOT_SUPPORTED),
    (KIOSK, cards.CARD_MOVE_FEED, True, error_pb2.REASON_CARD_INSIDE),
    (KIOSK, cards.CARD_MOVE_RETAIN, False, error_pb2.REASON_NO_CARD_INSIDE),
    (KIOSK, cards.CARD_MOVE_PRESENT, False, error_pb2.REASON_NO_CARD_INSIDE),
    (KIOSK, cards.CARD_MOVE_UNSPECIFIED, False, error_pb2.REASON_INVALID_REQUEST),
]


@pytest.mark.parametrize(("device_id", "move", "inside", "reason"), IMPOSSIBLE)
async def test_a_movement_that_is_not_possible_moves_nothing(
    device_id: str, move: Any, inside: bool, reason: int, counter: Counter
) -> None:
    if inside:
        await fed(counter, device_id)
    before = await counted(counter, device_id)
    with pytest.raises(CountertopError) as refused:
        await counter.card_printer(device_id).move(move)
    assert refused.value.reason == reason
    assert refused.value.physical_effect in (NONE, error_pb2.PHYSICAL_EFFECT_UNSPECIFIED)
    assert await more_than(before, counter, device_id) == {}


async def test_a_card_goes_to_the_antenna_and_may_stick_on_its_way(tmp_path: Path) -> None:
    emulator = await started(ribbon="KO")
    link = f"{emulator.link_url}&chip_contactless={emulator.link_url.partition('chip=')[2]}"
    try:
        async with terminal(tmp_path, DeviceConfig(id=KIOSK, driver="evolis", link=link)) as counter:
            printer = counter.card_printer(KIOSK)
            await fed(counter)
            moved = await printer.move(cards.CARD_MOVE_CONTACTLESS)
            assert moved.card.place == card_pb2.CARD_PLACE_CONTACTLESS
            await printer.move(cards.CARD_MOVE_PRINT)
            await emulator.inject_fault(bench_pb2.InjectFaultRequest(fault="jam-contactless", times=1))
            with pytest.raises(OperationFailed) as jammed:
                await printer.move(cards.CARD_MOVE_CONTACTLESS)
            assert jammed.value.reason == error_pb2.REASON_CARD_JAMMED
    finally:
        await emulator.close()


async def started(**options: Any) -> EvolisEmulator:
    """An emulator that outlives daemons."""
    return await start({"speed": 0, **options})


async def test_a_reset_keeps_back_the_card_that_is_inside(counter: Counter) -> None:
    await fed(counter)
    async with Watch(counter) as watch:
        await counter.reset(KIOSK)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
    assert (await last_card(counter))[0]["place"] == "retained"


async def test_a_card_that_nobody_moved_is_noticed(counter: Counter) -> None:
    await fed(counter)
    async with Watch(counter) as watch:
        await counter.bench.remove_jam(KIOSK)
        removed = await watch.until_moved(card_pb2.CARD_MOVEMENT_REMOVED)
        assert removed.place == card_pb2.CARD_PLACE_NONE
        await counter.bench.set_customer(LEAVES, KIOSK)
        await counter.bench.push_card(KIOSK)
        inserted = await watch.until_moved(card_pb2.CARD_MOVEMENT_INSERTED)
        assert (inserted.place, inserted.operation_id) == (card_pb2.CARD_PLACE_EXIT, "")
        await counter.bench.take_card(KIOSK)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_TAKEN)
        changes = [event.media_changed.media for event in watch.events if event.HasField("media_changed")]
    assert changes == [
        device_pb2.MEDIA_STATE_NOT_PRESENT,
        device_pb2.MEDIA_STATE_PRESENT,
        device_pb2.MEDIA_STATE_NOT_PRESENT,
    ]


# --- chips ------------------------------------------------------------------------------------------------------------


async def test_an_app_talks_to_the_chip_and_the_card_goes_to_its_contacts_first(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    await fed(counter)
    async with Watch(counter) as watch, printer.chip(operation_id="talk") as chip:
        moved = await watch.until_moved(card_pb2.CARD_MOVEMENT_MOVED)
        assert (moved.place, moved.operation_id) == (card_pb2.CARD_PLACE_CONTACT, "talk")
        assert chip.atr.hex().upper() == ATR
        assert chip.protocol == 0
        assert (await chip.transmit(SELECT_APPLICATION))[-2:] == b"\x90\x00"
        assert (await chip.transmit(SELECT_FILE))[-2:] == b"\x90\x00"  # 6Cxx is taken care of
        assert await chip.transmit(WRITE) == b"\x90\x00"
        assert await chip.transmit(READ) == bytes.fromhex("DEADBEEF9000")
        assert (await chip.reset()).hex().upper() == ATR
        assert await chip.transmit(READ) == b"\x69\x86"  # a reset forgets what was selected
    assert (await counter.operations.get("talk")).state == operation_pb2.OPERATION_STATE_SUCCEEDED
    assert await place_of(counter) == "CONTACT"
    await printer.move(cards.CARD_MOVE_RETAIN)
    assert (await last_card(counter))[0]["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")


async def test_a_chip_is_talked_to_only_where_there_is_one(counter: Counter) -> None:
    with pytest.raises(OperationFailed) as none:
        async with counter.card_printer(KIOSK).chip():
            pass
    assert none.value.reason == error_pb2.REASON_NO_CARD_INSIDE
    await counter.bench.load_cards(5, KIOSK, chip=bench_pb2.BlankChip(absent=True), empty=True)
    await fed(counter)
    with pytest.raises(OperationFailed) as mute:
        async with counter.card_printer(KIOSK).chip():
            pass
    assert mute.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING


async def test_an_app_drives_the_chip_of_a_card_that_is_being_made(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    handle = printer.start_issue(DESIGN, {"name": "x"}, chip=APP)
    seen = []
    async with asyncio.timeout(20):
        async for update in handle:
            seen.append(update)
            if update.HasField("chip_ready"):
                assert update.chip_ready.atr.hex().upper() == ATR
                async with printer.chip(issue=handle.id) as chip:
                    for command in (SELECT_APPLICATION, SELECT_FILE, WRITE):
                        assert (await chip.transmit(command))[-2:] == b"\x90\x00"
    result = await handle.result()
    assert (result.card.chip, result.card.front) == (DONE, DONE)
    assert movements(seen)[-1] == "TAKEN"
    assert (await last_card(counter))[0]["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")


async def waiting_for_its_app(counter: Counter, **app: Any) -> Any:
    """An IssueCard at its chip step."""
    step = ChipStep(app=AppDrivenChip(within={"seconds": 20}))
    handle = counter.card_printer(KIOSK).start_issue(stripe=STRIPE, chip=step, **app)
    async for update in handle:
        if update.HasField("chip_ready"):
            return handle
    raise AssertionError("the chip was never ready")


async def test_bytes_that_are_no_command_end_the_call_and_not_the_card(counter: Counter) -> None:
    printer = counter.card_printer(KIOSK)
    handle = await waiting_for_its_app(counter)
    with pytest.raises(InvalidRequest) as mistake:
        async with printer.chip(issue=handle.id) as chip:
            await chip.transmit(b"\0\xa4\0")
    assert list(mistake.value.violations) == ["command.command"]
    async with printer.chip(issue=handle.id) as chip:
        assert (await chip.transmit(SELECT_APPLICATION))[-2:] == b"\x90\x00"
    assert (await handle.result()).card.chip == DONE


async def test_a_stream_that_breaks_may_be_joined_again(counter: Counter) -> None:
    handle = await waiting_for_its_app(counter)
    async with connect(counter.address) as other:
        chip = await other.card_printer(KIOSK).chip(issue=handle.id).__aenter__()
        await chip.transmit(SELECT_APPLICATION)
    async with counter.card_printer(KIOSK).chip(issue=handle.id) as chip:
        assert (await chip.transmit(SELECT_FILE))[-2:] == b"\x90\x00"  # still selected
    assert (await handle.result()).card.chip == DONE


async def test_an_app_that_never_comes_costs_the_card(counter: Counter) -> None:
    step = ChipStep(app=AppDrivenChip(within={"seconds": 1}))
    with pytest.raises(OperationFailed) as failed:
        await counter.card_printer(KIOSK).issue(chip=step)
    assert failed.value.reason == error_pb2.REASON_CHIP_REFUSED
    assert failed.value.device_fault is not None
    assert failed.value.device_fault.card.place == card_pb2.CARD_PLACE_RETAIN_BIN
    assert failed.value.device_fault.card.chip == FAILED


async def test_a_stream_of_its_own_that_breaks_ends_the_exchange_and_leaves_the_card(counter: Counter) -> None:
    await fed(counter)
    async with connect(counter.address) as other:
        await other.card_printer(KIOSK).chip(operation_id="broken").__aenter__()
    states = [operation.state async for operation in counter.operations.watch("broken")]
    assert states[-1] == operation_pb2.OPERATION_STATE_CANCELLED
    async with counter.card_printer(KIOSK).chip() as chip:
        assert (await chip.transmit(SELECT_APPLICATION))[-2:] == b"\x90\x00"


async def test_what_is_no_command_ends_an_exchange_of_its_own(counter: Counter) -> None:
    await fed(counter)
    with pytest.raises(InvalidRequest) as mistake:
        async with counter.card_printer(KIOSK).chip(operation_id="garbage") as chip:
            await chip.transmit(b"\xff\xa4\0\0")
    assert list(mistake.value.violations) == ["command.command"]
    states = [operation.state async for operation in counter.operations.watch("garbage")]
    assert states[-1] == operation_pb2.OPERATION_STATE_CANCELLED


def exchange(channel: grpc.aio.Channel) -> Any:
    """The bare call, as a client in another language makes it."""
    return channel.stream_stream(
        "/countertop.v1.CardPrinterService/ExchangeApdus",
        request_serializer=cards.ExchangeApdusRequest.SerializeToString,
        response_deserializer=cards.ExchangeApdusResponse.FromString,
    )()


OUT_OF_PLACE: list[tuple[list[dict[str, Any]], str]] = [  # a-move and an-issue are operations of that sort
    ([], "open or issue_operation_id"),
    ([{"device_id": KIOSK, "command": {"command": READ}}], "open or issue_operation_id"),
    ([{"open": {}}], "device_id"),
    ([{"device_id": KIOSK, "open": {"protocols": [2]}}], "open.protocols[0]"),
    ([{"device_id": KIOSK, "open": {}}, {"open": {}}], "expected a command or a reset"),
    ([{"device_id": KIOSK, "open": {}}, {"command": {}}], "command.command"),
    ([{"device_id": KIOSK, "issue_operation_id": "nobody"}], "No operation 'nobody'"),
    ([{"device_id": KIOSK, "issue_operation_id": "a-move"}], "IssueCard on this device"),
    ([{"device_id": KIOSK, "issue_operation_id": "an-issue"}], "IssueCard whose `chip` is `app`"),
]


async def read_to_the_end(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass


@pytest.mark.parametrize(("said", "told"), OUT_OF_PLACE)
async def test_a_message_out_of_place_ends_the_exchange_with_a_sentence(
    said: list[dict[str, Any]], told: str, counter: Counter
) -> None:
    printer = counter.card_printer(KIOSK)
    if told.startswith("IssueCard whose"):
        await printer.issue(operation_id="an-issue")
    await printer.move(cards.CARD_MOVE_FEED, operation_id="a-move" if told.startswith("IssueCard on") else None)
    async with grpc.aio.insecure_channel(counter.address) as channel, asyncio.timeout(10):
        call = exchange(channel)
        for message in said:
            await call.write(cards.ExchangeApdusRequest(**message))
        await call.done_writing()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await read_to_the_end(call)
    assert told in str(ended.value.details())
    await printer.move(cards.CARD_MOVE_RETAIN)


async def test_a_client_that_hangs_up_while_the_printer_works_confuses_nobody(tmp_path: Path) -> None:
    """The printer still answers the command that nobody waits for any longer."""
    emulator = await started(ribbon="KO", speed=4)
    try:
        async with terminal(tmp_path, DeviceConfig(id=KIOSK, driver="evolis", link=emulator.link_url)) as counter:
            printer = counter.card_printer(KIOSK)
            await printer.encode_stripe(StripeData(track1="A", track2="9999"), source=cards.CARD_SOURCE_SUPPLY)
            reading = asyncio.create_task(printer.read_stripe())
            await until(counter, KIOSK, lambda device: device.state == device_pb2.DEVICE_STATE_BUSY)
            while 1 in emulator.state.memory.tracks_read:  # noqa: ASYNC110 - until it reads track 1 again
                await asyncio.sleep(0)
            await emulator.inject_fault(bench_pb2.InjectFaultRequest(fault="split-replies"))
            reading.cancel()
            await asyncio.wait({reading})
            await until(counter, KIOSK, lambda device: device.state == device_pb2.DEVICE_STATE_READY)
            found = await printer.read_stripe([1, 2])
            assert (found.stripe.track1, found.stripe.track2) == ("A", "9999")
            assert not (await counter.statistics(KIOSK)).since_start.reconnects
    finally:
        await emulator.close()


async def test_a_card_that_is_taken_out_while_its_chip_is_written_is_told_as_gone(counter: Counter) -> None:
    handle = await waiting_for_its_app(counter)
    await counter.bench.remove_jam(KIOSK)
    with pytest.raises(OperationFailed):
        async with counter.card_printer(KIOSK).chip(issue=handle.id) as chip:
            await chip.transmit(SELECT_APPLICATION)
    with pytest.raises(OperationFailed) as failed:
        await handle.result()
    assert failed.value.physical_effect == PARTIAL
    assert failed.value.device_fault is not None
    assert failed.value.device_fault.card.place == card_pb2.CARD_PLACE_NONE


async def test_a_wrong_card_that_is_inside_is_put_away_too(counter: Counter) -> None:
    await fed(counter)
    blank = BlankCheck(stripe_begins=StripeData(track2="9"))
    with pytest.raises(OperationFailed) as wrong:
        await counter.card_printer(KIOSK).issue(source=cards.CARD_SOURCE_INSIDE, blank=blank)
    assert (wrong.value.reason, wrong.value.physical_effect) == (error_pb2.REASON_WRONG_BLANK, PARTIAL)
    assert (await last_card(counter))[0]["place"] == "retained"


# --- hoppers, bins, ribbon --------------------------------------------------------------------------------------------


def levels(inventory: cards.CardInventory) -> dict[str, tuple[int, str]]:
    name = card_pb2.CardUnitLevel.Name
    return {item.unit.name: (item.count, name(item.level).removeprefix("CARD_UNIT_LEVEL_")) for item in inventory.units}


def went(inventory: cards.CardInventory) -> dict[str, int]:
    """What became of the cards; the sum must be right."""
    found = {field.name: value for field, value in inventory.totals.ListFields()}
    came = found.get("fed", 0) + found.get("inserted", 0)
    assert came == sum(found.values()) - came
    return found


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


# --- previews ---------------------------------------------------------------------------------------------------------


async def test_a_preview_is_drawn_for_the_printers_ribbon_or_for_none(shared: Counter) -> None:
    colored = CardDesign(front=CardSide(elements=[CardElement(box=BOX.box, shape=CardShape(fill="#CC2010"))]))
    before = await counted(shared, COLOR)
    color = pixels((await shared.card_printer(COLOR).preview(colored)).front.data)
    assert tuple(color[200, 400]) == (0xCC, 0x20, 0x10)
    alone = pixels((await shared.card_printer(KIOSK).preview(colored, standalone=True)).front.data)
    assert (alone == color).all()
    for mono in (
        await shared.card_printer(KIOSK).preview(colored),
        await shared.card_printer(KIOSK).preview(colored, standalone=True, mono=True),
    ):
        found = pixels(mono.front.data)
        assert set(np.unique(found)) == {0, 255}
        assert (found == 0).any()
        assert not mono.HasField("back")
    assert await more_than(before, shared, COLOR) == {}


async def test_a_preview_tells_what_does_not_go_as_the_design_says(shared: Counter) -> None:
    printer = shared.card_printer(KIOSK)
    odd = await printer.preview(DESIGN, {"name": "\U0001f0a1"})
    assert any("font" in warning for warning in odd.warnings), odd.warnings
    with pytest.raises(InvalidRequest) as lacking:
        await printer.preview(DESIGN)
    assert any(place.startswith("artwork.data") for place in lacking.value.violations)
    assert (await printer.preview(DESIGN, samples=True)).front.width == 1011


async def test_a_printer_that_was_never_reached_draws_nothing(tmp_path: Path) -> None:
    away = DeviceConfig(id="away", driver="evolis", link="tcp://127.0.0.1:1")
    config = Config(
        terminal=TerminalConfig(id="away", state_dir=f"{tmp_path}/away"),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/a.sock"]),
        devices=[away],
    )
    async with Daemon(config) as daemon, connect(daemon.addresses[0]) as counter:
        with pytest.raises(DeviceUnavailable) as unknown:
            await counter.card_printer("away").preview(TWO_SIDED)
        assert unknown.value.reason == error_pb2.REASON_DEVICE_OFFLINE
        found = await counter.card_printer("away").inventory()
        assert (list(found.units), went(found)) == ([], {})


# --- a box of several devices, and claims -----------------------------------------------------------------------------

UNIT, READER, PRINTER, LEAVING = "issuer", "issuer-reader", "issuer-printer", "leaving"


@pytest.fixture(scope="module")
async def box(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Counter]:
    """A portable issuer, and a printer beside it whose cards are left alone."""
    reader = DeviceConfig(id=READER, emulator="sdt", unit=UNIT, emulator_options={"speed": 0})
    devices = (reader, evolis(PRINTER, unit=UNIT), evolis(LEAVING, safe_state="leave"))
    async with terminal(tmp_path_factory.mktemp("box"), *devices) as counter:
        yield counter


@pytest.fixture
async def issuer(box: Counter) -> Counter:
    await asyncio.gather(mended(box, PRINTER), mended(box, LEAVING))
    return box


async def test_the_devices_of_a_box_are_shown_as_one_unit(issuer: Counter) -> None:
    units = {unit.id: list(unit.device_ids) for unit in await issuer.units()}
    assert units == {UNIT: [READER, PRINTER], LEAVING: [LEAVING]}
    assert [(device.id, device.unit) for device in await issuer.devices()] == [
        (READER, UNIT),
        (PRINTER, UNIT),
        (LEAVING, LEAVING),
    ]


async def test_only_card_printers_make_and_hold_cards(issuer: Counter) -> None:
    for device_id, reason in (("nobody", error_pb2.REASON_DEVICE_NOT_FOUND), (READER, error_pb2.REASON_WRONG_KIND)):
        printer = issuer.card_printer(device_id)
        for call in (printer.issue(), printer.inventory(), printer.begin_exchange(), printer.preview(TWO_SIDED)):
            with pytest.raises(CountertopError) as refused:
                await call
            assert refused.value.reason == reason


async def test_a_claim_of_a_unit_takes_the_whole_box(issuer: Counter) -> None:
    async with connect(issuer.address) as other, issuer.claim(units=[UNIT], label="counter 3") as claim:
        assert claim.fences.keys() == {READER, PRINTER}
        for call in (other.id_reader(READER).read(), other.card_printer(PRINTER).issue(stripe=STRIPE)):
            with pytest.raises(DeviceUnavailable, match="'counter 3'") as refused:
                await call
            assert refused.value.reason == error_pb2.REASON_CLAIMED_BY_OTHER
        await other.card_printer(LEAVING).issue(stripe=STRIPE)
        await issuer.card_printer(PRINTER).issue(stripe=STRIPE, claim_token=claim.token)
    async with issuer.claim(READER, units=[UNIT], label="again") as claim:
        assert claim.fences.keys() == {READER, PRINTER}
    with pytest.raises(NotFound, match="issuer, leaving"):
        await issuer.claim(units=["nobody"], label="x").acquire()


async def test_who_has_no_claim_cannot_join_the_chip_of_a_claimed_card(issuer: Counter) -> None:
    async with connect(issuer.address) as other, issuer.claim(PRINTER, label="one") as claim:
        step = ChipStep(app=AppDrivenChip(within={"seconds": 20}))
        handle = issuer.card_printer(PRINTER).start_issue(chip=step, claim_token=claim.token)
        async for update in handle:
            if update.HasField("chip_ready"):
                break
        with pytest.raises(DeviceUnavailable):
            await other.card_printer(PRINTER).chip(issue=handle.id).__aenter__()
        async with issuer.card_printer(PRINTER).chip(issue=handle.id, claim_token=claim.token) as chip:
            await chip.transmit(SELECT_APPLICATION)
        assert (await handle.result()).card.chip == DONE


async def test_the_plug_of_a_box_is_pulled_and_put_back_as_one(issuer: Counter) -> None:
    await issuer.bench.unplug(UNIT)
    for device_id in (READER, PRINTER):
        await until(issuer, device_id, lambda device: device.state == device_pb2.DEVICE_STATE_OFFLINE)
    assert (await issuer.device(LEAVING)).state in READY
    await issuer.bench.replug(UNIT)
    for device_id in (READER, PRINTER):
        await until_ready(issuer, device_id)
    await issuer.bench.power_cycle(UNIT)
    await issuer.card_printer(PRINTER).issue(stripe=STRIPE)
    with pytest.raises(CountertopError) as not_one:
        await issuer.bench.open_cover(UNIT)  # only its power is the box's own
    assert not_one.value.reason == error_pb2.REASON_DEVICE_NOT_FOUND


async def test_a_card_that_is_inside_when_a_claim_ends_is_kept_back(issuer: Counter) -> None:
    async with Watch(issuer) as watch:
        async with issuer.claim(units=[UNIT], label="one") as claim:
            await issuer.card_printer(PRINTER).move(cards.CARD_MOVE_FEED, claim_token=claim.token)
        retained = await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
    assert (retained.device_id, retained.place) == (PRINTER, card_pb2.CARD_PLACE_RETAIN_BIN)
    operation = await issuer.operations.get(retained.operation_id)
    assert operation.verb == "countertop.v1.CardPrinterService/MoveCard"
    assert (await last_card(issuer, PRINTER))[0]["place"] == "retained"


async def test_a_card_that_is_to_be_left_stays_inside_when_a_claim_ends(issuer: Counter) -> None:
    printer = issuer.card_printer(LEAVING)
    async with issuer.claim(LEAVING, label="one") as claim:
        await printer.encode_stripe(STRIPE, source=cards.CARD_SOURCE_SUPPLY, claim_token=claim.token)
    async with issuer.claim(LEAVING, label="other") as claim:
        assert (await printer.read_stripe([2], claim_token=claim.token)).stripe.track2 == STRIPE.track2


async def test_a_card_that_waits_to_be_taken_is_not_pulled_away_when_a_claim_ends(issuer: Counter) -> None:
    await issuer.bench.set_customer(LEAVES, PRINTER)
    claim = await issuer.claim(PRINTER, label="one").acquire()
    handle = issuer.card_printer(PRINTER).start_issue(stripe=STRIPE, claim_token=claim.token)
    async for update in handle:
        if update.operation.prompt == operation_pb2.PROMPT_KIND_TAKE_CARD:
            break
    await claim.release()
    assert await issuer.bench.take_card(PRINTER)
    assert (await handle.result()).card.place == card_pb2.CARD_PLACE_TAKEN


async def test_a_card_left_in_a_printer_that_is_away_is_kept_back_when_it_returns(issuer: Counter) -> None:
    async with issuer.claim(units=[UNIT], label="one") as claim:
        await issuer.card_printer(PRINTER).move(cards.CARD_MOVE_FEED, claim_token=claim.token)
        await issuer.bench.unplug(UNIT)
        await until(issuer, PRINTER, lambda device: device.state == device_pb2.DEVICE_STATE_OFFLINE)
    async with Watch(issuer) as watch:
        await issuer.bench.replug(UNIT)
        await watch.until_moved(card_pb2.CARD_MOVEMENT_RETAINED)
    assert (await last_card(issuer, PRINTER))[0]["place"] == "retained"


# --- a driver in a process of its own ---------------------------------------------------------------------------------


async def test_a_driver_in_its_own_process_makes_cards_and_tells_where_they_are(tmp_path: Path) -> None:
    async with terminal(tmp_path, evolis(KIOSK, isolation="process")) as counter:
        printer = counter.card_printer(KIOSK)
        handle = printer.start_issue(DESIGN, {"name": "王小明"}, stripe=STRIPE, chip=APP)
        seen = []
        async with asyncio.timeout(30):
            async for update in handle:
                seen.append(update)
                if update.HasField("chip_ready"):
                    async with printer.chip(issue=handle.id) as chip:
                        for command in (SELECT_APPLICATION, SELECT_FILE, WRITE):
                            assert (await chip.transmit(command))[-2:] == b"\x90\x00"
        assert movements(seen) == ["FED", "MOVED", "MOVED", "PRESENTED", "TAKEN"]
        card, _ = await last_card(counter)
        assert card["chip"]["files"]["3F00/7F01/EF01"].startswith("DEADBEEF")
        assert card["front"]["printed"]
        with pytest.raises(OperationFailed) as wrong:
            await printer.issue(blank=BlankCheck(stripe_begins=StripeData(track2="9")))
        assert wrong.value.device_fault is not None
        assert wrong.value.device_fault.card == card_pb2.CardReport(place=card_pb2.CARD_PLACE_RETAIN_BIN, fed=True)
