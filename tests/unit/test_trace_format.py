"""Trace files: what is written is read again, and nothing that is read breaks the reader."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from countertop.sdk import HidInfo
from countertop.sdk.trace import format as trace
from countertop.sdk.trace.format import Entry, Header, Section, clean, entry_lines, header_lines
from countertop.sdk.trace.reading import parse_trace, read_trace

WHEN = "2026-11-28T09:30:00Z"
BYTES = Header("sdt", "bytes", "serial", WHEN, masked_by="sdt")

texts = st.text(max_size=200).map(clean)
names = texts.filter(bool)


@st.composite
def entries(draw, link):
    found, at = [], 0
    for _ in range(draw(st.integers(0, 12))):
        at += draw(st.integers(0, 5000))
        mark = draw(st.sampled_from((trace.SENT, trace.RECEIVED, trace.FAULT, trace.NOTE)))
        if mark == trace.FAULT:
            text = f"LINK_LOST {draw(texts)}".rstrip()
            found.append(Entry(mark, draw(st.sampled_from(trace.OPERATIONS)), text=text, at=at))
        elif mark == trace.NOTE:
            found.append(Entry(mark, draw(st.sampled_from(("closed", "lost"))), at=at))
        else:
            verb = draw(st.sampled_from(trace.VERBS[link][mark]))
            least, most = {"get": (3, 3), "refused": (0, 0)}.get(verb, (0 if verb else 1, 200))
            found.append(Entry(mark, verb, draw(st.binary(min_size=least, max_size=most)), at=at))
    return found


@st.composite
def sections(draw):
    link = draw(st.sampled_from(("bytes", "hid")))
    hid = None
    if link == "hid" and draw(st.booleans()):
        number = st.integers(0, 0xFFFF)
        hid = HidInfo(draw(number), draw(number), draw(number), draw(texts), draw(texts))
    header = Header(draw(names), link, draw(st.sampled_from(("serial", "tcp", "hid"))), WHEN, draw(texts), "", hid)
    return Section(header, tuple(draw(entries(link))))


def written(section):
    lines, last = header_lines(section.header), 0
    for entry in section.entries:
        lines += entry_lines(entry, entry.at - last)
        last = entry.at
    return lines


def refusal(read):
    """What is said of a mistake; of none, that lines were read."""
    try:
        return f"line by line {len(read())} sections"
    except ValueError as error:
        return str(error)


def bare(section):
    """Without the places in the file."""
    plain = (Entry(item.mark, item.verb, item.data, item.text, item.at) for item in section.entries)
    return Section(section.header, tuple(plain))


@given(st.lists(sections(), min_size=1, max_size=3))
def test_what_is_written_is_read_again(made):
    lines = [line for section in made for line in written(section)]
    assert [bare(section) for section in parse_trace(lines)] == made
    assert all(len(line) <= 126 + 20 and line.isprintable() for line in lines)


@given(st.lists(sections(), min_size=1, max_size=2), st.data())
def test_a_file_that_was_cut_off_after_any_line_is_read_or_refused_with_a_line(made, data):
    lines = [line for section in made for line in written(section)]
    kept = lines[: data.draw(st.integers(0, len(lines)))]
    assert refusal(lambda: parse_trace(kept)).startswith("line ")


LINE = st.one_of(
    st.sampled_from(written(Section(BYTES, (Entry(">", "", b"\1\2"), Entry("!", "send", text="LINK_LOST gone"))))),
    st.sampled_from(["+", "> ", "<  00", "  00", "* AAAA", "= ", "! open", "> get 00", "link: hid", "sealed: x", "#"]),
    st.text(max_size=40),
)


@given(st.lists(LINE, max_size=20), st.binary(max_size=100))
@example([], b"")
def test_garbage_is_refused_with_the_line_and_without_its_text(tmp_path_factory, lines, noise):
    path = tmp_path_factory.mktemp("garbage") / "x.trace"
    path.write_bytes("\n".join(lines).encode() + noise)
    said = refusal(lambda: read_trace(path))
    assert said.startswith("line ")
    assert len(said) < 200


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["> 00"], "line 1: expected 'countertop-trace 1'"),
        (["countertop-trace 2"], "line 1: expected 'countertop-trace 1'"),
        (["countertop-trace 1", "driver: sdt", "> 00"], "line 3: expected the header's field 'link'"),
        (["countertop-trace 1", "colour: red"], "line 2: expected one of the fields driver"),
        ([*header_lines(BYTES), "> 0"], "line 8: expected bytes as two"),
        ([*header_lines(BYTES), "> get 00"], "line 8: expected bytes as two"),
        ([*header_lines(BYTES), "  00"], "line 8: expected an entry that this line goes on with"),
        ([*header_lines(BYTES), "? 00"], "line 8: expected an entry"),
        ([*header_lines(BYTES), "! send oh"], "line 8: expected one of open"),
        ([*header_lines(BYTES), "* AAAA"], "line 8: expected no encrypted entry"),
    ],
)
def test_mistakes_are_named_with_their_line(lines, expected):
    with pytest.raises(ValueError) as caught:
        parse_trace(lines)
    assert str(caught.value).startswith(expected)


def test_memory_is_bounded_by_the_line_by_the_entry_and_by_the_file(monkeypatch):
    begun = header_lines(BYTES)
    with pytest.raises(ValueError, match="characters"):
        parse_trace([*begun, "# " + "x" * trace.MAX_LINE])
    row = "  " + " ".join(["00"] * 1000)
    with pytest.raises(ValueError, match="bytes in an entry"):
        parse_trace([*begun, "> 00", *[row] * 66])
    monkeypatch.setattr("countertop.sdk.trace.reading.MAX_FILE", 1000)
    with pytest.raises(ValueError, match="a file of at most"):
        parse_trace([*begun, *["# xxxxxxxxxxxxxxxx"] * 100])


def test_people_may_write_between_the_lines():
    lines = [
        *header_lines(BYTES),
        "# the cable is pulled here",
        "",
        "+3",
        "> 01 02",
        "  03",
        "+4",
        "+5",
        "! receive LINK_LOST",
    ]
    (section,) = parse_trace(lines)
    assert section.entries == (
        Entry(">", "", b"\1\2\3", at=3, line=11),
        Entry("!", "receive", b"", "LINK_LOST", at=12, line=15),
    )


def test_only_times_differ_between_two_recordings_of_the_same():
    entry = Entry("<", "", b"\1" * 40, at=0)
    quick, slow = entry_lines(entry, 0), entry_lines(entry, 1200)
    assert slow == ["+1200", *quick]
    assert quick == ["< " + " ".join(["01"] * 32), "  " + " ".join(["01"] * 8)]


def test_a_text_of_a_device_is_one_line_of_126_characters_at_most():
    assert clean("x" * 126) == "x" * 126
    assert clean("x" * 127) == "x" * 126
    assert clean(" a\nb\tc\0 ") == "a?b?c?"


def test_an_entry_is_of_the_opening_and_of_no_file_until_it_is_said():
    assert Entry("<") == Entry("<", "", b"", "", at=0, line=0)
    assert Section(BYTES, ()).line == 0
