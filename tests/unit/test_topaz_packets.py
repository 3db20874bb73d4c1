"""Packets of Topaz pads: any bytes, cut anyhow; and the pen that they make."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.topaz.models import MODELS, Box
from countertop.drivers.topaz.packets import (
    DeviceIdentity,
    Format,
    Packet,
    PacketDecoder,
    Position,
    Pressure,
    Reply,
    known_status,
    packet_type,
    write_place,
)
from countertop.drivers.topaz.pen import Pen, PressureOrder
from countertop.emulators.topaz import wire as pad_wire
from countertop.sdk import PenSample

SERIALS = [upper << 16 | lower for upper in range(4) for lower in (0, 1, 127, 128, 16383)]
"""Bits 14 and 15 have no place in a packet."""

formats = st.sampled_from(Format)
coordinates = st.integers(0, 4095)
positions = st.builds(Position, coordinates, coordinates, near=st.booleans(), down=st.booleans()).filter(
    lambda packet: (packet.x, packet.y) != (4095, 4095)
)
others = st.one_of(
    st.builds(Pressure, st.integers(0, 1023)),
    st.builds(DeviceIdentity, st.integers(0, 63), st.sampled_from(SERIALS)),
    st.builds(Reply, st.lists(st.integers(0, 127), min_size=4, max_size=4).map(bytes)),
)


def encode(packet: Packet, form: Format = Format.EIGHT_BIT, kind: int = 0) -> bytes:
    """Written out bit by bit, after the table of packets."""
    if isinstance(packet, Position):
        if form is Format.SEVEN_BIT:
            status = (1 << 6) + (packet.near << 2) + packet.down
            return bytes([status, packet.x % 64, packet.x // 64, packet.y % 64, packet.y // 64])
        status = (1 << 7) + (packet.near << 6) + (kind << 2) + packet.down
        return bytes([status, packet.x % 128, packet.x // 128, packet.y % 128, packet.y // 128])
    if isinstance(packet, Pressure):
        return bytes([0x80 + 0x40 + (7 << 2) + 1, 0, 0, packet.value % 128, packet.value // 128])
    if isinstance(packet, DeviceIdentity):
        first = packet.model * 4 + packet.serial // (1 << 16)
        second = packet.serial % (1 << 16)
        return bytes([0x80 + (2 << 2), first % 128, first // 128, second % 128, second // 128])
    return bytes([0x80 + (3 << 2), *packet.data])


def fed(data: bytes, form: Format = Format.EIGHT_BIT, *, strict: bool = True) -> list[Packet]:
    return PacketDecoder(form, strict=strict).feed(data)


def test_a_packet_reads_as_the_table_of_packets_says() -> None:
    assert fed(bytes.fromhex("C1 1F 0A 5D 0E")) == [Position(10 * 128 + 31, 14 * 128 + 93, near=True, down=True)]
    assert fed(bytes.fromhex("C0 00 00 01 00")) == [Position(0, 1, near=True, down=False)]
    assert fed(bytes.fromhex("DD 00 00 7F 07")) == [Pressure(1023)]
    assert fed(bytes.fromhex("88 0D 00 02 01")) == [DeviceIdentity(3, (1 << 16) + 130)]
    assert fed(bytes.fromhex("8C 01 02 03 04")) == [Reply(b"\1\2\3\4")]


def test_the_emulated_pad_writes_what_the_table_of_packets_says() -> None:
    assert pad_wire.position(10 * 128 + 31, 14 * 128 + 93, near=True, down=True) == bytes.fromhex("C1 1F 0A 5D 0E")
    assert pad_wire.position(0, 1, near=True, down=False) == bytes.fromhex("C0 00 00 01 00")
    assert pad_wire.position(4095, 4094, near=False, down=True) == bytes.fromhex("81 7F 1F 7E 1F")
    assert pad_wire.position(4095, 65, near=True, down=True, narrow=True) == bytes.fromhex("45 3F 3F 01 01")
    assert pad_wire.pressure(1023) == bytes.fromhex("DD 00 00 7F 07")
    assert pad_wire.pressure(129) == bytes.fromhex("DD 00 00 01 01")
    assert pad_wire.identity(3, (1 << 16) + 130) == bytes.fromhex("88 0D 00 02 01")


@given(positions)
def test_the_driver_reads_every_position_that_the_emulated_pad_writes(place: Position) -> None:
    for form in Format:
        raw = pad_wire.position(place.x, place.y, near=place.near, down=place.down, narrow=form is Format.SEVEN_BIT)
        assert fed(raw, form) == [place]
        assert write_place(place.x, place.y, form) == raw[1:]


@given(st.integers(0, 1023), st.integers(0, 63), st.sampled_from(SERIALS))
def test_the_driver_reads_every_pressure_and_identity_that_the_emulated_pad_writes(
    value: int, model: int, serial: int
) -> None:
    assert fed(pad_wire.pressure(value) + pad_wire.identity(model, serial)) == [
        Pressure(value),
        DeviceIdentity(model, serial),
    ]


@pytest.mark.parametrize("kind", [0, 1, 4])
def test_three_types_are_positions(kind: int) -> None:
    here = Position(1234, 2345, near=True, down=True)
    assert fed(encode(here, kind=kind)) == [here]


@pytest.mark.parametrize("kind", [5, 6])
def test_reserved_types_are_dropped_and_counted(kind: int) -> None:
    decoder = PacketDecoder()
    assert decoder.feed(bytes([0x80 | kind << 2, 1, 2, 3, 4])) == []
    assert decoder.dropped == 1


@given(st.lists(positions, max_size=20), formats)
def test_positions_come_back_as_they_were_in_either_format(sent: list[Packet], form: Format) -> None:
    assert fed(b"".join(encode(packet, form) for packet in sent), form) == sent


@given(st.lists(st.one_of(positions, others), max_size=20))
def test_all_packets_come_back_as_they_were(sent: list[Packet]) -> None:
    assert fed(b"".join(map(encode, sent))) == sent


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8), formats, st.booleans())
def test_any_split_of_any_bytes_gives_the_same_packets(
    data: bytes, cuts: list[int], form: Format, strict: bool
) -> None:
    decoder = PacketDecoder(form, strict=strict)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    packets = [packet for start, end in itertools.pairwise(edges) for packet in decoder.feed(data[start:end])]
    assert packets == fed(data, form, strict=strict)
    assert decoder.pending < 5


@given(st.binary(max_size=60), st.lists(positions, min_size=1, max_size=5), formats)
def test_after_any_garbage_the_next_whole_packet_is_found(garbage: bytes, sent: list[Packet], form: Format) -> None:
    packets = fed(garbage + b"".join(encode(packet, form) for packet in sent), form)
    assert packets[len(packets) - len(sent) :] == sent


@given(st.lists(positions, min_size=3, max_size=6), st.data())
def test_a_lost_byte_costs_no_packet_but_its_own(sent: list[Packet], data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, len(sent) - 1))
    byte = data.draw(st.integers(0, 4))
    wire = [bytearray(encode(packet)) for packet in sent]
    del wire[lost][byte]
    assert fed(b"".join(wire)) == sent[:lost] + sent[lost + 1 :]


@given(st.binary(max_size=300), formats)
def test_whatever_comes_places_stay_within_twelve_bits(data: bytes, form: Format) -> None:
    for packet in fed(data, form, strict=False):
        if isinstance(packet, Position):
            assert 0 <= packet.x <= 4095
            assert 0 <= packet.y <= 4095
            assert (packet.x, packet.y) != (4095, 4095)


def test_the_place_that_the_pad_says_of_noise_is_dropped() -> None:
    decoder = PacketDecoder()
    assert decoder.feed(encode(Position(4095, 4095, near=True, down=True))) == []
    assert decoder.dropped == 1


def test_bits_that_no_coordinate_has_drop_a_position_only_when_strict() -> None:
    damaged = bytes.fromhex("C1 1F 2A 5D 0E")
    assert fed(damaged) == []
    assert fed(damaged, strict=False) == [Position(1311, 1885, near=True, down=True)]


# --- the pen ---------------------------------------------------------------------------------------------------------

BOX = Box(500, 700, 2650, 2100)


def at(x: int, y: int, *, down: bool = True) -> Position:
    return Position(x, y, near=True, down=down)


def drawn(pen: Pen, *packets: Packet) -> list[PenSample]:
    return [sample for packet in packets for sample in pen.take(packet)]


def test_the_upper_left_corner_of_the_box_is_the_origin_and_ink_beside_it_keeps_its_place() -> None:
    pen = Pen(BOX)
    assert drawn(pen, at(500, 700), at(2650, 2100), at(490, 2110, down=False)) == [
        PenSample(0, 0, True),
        PenSample(2150, 1400, True),
        PenSample(-10, 1410, False),
    ]
    assert (BOX.width, BOX.height) == (2151, 1401)


@pytest.mark.parametrize(
    ("x_left", "y_up", "place"), [(True, False, (2050, 50)), (False, True, (100, 1350)), (True, True, (2050, 1350))]
)
def test_a_pad_that_counts_from_the_other_end_is_turned(x_left: bool, y_up: bool, place: tuple[int, int]) -> None:
    (sample,) = Pen(BOX, x_left=x_left, y_up=y_up).take(at(600, 750))
    assert (sample.x, sample.y) == place


@given(st.builds(at, coordinates, coordinates), st.booleans(), st.booleans())
def test_no_two_places_become_one(here: Position, x_left: bool, y_up: bool) -> None:
    (sample,) = Pen(BOX, x_left=x_left, y_up=y_up).take(here)
    x = BOX.right - sample.x if x_left else BOX.left + sample.x
    y = BOX.bottom - sample.y if y_up else BOX.top + sample.y
    assert (x, y) == (here.x, here.y)


def test_pressure_that_leads_counts_for_the_positions_after_it() -> None:
    pen = Pen(BOX, pressure=PressureOrder.LEADS)
    samples = drawn(pen, at(500, 700), Pressure(7), at(501, 700), at(502, 700), Pressure(9), at(503, 700))
    assert [sample.pressure for sample in samples] == [None, 7, 7, 9]


def test_pressure_that_follows_counts_for_the_position_before_it() -> None:
    pen = Pen(BOX, pressure=PressureOrder.FOLLOWS)
    samples = drawn(pen, at(500, 700), Pressure(7), at(501, 700), Pressure(8), at(502, 700), at(503, 700, down=False))
    assert [(sample.x, sample.pressure) for sample in samples] == [(0, 7), (1, 8), (2, None)]
    assert pen.holds
    assert pen.let_go() == [PenSample(3, 0, False)]


def test_pressure_that_nobody_asked_for_is_left_out() -> None:
    assert drawn(Pen(BOX), Pressure(7), at(500, 700)) == [PenSample(0, 0, True)]


def test_a_pen_that_is_not_heard_any_more_is_lifted_once_where_it_was() -> None:
    pen = Pen(BOX, pressure=PressureOrder.FOLLOWS)
    pen.take(at(510, 720))
    assert pen.lift() == [PenSample(10, 20, True), PenSample(10, 20, False)]
    assert pen.lift() == []
    assert not pen.touching


def test_every_model_has_a_box_within_what_twelve_bits_hold() -> None:
    for model in MODELS.values():
        assert 0 <= model.box.left < model.box.right <= 4095
        assert 0 <= model.box.top < model.box.bottom <= 4095


def test_a_status_byte_keeps_the_bits_that_mean_something() -> None:
    for form, kept in ((Format.EIGHT_BIT, 0b1101_1101), (Format.SEVEN_BIT, 0b0101_1101)):
        assert [known_status(bytes([byte]), form) for byte in range(256)] == [byte & kept for byte in range(256)]
    assert [packet_type(bytes([0xC3 | kind << 2])) for kind in range(8)] == list(range(8))


def test_bits_that_no_coordinate_has_are_damage_unless_it_is_said_otherwise() -> None:
    damaged = bytes.fromhex("C0 01 20 01 00")
    assert PacketDecoder().feed(damaged) == []
    assert PacketDecoder(strict=False).feed(damaged) == [Position(1, 1, near=True, down=False)]
