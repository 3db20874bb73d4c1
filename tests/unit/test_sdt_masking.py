"""The SDT masker: total on any bytes, any split gives the same, and no byte of a person comes through."""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import xor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countertop.drivers.sdt import protocol
from countertop.drivers.sdt.layouts import LAYOUTS, decode_fingerprints, decode_text
from countertop.drivers.sdt.masked_card import masked_content
from countertop.drivers.sdt.masking import MOST_DATA, SdtMasker

TODAY = date(2026, 11, 28)
COMMANDS = [value for value in vars(protocol).values() if isinstance(value, protocol.Command)]


def answer(data, sw3=protocol.OK, wrong=0):
    body = (len(data) + 4).to_bytes(2, "big") + bytes([0, 0, sw3]) + data
    return protocol.PREAMBLE + body + bytes([reduce(xor, body) ^ wrong])


def masked(*steps):
    """Of both directions, what comes out in the end; a step is a direction and bytes."""
    masker, out = SdtMasker(), {"sent": b"", "received": b""}
    for way, data in steps:
        out[way] += getattr(masker, way)(data)
    for way, data in zip(out, masker.end(), strict=True):
        out[way] += data
    return out


frames = st.one_of(
    st.binary(max_size=40),
    st.just(protocol.MARK),
    st.just(protocol.PREAMBLE[:3]),
    st.builds(answer, st.binary(max_size=60), st.sampled_from((0x90, 0x41, 0x80)), st.sampled_from((0, 0, 1))),
    st.builds(lambda data, cut: answer(data)[:cut], st.binary(max_size=60), st.integers(0, 60)),
)
commands = st.one_of(st.sampled_from(COMMANDS).map(protocol.encode), st.binary(max_size=20))
traffic = st.lists(st.one_of(st.tuples(st.just("sent"), commands), st.tuples(st.just("received"), frames)), max_size=10)


@example([("received", protocol.MARK), ("received", b"\x0a"), ("received", protocol.MARK)])
@given(traffic)
def test_any_bytes_keep_their_length_and_what_is_masked_stays_so(steps):
    out = masked(*steps)
    for way in out:
        assert len(out[way]) == sum(len(data) for name, data in steps if name == way)
    masker, again = SdtMasker(), {"sent": b"", "received": b""}
    place = dict.fromkeys(again, 0)
    for way, data in steps:  # the masked bytes in the pieces of before
        piece = out[way][place[way] : place[way] + len(data)]
        place[way] += len(data)
        again[way] += getattr(masker, way)(piece)
    for way, data in zip(again, masker.end(), strict=True):
        again[way] += data
    assert again == out


@given(st.sampled_from(COMMANDS), st.lists(frames, max_size=6), st.data())
def test_any_split_gives_the_same(command, parts, data):
    stream = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    asked = ("sent", protocol.encode(command))
    assert masked(asked, ("received", stream)) == masked(asked, *(("received", piece) for piece in pieces))


@given(
    st.sampled_from(COMMANDS), st.binary(min_size=8, max_size=64).filter(lambda data: 0xAA not in data and any(data))
)
def test_nothing_of_an_answers_content_comes_through(command, secret):
    """Whatever command it answers: the rules give constants only."""
    for data in (secret, secret * 40, bytes.fromhex("01000400") + (secret * 200)[:1280]):
        out = masked(("sent", protocol.encode(command)), ("received", answer(data[:MOST_DATA])))
        assert secret not in out["received"]


@given(st.sampled_from(COMMANDS), frames)
def test_memory_is_bounded(command, noise):
    masker = SdtMasker()
    masker.sent(protocol.encode(command))
    stream = protocol.PREAMBLE + b"\xff\xf0" + noise
    held = len(stream) - len(masker.received(stream))
    for _ in range(50):
        held += 4096 - len(masker.received(bytes(4096)))
        assert held <= MOST_DATA + 16


def test_a_frame_with_a_wrong_checksum_has_a_wrong_one_again():
    out = masked(("sent", protocol.encode(protocol.SAM_ID)), ("received", answer(b"1234", wrong=0x21)))["received"]
    decoder = protocol.Decoder(64)
    events = decoder.feed(out) + decoder.give_up()
    assert events[0] == protocol.Malformed(protocol.Broken.CHECKSUM)
    assert b"1234" not in out


def test_an_answer_behind_a_broken_one_is_found_as_the_driver_finds_it():
    cut = answer(bytes(30))[:20]
    asked = ("sent", protocol.encode(protocol.SAM_STATUS))
    out = masked(asked, ("received", cut + answer(b"", sw3=0x66)))["received"]
    events = protocol.Decoder(protocol.SAM_STATUS.longest).feed(out)
    assert [event.sw3 for event in events if isinstance(event, protocol.Response)] == [0x66]


@pytest.mark.parametrize("kind", list(LAYOUTS))
def test_each_layout_has_an_invented_person_that_the_driver_finds_nothing_wrong_with(kind):
    text = bytearray("测".encode("utf-16-le") * 128)
    text[248:250] = kind.encode("utf-16-le")
    data = bytes.fromhex("010004000400") + bytes(text) + b"\1" * 1024 + (b"C" + b"\7" * 511) * 2
    out = masked_content(protocol.READ_CARD_AND_FINGERPRINTS, data)
    assert len(out) == len(data)
    content = protocol.split_content(protocol.READ_CARD_AND_FINGERPRINTS, out)
    document = decode_text(content.text, TODAY)
    assert all(check.passed for check in document.checks)
    assert document.type == LAYOUTS[kind][0]
    assert "测".encode("utf-16-le") not in out
    assert [finger.position for finger in decode_fingerprints(content.fingerprints)] == [11, 11]
    assert masked_content(protocol.READ_CARD_AND_FINGERPRINTS, out) == out


def test_a_card_of_an_unknown_kind_stays_one():
    data = bytes.fromhex("01000000") + "测".encode("utf-16-le") * 128
    content = protocol.split_content(protocol.READ_CARD, masked_content(protocol.READ_CARD, data))
    with pytest.raises(Exception, match="does not know"):
        decode_text(content.text, TODAY)
