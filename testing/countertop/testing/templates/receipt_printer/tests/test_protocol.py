"""What the printer's frames mean, and what becomes of a job that was cut off."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from countertop.sdk import ProtocolFault
from countertop.sdk.receipt import Bitmap, lay_out
from countertop.sdk.receipt.ir import Layout, PictureItem
from countertop.v1 import error_pb2
from countertop.v1.receipt_pb2 import Block, Receipt
from hypothesis import example, given, settings
from hypothesis import strategies as st

from acme.emulator.paper import graphic, text_line
from acme.job import PAPER, steps_of
from acme.protocol import Command, Identity, Status, StatusBit, Style, encode_run, parse_identity
from acme.settling import settle_drawer, settle_print


def status(job: int = 7, begun: int = 0, done: int = 0, *, finished: bool = False, pulses: int = 3) -> Status:
    return Status(StatusBit(0), job, begun, done, finished, pulses)


def lines(text: str) -> Layout:
    block = Block()
    block.paragraph.spans.add(text=text)
    return lay_out(Receipt(blocks=[block]), PAPER)


@settings(max_examples=25)  # drawing takes its time
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=300))
def test_text_arrives_whole_however_it_is_cut_into_runs(text: str) -> None:
    strip, line = text_line(struct.pack(">H", 30) + encode_run(0, Style(0), 1, 1, text))
    assert (line, strip.height) == (text, 30)


def test_words_stand_at_their_places() -> None:
    (step,) = steps_of(lines("Total"))
    assert step.command is Command.TEXT
    assert text_line(step.content)[1] == "Total"


@given(st.integers(1, 72), st.integers(1, 600))
def test_a_picture_is_sent_in_strips_that_make_the_whole(stride: int, height: int) -> None:
    rows = bytes(index % 251 for index in range(stride * height))
    picture = PictureItem(0, 0, Bitmap(stride * 8, height, rows))
    strips = [graphic(0, step.content[2], step.content[3:]) for step in steps_of(Layout(PAPER, (picture,), 1))]
    assert sum(strip.height for strip in strips) == height
    seen = b"".join(strip.crop((0, 0, stride * 8, strip.height)).tobytes() for strip in strips)
    assert seen == bytes(byte ^ 0xFF for byte in rows)


@given(st.binary(max_size=40))
def test_answers_of_any_bytes_are_understood_or_refused(payload: bytes) -> None:
    with suppress(ProtocolFault):
        assert isinstance(Status.parse(payload), Status)
    with suppress(ProtocolFault):
        assert isinstance(parse_identity(payload), Identity)


@given(st.binary(max_size=80))
@example(bytes(11) + b"\x01\x1c")  # a character that cannot be drawn
def test_the_device_prints_or_refuses_any_line(data: bytes) -> None:
    with suppress(ValueError, struct.error):
        text_line(data)
    with suppress(ValueError):
        graphic(0, data[0] if data else 0, data[1:])


@pytest.mark.parametrize(
    ("now", "effect"),
    [
        (status(job=6, begun=9, done=9, finished=True), error_pb2.PHYSICAL_EFFECT_NONE),
        (status(begun=0, done=0), error_pb2.PHYSICAL_EFFECT_NONE),
        (status(begun=1, done=0), error_pb2.PHYSICAL_EFFECT_PARTIAL),
        (status(begun=5, done=4), error_pb2.PHYSICAL_EFFECT_PARTIAL),
        (status(begun=5, done=5), error_pb2.PHYSICAL_EFFECT_COMPLETE),
        (status(begun=5, done=5, finished=True), error_pb2.PHYSICAL_EFFECT_COMPLETE),
        (status(job=8), error_pb2.PHYSICAL_EFFECT_UNKNOWN),
    ],
)
def test_the_printers_counters_tell_what_became_of_job_7_with_5_steps(now: Status, effect: int) -> None:
    settlement = settle_print({"job": 7, "steps": 5, "blocks": 2}, now)
    assert settlement.effect == effect
    assert (settlement.result is not None) == (effect == error_pb2.PHYSICAL_EFFECT_COMPLETE)


def test_evidence_that_is_none_settles_nothing() -> None:
    assert settle_print({}, status()).effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
    assert settle_drawer({}, status()).effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN


def test_the_printers_count_of_pulses_tells_of_the_drawer() -> None:
    assert settle_drawer({"pulses": 3}, status(pulses=3)).effect == error_pb2.PHYSICAL_EFFECT_NONE
    assert settle_drawer({"pulses": 3}, status(pulses=4)).effect == error_pb2.PHYSICAL_EFFECT_COMPLETE
    assert settle_drawer({"pulses": 3}, status(pulses=5)).effect == error_pb2.PHYSICAL_EFFECT_UNKNOWN
