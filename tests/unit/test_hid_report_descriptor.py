"""Report descriptors as devices have them, written by hand from HID 1.11 and the usage tables; and any bytes at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.hid_digitizer.report_descriptor import (
    MAX_FIELDS,
    Field,
    ReportDescriptor,
    ReportKind,
    parse_report_descriptor,
    read_bits,
)

# HID 1.11, appendix E.10
MOUSE = bytes.fromhex(
    "05 01 09 02 A1 01 09 01 A1 00"  # generic desktop: mouse, pointer
    "05 09 19 01 29 03 15 00 25 01 95 03 75 01 81 02"  # three buttons
    "95 01 75 05 81 01"  # padding
    "05 01 09 30 09 31 15 81 25 7F 75 08 95 02 81 06"  # x, y, relative
    "C0 C0"
)
# HID 1.11, appendix E.6
KEYBOARD = bytes.fromhex(
    "05 01 09 06 A1 01"
    "05 07 19 E0 29 E7 15 00 25 01 75 01 95 08 81 02"  # modifiers
    "95 01 75 08 81 01"  # reserved
    "95 05 75 01 05 08 19 01 29 05 91 02 95 01 75 03 91 01"  # LEDs
    "95 06 75 08 15 00 25 65 05 07 19 00 29 65 81 00"  # keys
    "C0"
)


def items(*lines: str) -> bytes:
    return bytes.fromhex("".join(lines))


def found(descriptor: bytes) -> ReportDescriptor:
    whole = parse_report_descriptor(descriptor)
    assert whole.flaw == ""
    return whole


def places(descriptor: ReportDescriptor) -> list[tuple[int, int, int]]:
    return [(field.usage, field.offset, field.size) for field in descriptor.fields]


def test_a_mouse_has_three_buttons_and_two_relative_axes() -> None:
    mouse = found(MOUSE)
    assert not mouse.numbered
    assert places(mouse) == [
        (0x090001, 0, 1),
        (0x090002, 1, 1),
        (0x090003, 2, 1),
        (0x010030, 8, 8),
        (0x010031, 16, 8),
    ]
    x = mouse.fields[3]
    assert (x.logical_minimum, x.logical_maximum, x.is_relative, x.is_array) == (-127, 127, True, False)
    assert (x.physical_minimum, x.physical_maximum) == (-127, 127)
    assert x.collections == (0x010002, 0x010001)


def test_a_keyboard_has_modifiers_lamps_and_an_array_of_keys() -> None:
    keyboard = found(KEYBOARD)
    modifiers, lamps, keys = keyboard.fields[:8], keyboard.fields[8:13], keyboard.fields[13]
    assert [field.usage for field in modifiers] == list(range(0x0700E0, 0x0700E8))
    assert [(field.kind, field.usage, field.offset) for field in lamps] == [
        (ReportKind.OUTPUT, 0x080001 + number, number) for number in range(5)
    ]
    assert keys.is_array
    assert (keys.usage, keys.offset, keys.size, keys.count, keys.logical_maximum) == (0x070000, 16, 8, 6, 0x65)
    assert len(keyboard.fields) == 14


def test_reports_with_ids_are_laid_out_each_on_its_own() -> None:
    two = found(
        items(
            "05 0D 09 02 A1 01 15 00 25 01 75 01 95 01",
            "85 07 09 42 81 02 95 07 81 03",
            "85 08 95 01 09 44 81 02",
            "85 07 75 10 95 01 05 01 09 30 81 02",
            "C0",
        )
    )
    assert two.numbered
    assert [(field.report_id, field.usage, field.offset) for field in two.fields] == [
        (7, 0x0D0042, 0),
        (8, 0x0D0044, 0),
        (7, 0x010030, 8),
    ]


def test_push_and_pop_keep_all_that_is_global_and_nothing_else() -> None:
    whole = found(
        items(
            "05 01 15 00 26 FF 0F 35 00 46 E8 03 65 11 55 0E 75 10 95 01",
            "A4 05 0D 25 01 45 00 65 00 55 00 75 01 09 42 81 02 B4",
            "09 30 81 02",
        )
    )
    tip, x = whole.fields
    assert (tip.usage, tip.size, tip.logical_maximum, tip.unit, tip.exponent) == (0x0D0042, 1, 1, 0, 0)
    assert (x.usage, x.offset, x.size, x.logical_maximum) == (0x010030, 1, 16, 4095)
    assert (x.physical_maximum, x.unit, x.exponent) == (1000, 0x11, -2)


@pytest.mark.parametrize(
    ("item", "exponent"), [("55 0D", -3), ("55 FD", -3), ("55 03", 3), ("55 00", 0), ("56 FD FF", -3)]
)
def test_exponents_are_read_as_a_nibble_or_as_the_byte_that_many_devices_give(item: str, exponent: int) -> None:
    assert found(items(item, "05 01 09 30 75 08 95 01 25 7F 81 02")).fields[0].exponent == exponent


def test_a_maximum_with_the_sign_bit_set_is_large_unless_the_minimum_is_negative() -> None:
    def limits(text: str) -> tuple[int, int]:
        field = found(items(text, "05 01 09 30 75 10 95 01 81 02")).fields[0]
        return field.logical_minimum, field.logical_maximum

    assert limits("15 00 25 FF") == (0, 255)
    assert limits("25 FF 15 00") == (0, 255)
    assert limits("15 00 26 FF FF") == (0, 65535)
    assert limits("15 81 25 7F") == (-127, 127)
    assert limits("16 01 80 26 FF FF") == (-32767, -1)


def test_usages_take_the_page_that_holds_at_the_main_item_unless_they_bring_their_own() -> None:
    whole = found(items("05 01 09 30 0B 42 00 0D 00 05 09 75 01 95 02 25 01 81 02"))
    assert [field.usage for field in whole.fields] == [0x090030, 0x0D0042]


def test_a_range_of_usages_may_bring_its_page() -> None:
    whole = found(items("05 01 1B 01 00 09 00 2B 03 00 09 00 75 01 95 03 25 01 81 02"))
    assert [field.usage for field in whole.fields] == [0x090001, 0x090002, 0x090003]


def test_values_beyond_the_last_usage_have_that_usage() -> None:
    whole = found(items("05 01 09 30 09 31 75 08 95 04 25 7F 81 02"))
    assert places(whole) == [(0x010030, 0, 8), (0x010031, 8, 8), (0x010031, 16, 8), (0x010031, 24, 8)]


def test_of_alternative_usages_the_first_counts() -> None:
    whole = found(items("05 0D A9 01 09 42 09 33 A9 00 09 32 75 01 95 02 25 01 81 02"))
    assert [field.usage for field in whole.fields] == [0x0D0042, 0x0D0032]


def test_long_items_are_passed_over() -> None:
    assert found(items("FE 03 F0 AA BB CC", "05 01 09 30 75 08 95 01 25 7F 81 02")).fields


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("05", "the item at byte 0 is cut off"),
        ("FE", "the item at byte 0 is cut off"),
        ("05 01 FE 05 00 01", "the item at byte 2 is cut off"),
        ("B4", "nothing on the stack at byte 0"),
        ("C0", "no collection is open at byte 0"),
        ("85 00", "report id 0 at byte 0"),
        ("0C", "the item at byte 0 is of a reserved type"),
        ("A4 " * 33, "more than 32 states on the stack at byte 32"),
        ("A1 01 " * 33, "more than 32 collections in each other at byte 64"),
        ("09 30 75 20 97 FF FF FF FF 81 02", "a report longer than 16384 bytes at byte 9"),
        ("09 30 75 01 96 01 04 25 01 81 02", "more than 1024 fields"),
    ],
)
def test_reading_ends_at_what_makes_no_sense_and_says_where(text: str, flaw: str) -> None:
    assert parse_report_descriptor(items(text)).flaw == flaw


def test_what_was_found_before_a_mistake_counts() -> None:
    whole = parse_report_descriptor(MOUSE[:-2] + b"\xc0\xc0\xc0\x05")
    assert whole.flaw
    assert whole.fields == found(MOUSE).fields


@given(st.binary(max_size=400))
def test_any_bytes_give_a_bounded_answer(data: bytes) -> None:
    whole = parse_report_descriptor(data)
    assert len(whole.fields) <= MAX_FIELDS
    for field in whole.fields:
        assert field.offset + field.size * field.count <= 8 * 16384


tags = st.sampled_from(
    bytes.fromhex("05 09 0B 15 19 1B 25 27 29 2B 35 45 55 65 75 77 81 85 91 95 97 A1 A4 A9 B1 B4 C0 FE")
)


@given(st.lists(st.tuples(tags, st.binary(min_size=4, max_size=4)), max_size=80))
def test_any_items_give_a_bounded_answer(drawn: list[tuple[int, bytes]]) -> None:
    data = b"".join(bytes([tag]) + value[: (0, 1, 2, 4)[tag & 3]] for tag, value in drawn)
    assert len(parse_report_descriptor(data).fields) <= MAX_FIELDS


def test_a_descriptor_longer_than_any_is_refused_whole() -> None:
    assert parse_report_descriptor(bytes(65536)) == ReportDescriptor(
        (), numbered=False, flaw="a descriptor of 65536 bytes"
    )


def test_the_longest_range_costs_no_more_than_the_fields_that_it_fills() -> None:
    whole = found(items("1B 00 00 00 00 2B FF FF FF FF 75 01 95 08 25 01 81 02"))
    assert [field.usage for field in whole.fields] == list(range(8))


# --- values ----------------------------------------------------------------------------------------------------------


def packed(values: list[tuple[int, int]]) -> bytes:
    """Numbers into bits, the least significant first: the other way about than the driver, through text."""
    bits = "".join(format(value % (1 << size), f"0{size}b")[::-1] for value, size in values)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


numbers = st.integers(1, 32).flatmap(
    lambda size: st.tuples(st.integers(-(1 << (size - 1)), (1 << (size - 1)) - 1), st.just(size))
)


@given(st.lists(numbers, min_size=1, max_size=12))
def test_values_come_out_as_they_were_packed(values: list[tuple[int, int]]) -> None:
    report, offset = packed(values), 0
    for value, size in values:
        assert read_bits(report, offset, size, signed=True) == value
        assert read_bits(report, offset, size, signed=False) == value % (1 << size)
        offset += size


@given(st.lists(numbers, min_size=1, max_size=12))
def test_fields_lie_where_the_descriptor_puts_them(values: list[tuple[int, int]]) -> None:
    descriptor = b"".join(
        items("05 01 17 00 00 00 80 27 FF FF FF 7F 95 01") + bytes([0x09, 0x30 + number, 0x75, size, 0x81, 2])
        for number, (_, size) in enumerate(values)
    )
    fields: tuple[Field, ...] = found(descriptor).fields
    report = packed(values)
    assert [read_bits(report, field.offset, field.size, signed=True) for field in fields] == [
        value for value, _ in values
    ]


@given(st.binary(max_size=8), st.integers(0, 80), st.integers(0, 80))
def test_bits_that_are_not_there_are_no_value(data: bytes, offset: int, size: int) -> None:
    there = size > 0 and offset + size <= 8 * len(data)
    assert (read_bits(data, offset, size, signed=False) is not None) == there


def test_a_short_usage_maximum_stays_on_the_page_that_its_minimum_brought() -> None:
    descriptor = found(
        items("05 01 09 02 A1 01", "1B 01 00 09 00 29 03", "15 00 25 01 95 03 75 01 81 02", "95 01 75 05 81 01 C0")
    )
    assert [usage for usage, _, _ in places(descriptor)] == [0x090001, 0x090002, 0x090003]


def test_constants_are_padding_though_they_have_usages() -> None:
    descriptor = found(
        items("05 01 09 02 A1 01 09 30 15 00 25 7F 75 08 95 01 81 01", "09 31 81 02", "09 32 75 00 81 02 C0")
    )
    assert places(descriptor) == [(0x010031, 8, 8)]


def test_report_ids_are_1_to_255() -> None:
    for number in (1, 255):
        descriptor = found(items("05 01 09 02 A1 01 85", f"{number:02X}", "09 30 15 00 25 7F 75 08 95 01 81 02 C0"))
        assert [field.report_id for field in descriptor.fields] == [number]
    for number in ("85 00", "86 00 01"):
        broken = parse_report_descriptor(items("05 01 09 02 A1 01", number, "09 30 15 00 25 7F 75 08 95 01 81 02 C0"))
        assert broken.flaw != ""


def test_each_of_several_values_has_a_count_of_one() -> None:
    assert [field.count for field in found(MOUSE).fields] == [1] * 5


def test_a_long_item_that_ends_after_its_first_byte_is_cut_off() -> None:
    assert "cut off" in parse_report_descriptor(MOUSE + b"\xfe").flaw
    assert found(MOUSE[:10] + b"\xfe\x02\x00ab" + MOUSE[10:]) == found(MOUSE)
