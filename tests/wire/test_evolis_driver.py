"""The Evolis driver against the emulated printer: cards, faults, links, and a printer that others have left behind."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from PIL import Image

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.evolis.driver import EvolisOptions, EvolisPrinter
from countertop.emulators.core.cards.card import Blank
from countertop.emulators.core.cards.machine import Station
from countertop.emulators.evolis.emulator import EvolisEmulator, start
from countertop.sdk.cards.planes import CardImage, Planes
from countertop.sdk.errors import CountertopError, DeviceFault, NoAnswer
from countertop.sdk.links import parse_link
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import CardMoved, StripeData

PRINT, CONTACT, EXIT = card_pb2.CARD_PLACE_PRINT, card_pb2.CARD_PLACE_CONTACT, card_pb2.CARD_PLACE_EXIT
NONE, BIN, OUTPUT = card_pb2.CARD_PLACE_NONE, card_pb2.CARD_PLACE_RETAIN_BIN, card_pb2.CARD_PLACE_OUTPUT
STRIPE = StripeData(track1="B9999^SHI/YANG^3112", track2="99990000=31120000", track3="0199")
LINKS = ("tcp", "usbip")


class StubRun:
    """A run that keeps what it is told."""

    def __init__(self) -> None:
        self.operation_id = "op-1"
        self.time_left = 60.0
        self.events: list[Message] = []
        self.steps: list[str] = []
        self.prompts: list[Any] = []
        self.media: dict[str, float] = {}

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        assert done <= total

    def prompt(self, kind: Any) -> None:
        self.prompts.append(kind)

    def working(self) -> None:
        """Time goes on."""

    def emit(self, event: Message) -> None:
        self.events.append(event)

    async def commit_point(self, step: str, evidence: Any = None) -> None:
        self.steps.append(step)

    def effect(self, effect: Any) -> None:
        """Said with the fault."""

    def used(self, medium: str, amount: float) -> None:
        self.media[medium] = self.media.get(medium, 0) + amount

    def stop(self, reason: Any, prompt: Any = 0) -> None:
        raise AssertionError("nothing stops here")

    @property
    def movements(self) -> list[str]:
        return [
            card_pb2.CardMovement.Name(event.movement).removeprefix("CARD_MOVEMENT_")
            for event in self.events
            if isinstance(event, CardMoved)
        ]


@asynccontextmanager
async def printer(
    emulated: dict[str, Any] | None = None, link: str = "tcp", **options: Any
) -> AsyncIterator[tuple[EvolisPrinter, EvolisEmulator]]:
    place = {"usbip": "127.0.0.1:0"} if link == "usbip" else {}
    emulator = await start({"speed": 0, "customer": "leaves", **place, **(emulated or {})})
    driver = EvolisPrinter(parse_link(emulator.link_url), EvolisOptions(**options))
    try:
        await driver.connect()
        yield driver, emulator
    finally:
        await driver.disconnect()
        await emulator.close()


async def inject(emulator: EvolisEmulator, fault: str, **how: Any) -> None:
    await emulator.inject_fault(bench.InjectFaultRequest(fault=fault, **{"times": 1, **how}))


def reasons(sight: Any) -> set[int]:
    return {found.reason for found in sight.conditions}


def flag(*, back: bool = False) -> CardImage:
    """A picture whose parts can be told apart: red above blue, a black square on its left, overlay on its right."""
    rgb = np.full((648, 1016, 3), 255, np.uint8)
    rgb[:324] = (255, 0, 0)
    rgb[324:] = (0, 0, 255)
    black, overlay = np.zeros((648, 1016), bool), np.zeros((648, 1016), bool)
    black[200:400, 100:300] = True
    overlay[:, 508:] = True
    planes = Planes(rgb, black, overlay, None)
    return CardImage(front=planes, back=planes if back else None)


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


# --- what it is -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS)
async def test_it_says_what_it_is_and_what_it_has(link: str) -> None:
    async with printer(link=link) as (driver, _):
        await driver.disconnect()
        info = await driver.connect()
        assert (info.vendor, info.model, info.serial) == ("Evolis", "KC200B", "10000001")
        has = driver.capabilities
        assert (has.width, has.height, has.dpi) == (1016, 648, 300)
        assert has.color
        assert has.exit
        assert has.duplex
        assert has.contact
        assert not has.contactless  # no reader is configured for it
        assert {unit.name for unit in has.units} == {"feeder", "reject"}


async def test_a_printer_for_offices_has_a_hopper_and_no_exit():
    async with printer({"model": "Primacy", "ribbon": "K", "duplex": False}) as (driver, _):
        has = driver.capabilities
        assert not has.exit
        assert not has.color
        assert has.black
        assert {unit.name for unit in has.units} == {"feeder", "reject", "output"}


@pytest.mark.parametrize("link", LINKS)
async def test_a_card_is_moved_from_station_to_station_and_seen_there(link: str) -> None:
    async with printer(link=link) as (driver, emulator):
        assert (await driver.look()).place == NONE
        await driver.feed("")
        for place, station in ((CONTACT, Station.CONTACT), (PRINT, Station.PRINT), (EXIT, Station.EXIT)):
            await driver.move(place)
            assert emulator.machine.station is station
            assert (await driver.look()).place == place
        await driver.move(PRINT)
        await driver.move(BIN)
        assert (await driver.look()).place == NONE
        assert emulator.machine.count().retained == 1
        assert (await driver.look()).fed == 1


async def test_a_card_that_a_customer_holds_in_is_taken_in():
    async with printer() as (driver, emulator):
        assert not await driver.accept()
        await emulator.push_card(bench.PushCardRequest(stripe=STRIPE))
        assert await driver.accept()
        found = await driver.read_stripe_tracks({1, 2, 3})
        assert found.stripe == STRIPE
        with pytest.raises(CountertopError) as caught:
            await driver.move(OUTPUT)
        assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED


async def test_a_card_that_was_taken_at_the_last_moment_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    async with printer() as (driver, emulator):
        await driver.feed("")
        await driver.move(EXIT)
        take_in = driver._take_in

        async def too_late() -> None:
            emulator.machine.take()
            await take_in()

        monkeypatch.setattr(driver, "_take_in", too_late)
        with pytest.raises(DeviceFault) as caught:
            await driver.move(PRINT)
        assert caught.value.reason == error_pb2.REASON_NO_CARD_INSIDE


async def test_a_card_that_is_pushed_in_between_two_sensors_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its move the position sensors do not see it, behind it the bezel's does not: it is not gone."""
    async with printer({"draws_in": True}) as (driver, emulator):
        await driver.feed("")
        await driver.move(EXIT)
        ask = driver._session.ask

        async def slow(name: str, *parameters: Any) -> str:
            reply = await ask(name, *parameters)
            if (name, *parameters) == ("Rlr", "p") and emulator.machine.station is Station.EXIT:
                emulator.machine.push(Blank())
            return reply

        monkeypatch.setattr(driver._session, "ask", slow)
        assert (await driver.look()).place == PRINT


