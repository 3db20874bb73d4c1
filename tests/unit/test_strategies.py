"""What the strategies promise: the daemon, drivers and emulators take everything that they draw."""

from __future__ import annotations

import hashlib
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

from countertop.bench.v1.bench_pb2 import InsertCardRequest, SignRequest
from countertop.drivers.sdt.layouts import decode_additional_address, decode_text
from countertop.emulators.core.clock import Clock
from countertop.emulators.core.faults import FaultBoard, FaultSpec
from countertop.emulators.core.handwriting.plan import plan
from countertop.emulators.sdt.card import encode_card
from countertop.sdk.cards.planes import Canvas
from countertop.sdk.cards.render import render
from countertop.sdk.cards.stripe import check_stripe, from_bits, to_bits, track_texts
from countertop.sdk.ink.quality import assess
from countertop.sdk.ink.signature_file import seal, verify
from countertop.sdk.ink.signer import Ed25519Signer
from countertop.sdk.receipt import Paper, lay_out
from countertop.server.bounds import check
from countertop.testing import strategies as ct
from countertop.v1 import device_pb2, identity_pb2, receipt_printer_pb2
from countertop.v1.card_printer_pb2 import IssueCardRequest
from countertop.v1.device_pb2 import DeviceKind
from countertop.v1.identity_pb2 import IdentityDocument
from countertop.v1.ink_pb2 import InkSpace
from countertop.v1.signature_pad_pb2 import SignatureBinding

TODAY = date(2026, 11, 28)
GENERATE, SHRINK = [Phase.generate], [Phase.generate, Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
KINDS = tuple(range(1, 6))


def least(strategy, condition):
    """What hypothesis shrinks to; without its phase that explains, whose last try `find` would return."""
    return find(strategy, condition, settings=settings(QUICK, max_examples=2000, phases=SHRINK))


def first(strategy):
    """Any example."""
    return find(strategy, lambda example: True, settings=settings(QUICK, max_examples=1, phases=GENERATE))


def read_back(document: IdentityDocument) -> IdentityDocument:
    """As the driver reads it from the emulator's card."""
    card = encode_card(document)
    found = decode_text(card.text, TODAY)
    if card.additional_address is not None:
        found.additional_address = decode_additional_address(card.additional_address)
    return found


# --- identity documents ----------------------------------------------------------------------------------------------


@settings(QUICK, max_examples=60)
@given(ct.identity_documents(today=TODAY))
def test_a_document_is_read_from_the_emulators_card_as_it_was_drawn_and_every_check_holds(document):
    check(InsertCardRequest(device_id="reader", card=document))
    found = read_back(document)
    assert all(one.passed for one in found.checks), found.checks
    del found.checks[:]
    assert found == document


@settings(QUICK, max_examples=60)
@given(ct.invalid_identity_documents(today=TODAY))
def test_a_flawed_document_fails_the_checks_that_its_flaw_names_and_no_others(pair):
    document, flaw = pair
    assert {one.kind for one in read_back(document).checks if not one.passed} == flaw.fails, flaw.name


@pytest.mark.parametrize("name", ct.FLAWS)
def test_every_flaw_can_be_asked_for(name):
    _, flaw = first(ct.invalid_identity_documents(flaws=[name], today=TODAY))
    assert flaw.name == name


def test_a_flaw_that_does_not_exist_or_cannot_be_is_refused():
    with pytest.raises(ValueError, match="wrong check digit"):
        ct.invalid_identity_documents(flaws=["worn"])
    with pytest.raises(ValueError, match="of these types"):
        ct.invalid_identity_documents(
            types=[identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD], flaws=["nationality in small letters"]
        )


RESIDENTS, PERMITS = ct.resident_cards(TODAY), ct.hk_macao_taiwan_permits(TODAY)
FOREIGN_2017, FOREIGN_2023 = ct.foreign_residents_2017(TODAY), ct.foreign_residents_2023(TODAY)


@pytest.mark.parametrize(
    ("documents", "wanted"),
    [
        (RESIDENTS, lambda document: document.valid_long_term),
        (RESIDENTS, lambda document: document.resident_card.ethnicity_name == "基诺"),
        (RESIDENTS, lambda document: "·" in document.person.name),
        (RESIDENTS, lambda document: any(ord(char) > 0xFFFF for char in document.person.name)),
        (RESIDENTS, lambda document: any(0xE000 <= ord(char) <= 0xF8FF for char in document.person.name)),
        (RESIDENTS, lambda document: document.number.endswith("X")),
        (FOREIGN_2017, lambda document: len(document.person.latin_name) == 60),
        (FOREIGN_2023, lambda document: len(document.person.latin_name) == 46),
        (RESIDENTS, lambda document: len(document.person.address.encode("utf-16-le")) == 70),
        (PERMITS, lambda document: document.additional_address),
        (FOREIGN_2023, lambda document: document.foreign_permanent_resident_2023.old_number),
        (RESIDENTS, lambda document: document.person.birth_date.endswith("-02-29")),
        (PERMITS, lambda document: document.number.startswith("83")),
    ],
)
def test_what_is_rare_does_occur(documents, wanted):
    assert wanted(find(documents, wanted, settings=settings(QUICK, max_examples=3000, phases=GENERATE)))


def test_the_simplest_document_and_its_repr_are_short():
    document = least(ct.identity_documents(today=TODAY), lambda document: True)
    assert document.person.name == "王伟"
    assert document.resident_card.ethnicity_code == "01"
    shown = pretty(document)
    assert "Person(name='王伟', sex=SEX_FEMALE, sex_name='女'" in shown
    assert "\n" not in shown


# --- receipts --------------------------------------------------------------------------------------------------------


@settings(QUICK, max_examples=50)
@given(ct.receipts(), st.sampled_from([(384, 203), (512, 180), (576, 203)]))
def test_a_receipt_passes_the_daemons_bounds_and_is_laid_out(receipt, paper):
    options = {"operation_id": "1"}
    check(receipt_printer_pb2.PrintRequest(device_id="printer", receipt=receipt, options=options))
    layout = lay_out(receipt, Paper(width_dots=paper[0], dpi=paper[1]))
    assert layout.blocks == len(receipt.blocks)


@settings(QUICK, max_examples=10)
@given(ct.receipts(max_blocks=500, min_blocks=40))
def test_a_long_receipt_stays_below_five_metres(receipt):
    lay_out(receipt, Paper(width_dots=384, dpi=180))


@pytest.mark.parametrize(
    "kind", ["paragraph", "table", "rule", "picture", "barcode", "symbol", "feed", "cut", "seal_field"]
)
def test_every_kind_of_block_can_be_asked_for_and_a_receipt_is_as_long_as_it_says(kind):
    receipt = first(ct.receipts(max_blocks=2, min_blocks=2, kinds=[kind]))
    assert [block.WhichOneof("block") for block in receipt.blocks] == [kind] * 2


def test_a_kind_of_block_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="paragraph"):
        ct.receipts(kinds=["stanza"])


