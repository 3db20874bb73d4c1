"""Replay: what the driver sends moves the recording on, in whatever pieces it is sent."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk import ByteLink, LinkFault, SerialLink, TcpLink, open_link, parse_link
from countertop.sdk.links import UsbBulkLink, UsbHidLink
from countertop.sdk.trace import Masker
from countertop.sdk.trace.format import FAULT, RECEIVED, SENT, Entry, Header, Section, entry_lines, header_lines
from countertop.sdk.trace.script import ByteScript, Deviation, HidScript, ScriptEnded

HEADER = Header("made-up", "bytes", "serial", "2026-11-28T09:30:00Z", masked_by="made-up")


def section(*things, header=HEADER):
    """Of `>...` and `<...`, each an entry, and faults as they are."""
    made = []
    for number, thing in enumerate(things):
        if isinstance(thing, Entry):
            made.append(thing)
        else:
            made.append(Entry(chr(thing[0]), "", thing[1:], at=10 * number, line=number + 1))
    return Section(header, tuple(made), 1)


def taken(script):
    """What may be received now."""
    data = b"".join(entry.data for entry in script.inputs)
    script.inputs.clear()
    return data


entries = st.lists(
    st.builds(lambda mark, data: mark + data, st.sampled_from((b">", b"<")), st.binary(min_size=1, max_size=6)),
    max_size=12,
)


@given(entries, st.booleans(), st.data())
def test_the_same_bytes_in_any_pieces_give_the_same(things, tolerant, data):
    script = ByteScript(section(*things), tolerant=tolerant)
    sent = b"".join(thing[1:] for thing in things if thing[:1] == b">")
    came = taken(script)
    place = 0
    while place < len(sent):
        # tolerant, a piece is looked for as a whole; one by one in order it is always found right here
        piece = sent[place : place + data.draw(st.integers(1, 8))]
        script.send(piece, len(piece))
        came += taken(script)
        place += len(piece)
    assert came == b"".join(thing[1:] for thing in things if thing[:1] == b"<")
    if not tolerant:
        assert script.ended
        with pytest.raises(ScriptEnded):
            script.send(b"x", 1)


@given(entries, st.integers(0, 80), st.integers(1, 255))
def test_one_wrong_byte_is_found_where_it_is(things, place, change):
    sent = bytearray(b"".join(thing[1:] for thing in things if thing[:1] == b">"))
    if not sent:
        return
    place %= len(sent)
    sent[place] ^= change
    script = ByteScript(section(*things), tolerant=False)
    for byte in sent[:place]:
        script.send(bytes([byte]), 1)
    with pytest.raises(Deviation) as caught:
        script.send(bytes(sent[place:]), len(sent) - place)
    before = 0
    for number, thing in enumerate(things):
        if thing[:1] == b">":
            if place < before + len(thing) - 1:
                assert (caught.value.line, caught.value.at) == (number + 1, place - before)
                break
            before += len(thing) - 1


def test_nothing_comes_before_what_it_answers_was_sent():
    script = ByteScript(section(b"<hello", b">ask", b"<one", b"<two", b">again", b"<three"), tolerant=False)
    assert taken(script) == b"hello"
    script.send(b"as", 2)
    assert taken(script) == b""
    script.send(b"k", 1)
    assert taken(script) == b"onetwo"
    assert not script.ended


def test_a_masker_that_holds_back_does_not_hold_up_the_answer():
    script = ByteScript(section(b">ask", b"<answer", b">more"), tolerant=False)
    script.send(b"", 3)
    assert taken(script) == b"answer"
    with pytest.raises(Deviation):
        script.send(b"axk", 0)


def test_tolerant_looks_ahead_then_from_the_start_and_keeps_what_had_come():
    script = ByteScript(section(b">a", b"<1", b">b", b"<2", b">a", b"<3", b">c", b"<4"), tolerant=True)
    for request, answer in ((b"b", b"2"), (b"a", b"3"), (b"a", b"1"), (b"c", b"4"), (b"b", b"2")):
        script.send(request, 1)
        assert taken(script) == answer
    script.send(b"c", 1)
    script.send(b"a", 1)
    assert taken(script) == b"41"
    with pytest.raises(Deviation) as caught:
        script.send(b"x", 1)
    assert caught.value.line == 3
    assert not script.ended


def test_tolerant_prefers_the_present_place_to_an_equal_beginning_elsewhere():
    script = ByteScript(section(b">ab", b"<1", b">abc", b"<2", b">ab", b"<3"), tolerant=True)
    script.send(b"ab", 2)
    assert taken(script) == b"1"
    script.send(b"ab", 2)
    script.send(b"c", 1)
    assert taken(script) == b"2"


def test_reports_are_compared_with_what_they_are():
    header = Header("made-up", "hid", "usb", HEADER.opened, masked_by="made-up")
    out = Entry(SENT, "out", b"\1x", line=1)
    script = HidScript(Section(header, (out, Entry(RECEIVED, "refused", line=2))), tolerant=False)
    with pytest.raises(Deviation) as caught:
        script.send(b"\1x", 2, "set")
    assert (caught.value.expected, caught.value.got) == ("out 01 78", "set 01 78")
    assert script.send(b"\1x", 2, "out").verb == "refused"
    with pytest.raises(ScriptEnded):
        script.send(b"\1x", 2, "out")


# --- links -----------------------------------------------------------------------------------------------------------


def written(path, made):
    lines, last = header_lines(made.header), 0
    for entry in made.entries:
        lines += entry_lines(entry, entry.at - last)
        last = entry.at
    path.write_text("\n".join(lines) + "\n")
    return path


async def opened(path, query="", allowed=(SerialLink, TcpLink)) -> ByteLink:
    return await open_link(parse_link(f"replay://{path}{query}"), allowed=allowed, masker=Same)


class Same(Masker):
    """A masker for which nothing is a person's."""

    def sent(self, data):
        return data

    def received(self, data):
        return data

    def end(self):
        return b"", b""


