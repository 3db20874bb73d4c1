"""Every status bit has a meaning, and every meaning a sentence for the person who can help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.escpos.status import ASB_BITS, EOT_BITS, GS_R_BITS, Sign, StatusBoard, conditions
from countertop.v1 import device_pb2, error_pb2, options_pb2
from countertop.v1.error_pb2 import Reason

BLOCKING, WARNING = device_pb2.SEVERITY_BLOCKING, device_pb2.SEVERITY_WARNING
TELLER, ENGINEER = options_pb2.FIXED_BY_TELLER, options_pb2.FIXED_BY_ENGINEER


def reasons(board: StatusBoard) -> list[str]:
    return [Reason.Name(c.reason).removeprefix("REASON_") for c in conditions(board.signs)]


# Answer to DLE EOT n with that one bit: what stands then. Fixed bits are set as a printer sets them (12h).
EOT_CASES = [
    (1, 0x04, []),
    (1, 0x08, ["PRINTER_OFFLINE"]),
    (1, 0x20, ["WAITING_FOR_RECOVERY"]),
    (1, 0x40, ["PAPER_FEEDING"]),
    (2, 0x04, ["COVER_OPEN"]),
    (2, 0x08, ["PAPER_FEEDING"]),
    (2, 0x20, ["PAPER_OUT"]),
    (2, 0x40, ["PRINTER_OFFLINE"]),
    (3, 0x04, ["WAITING_FOR_RECOVERY"]),
    (3, 0x08, ["CUTTER_ERROR"]),
    (3, 0x20, ["PRINTER_FAULT"]),
    (3, 0x40, ["HEAD_OVERHEATED"]),
    (4, 0x04, ["PAPER_NEAR_END"]),
    (4, 0x08, ["PAPER_NEAR_END"]),
    (4, 0x20, ["PAPER_OUT"]),
    (4, 0x40, ["PAPER_OUT"]),
]
ASB_CASES = [
    (0, 0x04, []),
    (0, 0x08, ["PRINTER_OFFLINE"]),
    (0, 0x20, ["COVER_OPEN"]),
    (0, 0x40, ["PAPER_FEEDING"]),
    (1, 0x01, ["WAITING_FOR_RECOVERY"]),
    (1, 0x02, ["PAPER_FEEDING"]),
    (1, 0x04, ["WAITING_FOR_RECOVERY"]),
    (1, 0x08, ["CUTTER_ERROR"]),
    (1, 0x20, ["PRINTER_FAULT"]),
    (1, 0x40, ["HEAD_OVERHEATED"]),
    (2, 0x01, ["PAPER_NEAR_END"]),
    (2, 0x02, ["PAPER_NEAR_END"]),
    (2, 0x04, ["PAPER_OUT"]),
    (2, 0x08, ["PAPER_OUT"]),
]


@pytest.mark.parametrize(("n", "bit", "expected"), EOT_CASES)
def test_each_bit_of_dle_eot(n: int, bit: int, expected: list[str]) -> None:
    board = StatusBoard()
    board.eot(n, 0x12 | bit)
    assert reasons(board) == expected


@pytest.mark.parametrize(("byte", "bit", "expected"), ASB_CASES)
def test_each_bit_of_automatic_status(byte: int, bit: int, expected: list[str]) -> None:
    value = bytearray(b"\x10\x00\x00\x00")
    value[byte] |= bit
    board = StatusBoard()
    board.asb(bytes(value))
    assert reasons(board) == expected


def test_the_tables_hold_every_bit_that_is_not_fixed() -> None:
    for bits in EOT_BITS.values():
        assert sum(bits) == 0xFF & ~0x93
    assert [sum(bits) for bits in ASB_BITS] == [0x6C, 0x6F, 0x0F, 0]
    assert [(n, bit) for n, bit, _ in EOT_CASES] == [(n, bit) for n, bits in EOT_BITS.items() for bit in bits]
    assert [(n, bit) for n, bit, _ in ASB_CASES] == [(n, bit) for n, bits in enumerate(ASB_BITS) for bit in bits]


def test_a_ready_printer_has_no_condition_and_enough_paper() -> None:
    board = StatusBoard()
    for n, value in zip((1, 2, 3, 4), b"\x16\x12\x12\x12", strict=True):
        board.eot(n, value)
    status = board.status()
    assert not status.conditions
    assert [(c.name, c.level) for c in status.consumables] == [("paper", device_pb2.SUPPLY_LEVEL_OK)]
    assert board.drawer_high


def test_a_printer_that_has_said_nothing_has_no_paper_level() -> None:
    assert not StatusBoard().status().consumables


def test_status_of_a_tm_t20ii_means_ready() -> None:
    board = StatusBoard()
    board.asb(b"\x14\x00\x00\x0f")
    assert board.drawer_high
    assert not board.blocking()


def test_near_end_is_a_warning_and_low_paper() -> None:
    board = StatusBoard()
    board.eot(4, 0x1E)
    status = board.status()
    assert [(c.reason, c.severity) for c in status.conditions] == [(error_pb2.REASON_PAPER_NEAR_END, WARNING)]
    assert status.consumables[0].level == device_pb2.SUPPLY_LEVEL_LOW


def test_paper_end_hides_near_end_and_explains_offline() -> None:
    board = StatusBoard()
    board.eot(1, 0x1A)
    board.eot(2, 0x32)
    board.eot(4, 0x7E)
    assert reasons(board) == ["PAPER_OUT"]
    assert board.status().consumables[0].level == device_pb2.SUPPLY_LEVEL_OUT


def test_feeding_by_hand_explains_offline_and_does_not_block() -> None:
    board = StatusBoard()
    board.eot(1, 0x1A)
    board.eot(2, 0x1A)
    assert reasons(board) == ["PAPER_FEEDING"]
    assert not board.blocking()


def test_an_error_behind_a_pressed_button_is_still_told() -> None:
    board = StatusBoard()
    board.eot(1, 0x52)
    board.eot(3, 0x16)
    assert reasons(board) == ["WAITING_FOR_RECOVERY", "PAPER_FEEDING"]


def test_the_most_serious_condition_comes_first() -> None:
    board = StatusBoard()
    board.asb(b"\x38\x08\x0c\x00")
    assert reasons(board) == ["CUTTER_ERROR", "COVER_OPEN", "PAPER_OUT"]


def test_each_answer_replaces_only_what_it_speaks_of() -> None:
    board = StatusBoard()
    board.eot(2, 0x16)
    board.eot(4, 0x7E)
    board.eot(2, 0x12)
    assert reasons(board) == ["PAPER_OUT"]
    board.eot(4, 0x12)
    assert reasons(board) == []


def test_automatic_status_replaces_all_that_was_asked_before() -> None:
    board = StatusBoard()
    board.eot(2, 0x76)
    board.asb(b"\x14\x00\x00\x00")
    assert reasons(board) == []


def test_paper_and_drawer_of_gs_r() -> None:
    board = StatusBoard()
    board.gs_r(1, 0x0C)
    board.gs_r(2, 0x01)
    assert reasons(board) == ["PAPER_OUT"]
    assert board.drawer_high
    assert set(GS_R_BITS) == {1, 2}


@given(st.sets(st.sampled_from(list(Sign))))
def test_conditions_are_complete_and_told_once(signs: set[Sign]) -> None:
    together = Sign(0)
    for sign in signs:
        together |= sign
    found = conditions(together)
    assert len({c.reason for c in found}) == len(found)
    for condition in found:
        assert condition.severity in (BLOCKING, WARNING)
        assert condition.action.endswith(".")
        if condition.severity == BLOCKING and condition.reason != error_pb2.REASON_HEAD_OVERHEATED:
            assert condition.fixed_by in (TELLER, ENGINEER)
    quiet = Sign.DRAWER_HIGH | Sign.NEAR_END | Sign.FEEDING | Sign.BUTTON_PRESSED
    covered = quiet | Sign.OFFLINE | Sign.ERROR
    blocking = [c for c in found if c.severity == BLOCKING]
    if together & ~covered:
        assert blocking, "whatever keeps the printer from printing must block"
    if not together & ~quiet:
        assert not blocking


def test_an_unknown_cause_of_offline_is_told_once() -> None:
    (condition,) = conditions(Sign.OFFLINE | Sign.ERROR | Sign.NEAR_END)[:1]
    assert condition.reason == error_pb2.REASON_PRINTER_OFFLINE


def test_the_level_of_the_drawers_pin_is_told() -> None:
    board = StatusBoard()
    assert board.drawer_high is False
    board.asb(b"\x14\x00\x00\x0f")
    assert board.drawer_high is True
    board.asb(b"\x10\x00\x00\x0f")
    assert board.drawer_high is False


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0x01, ["PAPER_NEAR_END"]), (0x02, ["PAPER_NEAR_END"]), (0x04, ["PAPER_OUT"]), (0x08, ["PAPER_OUT"])],
)
def test_each_bit_of_the_paper_sensors_that_is_sent_alone(value: int, expected: list[str]) -> None:
    board = StatusBoard()
    board.gs_r(1, value)
    assert reasons(board) == expected


def test_offline_without_a_cause_stands_before_what_does_not_block() -> None:
    board = StatusBoard()
    board.eot(1, 0x12 | 0x08)
    board.eot(4, 0x12 | 0x0C)
    assert reasons(board) == ["PRINTER_OFFLINE", "PAPER_NEAR_END"]