async def test_its_sensors_are_conditions_and_levels():
    async with printer({"cards": 1, "near_empty": 1, "bin_capacity": 1, "prints": 3}) as (driver, emulator):
        sight = await driver.look()
        assert reasons(sight) == {error_pb2.REASON_CARDS_NEAR_END, error_pb2.REASON_RIBBON_LOW}
        assert (sight.consumables[0].remaining, sight.consumables[0].capacity) == (3, 200)
        await driver.feed("")
        await driver.move(BIN)
        await emulator.open_cover(bench.OpenCoverRequest())
        await emulator.load_ribbon(bench.LoadRibbonRequest(absent=True))
        driver._eyes.forget()
        sight = await driver.look()
        assert reasons(sight) == {
            error_pb2.REASON_COVER_OPEN,
            error_pb2.REASON_CARDS_OUT,
            error_pb2.REASON_RIBBON_OUT,
            error_pb2.REASON_RETAIN_BIN_FULL,
        }
        levels = {unit.name: unit.sensed for unit in sight.units}
        assert levels == {"feeder": card_pb2.CARD_UNIT_LEVEL_EMPTY, "reject": card_pb2.CARD_UNIT_LEVEL_FULL}


async def test_a_ribbon_that_was_taken_out_a_moment_ago_costs_no_card():
    request = card_printer_pb2.IssueCardRequest(device_id="p")
    request.artwork.design.name = "card"
    element = request.artwork.design.front.elements.add()
    element.box.width_mm, element.box.height_mm = 30, 20
    element.shape.fill = "#000000"
    async with printer() as (driver, emulator):
        assert not (await driver.look()).conditions
        await emulator.load_ribbon(bench.LoadRibbonRequest(absent=True))
        with pytest.raises(DeviceFault) as caught:
            await driver.issue_card(request, StubRun())
        assert caught.value.reason == error_pb2.REASON_RIBBON_OUT
        assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_NONE
        assert emulator.machine.fed == 0