async def test_pieces_come_as_they_were_recorded(tmp_path):
    link = await opened(written(tmp_path / "x.trace", section(b">ask", b"<one", b"<twothree")))
    await link.send(b"ask")
    assert await link.receive() == b"one"
    assert await link.receive(3) == b"two"
    assert link.discard_input() == b"three"
    for _ in range(2):
        with pytest.raises(LinkFault, match="it has ended"):
            await link.receive()
    await link.close()
    await link.close()


async def test_who_waits_is_woken_by_what_another_task_sends_and_cancelling_loses_nothing(tmp_path):
    link = await opened(written(tmp_path / "x.trace", section(b">ask", b"<answer", b">bye")))
    given_up = asyncio.create_task(link.receive())
    await asyncio.wait({given_up}, timeout=0.01)
    given_up.cancel()
    await asyncio.wait({given_up})
    waiting = asyncio.create_task(link.receive())
    await asyncio.wait({waiting}, timeout=0.01)
    await link.send(b"ask")
    assert await asyncio.wait_for(waiting, 5) == b"answer"
    last = asyncio.create_task(link.receive())
    await asyncio.wait({last}, timeout=0.01)
    assert not last.done()
    await link.close()
    with pytest.raises(LinkFault, match="closed"):
        await last


async def test_recorded_faults_come_again_at_their_place(tmp_path):
    gone = Entry(FAULT, "receive", text="LINK_LOST the device is gone", at=5)
    link = await opened(written(tmp_path / "x.trace", section(b">ask", b"<part", gone)))
    await link.send(b"ask")
    assert await link.receive() == b"part"
    with pytest.raises(LinkFault, match=r"line 11: LINK_LOST the device is gone") as caught:
        await link.receive()
    assert (caught.value.step, caught.value.got) == ("receive", "the device is gone")
    with pytest.raises(LinkFault, match="line 11"):
        await link.send(b"more")


async def test_tolerant_waits_where_something_may_still_come(tmp_path):
    path = written(tmp_path / "x.trace", section(b">ask", b"<answer"))
    link = await opened(path, "?mode=tolerant")
    await link.send(b"ask")
    assert await link.receive() == b"answer"
    waiting = asyncio.create_task(link.receive())
    await asyncio.wait({waiting}, timeout=0.01)
    assert not waiting.done()
    await link.send(b"ask")
    assert await waiting == b"answer"
    mute = await opened(written(tmp_path / "mute.trace", section(b">ask")), "?mode=tolerant")
    await mute.send(b"ask")
    with pytest.raises(LinkFault, match="it has ended"):
        await mute.receive()


@pytest.mark.parametrize(
    ("allowed", "told"),
    [((UsbHidLink,), "of a bytes link, and the driver asks for usb://"), ((UsbBulkLink,), "")],
)
async def test_it_stands_for_any_link_of_its_kind(tmp_path, allowed, told):
    path = written(tmp_path / "x.trace", section(b">ask"))
    if told:
        with pytest.raises(LinkFault, match=told):
            await opened(path, allowed=allowed)
    else:
        await (await opened(path, allowed=allowed)).close()


async def test_a_driver_without_a_masker_does_not_play_what_was_masked(tmp_path):
    path = written(tmp_path / "x.trace", section(b">ask"))
    with pytest.raises(LinkFault, match="no masker to compare with"):
        await open_link(parse_link(f"replay://{path}"), allowed=(SerialLink,))


@pytest.mark.parametrize(
    "text",
    [
        "replay://x.trace",
        "replay:///x.trace?mode=loose",
        "replay:///x.trace?pace=fast",
        "replay:///x.trace?opening=0",
        "replay:///x.trace?key=key.pem",
        "replay:///x.trace?baud=9600",
        "replay://",
    ],
)
def test_mistakes_in_the_url_are_named(text):
    with pytest.raises(ValueError, match="expected"):
        parse_link(text)


@pytest.mark.parametrize(
    ("content", "query", "told"),
    [
        (None, "", "cannot be read"),
        (b"\xff\xfe garbage", "", "line 1: expected"),
        (b"", "", "line 1: expected"),
        (b"countertop-trace 1\n", "?key=/nowhere.pem", "/nowhere.pem cannot be read"),
    ],
)
async def test_a_file_that_is_no_recording_is_a_fault_of_the_link(tmp_path, content, query, told):
    path = tmp_path / "x.trace"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LinkFault, match=told):
        await opened(path, query)
