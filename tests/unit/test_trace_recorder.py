"""The tap around a link: it changes nothing, keeps order and length, and never breaks the driver."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk import ByteLink, HidInfo, HidLink, IdReader, LinkFault, Options, ReportRefused, parse_link
from countertop.sdk.links import SerialLink, UsbBulkLink
from countertop.sdk.trace import Masker
from countertop.sdk.trace import ledger as ledgers
from countertop.sdk.trace.format import NOTE, RECEIVED, SENT, Entry
from countertop.sdk.trace.ledger import ByteLedger, HidLedger
from countertop.sdk.trace.reading import parse_trace
from countertop.testing.replaying import Recording
from countertop.v1 import error_pb2


class Holding(Masker):
    """Gives what it was given, as late as `holds` says: so many bytes stay back after each call."""

    def __init__(self, holds=(), fails=False):
        self._holds, self._fails = list(holds), fails
        self._held = {SENT: b"", RECEIVED: b""}

    def _take(self, mark, data):
        if self._fails:
            raise RuntimeError("secret")
        data = self._held[mark] + data
        kept = min(len(data), self._holds.pop(0) if self._holds else 0)
        self._held[mark] = data[len(data) - kept :]
        return data[: len(data) - kept].upper()

    def sent(self, data):
        return self._take(SENT, data)

    def received(self, data):
        return self._take(RECEIVED, data)

    def end(self):
        return bytes(len(self._held[SENT])), bytes(len(self._held[RECEIVED]))


entries = st.lists(
    st.one_of(
        st.builds(Entry, st.sampled_from((SENT, RECEIVED)), st.just(""), st.binary(min_size=1, max_size=9)),
        st.just(Entry(NOTE, "cancelled")),
    ),
    max_size=12,
)


@given(entries, st.lists(st.integers(0, 12), max_size=12))
def test_what_is_held_back_keeps_its_place_and_its_length(given_entries, holds):
    ledger = ByteLedger(Holding(holds))
    out = [entry for item in given_entries for entry in ledger.add(item)] + ledger.end()
    assert [(entry.mark, len(entry.data)) for entry in out] == [(item.mark, len(item.data)) for item in given_entries]
    for entry, item in zip(out, given_entries, strict=True):
        assert all(kept in (0, was) for kept, was in zip(entry.data, item.data.upper(), strict=True))


def test_a_masker_that_never_judges_costs_bounded_memory_and_its_bytes_are_blanked(monkeypatch):
    monkeypatch.setattr(ledgers, "HELD_LIMIT", 100)
    masker = Holding([10**6] * 30)
    ledger = ByteLedger(masker)
    out = [entry for _ in range(30) for entry in ledger.add(Entry(RECEIVED, "", b"x" * 10))]
    assert sum(len(entry.data) for entry in out) >= 200
    assert all(entry.data == bytes(10) for entry in out)
    out += ledger.add(Entry(RECEIVED, "", b"end"))  # the masker gives all at last, of which most is late
    out += ledger.end()
    assert b"".join(entry.data for entry in out[-1:]) == b"END"
    assert sum(len(entry.data) for entry in out) == 303


@pytest.mark.parametrize("change", [lambda data: data + b"x", lambda data: data[1:]])
def test_a_masker_that_changes_lengths_is_found_out(change):
    masker = Holding()
    masker.received = change
    ledger = ByteLedger(masker)

    def all_of_it():
        ledger.add(Entry(RECEIVED, "", b"abc"))
        ledger.end()

    with pytest.raises(ValueError, match="as many bytes"):
        all_of_it()
    with pytest.raises(ValueError, match="a report of 3 bytes"):
        HidLedger(masker).add(Entry(RECEIVED, "in", b"abc"))


class Line(ByteLink):
    """A link that gives what the test has put in."""

    schemes = ("serial",)

    def __init__(self):
        self.url = parse_link("serial:///dev/ttySECRET")
        self.coming: asyncio.Queue = asyncio.Queue()
        self.went = []
        self.closed = 0
        self.broken = None
        self.gate = asyncio.Event()
        self.gate.set()

    @classmethod
    async def open(cls, url):
        return cls()

    async def receive(self, max_bytes=65536):
        item = await self.coming.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def send(self, data):
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        self.went.append(data)

    def discard_input(self):
        return b"" if self.coming.empty() else self.coming.get_nowait()

    async def close(self):
        self.closed += 1

    async def port_status(self):
        return 0x18


class Reader(IdReader):
    name = "made-up"
    links = (Line,)
    made = Holding

    def masker(self):
        return self.made()

    async def connect(self):
        raise NotImplementedError

    disconnect = status = read = connect


async def tapped(made=Holding, link=None):
    line = link or Line()
    reader, recording = Reader(line.url, Options()), Recording()
    reader.made = made
    await reader.record_links(recording.recorder)

    async def opened():
        return line

    if isinstance(line, HidLink):
        return recording, line, await recording.recorder.hid_link(reader, opened())
    return recording, line, await recording.recorder.bytes_link(reader, opened())


def read(recording):
    (section,) = parse_trace(recording.lines)
    return [(entry.mark, entry.verb, entry.data, entry.text) for entry in section.entries]


LOST = LinkFault(error_pb2.REASON_LINK_LOST, "The link /dev/ttySECRET broke.", step="receive", got="the device is gone")


async def test_a_tap_passes_for_the_link_itself():
    _, line, tap = await tapped()
    assert isinstance(tap, Line)
    assert isinstance(tap, ByteLink)
    assert not isinstance(tap, UsbBulkLink | SerialLink | HidLink)
    assert await tap.port_status() == 0x18
    assert tap.url is line.url
    with pytest.raises(AttributeError):
        tap.set_baud  # noqa: B018


async def test_everything_is_noted_in_the_order_in_which_the_driver_met_it():
    recording, line, tap = await tapped()
    await tap.send(b"ask")
    line.coming.put_nowait(b"answer")
    assert await tap.receive() == b"answer"
    line.coming.put_nowait(b"late")
    assert tap.discard_input() == b"late"
    assert tap.discard_input() == b""
    line.coming.put_nowait(LOST)
    with pytest.raises(LinkFault) as caught:
        await tap.receive()
    assert caught.value is LOST
    line.broken = LOST
    with pytest.raises(LinkFault):
        await tap.send(b"more")
    await tap.close()
    await tap.close()
    assert line.closed == 2
    assert read(recording) == [
        (">", "", b"ASK", ""),
        ("<", "", b"ANSWER", ""),
        ("<", "", b"LATE", ""),
        ("!", "receive", b"", "LINK_LOST the device is gone"),
        (">", "", b"MORE", ""),
        ("!", "send", b"", "LINK_LOST the device is gone"),
        ("=", "closed", b"", ""),
    ]
    assert "SECRET" not in recording.text


async def test_cancelling_loses_nothing():
    recording, line, tap = await tapped()
    waiting = asyncio.create_task(tap.receive())
    await asyncio.wait({waiting}, timeout=0.01)
    waiting.cancel()
    await asyncio.wait({waiting})
    line.coming.put_nowait(b"x")
    assert await tap.receive() == b"x"
    line.gate.clear()
    sending = asyncio.create_task(tap.send(b"long"))
    await asyncio.wait({sending}, timeout=0.01)
    sending.cancel()
    await asyncio.wait({sending})
    await tap.close()
    assert [item[:3] for item in read(recording)][:3] == [
        ("<", "", b"X"),
        (">", "", b"LONG"),
        ("=", "cancelled", b""),
    ]


async def test_a_masker_that_fails_is_told_once_and_the_driver_goes_on(caplog):
    recording, line, tap = await tapped(lambda: Holding(fails=True))
    await tap.send(b"ask")
    await tap.send(b"more")
    assert line.went == [b"ask", b"more"]
    assert recording.error is not None
    assert recording.error.reason == error_pb2.REASON_DRIVER_FAILED
    assert "secret" not in f"{recording.error} {caplog.text} {recording.text}"
    assert read(recording) == []


async def test_a_stopped_recorder_keeps_what_was_held_back_and_hears_no_more():
    recording, line, tap = await tapped(lambda: Holding([2]))
    await tap.send(b"hold")
    assert read(recording) == []
    recording.recorder.stop()
    assert read(recording) == [(">", "", b"HO\0\0", "")]
    await tap.send(b"more")
    await tap.close()
    assert len(read(recording)) == 1
    assert line.went == [b"hold", b"more"]


async def test_large_pieces_become_several_entries():
    recording, _, tap = await tapped()
    await tap.send(b"x" * 100_000)
    assert [len(data) for _, _, data, _ in read(recording)] == [65536, 34464]


class Pad(HidLink):
    """Reports of a made-up pad."""

    schemes = ("hid",)

    def __init__(self):
        self.url = parse_link("hid://056A:00A4/SECRET")
        self.info = HidInfo(0x056A, 0x00A4, 0x0103, "Invented\nMaker", "Pad", "SECRET")

    @classmethod
    async def open(cls, url):
        return cls()

    async def receive(self):
        return b"\1pen"

    async def report_descriptor(self):
        return b"\5\1"

    async def get_feature(self, report_id, size):
        if report_id == 9:
            raise ReportRefused(9, "get feature")
        return bytes([report_id]) + b"state"

    async def set_feature(self, report):
        if report[0] == 9:
            raise ReportRefused(9, "set feature")

    async def send(self, report):
        pass

    def discard_input(self):
        return [b"\1a", b"\1b"]

    async def close(self):
        pass


async def converse(pad):
    """What a driver does with it, and what it sees."""
    seen = [await pad.report_descriptor(), await pad.get_feature(3, 64)]
    for refused in (pad.get_feature(9, 300), pad.set_feature(b"\11x")):
        with pytest.raises(ReportRefused) as caught:
            await refused
        seen.append(str(caught.value))
    await pad.set_feature(b"\4set")
    await pad.send(b"\5out")
    return [*seen, await pad.receive(), *pad.discard_input()]


async def test_reports_are_noted_and_played_back(tmp_path):
    recording, pad, tap = await tapped(link=Pad())
    first = await converse(tap)
    await tap.close()
    assert first == await converse(pad)
    assert "SECRET" not in recording.text
    path = recording.save(tmp_path / "pad.trace")

    class PadReader(Reader):
        links = (Pad,)

        async def connect(self):
            self.link = await self.open_hid_link()

    reader = PadReader(parse_link(f"replay://{path}"), Options())
    await reader.connect()
    assert reader.url.scheme == "hid"
    assert reader.link.info == HidInfo(0x056A, 0x00A4, 0x0103, "Invented?Maker", "Pad")
    played = await converse(reader.link)
    assert played == [item if isinstance(item, str) else masked(item) for item in first]
    with pytest.raises(LinkFault, match="ended"):
        await reader.link.receive()
    await reader.connect()
    with pytest.raises(LinkFault, match=r"line 11, byte 0: expected descriptor, got get 03 00 40"):
        await reader.link.get_feature(3, 64)
    with pytest.raises(LinkFault, match=r"of a hid link, and the driver asks for"):
        await reader.open_link()


def masked(report):
    """The descriptor is not."""
    return report.upper()