async def test_a_number_that_is_answered_with_ok_is_asked_for_again():
    async with printer({"prints": 42}) as (driver, emulator):
        await inject(emulator, "number-quirk", times=2)
        driver._eyes.forget()
        assert (await driver.look()).consumables[0].remaining == 42


# --- cards ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [32, 64, 128])
@pytest.mark.parametrize("link", LINKS)
async def test_both_sides_come_out_as_their_planes(link: str, levels: int) -> None:
    async with printer(link=link, levels=levels) as (driver, emulator):
        await driver.feed("")
        await driver.print_card(flag(back=True))
        assert (await driver.look()).place == PRINT
        card = emulator.machine.card
        assert card is not None
        for side in (pixels(card.png()), pixels(card.png(back=True))):
            assert (side[50, 600] == (255, 0, 0)).all()
            assert (side[600, 600] == (0, 0, 255)).all()
            assert (side[300, 200] == (0, 0, 0)).all()
        assert card.front.overlay[:, 508:].all()
        assert not card.front.overlay[:, :508].any()


async def test_a_ribbon_with_a_second_black_panel_prints_the_back_in_black():
    async with printer({"ribbon": "YMCKOK"}) as (driver, emulator):
        await driver.feed("")
        await driver.print_card(flag(back=True))
        assert emulator.machine.card is not None
        assert emulator.machine.card.describe()["back"] == {
            "printed": True,
            "dyes": [],
            "black": True,
            "overlay": 0.0,
        }


async def test_a_stripe_is_written_and_read_back():
    for options in ({}, {"sentinels": True}):
        async with printer(**options) as (driver, emulator):
            await driver.feed("")
            await driver.write_stripe(STRIPE, card_pb2.COERCIVITY_HIGH)
            found = await driver.read_stripe_tracks({1, 2, 3})
            assert found.stripe == STRIPE
            assert list(found.states) == [card_printer_pb2.TRACK_STATE_READ] * 3
            assert emulator.machine.card is not None
            assert emulator.machine.card.tracks[2].text == STRIPE.track2


async def test_blank_and_damaged_tracks_are_told_apart():
    async with printer() as (driver, emulator):
        await driver.feed("")
        await inject(emulator, "stripe-spoilt")
        await driver.write_stripe(StripeData(track2="9999"), card_pb2.COERCIVITY_HIGH)
        found = await driver.read_stripe_tracks({1, 2})
        assert list(found.states)[:2] == [card_printer_pb2.TRACK_STATE_BLANK, card_printer_pb2.TRACK_STATE_DAMAGED]


async def test_a_whole_card_is_issued_with_its_steps_and_movements():
    request = card_printer_pb2.IssueCardRequest(device_id="p", stripe=STRIPE)
    request.chip.script.commands.add(command=bytes.fromhex("00A4040006A000000CA7D0"), expect="61xx,9000")
    request.artwork.design.name = "card"
    element = request.artwork.design.front.elements.add()
    element.box.x_mm, element.box.y_mm, element.box.width_mm, element.box.height_mm = 10, 10, 30, 20
    element.shape.fill = "#000000"
    async with printer({"customer": "takes", "customer_seconds": 0}) as (driver, emulator):
        run = StubRun()
        result = await driver.issue_card(request, run)
        assert run.steps == ["feed", "stripe", "chip", "print", "present"]
        assert run.movements == ["FED", "MOVED", "MOVED", "PRESENTED", "TAKEN"]
        assert result.card.place == card_pb2.CARD_PLACE_TAKEN
        assert result.card.stripe == result.card.chip == result.card.front == card_pb2.CARD_WORK_DONE
        assert result.atr == bytes.fromhex(emulator.machine.gone[0].describe()["chip"]["atr"])
        assert run.media == {"cards": 1, "card_sides": 1}


