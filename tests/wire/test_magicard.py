"""Magicard printers: what the emulator makes of bytes, and the driver against it over TCP and USB/IP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.magicard.driver import MagicardPrinter
from countertop.drivers.magicard.options import MagicardOptions
from countertop.emulators.core.cards.machine import Station
from countertop.emulators.magicard.emulator import MagicardEmulator, start
from countertop.emulators.magicard.framing import MAX_HEADER, MAX_PLANE, Broken, Event, Page, Query, Tokenizer
from countertop.emulators.magicard.header import HeaderError, TrackWrite, parse
from countertop.sdk.cards.planes import CardImage, Planes
from countertop.sdk.cards.printer import OnePassCard
from countertop.sdk.device import Unsettled
from countertop.sdk.errors import CountertopError, DeviceFault, LinkFault, NoAnswer
from countertop.sdk.links import parse_link
from countertop.v1 import card_pb2, card_printer_pb2, error_pb2
from countertop.v1.card_pb2 import StripeData
from countertop.v1.operation_pb2 import Operation
from tests.wire.test_evolis_driver import StubRun

LEADER = b"\x05" * 64
ENDURO = (
    b"\x01,NOC1,VER1.0-,LANENG,TDT5362BAB5,RSPDEF,COEH,KGE2,DPXOFF,PAG1,IMFBGRK,XCO0,YCO0,WID1016,HGT642,OVRON,NNNOFF,"
    b"USFON,HKT1,CKION,HKMFFFFFF,TRO0,PCT0,0,1015,641,ICC3,CPW50,DDD50,SZB585216,SZG585216,SZR585216,SZK97536\x1c"
)
ALTO = (
    b"\x01,NOC1,VER1.7.2.0,LANDEU,TDT5362E668,KGE,PAG1,IMFBGRK,XCO0,YCO0,WID1000,HGT642,OVRON,NNNOFF,USFOFF,"
    b"PCT0,0,999,641,ICC1,SZB576000,SZG576000,SZR576000\x1c"
)
"""Of real jobs: a CUPS driver's for an Enduro, a Windows driver's for an Alto."""
NOT_FED = (
    b"\x01STAKarte wurde nicht in den Drucker eingezogen. Versuchen Sie es erneut.\nFehlercode - 11:01\n(c0201)\x03"
)
STRIPE = StripeData(track1="B9999^SHI/YANG^3112", track2="99990000=31120000", track3="0199")
LINKS = ("tcp", "usbip")
NUMBERS = {
    "12:01": "CARD_JAMMED",
    "13:01": "COVER_OPEN",
    "14:01": "RIBBON_OUT",
    "14:02": "RIBBON_WRONG",
    "15:01": "STRIPE_WRITE_FAILED",
    "16:01": "OUTPUT_FULL",
}
"""The emulator's own."""


def events(*pieces: bytes) -> list[Event]:
    tokenizer = Tokenizer()
    return [event for piece in pieces for event in tokenizer.feed(piece)]


def planes(**sizes: int) -> bytes:
    """Planes of one byte over and over, each with its letter behind."""
    return b"".join(
        bytes((index,)) * size + b"\x1c%s:" % letter.encode() for index, (letter, size) in enumerate(sizes.items(), 1)
    )


# --- cutting bytes into pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "body", "width"),
    [
        (ENDURO, planes(B=585_216, G=585_216, R=585_216, K=97_536), 1016),
        (ALTO, planes(B=576_000, G=576_000, R=576_000), 1000),
    ],
)
def test_real_headers_are_understood(head: bytes, body: bytes, width: int) -> None:
    (page,) = events(LEADER + head + body + b"\x03")
    assert isinstance(page, Page)
    assert "".join(page.planes) == ("BGRK" if width == 1016 else "BGR"), (
        "an Alto's job declares a black plane that it lacks"
    )
    header = parse(page.fields)
    assert (header.copies, header.page, header.width, header.height, header.position) == (1, 1, width, 642, 50)
    assert header.overlay
    assert header.areas == [(0, 0, width - 1, 641)]
    assert not header.tracks
    assert not header.encode_only
    assert header.language == ("ENG" if width == 1016 else "DEU")


