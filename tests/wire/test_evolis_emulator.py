"""The emulated Evolis printer, spoken to byte by byte as a host does that knows the programming guide."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.cards.machine import Station
from countertop.emulators.evolis.drawing import DRAWINGS
from countertop.emulators.evolis.emulator import EvolisEmulator, start
from countertop.emulators.evolis.queries import QUERIES
from countertop.emulators.evolis.settings import SETTINGS
from countertop.emulators.evolis.work import WORK
from tests.wire.test_evolis_framing import JOBS, job, judged

LINE = 81
BITMAPS = ("Db", "Dbc", "Dbp", "Dbpc", "Dbmp")


class Host:
    """One connection; `ask` sends a command and returns its answer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, command: str, data: bytes = b"") -> str:
        self.send(command, data)
        return await self.answer()

    def send(self, command: str, data: bytes = b"") -> None:
        self._writer.write(b"\x1b" + command.encode() + data + b"\r")

    async def answer(self) -> str:
        async with asyncio.timeout(10):
            return (await self._reader.readuntil(b"\0"))[:-1].decode()

    async def exactly(self, count: int) -> bytes:
        async with asyncio.timeout(10):
            return await self._reader.readexactly(count)

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def connect(emulator: EvolisEmulator) -> Host:
    host, port = emulator.link_url.removeprefix("tcp://").split("?")[0].split(":")
    return Host(*await asyncio.open_connection(host, int(port)))


@asynccontextmanager
async def printer(mode: int = 2, **options: Any) -> AsyncIterator[tuple[Host, EvolisEmulator]]:
    emulator = await start({"speed": 0, "customer": "leaves", **options})
    host = await connect(emulator)
    try:
        if mode:
            host.send(f"Pem;{mode}")
            assert await (host.answer() if mode != 4 else host.exactly(1)) in ("OK", b"\x06")
        yield host, emulator
    finally:
        await host.close()
        await emulator.close()


async def all_of(host: Host, *commands: str) -> list[str]:
    return [await host.ask(command) for command in commands]


def last(emulator: EvolisEmulator) -> dict[str, Any]:
    machine = emulator.machine
    card = machine.card or machine.gone[-1]
    found: dict[str, Any] = json.loads(json.dumps(card.describe()))
    return found