@pytest.mark.parametrize(
    ("fault", "reason", "place"),
    [
        ("jam-feeder", error_pb2.REASON_CARD_JAMMED, card_pb2.CARD_PLACE_JAMMED),
        ("jam-contact", error_pb2.REASON_CARD_JAMMED, card_pb2.CARD_PLACE_JAMMED),
        ("jam-exit", error_pb2.REASON_CARD_JAMMED, card_pb2.CARD_PLACE_JAMMED),
        ("stripe-write", error_pb2.REASON_STRIPE_WRITE_FAILED, BIN),
        ("stripe-spoilt", error_pb2.REASON_STRIPE_WRITE_FAILED, BIN),
        ("chip-mute", error_pb2.REASON_CHIP_NOT_ANSWERING, BIN),
        ("chip-tears", error_pb2.REASON_CHIP_REFUSED, BIN),
        ("ribbon-break", error_pb2.REASON_RIBBON_OUT, BIN),
        ("head-error", error_pb2.REASON_PRINTER_FAULT, BIN),
    ],
)
async def test_a_card_that_goes_wrong_is_put_away_and_its_place_is_told(fault: str, reason: int, place: int) -> None:
    request = card_printer_pb2.IssueCardRequest(device_id="p", stripe=STRIPE)
    request.chip.script.commands.add(command=bytes.fromhex("00A4040006A000000CA7D0"), expect="61xx,9000")
    request.artwork.design.name = "card"
    element = request.artwork.design.front.elements.add()
    element.box.width_mm, element.box.height_mm = 30, 20
    element.shape.fill = "#000000"
    async with printer({"ribbon": "K"}) as (driver, emulator):
        await inject(emulator, fault)
        with pytest.raises(DeviceFault) as caught:
            await driver.issue_card(request, StubRun())
        assert error_pb2.Reason.Name(caught.value.reason) == error_pb2.Reason.Name(reason)
        assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_PARTIAL
        assert caught.value.card is not None
        assert caught.value.card.place == place
        assert caught.value.card.fed
        assert "9999" not in str(caught.value)
        counts = emulator.machine.count()
        assert (counts.retained, counts.inside) == ((1, 0) if place == BIN else (0, 1))


# --- a printer in whatever state --------------------------------------------------------------------------------------


async def test_settings_that_went_with_the_power_are_sent_again():
    async with printer() as (driver, emulator):
        await emulator.power_cycle(bench.PowerCycleRequest())
        await driver.look()
        await driver.feed("")
        await driver.print_card(flag())
        assert emulator.machine.station is Station.PRINT  # it does not eject by itself


@pytest.mark.parametrize("head", [b"\x1bDb;y;128;", b"\x1bDbc;k;2;80000;\x51abc", b"\x1bPcim", b"\x1bDm;2;99"])
async def test_what_a_host_before_has_left_half_said_is_got_over(head: bytes) -> None:
    async with printer() as (driver, emulator):
        host, port = emulator.link_url.removeprefix("tcp://").split("?")[0].split(":")
        await driver.disconnect()
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head)
        writer.close()
        await writer.wait_closed()
        assert (await driver.connect()).serial == "10000001"
        await driver.clear()
        await driver.feed("")
        assert emulator.machine.card is not None
        await driver.move(BIN)
        assert not emulator.machine.gone[0].front.printed


async def test_a_printer_that_does_not_answer_is_told_and_its_late_answer_is_not_taken_for_another():
    async with printer() as (driver, emulator):
        await inject(emulator, "mute")
        with pytest.raises(NoAnswer):
            await driver._session.ask("Rsn", seconds=0.1)
        await driver.disconnect()
        await driver.connect()
        assert await driver._session.ask("Rtp") == "KC200B"


async def test_answers_in_pieces_are_put_together_and_noise_is_a_fault():
    async with printer() as (driver, emulator):
        await inject(emulator, "split-replies", times=0)
        assert (await driver.look()).place == NONE


async def test_over_usb_the_port_status_tells_busy_empty_and_error():
    async with printer({"cards": 0}, link="usbip") as (driver, emulator):
        link: Any = driver._link
        assert await link.port_status() == 0x18 | 0x20
        await emulator.open_cover(bench.OpenCoverRequest())
        assert await link.port_status() == 0x10


async def test_a_device_says_its_name_over_usb():
    async with printer(link="usbip") as (driver, _):
        link: Any = driver._link
        answer = await link._connection.transfer(0x80, 64, bytes([0xA1, 0, 0, 0, 0, 0, 64, 0]))
        assert answer[2:] == b"MFG:Evolis;MDL:KC200B;CLS:PRINTER;"
        assert int.from_bytes(answer[:2]) == len(answer)
