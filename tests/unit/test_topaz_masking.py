"""What may be kept of a Topaz pad's line: the pen's story without its shape, whatever the bytes are."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.topaz.driver import TopazOptions, TopazPad
from countertop.drivers.topaz.masking import TopazMasker
from countertop.drivers.topaz.models import Box
from countertop.drivers.topaz.packets import DeviceIdentity, Format, Packet, PacketDecoder, Position, Pressure, Reply
from countertop.emulators.topaz import wire
from countertop.sdk import parse_link

BOX = Box(500, 700, 2650, 2100)
MIDDLE = (1575, 1400)
formats = st.sampled_from(Format)
coordinates = st.integers(0, 4095)


@st.composite
def written(draw: st.DrawFn, form: Format) -> bytes:
    """A packet as a pad writes it, now and then with a byte missing or with noise behind it."""
    narrow = form is Format.SEVEN_BIT
    position = st.builds(
        wire.position, coordinates, coordinates, near=st.booleans(), down=st.booleans(), narrow=st.just(narrow)
    )
    wide = (
        st.builds(wire.pressure, st.integers(0, 1023)),
        st.builds(wire.identity, st.integers(0, 63), st.integers(0, 65535)),
        st.builds(lambda kind, tail: bytes([kind, *tail]), st.integers(128, 255), st.binary(min_size=4, max_size=4)),
    )
    packet = bytearray(draw(position if narrow else st.one_of(position, *wide)))
    if draw(st.integers(0, 7)) == 0:
        del packet[draw(st.integers(0, 4))]
    return bytes(packet) + draw(st.sampled_from([b"", b"", b"", b"\x11\x22"]))


@st.composite
def streams(draw: st.DrawFn) -> tuple[Format, bytes]:
    """Packets, or anything."""
    form = draw(formats)
    return form, draw(st.one_of(st.binary(max_size=200), st.lists(written(form), max_size=30).map(b"".join)))


def masked(data: bytes, form: Format = Format.EIGHT_BIT, *, strict: bool = True) -> bytes:
    masker = TopazMasker(form, BOX, strict=strict)
    return masker.received(data) + masker.end()[1]


def packets(data: bytes, form: Format, *, strict: bool) -> list[Packet]:
    return PacketDecoder(form, strict=strict).feed(data)


def without_a_person(packet: Packet) -> Packet:
    """What a masked stream should say instead."""
    match packet:
        case Position():
            return replace(packet, x=MIDDLE[0], y=MIDDLE[1])
        case Pressure():
            return Pressure(512)
        case DeviceIdentity():
            return replace(packet, serial=0)
        case Reply():
            return Reply(bytes(4))


@given(streams(), st.booleans())
def test_the_same_packets_come_out_without_place_pressure_and_serial_number(
    stream: tuple[Format, bytes], strict: bool
) -> None:
    form, data = stream
    kept = masked(data, form, strict=strict)
    assert len(kept) == len(data)
    wanted = [without_a_person(packet) for packet in packets(data, form, strict=strict)]
    assert packets(kept, form, strict=strict) == wanted


@given(streams(), st.lists(st.integers(0, 200), max_size=8), st.booleans())
def test_any_split_gives_the_same_and_at_most_four_bytes_are_held_back(
    stream: tuple[Format, bytes], cuts: list[int], strict: bool
) -> None:
    form, data = stream
    masker, kept = TopazMasker(form, BOX, strict=strict), b""
    for start, end in itertools.pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]):
        kept += masker.received(data[start:end])
        assert 0 <= end - len(kept) <= 4
    sent, received = masker.end()
    assert (sent, kept + received) == (b"", masked(data, form, strict=strict))


@given(streams(), st.booleans())
def test_masking_what_is_masked_changes_nothing(stream: tuple[Format, bytes], strict: bool) -> None:
    form, data = stream
    kept = masked(data, form, strict=strict)
    assert masked(kept, form, strict=strict) == kept


@given(st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=20), formats)
def test_two_signatures_of_the_same_rhythm_are_kept_as_the_same_bytes(
    places: list[tuple[int, int, int, int]], form: Format
) -> None:
    usual = [place for place in places if (4095, 4095) not in (place[:2], place[2:])]
    narrow = form is Format.SEVEN_BIT
    one, other = (
        b"".join(
            wire.position(place[at], place[at + 1], near=True, down=number % 5 > 0, narrow=narrow)
            for number, place in enumerate(usual)
        )
        for at in (0, 2)
    )
    assert masked(one, form) == masked(other, form)


def test_a_packet_that_has_begun_and_bytes_between_packets_are_blank() -> None:
    assert masked(b"\x11\x22\xc1\x01\x02" + wire.position(9, 9, near=True, down=True)[:4]) == bytes(9)


@pytest.mark.parametrize("strict", [True, False])
def test_damage_and_noise_stay_what_they_are_to_the_driver(strict: bool) -> None:
    damaged, noise = bytes.fromhex("C1 1F 2A 5D 0E"), bytes.fromhex("C1 7F 1F 7F 1F")
    assert masked(noise, strict=strict) == noise
    assert masked(damaged, strict=strict) == (noise if strict else bytes.fromhex("C1 27 0C 78 0A"))


def test_bits_of_the_status_byte_that_mean_nothing_are_blank() -> None:
    assert masked(bytes.fromhex("E3 1F 0A 5D 0E"))[0] == 0xC1
    assert masked(bytes.fromhex("E3 1F 0A 1D 0E"), Format.SEVEN_BIT)[0] == 0x41


@given(st.binary(max_size=50))
def test_of_what_is_sent_only_the_displays_commands_stay(data: bytes) -> None:
    masker = TopazMasker(Format.EIGHT_BIT, BOX, strict=True)
    assert masker.sent(data) == bytes(byte if byte in (0x04, 0x14) else 0 for byte in data)
    assert masker.sent(b"\x04\x14") == b"\x04\x14"


def test_a_pads_masker_knows_its_format_and_its_box() -> None:
    options = TopazOptions(model="siggem-lcd-1x5", x_range=(100, 300), y_range=(20, 60))
    masker = TopazPad(parse_link("serial:///dev/none"), options).masker()
    kept = masker.received(wire.position(250, 30, near=False, down=True, narrow=True))
    assert kept == wire.position(200, 40, near=False, down=True, narrow=True)