def pixels(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


# --- moving -----------------------------------------------------------------------------------------------------------


async def test_a_card_goes_through_the_stations_and_to_the_customer():
    async with printer() as (host, emulator):
        assert await host.ask("Rlr;p") == "OK"
        assert await all_of(host, "Si", "Rlr;p") == ["OK", "CARD"]
        assert await all_of(host, "Sis", "Rlr;p") == ["OK", "SMART CARD"]
        assert await all_of(host, "Sic", "Rlr;p") == ["OK", "CONTACTLESS CARD"]
        assert await all_of(host, "Rse;b", "Rco;c") == ["0,21 Volts", "1"]
        assert await all_of(host, "Ss", "Pneab;A;1", "Se", "Rlr;p", "Rse;b") == ["OK"] * 4 + ["4,93 Volts"]
        assert (await emulator.take_card(bench.TakeCardRequest())).taken
        assert await host.ask("Rse;b") == "0,21 Volts"


async def test_a_card_left_at_the_bezel_is_taken_in_and_rejected():
    async with printer() as (host, emulator):
        assert await all_of(host, "Si", "Ss", "Pneab;A;1", "Se", "Sib", "Rlr;p", "Ser", "Rlr;p") == [
            *["OK"] * 5,
            "CARD",
            "OK",
            "OK",
        ]
        assert emulator.machine.count().retained == 1


async def test_what_cannot_be_moved_is_told():
    async with printer(cards=1, bin_capacity=1) as (host, emulator):
        assert await host.ask("Sib") == "ERROR TIME OUT"
        assert await all_of(host, "Si", "Ser", "Rlr;h", "Si") == ["OK", "OK", "CARD", "FEEDER EMPTY"]
        await emulator.load_cards(bench.LoadCardsRequest(count=2))
        assert await all_of(host, "Si", "Ser") == ["OK", "HOPPER FULL"]
        await emulator.open_cover(bench.OpenCoverRequest())
        assert await all_of(host, "Sis", "Rse;o") == ["COVER OPEN", "0,00 Volts"]


async def test_a_jam_is_told_until_staff_has_been_there():
    async with printer() as (host, emulator):
        await emulator.inject_fault(bench.InjectFaultRequest(fault="jam-contact", times=1))
        assert await all_of(host, "Sis", "Rlr;p", "Si") == ["CARD JAM", "CARD JAM", "CARD JAM"]
        assert (await emulator.remove_jam(bench.RemoveJamRequest())).removed
        assert await all_of(host, "Rlr;p", "Si", "Rlr;p") == ["OK", "OK", "CARD"]


async def test_a_printer_for_offices_ejects_into_its_hopper_and_has_no_bezel():
    async with printer(model="Primacy", output_capacity=1) as (host, emulator):
        assert await all_of(host, "Rse;b", "Pcem;I") == ["ERROR PARAMETRES", "OPT NOT AVAILABLE"]
        assert await all_of(host, "Sie", "Sie") == ["OK", "HOPPER FULL"]
        assert await host.ask("Seb") == "OK"
        counts = emulator.machine.count()
        assert (counts.output, counts.retained) == (1, 1)


async def test_power_that_fails_in_a_movement_leaves_the_card_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    async with printer(speed=1) as (host, emulator):
        left_the_feeder = asyncio.Event()
        feed = emulator.machine.feed
        monkeypatch.setattr(emulator.machine, "feed", lambda: (feed(), left_the_feeder.set()))
        host.send("Si")
        async with asyncio.timeout(10):
            await left_the_feeder.wait()
        await emulator.power_cycle(bench.PowerCycleRequest())
        assert emulator.machine.station is Station.TRANSPORT
        assert await host.ask("Rem") == "0;0"
        assert await host.ask("Pem;2") == "OK"
        assert await all_of(host, "Rlr;p", "Si", "Rlr;p") == ["CARD", "OK", "CARD"]


# --- talking ----------------------------------------------------------------------------------------------------------


async def test_queries_are_answered_as_bank_programs_have_seen():
    async with printer(cards=4, near_empty=5, ribbon="KO", prints=7) as (host, _):
        answers = await all_of(host, "Rtp", "Rsn", "Rse;f", "Rse;n", "Rrt;count", "Rrt;qty", "Rr", "Rmi")
        assert answers == ["KC200B", "10000001", "5,00 Volts", "3,92 Volts", "7", "500", "ko", "F"]


async def test_without_a_ribbon_its_numbers_are_an_error():
    async with printer(ribbon="none") as (host, _):
        assert await all_of(host, "Rrt;count", "Rr") == ["ERR RIB DETECTION"] * 2


async def test_numbers_are_sometimes_answered_with_ok():
    async with printer(prints=9) as (host, emulator):
        await emulator.inject_fault(bench.InjectFaultRequest(fault="number-quirk", times=2))
        assert await all_of(host, "Rrt;count", "Rrt;count", "Rrt;count") == ["OK", "OK", "9"]


async def test_unknown_commands_and_bad_parameters_are_told():
    async with printer() as (host, _):
        commands = ("Xyz", "Pem;9", "Rse;q", "Pmc;x", "Psc;1;1;1", "Dm;4;1", "Wt;1;1;5;40;x", "Wl;1;2", "Pr;zz")
        assert await all_of(host, *commands) == ["ERROR CDE", *["ERROR PARAMETRES"] * 8]


VALUES = st.sampled_from(
    ["", "0", "1", "2", "k", "y", "h", "F", "-1", "9999", "abc", "2/5", "c39", "ymcko", "%A?", "1.5"]
)
COMMANDS = st.builds(
    lambda name, parameters: ";".join((name, *parameters)),
    st.sampled_from(sorted({*QUERIES, *SETTINGS, *DRAWINGS, *WORK} - {"Pem", "Psc", *BITMAPS})),
    st.lists(VALUES, max_size=8),
)
PANEL = st.tuples(
    st.sampled_from(["Dbc;k;2;", "Dbc;y;32;", "Dbc;x;2;", "Dbc;k;abc;", "Dbpc;o;2;1010;"]), st.binary(max_size=40)
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(sent=st.lists(st.one_of(COMMANDS, PANEL), max_size=25))
async def test_whatever_is_commanded_each_command_is_answered_and_no_card_is_lost(
    sent: list[str | tuple[str, bytes]],
) -> None:
    async with printer(cards=100) as (host, emulator):
        for item in sent:
            if isinstance(item, str):
                await host.ask(item)
            else:
                head, data = item
                await host.ask(f"{head}{len(data)};", data)
        assert await host.ask("Rsn") == "10000001"
        counts = emulator.machine.count()
        assert counts.loaded == counts.supply + counts.inside + counts.taken + counts.retained


async def test_a_card_that_is_pushed_back_is_drawn_in_where_the_printer_does_so():
    async with printer(customer="pushes-back", customer_seconds=0, draws_in=True) as (host, _):
        assert await all_of(host, "Si", "Ss", "Pneab;A;1", "Se", "Rlr;p") == ["OK"] * 4 + ["CARD"]


async def test_in_its_own_error_mode_it_answers_queries_only():
    async with printer(mode=0) as (host, _):
        host.send("Si")
        host.send("Xyz")
        assert await all_of(host, "Rlr;p", "Rlr") == ["CARD", "ERROR CDE"]


async def test_in_ack_nack_mode_an_error_is_a_code():
    async with printer(mode=4, cards=0) as (host, _):
        for command, answer in (("Ss", b"\x06"), ("Si", b"\x15F"), ("Xyz", b"\x151"), ("Pem;9", b"\x152")):
            host.send(command)
            assert await host.exactly(len(answer)) == answer


async def test_an_answer_goes_only_to_who_asked():
    emulator = await start({"speed": 2, "customer": "leaves"})
    first = await connect(emulator)
    try:
        assert await first.ask("Pem;2") == "OK"
        first.send("Si")
        await first.close()  # while the card moves
        second = await connect(emulator)
        assert await second.ask("Rsn") == "10000001"
        assert await second.ask("Rlr;p") == "CARD"
        await second.close()
    finally:
        await emulator.close()


async def test_half_a_bitmap_swallows_what_comes_next_until_it_is_full():
    async with printer() as (host, emulator):
        host.send("Dbc;k;2;1000;", b"")
        await host.close()
        other = await connect(emulator)
        other.send("Rsn")
        other._writer.write(b"\0" * 1000 + b"\r")
        assert await other.answer() == "OK"  # of the bitmap, which the command has become a part of
        assert await other.ask("Rsn") == "10000001"
        await other.close()


# --- printing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", JOBS)
async def test_a_real_drivers_job_comes_out_as_an_independent_decoder_sees_it(name: str) -> None:
    async with printer(mode=0, model="Primacy", ribbon="K") as (host, emulator):
        whole = job(name)
        host._writer.write(whole)
        assert await host.ask("Rlr;p") == "OK"
        front = emulator.machine.gone[0].front
        payload = whole[whole.index(b"Dbc;k;2;") :].split(b";", 4)[4]
        size = int(whole[whole.index(b"Dbc;k;2;") :].split(b";", 4)[3])
        lines = judged(payload[:size])
        panel = np.array([[byte >> (7 - bit) & 1 for byte in line for bit in range(8)] for line in lines], bool)
        assert front.black.shape == (648, 1016)
        assert (front.black == panel.T[::-1]).all()  # turned counter-clockwise
        assert emulator.state.ribbon is not None
        assert emulator.state.ribbon.left == emulator.state.ribbon.capacity - 1


def plane(fill: int) -> bytes:
    return bytes([fill]) * (648 * 1016 // 8)


async def test_each_bitmap_prints_the_one_before_and_the_end_prints_the_last():
    async with printer(ribbon="YMCKO", prints=2) as (host, emulator):
        await all_of(host, "Pneab;E", "Si", "Ss", "Sr")
        assert await host.ask("Db;k;2;", plane(0xFF)) == "OK"
        assert not last(emulator)["front"]["printed"]
        assert await host.ask("Db;o;2;", plane(0xFF)) == "OK"
        assert last(emulator)["front"] == {"printed": True, "dyes": [], "black": True, "overlay": 0.0}
        assert await host.ask("Se") == "OK"
        assert last(emulator)["front"]["overlay"] == 1.0
        assert await all_of(host, "Rlr;p", "Rrt;count") == ["CARD", "1"]


async def test_dyes_of_each_depth_are_mixed_into_colours():
    for levels, bits in ((32, 5), (64, 6), (128, 7)):
        async with printer(ribbon="YMCKO") as (host, emulator):
            await all_of(host, "Pneab;E", "Si", "Ss", "Sr")
            full = b"\xff" * (648 * 1016 * bits // 8)
            assert await host.ask(f"Db;y;{levels};", full) == "OK"
            assert await host.ask(f"Db;m;{levels};", bytes(len(full))) == "OK"
            assert await host.ask("Se") == "OK"
            assert emulator.machine.card is not None
            assert (pixels(emulator.machine.card.png())[300, 500] == (255, 255, 0)).all()


async def test_both_sides_are_printed_and_use_the_ribbon_as_it_is_made():
    for ribbon, left in (("YMCKO", 198), ("YMCKOK", 199)):
        async with printer(ribbon=ribbon) as (host, emulator):
            await all_of(host, "Pneab;E", "Si", "Ss", "Sr")
            await host.ask("Db;k;2;", plane(0xFF))
            assert await host.ask("Sv") == "OK"
            await host.ask("Db;k;2;", plane(0xAA))
            assert await all_of(host, "Se", "Rrt;count") == ["OK", str(left)]
            card = last(emulator)
            assert card["front"]["black"]
            assert card["back"]["black"]


async def test_what_the_ribbon_does_not_have_is_told():
    async with printer(ribbon="K", prints=1) as (host, emulator):
        await all_of(host, "Pneab;E", "Si", "Ss", "Sr")
        assert await host.ask("Db;y;2;", plane(0)) == "ERR RIBBON TYPE"
        assert await host.ask("Db;k;2;", plane(1)) == "OK"
        assert await all_of(host, "Se", "Ss", "Sr") == ["OK"] * 3
        assert await host.ask("Db;k;2;", plane(1)) == "ERR RIBBON"
        await emulator.load_ribbon(bench.LoadRibbonRequest(absent=True))
        assert await host.ask("Db;k;2;", plane(1)) == "ERR RIB DETECTION"


@pytest.mark.parametrize(
    ("fault", "answer"), [("head-error", "ERROR HEAD"), ("ribbon-break", "ERROR RIBBON"), ("jam-flip", "CARD JAM")]
)
async def test_faults_of_printing_are_told(fault: str, answer: str) -> None:
    async with printer() as (host, emulator):
        await all_of(host, "Pneab;E", "Si", "Ss", "Sr")
        await emulator.inject_fault(bench.InjectFaultRequest(fault=fault, times=1))
        await host.ask("Db;k;2;", plane(0xFF))
        assert await host.ask("Sv") == answer


async def test_a_printer_that_needs_cleaning_takes_no_card():
    async with printer() as (host, emulator):
        await emulator.inject_fault(bench.InjectFaultRequest(fault="needs-cleaning"))
        assert await all_of(host, "Si", "Rlr;p") == ["NEED CLEANING", "OK"]


async def test_bitmaps_that_do_not_fit_are_refused():
    async with printer() as (host, _):
        assert await host.ask("Dbc;k;2;2;", b"\x52\x00") == "ERROR PARAMETRES"
        assert await host.ask("Db;o;32;", bytes(411480)) == "ERROR PARAMETRES"
        assert await host.ask("Dbpc;k;2;1015;2;", b"\0\0") == "ERROR PARAMETRES"
        assert await host.ask("Dbmp;k;0;648;0;", b"BM\x08\0\0\0xx") == "ERROR PARAMETRES"


async def test_partial_bitmaps_make_up_one_panel():
    async with printer() as (host, emulator):
        await all_of(host, "Pneab;E", "Si", "Ss", "Sr")
        assert await host.ask("Dbp;k;2;0;2;", b"\xff" * 2 * LINE) == "OK"
        assert await host.ask("Dbpc;k;2;1014;2;", b"\xff\xff") == "OK"
        assert await host.ask("Se") == "OK"
        assert emulator.machine.card is not None
        black = emulator.machine.card.front.black
        assert black.sum() == 4 * 648
        assert black[:, (0, 1, 1014, 1015)].all()


async def test_a_monochrome_bmp_file_is_a_whole_panel():
    picture = Image.new("1", (1016, 648), 1)
    picture.paste(0, (0, 0, 100, 50))
    file = io.BytesIO()
    picture.save(file, "BMP")
    async with printer() as (host, emulator):
        await all_of(host, "Pneab;E", "Si", "Ss", "Sr")
        assert await host.ask("Dbmp;k;0;648;0;", file.getvalue()) == "OK"
        assert await host.ask("Se") == "OK"
        assert emulator.machine.card is not None
        assert emulator.machine.card.front.black[:50, :100].all()
        assert emulator.machine.card.front.black.sum() == 5000


async def test_text_lines_and_bar_codes_are_drawn_by_the_printer():
    zxingcpp = pytest.importorskip("zxingcpp")
    async with printer() as (host, emulator):
        commands = ("Wcb;k", "Wt;60;60;1;60;MEMBER 9999", "Wl;60;140;300;4;1", "Wb;200;300;c39;3;3;120;0;C9999")
        assert await all_of(host, "Pneab;E", "Si", "Ss", "Sr", *commands, "Se") == ["OK"] * 9
        assert emulator.machine.card is not None
        picture = Image.fromarray(pixels(emulator.machine.card.png()))
        assert [code.text for code in zxingcpp.read_barcodes(picture)] == ["C9999"]
        assert emulator.machine.card.front.black[141, 60:360].all()
        assert emulator.machine.card.front.black[60:120, 60:400].any()


# --- stripe and chip --------------------------------------------------------------------------------------------------


async def test_a_stripe_is_written_with_or_without_sentinels_and_read_back():
    async with printer() as (host, emulator):
        assert await all_of(host, "Pmc;h", "Dm;1;%B9999^SHI/YANG^3112?", "Dm;2;99990000=3112", "Smw") == ["OK"] * 4
        assert await all_of(host, "Smr;1", "Rmb;1") == ["OK", "B9999^SHI/YANG^3112"]
        assert await all_of(host, "Smr;2", "Rmb;2") == ["OK", "99990000=3112"]
        assert await all_of(host, "Smr;3", "Rmb;3") == ["ERROR MAGN DATA", ""]
        assert last(emulator)["stripe"] == {
            "track1": "B9999^SHI/YANG^3112",
            "track2": "99990000=3112",
            "damaged": [],
            "coercivity": ["high"],
        }


async def test_data_that_a_track_cannot_hold_is_refused():
    async with printer() as (host, _):
        assert await all_of(host, "Dm;2;ABC", f"Dm;2;{'9' * 38}", "Dm;1;abc", "Smw") == ["ERROR MAGN DATA"] * 4


async def test_low_coercivity_does_not_stay_on_a_high_coercivity_stripe():
    async with printer() as (host, _):
        assert await all_of(host, "Pmc;l", "Dm;2;9999", "Smw", "Smr;2") == ["OK", "OK", *["ERROR MAGN CHECKSUM"] * 2]
    async with printer(stripe="loco") as (host, _):
        assert await all_of(host, "Pmc;l", "Dm;2;9999", "Smw", "Smr;2", "Rmb;2") == ["OK"] * 4 + ["9999"]


async def test_faults_of_the_stripe_are_told_or_only_found_when_it_is_read():
    async with printer() as (host, emulator):
        await emulator.inject_fault(bench.InjectFaultRequest(fault="stripe-write", times=1))
        assert await all_of(host, "Dm;2;1", "Smw", "Smr;2") == ["OK", "ERROR MAGN", "ERROR MAGN CHECKSUM"]
        await emulator.inject_fault(bench.InjectFaultRequest(fault="stripe-spoilt", times=1))
        assert await all_of(host, "Dm;2;1", "Smw", "Smr;2") == ["OK", "OK", "ERROR MAGN CHECKSUM"]
        await emulator.inject_fault(bench.InjectFaultRequest(fault="stripe-read", times=1))
        assert await all_of(host, "Dm;2;1", "Smw", "Smr;2", "Smr;2") == ["OK", "OK", "ERR READ", "OK"]


async def test_a_printer_without_encoder_says_so():
    async with printer(stripe="none") as (host, _):
        assert await all_of(host, "Dm;2;1", "Smr;1") == ["OPT NOT AVAILABLE"] * 2


# --- the bench --------------------------------------------------------------------------------------------------------


async def test_cards_that_come_out_are_told_as_pictures_and_text(tmp_path):
    async with printer(model="Primacy", out=str(tmp_path / "cards")) as (host, emulator):
        await all_of(host, "Si", "Dm;2;9999", "Smw", "Ss", "Sr")
        await host.ask("Db;k;2;", plane(0xFF))
        assert await host.ask("Se") == "OK"
        answer = await emulator.get_output(bench.GetOutputRequest())
        assert answer.total == 1
        assert answer.outputs[0].finished
        assert json.loads(answer.outputs[0].text)["stripe"]["track2"] == "9999"
        assert (pixels(answer.outputs[0].image.data)[300, 500] == 0).all()
        assert (pixels(answer.outputs[0].back.data)[300, 500] == 255).all()
    left = sorted(path.name for path in (tmp_path / "cards").iterdir())
    assert left == ["001-back.png", "001-front.png", "001.json"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"model": "Zebra"}, "model: expected one of KC200B, Primacy"),
        ({"ribbon": "RGB"}, "ribbon: expected one of YMCKO"),
        ({"cards": -1}, "cards: expected a whole number from 0 to 500"),
        ({"tcp": "127.0.0.1:0", "usbip": "127.0.0.1:0"}, "usbip: expected either"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_options_that_do_not_fit_are_named(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        await start(options)
