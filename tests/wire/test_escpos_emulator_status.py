"""What the emulated printer says about itself: status bytes, identity, process ids, recovery, the drawer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.emulators.core.clock import ManualClock
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.escpos.device import DEVICE_FAULTS, Machine, MachineSettings
from countertop.emulators.escpos.models import MODELS

READY = bytes.fromhex("1400000F")
CLEAR = bytes.fromhex("10140801031401060208")
CUT = b"\x1dVB\0"
OFFLINE_RESPONSE = b"\x37\x23\0"
ALL_STATUS = b"".join(b"\x10\x04" + bytes([n]) for n in (1, 2, 3, 4))


def process_id(name: bytes) -> bytes:
    return b"\x1d(H\x06\x0000" + name


def offline_responses(d: int) -> bytes:
    return b"\x1d(H\x03\x0010" + bytes([d])


def process_answer(name: bytes) -> bytes:
    return b"\x37\x22" + name + b"\0"


class Bench:
    """A printer without a link: bytes in by `send`, what it answered out by `said`."""

    def __init__(self, model: str = "TM-T88VI", **options: Any) -> None:
        self.clock = ManualClock()
        self.board = FaultBoard(DEVICE_FAULTS, self.clock)
        self.answers: list[bytes] = []
        self.reading = True
        self.machine = Machine(
            self.clock,
            self.board,
            MachineSettings(model=MODELS[model], **options),
            pause=lambda: setattr(self, "reading", False),
            resume=lambda: setattr(self, "reading", True),
            on_receipt=lambda receipt: None,
        )
        self.machine.connected(self.answers.append)

    def said(self) -> bytes:
        answers = b"".join(self.answers)
        self.answers.clear()
        return answers

    def send(self, data: bytes) -> bytes:
        self.machine.received(data)
        return self.said()

    async def run(self, seconds: float = 60.0) -> bytes:
        await self.clock.advance(seconds)
        return self.said()

    @property
    def text(self) -> str:
        roll = self.machine.roll
        return "".join(receipt.text for receipt in (*roll.receipts, roll.current))


# Real-time status


def test_a_ready_printer_answers_16_12_12_12():
    assert Bench().send(ALL_STATUS) == bytes.fromhex("16121212")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("paper-near-end", "1612121E"),
        ("paper-out", "1E32127E"),
        ("cover-open", "1E161212"),
        ("unrecoverable-error", "1E523212"),
        ("overheat", "1E525212"),
        ("offline", "1E121212"),
        ("feed-button", "5E1A1212"),
    ],
)
def test_each_fault_sets_its_bits_and_ends_with_them(fault, expected):
    bench = Bench()
    bench.board.inject(fault)
    assert bench.send(ALL_STATUS).hex().upper() == expected
    bench.board.clear(fault)
    latched = fault == "unrecoverable-error"
    assert bench.send(ALL_STATUS).hex().upper() == (expected if latched else "16121212")


async def test_a_cutter_error_is_recoverable_and_waits_for_recovery():
    bench = Bench()
    bench.board.inject("cutter-error")
    bench.send(CUT)
    await bench.run()
    assert bench.send(ALL_STATUS).hex().upper() == "3E521A12"


def test_an_unrecoverable_error_ends_with_the_power_only():
    bench = Bench()
    bench.board.inject("unrecoverable-error")
    bench.board.clear("unrecoverable-error")
    assert bench.send(b"\x10\x04\x03") == b"\x32"
    bench.machine.power_cycle()
    assert bench.send(ALL_STATUS) == bytes.fromhex("16121212")


def test_the_cover_and_an_empty_roll_do_as_the_faults_do():
    bench = Bench()
    bench.machine.set_cover(is_open=True)
    assert bench.send(ALL_STATUS).hex().upper() == "1E161212"
    bench.machine.set_cover(is_open=False)
    bench.machine.load_paper(0)
    assert bench.send(ALL_STATUS).hex().upper() == "1E32127E"
    bench.machine.load_paper(3000)
    assert bench.send(ALL_STATUS).hex().upper() == "1612121E"
    bench.machine.load_paper(50_000)
    assert bench.send(ALL_STATUS).hex().upper() == "16121212"


def test_status_requests_the_printer_does_not_know_are_not_answered_nor_printed():
    bench = Bench()
    assert bench.send(b"\x10\x04\x05\x10\x04\x07\x01\x10\x04\x12\x01\x10\x04\x00\x01") == b""
    assert bench.send(b"\x1b\x06\x01") == b""  # asks for the status of a Star printer
    assert bench.text == ""


def test_real_time_commands_inside_a_picture_act_and_leave_the_picture_whole():
    bench = Bench()
    dots = b"\x10\x04\x01\xff" + b"\x10\x04\x04\x81"
    assert bench.send(b"\x1dv0\0\x04\0\x02\0" + dots) == b"\x16\x12"
    strip = bench.machine.roll.current.rows()
    assert [bytes(row[:4]) for row in strip[:2]] == [dots[:4], dots[4:]]
    assert bench.machine.roll.current.text == "[image 32x2]\n"


async def test_real_time_status_comes_while_the_printer_is_busy():
    bench = Bench()
    bench.send(b"line\n" * 100)
    assert bench.send(b"\x10\x04\x01") == b"\x16"
    assert bench.text.count("line") < 100
    await bench.run()
    assert bench.text.count("line") == 100


@given(st.lists(st.sampled_from([spec.name for spec in DEVICE_FAULTS if spec.name != "power-cycle"]), max_size=6))
@settings(max_examples=25)
def test_status_bytes_can_always_be_told_apart(faults):
    bench = Bench()
    for fault in faults:
        bench.board.inject(fault)
    assert all(byte & 0x93 == 0x12 for byte in bench.send(ALL_STATUS))
    asb = bench.send(b"\x10\x14\x07\x01")
    assert len(asb) == 4
    assert asb[0] & 0x93 == 0x10
    assert all(byte & 0x90 == 0 for byte in asb[1:])


# Automatic status


def test_automatic_status_comes_at_once_and_at_each_change():
    bench = Bench()
    assert bench.send(b"\x1da\xff") == READY
    bench.board.inject("paper-near-end")
    assert bench.said() == bytes.fromhex("1400030F")
    bench.board.inject("cover-open")
    assert bench.said() == bytes.fromhex("3C00030F")
    bench.board.inject("overheat")
    assert bench.said() == bytes.fromhex("3C40030F")
    bench.board.clear()
    assert bench.said().endswith(READY)


@pytest.mark.parametrize(
    ("group", "fault", "expected"),
    [
        (0x02, "cover-open", "3C00000F"),
        (0x02, "offline", "1C00000F"),
        (0x40, "feed-button", "5C02000F"),
        (0x04, "overheat", "1C40000F"),
        (0x04, "unrecoverable-error", "1C20000F"),
        (0x08, "paper-near-end", "1400030F"),
        (0x08, "paper-out", "1C000F0F"),
    ],
)
def test_automatic_status_watches_the_groups_that_were_asked_for(group, fault, expected):
    watched, ignored = Bench(), Bench()
    watched.send(b"\x1da" + bytes([group]))
    watched.board.inject(fault)
    assert watched.said().hex().upper() == expected
    ignored.send(b"\x1da\x01")  # only the drawer
    ignored.board.inject(fault)
    assert ignored.said() == b""


async def test_a_cutter_error_tells_itself_and_its_recovery():
    bench = Bench()
    bench.board.inject("cutter-error", times=1)
    bench.send(b"\x1da\xffone\n" + CUT)
    assert (await bench.run()).hex().upper() == "1C09000F"
    assert bench.send(b"\x10\x05\x01") == READY
    assert await bench.run() == b""
    assert len(bench.machine.roll.receipts) == 1


@pytest.mark.parametrize("off", [b"\x1da\0", b"\x1b@"])
def test_automatic_status_ends_by_zero_and_by_initialising(off):
    bench = Bench()
    assert bench.send(b"\x1da\xff" + off) == READY
    bench.board.inject("cover-open")
    bench.board.clear()
    assert bench.said() == b""


def test_automatic_status_is_off_after_power_on():
    bench = Bench()
    bench.send(b"\x1da\xff")
    bench.machine.power_cycle()
    bench.said()
    bench.board.inject("cover-open")
    assert bench.said() == b""


def test_basic_and_extended_status_can_be_asked_for_in_real_time():
    bench = Bench()
    assert bench.send(b"\x10\x14\x07\x01") == READY
    assert bench.send(b"\x10\x14\x07\x02") == bytes.fromhex("39004000")
    assert bench.send(b"\x10\x14\x07\x09") == b""


# Offline responses


@pytest.mark.parametrize("d", [1, 2, 0x31, 0x32])
@pytest.mark.parametrize("fault", ["cover-open", "paper-out", "overheat", "unrecoverable-error"])
def test_an_offline_response_comes_each_time_the_printer_goes_offline(d, fault):
    bench = Bench()
    assert bench.send(offline_responses(d)) == b""
    bench.board.inject(fault)
    assert bench.said() == OFFLINE_RESPONSE
    bench.board.inject("paper-out" if fault == "cover-open" else "cover-open")
    assert bench.said() == b""  # it is offline already
    bench.board.clear()
    bench.machine.power_cycle()
    bench.send(offline_responses(d))
    bench.board.inject(fault)
    assert bench.said() == OFFLINE_RESPONSE


async def test_an_offline_response_tells_of_a_jammed_cutter():
    bench = Bench()
    bench.board.inject("cutter-error", times=1)
    bench.send(offline_responses(1) + b"one\n" + CUT)
    assert await bench.run() == OFFLINE_RESPONSE


def test_an_offline_response_goes_before_the_automatic_status():
    bench = Bench()
    assert bench.send(offline_responses(1) + b"\x1da\xff") == READY
    bench.machine.set_cover(is_open=True)
    assert bench.said() == OFFLINE_RESPONSE + bytes.fromhex("3C00000F")


@pytest.mark.parametrize("off", ["0", "initialise", "power"])
def test_offline_responses_end(off):
    bench = Bench()
    bench.send(offline_responses(1))
    if off == "power":
        bench.machine.power_cycle()
    else:
        bench.send(offline_responses(0) if off == "0" else b"\x1b@")
    bench.machine.set_cover(is_open=True)
    assert bench.said() == b""


@pytest.mark.parametrize("fault", ["offline", "feed-button", "paper-near-end"])
def test_no_offline_response_tells_of_what_epson_does_not_list(fault):
    bench = Bench()
    bench.send(offline_responses(1))
    bench.board.inject(fault)
    assert bench.said() == b""


def test_an_offline_response_can_be_asked_for_in_real_time():
    assert Bench().send(b"\x10\x14\x07\x04") == OFFLINE_RESPONSE


def test_a_printer_without_responses_has_no_offline_response():
    bench = Bench("TM-T88III")
    assert bench.send(offline_responses(1) + b"\x10\x14\x07\x04") == b""
    bench.machine.set_cover(is_open=True)
    assert bench.said() == b""


# The feed button


async def test_the_feed_button_feeds_a_blank_line_and_the_printer_goes_on_when_it_is_let_go():
    bench = Bench()
    bench.board.inject("feed-button")
    bench.send(b"after\n")
    await bench.run()
    assert (bench.machine.roll.current.height, bench.text) == (30, "")
    bench.board.clear()
    await bench.run()
    assert (bench.machine.roll.current.height, bench.text) == (60, "after\n")


async def test_the_feed_button_moves_no_paper_while_the_printer_prints_or_is_offline():
    busy, offline = Bench(), Bench()
    busy.send(b"line\n" * 30)
    printed = busy.machine.roll.current.height
    busy.board.inject("feed-button")
    await busy.run()
    assert busy.machine.roll.current.height - printed <= 30  # the line in motion, not one more
    busy.board.clear()
    await busy.run()
    assert busy.machine.roll.current.height == 30 * 30
    offline.machine.set_cover(is_open=True)
    offline.board.inject("feed-button")
    assert offline.machine.roll.current.height == 0


# Status and identity in order


def test_paper_and_drawer_status_in_order():
    bench = Bench()
    assert bench.send(b"\x1dr\x01\x1dr1\x1dr\x02\x1bv\x1bu\0") == bytes.fromhex("0000010001")
    bench.board.inject("paper-near-end")
    assert bench.send(b"\x1dr\x01") == b"\x03"


async def test_status_in_order_waits_behind_what_is_printed_before_it():
    bench = Bench()
    assert bench.send(b"line\n" * 20 + b"\x1dr\x01") == b""
    assert bench.text.count("line") < 20
    assert await bench.run() == b"\0"
    assert bench.text.count("line") == 20


async def test_status_in_order_waits_behind_the_paper_end():
    bench = Bench()
    bench.machine.load_paper(0)
    bench.send(b"one\n\x1dr\x01")
    assert await bench.run() == b""
    bench.machine.load_paper(50_000)
    assert await bench.run() == b"\0"
    assert bench.text == "one\n"


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, b"\x63"),
        (49, b"\x63"),
        (2, b"\x03"),
        (50, b"\x03"),
        (3, b"\x01"),
        (66, b"\x5fEPSON\0"),
        (67, b"\x5fTM-T20II\0"),
        (33, b"\x3d\x21\0"),
        (200, b""),
    ],
)
def test_a_tm_t20ii_says_who_it_is(n, expected):
    assert Bench("TM-T20II").send(b"\x1dI" + bytes([n])) == expected


def test_every_identity_text_is_framed():
    for model in MODELS:
        for n in (65, 66, 67, 68, 69):
            answer = Bench(model).send(b"\x1dI" + bytes([n]))
            assert answer[:1] == b"\x5f"
            assert answer.find(b"\0") == len(answer) - 1 > 1


# Process ids


async def test_a_process_id_comes_when_all_before_it_is_printed():
    bench = Bench()
    assert bench.send(b"line\n" * 30 + process_id(b"0001") + b"more\n" * 30 + process_id(b"0002")) == b""
    for _ in range(10_000):
        await bench.clock.advance(0.005)
        if bench.answers:
            break
    assert bench.said() == process_answer(b"0001")
    assert bench.text.count("line") == 30
    assert bench.text.count("more") < 30
    assert await bench.run() == process_answer(b"0002")
    assert bench.text.count("more") == 30


def test_a_printer_without_process_ids_swallows_them():
    bench = Bench("TM-T88III")
    assert bench.send(b"a\n" + process_id(b"0001")) == b""
    assert bench.text == "a\n"


@pytest.mark.parametrize("together", [True, False])
async def test_the_process_id_of_cleared_data_is_never_told(together):
    bench = Bench()
    bench.machine.set_cover(is_open=True)
    job = b"lost\n" + process_id(b"LOST")
    sent = [job + CLEAR] if together else [job, CLEAR]
    assert b"".join(map(bench.send, sent)) == b"\x37\x25\0"
    bench.machine.set_cover(is_open=False)
    assert await bench.run() == b""
    assert bench.text == ""
    bench.send(b"next\n" + process_id(b"NEXT"))
    assert await bench.run() == process_answer(b"NEXT")
    assert bench.text == "next\n"


# Recovery


async def cutter_jammed(job: bytes) -> Bench:
    bench = Bench()
    bench.board.inject("cutter-error")
    bench.send(job)
    await bench.run()
    assert bench.send(b"\x10\x04\x03") == b"\x1a"
    return bench


@pytest.mark.parametrize("answer", [1, 2])
async def test_recovery_is_refused_while_the_cause_lasts(answer):
    bench = await cutter_jammed(b"first\n" + CUT)
    bench.send(b"\x10\x05" + bytes([answer]))
    await bench.run()
    assert bench.send(b"\x10\x04\x03") == b"\x1a"
    assert not bench.machine.roll.receipts


async def test_recovery_1_goes_on_where_the_error_stopped_it():
    bench = await cutter_jammed(b"first\n" + CUT + b"second\n" + process_id(b"0002"))
    bench.board.clear()
    assert await bench.run() == b""  # nothing happens by itself
    assert bench.send(b"\x10\x05\x01") == b""
    assert await bench.run() == process_answer(b"0002")
    assert [receipt.text for receipt in bench.machine.roll.receipts] == ["first\n"]
    assert bench.machine.roll.current.text == "second\n"
    assert bench.send(ALL_STATUS) == bytes.fromhex("16121212")


async def test_recovery_2_clears_what_waits():
    bench = await cutter_jammed(b"\x1ba\x01first\n" + CUT + b"second\n" + process_id(b"0002"))
    bench.board.clear()
    bench.send(b"\x10\x05\x02")
    assert await bench.run() == b""
    assert not bench.machine.roll.receipts
    bench.send(b"third\n")
    await bench.run()
    assert [line.strip() for line in bench.text.splitlines()] == ["first", "third"]
    assert bench.text.splitlines()[1].startswith("    "), "settings are kept"
    assert bench.send(ALL_STATUS) == bytes.fromhex("16121212")


def test_recovery_commands_without_an_error_do_nothing():
    bench = Bench()
    assert bench.send(b"a\x10\x05\x01b\x10\x05\x02c\x10\x05\x00\n") == b""
    assert bench.text == "abc\n"


async def test_recovery_does_not_help_against_an_open_cover():
    bench = Bench()
    bench.machine.set_cover(is_open=True)
    bench.send(b"a\n\x10\x05\x02")
    bench.machine.set_cover(is_open=False)
    await bench.run()
    assert bench.text == "a\n"


async def test_clearing_recovers_from_a_cutter_error_too():
    bench = await cutter_jammed(b"first\n" + CUT + b"second\n")
    bench.board.clear()
    assert bench.send(CLEAR) == b"\x37\x25\0"
    await bench.run()
    assert bench.send(ALL_STATUS) == bytes.fromhex("16121212")
    assert bench.text == "first\n"


async def test_clearing_forgets_half_a_command_half_a_line_half_a_character_and_the_page():
    bench = Bench()
    for half in (b"line", b"\xd6", b"\x1dv0\0\x10\0\x10\0abc", b"\x1bLpage\n", b"\x1b"):
        assert bench.send(half + CLEAR) == b"\x37\x25\0"
    bench.send(b"whole\n")
    await bench.run()
    assert bench.text == "whole\n"


def test_a_clear_that_is_not_spelt_right_clears_nothing():
    bench = Bench()
    assert bench.send(b"kept" + CLEAR[:-1] + b"\x09" + b"\n") == b""
    assert bench.text == "kept\n"


# Drawer and power


def test_both_pulses_open_the_drawer_and_somebody_shuts_it():
    for pulse in (b"\x1bp\0\x19\xfa", b"\x10\x14\x01\x00\x01"):
        bench = Bench()
        assert bench.send(b"\x1da\x01") == READY
        assert bench.send(pulse) == bytes.fromhex("1000000F")
        assert bench.send(b"\x10\x04\x01\x1dr\x02") == b"\x12\x00"
        bench.clock.step(10)
        assert bench.said() == READY
        assert bench.send(b"\x10\x04\x01\x1dr\x02") == b"\x16\x01"


async def test_only_the_real_time_pulse_works_while_the_printer_is_offline():
    bench = Bench()
    bench.machine.set_cover(is_open=True)
    bench.send(b"\x1bp\0\x19\xfa")
    assert bench.send(b"\x10\x04\x01") == b"\x1e"
    bench.send(b"\x10\x14\x01\x00\x01")
    assert bench.send(b"\x10\x04\x01") == b"\x1a"


def test_real_time_functions_can_be_disabled():
    bench = Bench()
    bench.send(bytes.fromhex("1D2844050014 01000200"))
    bench.send(b"\x10\x14\x01\x00\x01")
    assert bench.send(b"\x10\x04\x01") == b"\x16"
    bench.send(bytes.fromhex("1D2844030014 0101"))
    bench.send(b"\x10\x14\x01\x00\x01")
    assert bench.send(b"\x10\x04\x01") == b"\x12"


def test_switching_off_by_command_must_be_enabled_first():
    bench = Bench()
    off = bytes.fromhex("1014020108")
    assert bench.send(off) == b""
    assert bench.send(bytes.fromhex("1D2844030014 0201")) == b""
    assert bench.send(off + b"lost\n") == b"\x3b\x30\0"
    assert bench.send(ALL_STATUS) == b""
    bench.machine.power_on()
    assert bench.send(ALL_STATUS + b"on\n") == bytes.fromhex("16121212")
    assert bench.text == "on\n"


def test_a_deselected_printer_prints_nothing_and_still_tells_its_real_time_status():
    bench = Bench()
    assert bench.send(b"\x1b=\0lost\n\x1dr\x01\x10\x04\x01") == b"\x16"
    bench.send(b"\x1b=\x01kept\n")
    assert bench.text == "kept\n"


async def test_waiting_for_idleness_waits_for_what_goes_on_after_a_hold():
    bench = Bench()
    bench.machine.set_cover(is_open=True)
    bench.send(b"line\n" * 50)
    await asyncio.wait_for(bench.machine.wait_idle(), 1)
    assert bench.text == ""
    bench.machine.set_cover(is_open=False)
    idle = asyncio.create_task(bench.machine.wait_idle())
    await asyncio.sleep(0)
    assert not idle.done()
    await bench.run()
    await asyncio.wait_for(idle, 1)
    assert bench.text.count("line") == 50


# Flow control


def full_buffers() -> Iterator[tuple[Bench, list[bool]]]:
    for serial in (True, False):
        bench = Bench(buffer_bytes=4096, xon_xoff=serial)
        bench.machine.set_cover(is_open=True)
        yield bench, [serial]


async def test_a_full_buffer_holds_the_client_and_an_emptied_one_lets_it_go_on():
    for bench, [serial] in full_buffers():
        assert bench.send(b"x" * 3900) == b""
        assert bench.reading
        assert bench.send(b"y" * 100) == (b"\x13" if serial else b"")
        assert bench.reading
        assert bench.send(b"z" * 100) == b""
        assert not bench.reading
        bench.machine.set_cover(is_open=False)
        assert await bench.run() == (b"\x11" if serial else b"")
        assert bench.reading


async def test_a_picture_larger_than_the_buffer_is_taken_in():
    bench = Bench(buffer_bytes=4096, width_dots=576)
    picture = b"\x1dv0\0" + (72).to_bytes(2, "little") + (1000).to_bytes(2, "little") + bytes([0xAA]) * 72_000
    for start in range(0, len(picture), 4096):
        while not bench.reading:
            await bench.clock.advance(0.5)
        bench.send(picture[start : start + 4096])
    await bench.run()
    assert bench.text == "[image 576x1000]\n"
    assert bench.machine.roll.current.height == 1000