def test_a_failing_receipt_shrinks_to_what_matters():
    receipt = find(
        ct.receipts(max_blocks=3, kinds=["paragraph", "rule", "cut"]),
        lambda receipt: any("金" in span.text for block in receipt.blocks for span in block.paragraph.spans),
        settings=settings(QUICK, max_examples=2000, phases=SHRINK),
    )
    (block,) = receipt.blocks
    assert "".join(span.text for span in block.paragraph.spans) == "金"
    assert len(ct.readable(receipt)) < 100


# --- cards -----------------------------------------------------------------------------------------------------------


@settings(QUICK, max_examples=40)
@given(ct.card_artworks(), st.sampled_from([Canvas(), Canvas(color=False, overlay=False), Canvas(black=False)]))
def test_a_design_passes_the_bounds_and_is_drawn(artwork, canvas):
    check(IssueCardRequest(options={"operation_id": "1"}, device_id="printer", artwork=artwork))
    image = render(artwork, canvas)
    assert image.front is not None or image.back is not None


@QUICK
@given(ct.stripes())
def test_a_stripe_is_taken_and_its_bits_are_read_back(stripe):
    check(IssueCardRequest(options={"operation_id": "1"}, device_id="printer", stripe=stripe))
    check_stripe(stripe, "stripe", (1, 2, 3))
    for number, text in track_texts(stripe).items():
        assert from_bits(number, to_bits(number, text)) == text


@given(ct.stripes(tracks=[2]))
def test_only_the_tracks_that_were_asked_for_are_written(stripe):
    assert list(track_texts(stripe)) == [2]


@given(ct.pans())
def test_a_pan_is_of_no_issuer_and_passes_the_luhn_check(pan):
    assert pan.startswith("9999")
    assert len(pan) in (16, 19)
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(pan))]
    assert sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def test_pans_begin_with_the_bins_that_are_given():
    assert least(ct.pans(bins=["99990001"], lengths=[12]), lambda pan: True) == "999900010003"
    with pytest.raises(ValueError, match="lengths"):
        ct.pans(lengths=[8])


# --- ink -------------------------------------------------------------------------------------------------------------

SPACES = st.builds(
    lambda width, height, per_mm, levels, rate: InkSpace(
        width=round(width * per_mm),
        height=round(height * per_mm),
        units_per_mm=per_mm,
        pressure_levels=levels,
        report_rate=rate,
    ),
    st.integers(9, 220),
    st.integers(9, 130),
    st.sampled_from([16.0, 40.0, 100.0]),
    st.sampled_from([0, 256, 1024]),
    st.sampled_from([0.0, 40.0, 100.0, 200.0, 377.0]),
)
SIGNER = Ed25519Signer.generate()


@settings(QUICK, max_examples=50)
@given(SPACES.flatmap(ct.inks))
def test_ink_is_a_signature_that_the_bench_writes_and_a_file_keeps(ink):
    assert not assess(ink).flaws
    points = [point for stroke in ink.strokes for point in stroke.points]
    assert all(0 <= point.x < ink.space.width and 0 <= point.y < ink.space.height for point in points)
    times = [point.time_us for point in points]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert all(point.HasField("pressure") == bool(ink.space.pressure_levels) for point in points)
    assert plan(SignRequest(ink=ink), ink.space, 200.0) == ink
    digest = hashlib.sha256(b"a receipt").digest()
    binding, file = seal(ink, SignatureBinding(document_sha256=digest), SIGNER)
    answer = verify(file, public_key=SIGNER.public_key, document_sha256=digest)
    assert answer.genuine
    assert binding.ink_sha256 == hashlib.sha256(ink.SerializeToString(deterministic=True)).digest()


