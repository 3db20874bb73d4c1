"""A card, from the supply into the customer's hand."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import countertop.cli
from countertop.cli.card_file import read_design
from countertop.client import Counter, InvalidRequest, OperationFailed
from countertop.v1 import card_pb2, device_pb2, error_pb2, operation_pb2
from countertop.v1 import card_printer_pb2 as cards
from countertop.v1.card_pb2 import StripeData
from countertop.v1.card_printer_pb2 import BlankCheck
from tests.daemon.cards.world import (
    ATR,
    COLOR,
    DESIGN,
    DESKTOP,
    DONE,
    KIOSK,
    LEAVES,
    NONE,
    SCRIPT,
    STRIPE,
    TWO_SIDED,
    Watch,
    counted,
    last_card,
    more_than,
    movements,
    pixels,
    until,
    updates_of,
)


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