PARTS: list[tuple[bytes, list[Event]]] = [
    (LEADER, []),
    (b"junk \x1c\x03\x02", []),
    (b"\x01,REQ,ERR,\x1c\x03", [Query("ERR")]),
    (b"\x01,REQ,\x1c\x03", [Query("")]),
    (b"\x01,NOC0,BBB1,MAG1,%HELLO?,KGE2\x1c\x03", [Page(("NOC0", "BBB1", "MAG1", "%HELLO?", "KGE2"))]),
    (
        b"\x01,NOC1,SZB5,SZK3\x1c\x01\x03\x1cB:\x1cB:\x05\x1c\x03\x1cK:\x03",
        [Page(("NOC1", "SZB5", "SZK3"), {"B": b"\x01\x03\x1cB:", "K": b"\x05\x1c\x03"})],
    ),
    (b"\x01,NOC1,WID10" + LEADER, []),
    (b"\x01,cut\x01,REQ,CAN,\x1c\x03", [Query("CAN")]),
    (b"\x01,SZB4\x1c0123\x1cX:\x03" + LEADER, [Broken("plane")]),
    (b"\x01,SZB999999999\x1c" + LEADER, [Broken("sizes")]),
    (b"\x01,SZB585217\x1c" + LEADER, [Broken("sizes")]),
    (b"\x01,NOC1\x1cx" + LEADER, [Broken("end")]),
    (b"\x01" + b"x" * (MAX_HEADER + 1) + LEADER, [Broken("header")]),
]
"""Bytes, and what they are; each ends outside of a page."""