def test_the_simplest_ink_is_one_stroke_that_is_slow_at_both_ends_and_fast_between():
    space = InkSpace(width=9600, height=6000, units_per_mm=100, pressure_levels=1024, report_rate=200)
    ink = least(ct.inks(space), lambda ink: True)
    assert ct.readable(ink) == "<ink: 1 strokes, 67 points, 3 x 3 mm>"
    points = ink.strokes[0].points
    steps = [abs(after.x - before.x) + abs(after.y - before.y) for before, after in pairwise(points)]
    assert max(steps[:3] + steps[-3:]) < max(steps) / 4
    assert points[0].pressure < max(point.pressure for point in points) > points[-1].pressure


@pytest.mark.parametrize("space", [InkSpace(width=100, height=100), InkSpace(width=70, height=900, units_per_mm=10)])
def test_a_space_in_which_nobody_can_sign_is_refused(space):
    with pytest.raises(ValueError, match="8 by 8 mm"):
        ct.inks(space)


# --- streams ---------------------------------------------------------------------------------------------------------


@given(st.data(), st.binary(max_size=40))
def test_cuts_join_to_the_data_and_none_is_empty(data, stream):
    chunks = data.draw(ct.cuts(stream))
    assert b"".join(chunks) == stream
    assert all(chunks)


def test_the_whole_and_every_single_byte_are_among_the_cuts():
    assert least(ct.cuts(b"abcd"), lambda chunks: True) == [b"abcd"]
    assert least(ct.cuts(b"abcd"), lambda chunks: len(chunks) > 1) in ([b"a", b"b", b"c", b"d"], [b"a", b"bcd"])
    assert least(ct.cuts(b"abcd"), lambda chunks: len(chunks) == 4) == [b"a", b"b", b"c", b"d"]


@given(st.data(), st.lists(st.text("xyz", max_size=5), max_size=3))
def test_interleaved_streams_keep_their_own_order(data, streams):
    mixed = data.draw(ct.interleavings(*streams))
    for number, stream in enumerate(streams):
        assert "".join(part for of, part in mixed if of == number) == stream
    assert len(mixed) == sum(map(len, streams))


@given(st.data(), st.binary(max_size=40))
def test_damage_changes_the_stream_and_says_where(data, stream):
    changed, damage = data.draw(ct.damaged(stream))
    assert changed != stream
    assert changed[: damage.at] == stream[: damage.at]


@pytest.mark.parametrize("kind", ["flipped", "dropped", "doubled", "inserted", "cut off"])
def test_every_damage_occurs(kind):
    _, damage = least(ct.damaged(b"countertop"), lambda pair: pair[1].kind == kind)
    assert kind in repr(damage)


# --- faults and hands ------------------------------------------------------------------------------------------------


@settings(QUICK, max_examples=30)
@given(st.data(), st.sampled_from(KINDS))
def test_a_schedule_of_a_kind_names_faults_that_its_emulator_knows(data, kind):
    schedule = data.draw(ct.fault_schedules(kind))
    board = FaultBoard([FaultSpec(name, "A fault.") for name in ct.fault_names(kind)], Clock(0))
    for fault in schedule:
        board.inject(fault.fault, max(1, fault.after_bytes), fault.times, fault.duration)
    assert len({fault.fault for fault in schedule}) == len(schedule.faults)


@given(ct.fault_schedules(["stall", "mute", "noise"], ends=True))
def test_faults_that_must_end_do(schedule):
    assert all(fault.ends for fault in schedule)
    assert all(fault.duration is not None for fault in schedule if fault.fault == "stall")


def test_a_schedule_prints_what_it_says_and_no_more():
    schedule = least(ct.fault_schedules(["mute"]), lambda schedule: any(fault.times for fault in schedule))
    assert pretty(schedule) == "FaultSchedule([ScheduledFault('mute', times=1)])"


def test_a_kind_without_emulator_is_refused():
    for make in (ct.fault_names, ct.bench_actions):
        with pytest.raises(ValueError, match="DEVICE_KIND_ID_READER"):
            make(device_pb2.DEVICE_KIND_UNSPECIFIED)


class Recorder:
    """Stands for a bench: keeps the verbs that were called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, verb: str):
        return lambda *arguments, **named: self.calls.append(verb)


@given(st.data(), st.sampled_from(KINDS))
def test_each_action_is_one_verb_of_the_bench_and_prints_as_the_call_that_makes_it(data, kind):
    bench, action = Recorder(), data.draw(ct.bench_actions(DeviceKind.Name(kind) and kind))
    action.apply(bench, "device")
    assert len(bench.calls) == 1
    assert repr(action).startswith(f"{type(action).__name__}(")