@given(st.lists(st.sampled_from(PARTS), max_size=6), st.data())
def test_whatever_the_split_pages_come_out_as_they_were_put_in(parts: list, data: st.DataObject) -> None:
    stream = b"".join(raw for raw, _ in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    edges = [0, *cuts, len(stream)]
    found = events(*(stream[a:b] for a, b in pairwise(edges)))
    assert found == [event for _, expected in parts for event in expected]


def test_byte_by_byte_is_as_good_as_at_once() -> None:
    stream = b"".join(raw for raw, _ in PARTS)
    assert events(*(stream[at : at + 1] for at in range(len(stream)))) == events(stream)


ALPHABET = st.sampled_from(
    [b"\x01", b"\x03", b"\x05" * 16, b"\x1c", b",", b"SZB9", b"SZK2", b"NOC1", b"B:", b"K:", b"ab"]
)


@given(st.lists(st.one_of(ALPHABET, st.binary(max_size=40)), max_size=60), st.data())
def test_any_bytes_are_taken_alike_whatever_the_split(pieces: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(pieces)
    cut = data.draw(st.integers(0, len(stream)))
    assert events(stream[:cut], stream[cut:]) == events(stream)
    for event in events(stream):
        if isinstance(event, Page):
            try:
                parse(event.fields)
            except HeaderError as error:
                assert "expected" in str(error)  # noqa: PT017 - any page may be one that is understood


def test_memory_is_bounded_by_the_largest_page() -> None:
    tokenizer = Tokenizer()
    for piece in (b"\x01", b"x" * 100_000, LEADER, ENDURO, *[b"\x1c" * 100_000] * 50, LEADER, ALTO, b"0" * 3_000_000):
        assert not any(isinstance(event, Page) for event in tokenizer.feed(piece))
        assert tokenizer.kept <= 4 * MAX_PLANE


def test_fields_of_a_header_are_read_and_unknown_ones_passed_over() -> None:
    text = "NOC2,XYZ9,MGVON,MAG1,BPI210,MPC7,COEH,%HELLO?,MAG2,;12=34?,LAM_STA-3,DPXON,BACCKO,NCT1,2,3,4,HFDON,,REJON"
    header = parse(tuple(text.split(",")))
    assert header.tracks == [TrackWrite(1, "HELLO", 210, 7), TrackWrite(2, "12=34", 75, 5)]
    assert (header.copies, header.verify, header.duplex, header.holes) == (2, True, True, [(1, 2, 3, 4)])
    assert parse(("NOC0", "BBB3")).encode_only
    assert parse(("NOC0", "BBB3")).copies == 3


@pytest.mark.parametrize("text", ["NOCx", "NOC101", "PAG3", "WID0", "PCT1,2", "MAG4,%A?", "MAG1,KGE2", "MAG1", "DDD-1"])
def test_a_field_that_cannot_be_is_an_error_that_names_it(text: str) -> None:
    with pytest.raises(HeaderError, match=text[:3]):
        parse(tuple(text.split(",")))


# --- the emulator by itself -------------------------------------------------------------------------------------------


class Host:
    """One connection over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def ask(self, name: str) -> None:
        self.writer.write(b"\x01,REQ,%s,\x1c\x03" % name.encode())

    async def answer(self) -> bytes:
        async with asyncio.timeout(10):
            return await self._reader.readuntil(b"\x03")

    async def error(self) -> bytes:
        self.ask("ERR")
        return await self.answer()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@asynccontextmanager
async def emulated(**options: Any) -> AsyncIterator[tuple[Host, MagicardEmulator]]:
    emulator = await start({"speed": 0, "tcp": "127.0.0.1:0", **options})
    host = await connect(emulator)
    try:
        yield host, emulator
    finally:
        await host.close()
        await emulator.close()


async def connect(emulator: MagicardEmulator) -> Host:
    host, port = emulator.link_url.removeprefix("tcp://").split(":")
    return Host(*await asyncio.open_connection(host, int(port)))


ENCODE = LEADER + b"\x01,NOC0,BBB1,MAG2,;99990000=3112?,KGE2\x1c\x03"


async def test_it_answers_as_captured_and_says_nothing_where_nothing_is_known() -> None:
    async with emulated(cards=0) as (host, _):
        for name in ("INF", "ERASE", "XYZ", "CLN"):
            host.ask(name)
        assert await host.error() == b"\x01STAPrinterstatus OK.\n00:00\n(c0300)\x03"
        host.writer.write(ENCODE)
        assert await host.error() == NOT_FED


async def test_a_job_that_waits_for_a_card_goes_on_when_somebody_says_so() -> None:
    async with emulated(cards=0) as (host, emulator):
        host.writer.write(ENCODE)
        assert await host.error() == NOT_FED
        host.ask("OKY")
        assert await host.error() == NOT_FED, "there is still no card"
        await emulator.load_cards(bench.LoadCardsRequest(count=1))
        host.ask("OKY")
        assert b"00:00" in await host.error()
        assert emulator.machine.gone[0].tracks[2].text == "99990000=3112"


async def test_a_cancelled_job_is_never_made() -> None:
    async with emulated(cards=0) as (host, emulator):
        host.writer.write(ENCODE)
        assert await host.error() == NOT_FED
        host.ask("CAN")
        assert b"00:00" in await host.error()
        await emulator.load_cards(bench.LoadCardsRequest(count=1))
        host.ask("OKY")
        assert b"00:00" in await host.error()
        assert not emulator.machine.gone


async def test_a_language_is_the_last_jobs() -> None:
    async with emulated(cards=1) as (host, _):
        host.writer.write(ENCODE.replace(b"BBB1", b"BBB1,LANENG"))
        assert await host.error() == b"\x01STAPrinter status OK.\n00:00\n(c0300)\x03"


async def test_a_front_waits_for_its_back_and_power_forgets_it() -> None:
    async with emulated() as (host, emulator):
        front = LEADER + b"\x01,NOC1,DPXON,PAG1,WID1,HGT642,SZK96\x1c" + planes(K=96) + b"\x03"
        host.writer.write(front)
        assert b"00:00" in await host.error()
        assert not emulator.machine.fed
        await emulator.power_cycle(bench.PowerCycleRequest())
        host.writer.write(front.replace(b"PAG1", b"PAG2"))
        assert b"00:00" in await host.error()
        assert emulator.machine.fed == 1
        assert not emulator.machine.gone[0].back.printed, "one page alone is a front"


async def test_planes_of_the_wrong_size_are_an_error() -> None:
    async with emulated() as (host, emulator):
        host.writer.write(LEADER + b"\x01,NOC1,PAG1,WID1016,HGT642,SZK96\x1c" + planes(K=96) + b"\x03")
        assert b"18:01" in await host.error()
        assert not emulator.machine.fed


async def test_with_too_much_waiting_nothing_is_lost() -> None:
    async with emulated(cards=9, speed=200) as (host, emulator):
        host.writer.write(ENCODE * 9)
        async with asyncio.timeout(20):
            assert b"00:00" in await host.error()
        assert emulator.machine.count().output == 9


async def test_a_cover_that_was_closed_lets_it_go_on() -> None:
    async with emulated() as (host, emulator):
        await emulator.open_cover(bench.OpenCoverRequest())
        host.writer.write(ENCODE)
        assert b"13:01" in await host.error()
        await emulator.close_cover(bench.CloseCoverRequest())
        assert b"00:00" in await host.error()
        assert emulator.machine.count().output == 1


async def test_cards_are_written_into_a_folder(tmp_path: Path) -> None:
    async with emulated(out=str(tmp_path / "cards")) as (host, _):
        host.writer.write(ENCODE)
        await host.error()
    assert json.loads((tmp_path / "cards" / "001.json").read_text())["stripe"]["track2"] == "99990000=3112"
    assert (tmp_path / "cards" / "001-front.png").exists()


async def test_options_are_checked() -> None:
    for options in ({"model": "Zenius"}, {"tcp": "127.0.0.1:0", "usbip": "127.0.0.1:0"}, {"cards": -1}):
        with pytest.raises(ValueError, match=r"model|usbip|cards"):
            await start(options)


# --- the driver -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def printer(
    link: str = "usbip", options: dict[str, Any] | None = None, **emulator_options: Any
) -> AsyncIterator[tuple[MagicardPrinter, MagicardEmulator]]:
    emulator = await start({"speed": 0, link: "127.0.0.1:0", **emulator_options})
    given = {"start_seconds": 0, "model": emulator_options.get("model", "Enduro"), **(options or {})}
    driver = MagicardPrinter(parse_link(emulator.link_url), MagicardOptions.model_validate(given))
    try:
        await driver.connect()
        yield driver, emulator
    finally:
        await driver.disconnect()
        await emulator.close()


def picture(width: int = 1016, *, seed: int = 1, overlay: bool = True) -> Planes:
    """Noise in the colours, so that no dot can be mistaken for another; black and a hole that are not symmetric."""
    rgb = np.random.default_rng(seed).integers(0, 256, (642, width, 3), dtype=np.uint8)
    black, cover = np.zeros((642, width), bool), np.ones((642, width), bool)
    black[30:90, 100:300] = True
    cover[200:350, 90:260] = False
    return Planes(rgb, black, cover if overlay else None, None)


def looks_like(side: Any, planes: Planes, *, black: bool = True) -> None:
    """A side of 1016 by 648 has the planes in its middle, with colours in 64 steps."""
    width = planes.rgb.shape[1]
    left = (1016 - width) // 2
    middle = (slice(3, 645), slice(left, left + width))
    for channel, panel in enumerate("cmy"):
        found = side.dyes[panel][middle].astype(int)
        assert (abs(found - (255 - planes.rgb[..., channel].astype(int))) <= 4).all(), panel
        assert side.dyes[panel].sum() == found.sum(), "nothing beside it"
    if black:
        assert (side.black[middle] == planes.black).all()
    assert (side.overlay[middle] == planes.overlay).all()


async def inject(emulator: MagicardEmulator, fault: str, **how: Any) -> None:
    await emulator.inject_fault(bench.InjectFaultRequest(fault=fault, **{"times": 1, **how}))


def card(front: Planes | None = None, back: Planes | None = None, stripe: StripeData | None = None) -> OnePassCard:
    image = CardImage(front, back) if front is not None or back is not None else None
    return OnePassCard(image, stripe, card_pb2.COERCIVITY_HIGH)


def unsettled() -> Unsettled:
    return Unsettled("issue_card", Operation(id="op-1"), {"stage": "one pass"})


@pytest.mark.parametrize("link", LINKS)
async def test_a_card_of_two_sides_with_a_stripe_comes_out_as_its_planes(link: str) -> None:
    front, back = picture(seed=1), picture(seed=2)
    async with printer(link) as (driver, emulator):
        await driver.make_in_one_pass(card(front, back, STRIPE))
        (made,) = emulator.machine.gone
        assert made.place == "output"
        looks_like(made.front, front)
        looks_like(made.back, back)
        assert {number: track.text for number, track in made.tracks.items()} == {
            1: STRIPE.track1,
            2: STRIPE.track2,
            3: STRIPE.track3,
        }
        assert not any(track.damaged for track in made.tracks.values())


@pytest.mark.parametrize("position", [35, 65])
async def test_a_moved_head_is_made_up_for(position: int) -> None:
    front = picture()
    async with printer(options={"head_position": position}) as (driver, emulator):
        await driver.make_in_one_pass(card(front))
        looks_like(emulator.machine.gone[0].front, front)


async def test_a_narrower_printer_whose_words_lie_the_other_way_round() -> None:
    front = picture(1000)
    async with printer(model="Pronto") as (driver, emulator):
        assert (driver.capabilities.width, driver.capabilities.duplex) == (1000, False)
        await driver.make_in_one_pass(card(front))
        looks_like(emulator.machine.gone[0].front, front)


async def test_a_side_can_be_turned() -> None:
    front = picture()
    turned = Planes(*(plane[::-1, ::-1] for plane in (front.rgb, front.black, front.overlay)), None)
    async with printer(options={"turned": True, "turned_back": False}) as (driver, emulator):
        await driver.make_in_one_pass(card(front, front))
        looks_like(emulator.machine.gone[0].front, turned)
        looks_like(emulator.machine.gone[0].back, front)


async def test_a_back_alone_leaves_the_front_white() -> None:
    async with printer() as (driver, emulator):
        await driver.make_in_one_pass(card(None, picture()))
        assert not emulator.machine.gone[0].front.printed
        looks_like(emulator.machine.gone[0].back, picture())


@pytest.mark.parametrize("link", LINKS)
async def test_a_stripe_alone_is_written(link: str) -> None:
    async with printer(link) as (driver, emulator):
        await driver.make_in_one_pass(card(stripe=StripeData(track2="99990000=3112")))
        assert emulator.machine.gone[0].describe()["stripe"]["track2"] == "99990000=3112"
        assert not emulator.machine.gone[0].front.printed


async def test_a_whole_card_is_issued() -> None:
    request = card_printer_pb2.IssueCardRequest(device_id="p", stripe=STRIPE)
    request.artwork.design.name = "card"
    element = request.artwork.design.front.elements.add()
    element.box.x_mm, element.box.y_mm, element.box.width_mm, element.box.height_mm = 0, 0, 30, 20
    element.shape.fill = "#FF0000"
    async with printer() as (driver, emulator):
        run = StubRun()
        result = await driver.issue_card(request, run)
        assert run.steps == ["one pass"]
        assert run.movements == ["FED", "EJECTED"]
        assert result.card.place == card_pb2.CARD_PLACE_OUTPUT
        assert result.card.stripe == result.card.front == card_pb2.CARD_WORK_DONE
        seen = emulator.machine.gone[0].front.rgb()
        assert (seen[100, 100] == (255, 0, 0)).all(), "upper left"
        assert (seen[500, 900] == 255).all()


async def test_it_says_what_it_has_and_what_it_cannot() -> None:
    async with printer(options={"ribbon": "K", "verify": False}) as (driver, _):
        has = driver.capabilities
        assert has.one_pass
        assert not has.locates
        assert not has.exit
        assert not has.color
        assert not has.overlay
        assert not has.stripe_verified
        assert {unit.name for unit in has.units} == {"feeder", "output"}
        attempts = (
            driver.feed(""),
            driver.move(card_pb2.CARD_PLACE_OUTPUT),
            driver.accept(),
            driver.write_stripe(STRIPE, card_pb2.COERCIVITY_HIGH),
            driver.read_stripe_tracks([1]),
            driver.print_card(CardImage(None, None)),
        )
        for attempt in attempts:
            with pytest.raises(CountertopError) as caught:
                await attempt
            assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED


async def test_what_a_job_cannot_say_is_refused_before_anything_is_sent() -> None:
    many = picture()
    many.overlay[500:520, 500:520] = False
    many.overlay[550:560, 600:700] = False
    async with printer() as (driver, emulator):
        for nothing in (card(many), card()):
            with pytest.raises(DeviceFault) as caught:
                await driver.make_in_one_pass(nothing)
            assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED
            assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_NONE
        assert not emulator.machine.fed


# --- when it goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS)
async def test_without_cards_nothing_has_happened_and_nothing_comes_later(link: str) -> None:
    async with printer(link, cards=0) as (driver, emulator):
        with pytest.raises(DeviceFault) as caught:
            await driver.make_in_one_pass(card(stripe=STRIPE))
        assert caught.value.reason == error_pb2.REASON_CARDS_OUT
        assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_NONE
        assert caught.value.got == "error 11:01"
        assert "9999" not in str(caught.value)
        await emulator.load_cards(bench.LoadCardsRequest(count=1))
        assert not (await driver.look()).conditions
        assert not emulator.machine.gone, "the job was dropped"
        await driver.make_in_one_pass(card(stripe=STRIPE))
        assert emulator.machine.count().output == 1


@pytest.mark.parametrize(
    ("fault", "number", "reason"),
    [
        ("jam-feeder", "12:01", "CARD_JAMMED"),
        ("jam-flip", "12:01", "CARD_JAMMED"),
        ("jam-output", "12:01", "CARD_JAMMED"),
        ("ribbon-break", "14:01", "RIBBON_OUT"),
        ("stripe-write", "15:01", "STRIPE_WRITE_FAILED"),
        ("head-error", "17:01", "PRINTER_FAULT"),
    ],
)
async def test_an_error_is_told_by_its_number_and_its_card_must_be_looked_for(
    fault: str, number: str, reason: str
) -> None:
    made = card(picture(), picture(), STRIPE)
    for errors, expected in (({}, "PRINTER_FAULT"), (NUMBERS, reason)):
        if not errors and fault != "jam-flip":
            continue  # a number that nobody has explained is one like another
        async with printer(options={"errors": errors}) as (driver, emulator):
            await inject(emulator, fault)
            with pytest.raises(DeviceFault) as caught:
                await driver.make_in_one_pass(made)
            assert error_pb2.Reason.Name(caught.value.reason) == f"REASON_{expected}"
            assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
            assert caught.value.got == f"error {number}"
            stuck = fault.startswith("jam")
            assert emulator.machine.station is (Station.JAMMED if stuck else Station.NONE)
            assert len((await driver.look()).conditions) == stuck
            await emulator.remove_jam(bench.RemoveJamRequest())
            assert not (await driver.look()).conditions


@pytest.mark.parametrize("ribbon", ["none", "KO"])
async def test_without_its_ribbon_a_card_is_not_printed(ribbon: str) -> None:
    async with printer("tcp", {"errors": NUMBERS}, ribbon=ribbon) as (driver, emulator):
        with pytest.raises(DeviceFault) as caught:
            await driver.make_in_one_pass(card(picture()))
        expected = error_pb2.REASON_RIBBON_OUT if ribbon == "none" else error_pb2.REASON_RIBBON_WRONG
        assert caught.value.reason == expected
        await emulator.load_ribbon(bench.LoadRibbonRequest(type="YMCKO"))
        await driver.make_in_one_pass(card(picture()))
        assert [made.front.printed for made in emulator.machine.gone] == [False, True]


async def test_a_ribbon_runs_out() -> None:
    async with printer(options={"errors": NUMBERS}, prints=1) as (driver, _):
        await driver.make_in_one_pass(card(picture()))
        with pytest.raises(DeviceFault) as caught:
            await driver.make_in_one_pass(card(picture()))
        assert caught.value.reason == error_pb2.REASON_RIBBON_OUT


async def test_a_stripe_that_does_not_stay_is_noticed_only_when_it_is_verified() -> None:
    too_weak = OnePassCard(None, STRIPE, card_pb2.COERCIVITY_LOW)
    for verify in (True, False):
        async with printer(options={"errors": NUMBERS, "verify": verify}) as (driver, emulator):
            if not verify:
                await driver.make_in_one_pass(too_weak)
                assert emulator.machine.gone[0].describe()["stripe"]["damaged"] == [1, 2, 3]
                continue
            with pytest.raises(DeviceFault) as caught:
                await driver.make_in_one_pass(too_weak)
            assert caught.value.reason == error_pb2.REASON_STRIPE_WRITE_FAILED


@pytest.mark.parametrize("link", LINKS)
async def test_an_open_cover_is_seen_before_anything_moves(link: str) -> None:
    request = card_printer_pb2.IssueCardRequest(device_id="p", stripe=STRIPE)
    async with printer(link, {"errors": NUMBERS}) as (driver, emulator):
        await emulator.open_cover(bench.OpenCoverRequest())
        run = StubRun()
        with pytest.raises(DeviceFault) as caught:
            await driver.issue_card(request, run)
        assert caught.value.reason == error_pb2.REASON_COVER_OPEN
        assert caught.value.effect == error_pb2.PHYSICAL_EFFECT_NONE
        assert not run.steps


async def test_a_full_hopper_is_an_error_that_a_reset_clears() -> None:
    async with printer(options={"errors": NUMBERS}, output_capacity=1) as (driver, emulator):
        await driver.make_in_one_pass(card(stripe=STRIPE))
        with pytest.raises(DeviceFault) as caught:
            await driver.make_in_one_pass(card(stripe=STRIPE))
        assert caught.value.reason == error_pb2.REASON_OUTPUT_FULL
        assert {found.reason for found in (await driver.look()).conditions} == {error_pb2.REASON_OUTPUT_FULL}
        await emulator.empty_bin(bench.EmptyBinRequest(unit="output"))
        await driver.clear()
        assert not (await driver.look()).conditions
        assert emulator.machine.count().output == 2


# --- a link that breaks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", LINKS)
async def test_a_plug_that_is_pulled_in_the_middle_leaves_a_card_to_be_looked_for(
    link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with printer(link, speed=1) as (driver, emulator):
        drawn_in = asyncio.Event()
        feed = emulator.machine.feed
        monkeypatch.setattr(emulator.machine, "feed", lambda: (feed(), drawn_in.set()))
        async with asyncio.timeout(20):
            making = asyncio.create_task(driver.make_in_one_pass(card(picture(), stripe=STRIPE)))
            await drawn_in.wait()
            await emulator.unplug(bench.UnplugRequest())
            with pytest.raises(LinkFault):
                await making
        await driver.disconnect()
        await emulator.replug(bench.ReplugRequest())
        await driver.connect()
        settled = await driver.reconcile(unsettled())
        assert settled.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
        assert "look for it" in settled.message
        assert not emulator.machine.count().output


@pytest.mark.parametrize("link", LINKS)
async def test_a_job_that_went_on_alone_is_waited_for(link: str) -> None:
    async with printer(link, speed=50) as (driver, emulator):
        making = asyncio.create_task(driver.make_in_one_pass(card(picture())))
        async with asyncio.timeout(20):
            while not emulator.machine.fed:  # noqa: ASYNC110 - nothing else tells of it
                await asyncio.sleep(0.005)
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        await driver.disconnect()
        await driver.connect()
        settled = await driver.reconcile(unsettled())
        assert settled.effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
        assert emulator.machine.count().output == 1, "it was finished when the answer was given"


async def test_an_answer_to_a_question_that_nobody_waits_for_is_not_taken_for_the_next() -> None:
    async with printer("tcp", speed=50) as (driver, emulator):
        making = asyncio.create_task(driver.make_in_one_pass(card(stripe=STRIPE)))
        async with asyncio.timeout(20):
            while not (emulator.machine.fed and driver._session._owed):  # noqa: ASYNC110 - nothing else tells of it
                await asyncio.sleep(0.005)
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
            await driver.make_in_one_pass(card(stripe=STRIPE))
        assert emulator.machine.count().output == 2


@pytest.mark.parametrize("link", LINKS)
async def test_a_job_that_found_no_card_has_done_nothing(link: str) -> None:
    async with printer(link, cards=0) as (driver, emulator):
        data = driver._job(card(stripe=STRIPE))
        await driver._session.send(data, "a job of a daemon that died", 5)
        assert await driver._session.error() == "11:01"
        await driver.disconnect()
        await driver.connect()
        settled = await driver.reconcile(unsettled())
        assert settled.effect == error_pb2.PHYSICAL_EFFECT_NONE
        await emulator.load_cards(bench.LoadCardsRequest(count=1))
        assert not (await driver.look()).conditions
        assert not emulator.machine.gone


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9999])
@pytest.mark.parametrize("link", LINKS)
async def test_half_a_job_that_was_left_is_dropped(link: str, share: float) -> None:
    async with printer(link, {"answer_seconds": 0.5}) as (driver, emulator):
        data = driver._job(card(picture(seed=3), picture(seed=4)))
        await driver._session.send(data[: int(len(data) * share)], "half a job", 20)
        await driver.disconnect()
        await driver.connect()
        await driver.make_in_one_pass(card(picture()))
        (made,) = emulator.machine.gone
        looks_like(made.front, picture())
        assert not made.back.printed


async def test_a_printer_that_does_not_answer_is_told() -> None:
    async with printer("tcp", {"answer_seconds": 0.5}) as (driver, emulator):
        await inject(emulator, "mute")
        with pytest.raises(NoAnswer):
            await driver.look()
        assert not (await driver.look()).conditions


async def test_answers_in_pieces_and_with_noise_are_read() -> None:
    async with printer("tcp") as (driver, emulator):
        await inject(emulator, "split-replies", times=0)
        await inject(emulator, "noise")
        assert not (await driver.look()).conditions


async def test_a_port_says_ready_busy_and_error_as_captured() -> None:
    async with printer(speed=1) as (driver, emulator):
        link: Any = driver._link
        assert await link.port_status() == 0x18
        await driver._session.send(ENCODE, "job", 5)
        assert await link.port_status() == 0x08
        await emulator.power_cycle(bench.PowerCycleRequest())
        await emulator.open_cover(bench.OpenCoverRequest())
        assert await link.port_status() == 0x10
