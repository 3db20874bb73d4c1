"""The SDT driver over a pty, against a module whose answers are scripted here."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from datetime import date
from functools import reduce
from itertools import pairwise
from operator import xor
from typing import Any

import pytest
from google.protobuf.message import Message
from pydantic import ValidationError

from countertop.drivers.sdt.driver import SdtOptions, SdtReader
from countertop.sdk import DeviceFault, LinkFault, NoAnswer, ProtocolFault, parse_link
from countertop.v1 import device_pb2, error_pb2, identity_pb2, operation_pb2
from countertop.v1.id_reader_pb2 import DocumentDetected, DocumentRemoved, ReadRequest, ReadResult
from countertop.v1.identity_pb2 import IdentityDocument

LIMIT = 10.0
INTERVAL_MS = 20
NUMBER = "11010519491231002X"
NAME = "王小明"

RESET, STATUS, SAM_ID = "10FF", "11FF", "12FF"
FIND, SELECT, READ, READ_ALL, ADDRESS = "2001", "2002", "3001", "3010", "3003"
PRESENT, KEEP, AGAIN, REMOVE = (
    "PRESENT_DOCUMENT",
    "KEEP_DOCUMENT",
    "PRESENT_DOCUMENT_AGAIN",
    "REMOVE_DOCUMENT",
)


def frame(sw3: int, data: bytes = b"") -> bytes:
    body = (len(data) + 4).to_bytes(2, "big") + bytes([0, 0, sw3]) + data
    return bytes.fromhex("AAAAAA9669") + body + bytes([reduce(xor, body)])


def card_text(kind: str = " ") -> bytes:
    fields = {
        0: NAME,
        30: "2",
        32: "01",
        36: "19491231",
        52: "样本路 1 号",
        122: NUMBER,
        188: "20200101",
        204: "长期",
        248: kind,
    }
    data = bytearray(" ".encode("utf-16-le") * 128)
    for offset, value in fields.items():
        encoded = value.encode("utf-16-le")
        data[offset : offset + len(encoded)] = encoded
    return bytes(data)


PHOTO = b"WLf\0~\0" + bytes(1018)
PRINTS = (bytes([0x43, 0, 0, 0, 1, 11, 80]) + bytes(505)) + (bytes([0x43, 0, 0, 0, 1, 16, 70]) + bytes(505))
ADDITIONAL = "样本新街 2 号".ljust(35).encode("utf-16-le")


class ScriptedSam:
    """The module's end of a pty: answers as a healthy one, unless an answer is scripted."""

    def __init__(self) -> None:
        self.fd, self._port = os.openpty()  # the port stays open here too, so that it has no hang-up without a driver
        self.url = f"serial://{os.ttyname(self._port)}"
        self.text: bytes | None = None
        self.prints = b""
        self.address: bytes | None = None
        self.read_once = False
        self.mute = False
        self.heard: list[str] = []
        self.times: list[tuple[str, float]] = []
        self.scripts: dict[str, list[bytes | Callable[[], bytes]]] = {}
        self.piece = 1 << 20
        self._input = b""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.fd, self._readable)

    def lay(self, text: bytes | None = None) -> None:
        self.text, self.read_once = text or card_text(), False

    def lift(self) -> None:
        self.text, self.read_once = None, False

    def script(self, command: str, *answers: bytes | Callable[[], bytes]) -> None:
        """Answer the next of these commands so; afterwards as usual."""
        self.scripts.setdefault(command, []).extend(answers)

    async def until_heard(self, command: str, times: int = 1) -> None:
        """Wait until the command came so often since the start."""
        async with asyncio.timeout(LIMIT):
            while self.heard.count(command) < times:
                self._news.clear()
                await self._news.wait()

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), self.piece):
            os.write(self.fd, data[start : start + self.piece])

    def close(self) -> None:
        if self.fd >= 0:
            asyncio.get_running_loop().remove_reader(self.fd)
            os.close(self.fd)
            os.close(self._port)
            self.fd = -1

    def _readable(self) -> None:
        self._input += os.read(self.fd, 4096)
        while len(self._input) >= 10:
            command, self._input = self._input[:10], self._input[10:]
            assert command[:7].hex().upper() == "AAAAAA96690003", "the driver sent something else than a command"
            assert reduce(xor, command[5:]) == 0
            self._take(command[7:9].hex().upper())

    def _take(self, command: str) -> None:
        self.heard.append(command)
        self.times.append((command, asyncio.get_running_loop().time()))
        self._news.set()
        scripted = self.scripts.get(command)
        if scripted:
            answer = scripted.pop(0)
            self.write(answer if isinstance(answer, bytes) else answer())
        elif not self.mute:
            self.write(self._healthy(command))

    def _healthy(self, command: str) -> bytes:
        there = self.text is not None
        match command:
            case "2001":
                return frame(0x9F, bytes(4)) if there and not self.read_once else frame(0x80)
            case "2002":
                return frame(0x90, bytes(8)) if there else frame(0x81)
            case "3001" | "3010" if self.text is not None:
                self.read_once = True
                if command == READ:
                    return frame(0x90, bytes.fromhex("01000400") + self.text + PHOTO)
                size = len(self.prints).to_bytes(2, "big")
                return frame(0x90, bytes.fromhex("01000400") + size + self.text + PHOTO + self.prints)
            case "3003" if there and self.read_once:
                return frame(0x90, self.address) if self.address else frame(0x91)
            case "3001" | "3010" | "3003":
                return frame(0x41)
            case "12FF":
                return frame(0x90, bytes.fromhex("05000300 81B13201 40E20100 D2029649"))
        return frame(0x90)


class RecordedRun:
    """What the daemon gives a verb, noted."""

    operation_id = "test"

    def __init__(self, seconds: float = LIMIT) -> None:
        self._until = asyncio.get_running_loop().time() + seconds
        self.events: list[Message] = []
        self.story: list[str] = []
        self._news = asyncio.Event()

    @property
    def time_left(self) -> float:
        return max(0.0, self._until - asyncio.get_running_loop().time())

    def prompt(self, kind: operation_pb2.PromptKind) -> None:
        self._note(operation_pb2.PromptKind.Name(kind).removeprefix("PROMPT_KIND_"))

    def working(self) -> None:
        self._note("working")

    def emit(self, event: Message) -> None:
        self.events.append(event)
        self._note(type(event).__name__)

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        self._note("progress")

    async def commit_point(self, step: str) -> None:
        raise AssertionError("reading has no effect in the world")

    def effect(self, effect: error_pb2.PhysicalEffect) -> None:
        raise AssertionError("reading has no effect in the world")

    async def until(self, note: str, times: int = 1) -> None:
        async with asyncio.timeout(LIMIT):
            while self.story.count(note) < times:
                self._news.clear()
                await self._news.wait()

    def _note(self, note: str) -> None:
        self.story.append(note)
        self._news.set()


@pytest.fixture
async def sam() -> AsyncIterator[ScriptedSam]:
    module = ScriptedSam()
    yield module
    module.close()


def new_reader(sam: ScriptedSam, **options: Any) -> SdtReader:
    quick = {"find_interval_ms": INTERVAL_MS, "answer_seconds": 0.6, "read_seconds": 0.6, "boot_seconds": 0.0}
    reader = SdtReader(parse_link(sam.url), SdtOptions(**(quick | options)))
    reader.today = lambda: date(2026, 11, 23)
    return reader


@pytest.fixture
async def reader(sam: ScriptedSam) -> AsyncIterator[SdtReader]:
    connected = new_reader(sam)
    await connected.connect()
    sam.heard.clear()
    sam.times.clear()
    yield connected
    await connected.disconnect()


async def done(work: Coroutine[Any, Any, ReadResult] | asyncio.Future[ReadResult]) -> IdentityDocument:
    return (await asyncio.wait_for(work, LIMIT)).document


async def failing(work: Coroutine[Any, Any, Any] | asyncio.Future[Any]) -> DeviceFault:
    with pytest.raises(DeviceFault) as caught:
        await asyncio.wait_for(work, LIMIT)
    assert NAME not in str(caught.value)
    assert NUMBER not in f"{caught.value} {caught.value.got} {caught.value.expected}"
    return caught.value


# --- connecting ------------------------------------------------------------------------------------------------------


async def test_connecting_tells_what_the_reader_is_and_can(sam: ScriptedSam) -> None:
    reader = new_reader(sam)
    info = await reader.connect()
    await reader.disconnect()
    assert info.serial == "05.03-20099457-0000123456-1234567890"
    assert list(info.id_reader.document_types) == [1, 2, 3, 4]
    assert info.id_reader.fingerprints
    assert info.id_reader.additional_address
    assert not info.id_reader.motorised
    assert sam.heard == [STATUS, SAM_ID]


async def test_connecting_waits_for_a_module_that_is_still_starting(sam: ScriptedSam) -> None:
    sam.script(STATUS, b"", b"\x00\xff\x13")
    reader = new_reader(sam, boot_seconds=2.0)
    info = await reader.connect()
    await reader.disconnect()
    assert info.serial
    assert sam.heard == [STATUS, STATUS, STATUS, SAM_ID]


async def test_a_mute_line_ends_connecting_in_bounded_time_and_leaves_the_port_free(sam: ScriptedSam) -> None:
    sam.mute = True
    with pytest.raises(NoAnswer):
        await asyncio.wait_for(new_reader(sam).connect(), 2.0)
    sam.mute = False
    reader = new_reader(sam)
    await reader.connect()
    await reader.disconnect()
    await reader.disconnect()


async def test_something_else_on_the_line_breaks_the_protocol(sam: ScriptedSam) -> None:
    sam.script(STATUS, *[b"ERROR\r\n"] * 9)
    with pytest.raises(ProtocolFault, match="expected an answer"):
        await asyncio.wait_for(new_reader(sam).connect(), 2.0)


async def test_a_module_that_failed_its_self_test_connects_and_says_so(sam: ScriptedSam) -> None:
    sam.script(STATUS, frame(0x60), frame(0x60), frame(0x66))
    reader = new_reader(sam)
    assert (await reader.connect()).serial == ""
    for reason in (error_pb2.REASON_READER_SELF_TEST_FAILED, error_pb2.REASON_READER_NOT_AUTHORISED):
        (condition,) = (await reader.status()).conditions
        assert (condition.reason, condition.severity) == (reason, device_pb2.SEVERITY_BLOCKING)
        assert condition.action
    assert not (await reader.status()).conditions
    await reader.disconnect()


def test_options_out_of_bounds_are_refused() -> None:
    for wrong in ({"baud": 300}, {"find_interval_ms": 0}, {"read_retries": -1}, {"boot_seconds": 31}, {"bauds": 9600}):
        with pytest.raises(ValidationError):
            SdtOptions(**wrong)
    assert SdtOptions().find_interval_ms == 300


# --- reading ---------------------------------------------------------------------------------------------------------


async def test_a_card_that_is_laid_down_is_found_and_read(sam: ScriptedSam, reader: SdtReader) -> None:
    run = RecordedRun()
    reading = asyncio.ensure_future(reader.read(ReadRequest(), run))
    await sam.until_heard(FIND, 2)
    sam.lay()
    document = await done(reading)
    assert run.story == [PRESENT, "DocumentDetected", KEEP, "working"]
    assert (document.person.name, document.number) == (NAME, NUMBER)
    assert all(check.passed for check in document.checks)
    assert not document.HasField("photo"), "nobody asked for it"
    assert not document.fingerprints
    assert not document.additional_address
    assert sam.heard[-3:] == [FIND, SELECT, READ]


async def test_what_is_asked_for_is_returned_too(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    sam.prints, sam.address = PRINTS, ADDITIONAL
    request = ReadRequest(photo=True, fingerprints=True, additional_address=True)
    document = await done(reader.read(request, RecordedRun()))
    assert (document.photo.raw, document.photo.raw_format) == (PHOTO, "wlt")
    assert [template.position for template in document.fingerprints] == [11, 16]
    assert document.additional_address == "样本新街 2 号"
    assert sam.heard == [FIND, SELECT, READ_ALL, ADDRESS]


async def test_a_card_that_lacks_what_is_asked_for_is_read_all_the_same(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    request = ReadRequest(fingerprints=True, additional_address=True)
    document = await done(reader.read(request, RecordedRun()))
    assert document.number == NUMBER
    assert not document.fingerprints
    assert document.additional_address == ""


async def test_no_card_in_time_is_no_document_and_the_polls_keep_their_distance(
    sam: ScriptedSam, reader: SdtReader
) -> None:
    run = RecordedRun(0.3)
    fault = await failing(reader.read(ReadRequest(), run))
    assert fault.reason == error_pb2.REASON_NO_DOCUMENT
    assert run.story == [PRESENT]
    finds = [when for command, when in sam.times if command == FIND]
    assert 2 <= len(finds) <= 0.3 / (INTERVAL_MS / 1000) + 1
    gaps = [later - earlier for earlier, later in pairwise(finds)]
    assert sum(gaps) / len(gaps) >= INTERVAL_MS / 1000 * 0.95


async def test_the_time_is_kept_though_the_poll_interval_is_longer(sam: ScriptedSam) -> None:
    reader = new_reader(sam, find_interval_ms=5000)
    await reader.connect()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert (await failing(reader.read(ReadRequest(), RecordedRun(0.2)))).reason == error_pb2.REASON_NO_DOCUMENT
    assert 0.15 <= loop.time() - begun < 2.0
    await reader.disconnect()


async def test_a_card_that_moves_is_tried_again(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    sam.script(READ, frame(0x41), frame(0x41), frame(0x31))
    run = RecordedRun()
    assert (await done(reader.read(ReadRequest(), run))).number == NUMBER
    assert sam.heard.count(READ) == 4
    assert run.story == [PRESENT, "DocumentDetected", KEEP, "working"]


async def test_a_card_that_stays_unreadable_is_asked_for_anew_after_a_reset(sam: ScriptedSam) -> None:
    reader = new_reader(sam, read_retries=1)
    await reader.connect()
    sam.lay()
    sam.script(READ, frame(0x41), frame(0x41))
    run = RecordedRun()
    assert (await done(reader.read(ReadRequest(), run))).number == NUMBER
    assert run.story == [PRESENT, "DocumentDetected", KEEP, AGAIN, "working"]
    assert sam.heard[2:] == [FIND, SELECT, READ, READ, RESET, FIND, SELECT, READ]
    await reader.disconnect()


async def test_a_card_that_stays_unreadable_to_the_end_is_said_to_be(sam: ScriptedSam) -> None:
    reader = new_reader(sam, read_retries=0)
    await reader.connect()
    sam.lay()
    sam.script(READ, *[frame(0x41)] * 100)
    fault = await failing(reader.read(ReadRequest(), RecordedRun(0.3)))
    assert fault.reason == error_pb2.REASON_DOCUMENT_UNREADABLE
    await reader.disconnect()


async def test_a_card_that_is_pulled_away_may_come_back(sam: ScriptedSam) -> None:
    reader = new_reader(sam, read_retries=0)
    await reader.connect()
    sam.lay()

    def pulled() -> bytes:
        sam.lift()
        return frame(0x41)

    sam.script(READ, pulled)
    run = RecordedRun()
    reading = asyncio.ensure_future(reader.read(ReadRequest(), run))
    await run.until("DocumentRemoved")
    sam.lay()
    assert (await done(reading)).number == NUMBER
    assert run.story == [
        PRESENT,
        "DocumentDetected",
        KEEP,
        AGAIN,
        "DocumentRemoved",
        "DocumentDetected",
        KEEP,
        "working",
    ]
    await reader.disconnect()


@pytest.mark.parametrize(("command", "answer"), [(SELECT, 0x81), (READ, 0x41)])
async def test_a_card_that_is_pulled_away_and_stays_away_was_removed(
    sam: ScriptedSam, command: str, answer: int
) -> None:
    reader = new_reader(sam, read_retries=0)
    await reader.connect()
    sam.lay()

    def pulled() -> bytes:
        sam.lift()
        return frame(answer)

    sam.script(command, pulled)
    fault = await failing(reader.read(ReadRequest(), RecordedRun(0.4)))
    assert fault.reason == error_pb2.REASON_DOCUMENT_REMOVED
    await reader.disconnect()


async def test_a_type_that_was_not_asked_for_is_unsupported(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    wanted = [identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT]
    fault = await failing(reader.read(ReadRequest(types=wanted), RecordedRun()))
    assert fault.reason == error_pb2.REASON_DOCUMENT_UNSUPPORTED
    assert fault.got == "DOCUMENT_TYPE_RESIDENT_CARD"
    sam.lay()
    wanted.append(identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD)
    assert (await done(reader.read(ReadRequest(types=wanted), RecordedRun()))).number == NUMBER


async def test_a_card_of_an_unknown_type_is_unsupported(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay(card_text("Q"))
    fault = await failing(reader.read(ReadRequest(), RecordedRun()))
    assert fault.reason == error_pb2.REASON_DOCUMENT_UNSUPPORTED
    sam.lay()
    sam.script(SELECT, frame(0x40))
    fault = await failing(reader.read(ReadRequest(), RecordedRun()))
    assert fault.reason == error_pb2.REASON_DOCUMENT_UNSUPPORTED


@pytest.mark.parametrize(
    ("sw3", "reason"),
    [
        (0x60, error_pb2.REASON_READER_SELF_TEST_FAILED),
        (0x66, error_pb2.REASON_READER_NOT_AUTHORISED),
        (0x21, error_pb2.REASON_NOT_SUPPORTED),
        (0x10, error_pb2.REASON_PROTOCOL_ERROR),
        (0x77, error_pb2.REASON_PROTOCOL_ERROR),
        (0x90, error_pb2.REASON_PROTOCOL_ERROR),
    ],
)
async def test_a_refused_command_ends_with_the_reason_of_its_status_word(
    sam: ScriptedSam, reader: SdtReader, sw3: int, reason: error_pb2.Reason
) -> None:
    sam.script(FIND, frame(sw3))
    assert (await failing(reader.read(ReadRequest(), RecordedRun()))).reason == reason


# --- the card that was read ------------------------------------------------------------------------------------------


async def test_a_card_that_still_lies_there_must_be_taken_away_first(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    await done(reader.read(ReadRequest(), RecordedRun()))
    run = RecordedRun()
    reading = asyncio.ensure_future(reader.read(ReadRequest(), run))
    await run.until(REMOVE)
    sam.lift()
    await run.until(PRESENT, 2)
    sam.lay()
    assert (await done(reading)).number == NUMBER
    assert run.story == [PRESENT, REMOVE, PRESENT, "DocumentDetected", KEEP, "working"]


async def test_a_card_that_still_lies_there_to_the_end_was_already_read(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    await done(reader.read(ReadRequest(), RecordedRun()))
    fault = await failing(reader.read(ReadRequest(), RecordedRun(0.2)))
    assert fault.reason == error_pb2.REASON_DOCUMENT_ALREADY_READ


async def test_a_card_that_was_read_before_the_daemon_started_is_noticed(sam: ScriptedSam) -> None:
    sam.lay()
    sam.read_once = True
    reader = new_reader(sam)
    await reader.connect()
    fault = await failing(reader.read(ReadRequest(), RecordedRun(0.2)))
    assert fault.reason == error_pb2.REASON_DOCUMENT_ALREADY_READ
    await reader.disconnect()


async def test_waiting_for_removal_gives_the_document_first(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    run = RecordedRun()
    reading = asyncio.ensure_future(reader.read(ReadRequest(wait_for_removal=True), run))
    await run.until("IdentityDocument")
    await sam.until_heard(ADDRESS, 3)
    sam.script(ADDRESS, b"\xaa\xaa\x96\x69\x00\x04garbled")
    await sam.until_heard(ADDRESS, 4)
    sam.lift()
    document = await done(reading)
    assert run.story == [
        PRESENT,
        "DocumentDetected",
        KEEP,
        "working",
        "IdentityDocument",
        REMOVE,
        "DocumentRemoved",
        "working",
    ]
    assert [type(event) for event in run.events] == [DocumentDetected, IdentityDocument, DocumentRemoved]
    assert run.events[1] == document
    assert sam.heard.count(FIND) == 1, "looking for cards would disturb the module's latch"


async def test_a_card_that_is_not_taken_away_in_time_does_not_cost_the_document(
    sam: ScriptedSam, reader: SdtReader
) -> None:
    sam.lay()
    run = RecordedRun(0.4)
    assert (await done(reader.read(ReadRequest(wait_for_removal=True), run))).number == NUMBER
    assert run.story[-1] == REMOVE


async def test_the_status_tells_whether_the_card_still_lies_there(sam: ScriptedSam, reader: SdtReader) -> None:
    assert (await reader.status()).media == device_pb2.MEDIA_STATE_NOT_PRESENT
    sam.lay()
    await done(reader.read(ReadRequest(), RecordedRun()))
    sam.heard.clear()
    assert (await reader.status()).media == device_pb2.MEDIA_STATE_PRESENT
    sam.lift()
    assert (await reader.status()).media == device_pb2.MEDIA_STATE_NOT_PRESENT
    assert (await reader.status()).media == device_pb2.MEDIA_STATE_NOT_PRESENT
    assert sam.heard == [STATUS, ADDRESS, STATUS, ADDRESS, STATUS]


# --- trouble on the line ---------------------------------------------------------------------------------------------

GOOD = frame(0x90, bytes.fromhex("01000400") + card_text() + PHOTO)
GARBLED = {
    "checksum": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "one bit": GOOD[:100] + bytes([GOOD[100] ^ 4]) + GOOD[101:],
    "length too long": GOOD[:5] + b"\xff\xff" + GOOD[7:],
    "length too short": GOOD[:5] + b"\x00\x02" + GOOD[7:],
    "cut short": GOOD[:700],
    "a byte lost": GOOD[:300] + GOOD[301:],
    "no frame": b"\x00\xff hello \xaa\xaa",
    "parts do not agree": frame(0x90, bytes.fromhex("01000401") + card_text() + PHOTO),
}


@pytest.mark.parametrize("garbled", GARBLED.values(), ids=GARBLED.keys())
async def test_a_garbled_answer_ends_its_operation_only(sam: ScriptedSam, reader: SdtReader, garbled: bytes) -> None:
    sam.lay()
    sam.script(READ, garbled)
    fault = await failing(reader.read(ReadRequest(), RecordedRun()))
    assert fault.reason == error_pb2.REASON_PROTOCOL_ERROR
    assert sam.heard[-1] == RESET
    sam.lay()
    assert (await done(reader.read(ReadRequest(), RecordedRun()))).number == NUMBER
    assert (await reader.status()).media == device_pb2.MEDIA_STATE_PRESENT


async def test_a_mute_module_ends_its_operation_in_bounded_time(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    sam.script(READ, b"")
    fault = await failing(reader.read(ReadRequest(), RecordedRun()))
    assert fault.reason == error_pb2.REASON_NO_ANSWER
    sam.lay()
    assert (await done(reader.read(ReadRequest(), RecordedRun()))).number == NUMBER


async def test_noise_before_an_answer_and_stale_bytes_cost_nothing(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    sam.write(frame(0x66) + b"stale")
    sam.script(FIND, b"\xaa\x00\xff\xaa\xaa" + frame(0x9F, bytes(4)))
    sam.script(SELECT, bytes.fromhex("AA00AAAA9669000C00009000000000000000009C"))
    sam.script(READ, b"\xaa\xaa\x96\x69\xff\xff" + GOOD + b"\x00")
    assert (await done(reader.read(ReadRequest(), RecordedRun()))).number == NUMBER


async def test_answers_may_come_byte_by_byte(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    sam.piece = 1
    assert (await done(reader.read(ReadRequest(photo=True), RecordedRun()))).photo.raw == PHOTO


async def test_a_garbled_status_is_asked_again(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.script(STATUS, b"\x00garbled")
    assert not (await reader.status()).conditions
    sam.script(STATUS, b"\x00garbled", b"\x00garbled")
    with pytest.raises(ProtocolFault):
        await reader.status()


@pytest.mark.parametrize("command", [FIND, SELECT, READ, ADDRESS])
@pytest.mark.parametrize("part", [0, 5, 9])
async def test_cancelled_anywhere_it_works_the_next_time_and_takes_no_late_answer_for_its_own(
    sam: ScriptedSam, reader: SdtReader, command: str, part: int
) -> None:
    late = {FIND: frame(0x80), SELECT: frame(0x81), READ: GOOD, ADDRESS: frame(0x41)}[command]
    sam.lay()
    sam.script(command, late[:part])
    reading = asyncio.ensure_future(reader.read(ReadRequest(additional_address=True), RecordedRun()))
    await sam.until_heard(command)
    await asyncio.sleep(0.01)  # the part may have been taken in, or not
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    sam.lay()
    again = asyncio.ensure_future(reader.read(ReadRequest(), RecordedRun()))
    heard = len(sam.heard)
    await asyncio.sleep(0.03)
    assert len(sam.heard) == heard, "the module still owes an answer"
    sam.write(late[part:])
    assert (await done(again)).number == NUMBER


async def test_cancelled_and_never_answered_it_works_the_next_time(sam: ScriptedSam, reader: SdtReader) -> None:
    sam.lay()
    sam.script(READ, b"")
    reading = asyncio.ensure_future(reader.read(ReadRequest(), RecordedRun()))
    await sam.until_heard(READ)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    sam.lay()
    assert (await done(reader.read(ReadRequest(), RecordedRun()))).number == NUMBER


async def test_cancelled_after_any_number_of_steps_it_works_the_next_time(sam: ScriptedSam, reader: SdtReader) -> None:
    for steps in range(60):
        sam.lay()
        reading = asyncio.ensure_future(reader.read(ReadRequest(wait_for_removal=True), RecordedRun()))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        sam.lay()
        assert (await done(reader.read(ReadRequest(), RecordedRun()))).number == NUMBER


async def test_a_pulled_plug_ends_with_a_lost_link(sam: ScriptedSam, reader: SdtReader) -> None:
    run = RecordedRun()
    reading = asyncio.ensure_future(reader.read(ReadRequest(), run))
    await sam.until_heard(FIND)
    sam.close()
    with pytest.raises(LinkFault) as caught:
        await asyncio.wait_for(reading, LIMIT)
    assert caught.value.reason == error_pb2.REASON_LINK_LOST
    with pytest.raises(LinkFault):
        await reader.status()


async def test_a_reset_resets_the_module(sam: ScriptedSam, reader: SdtReader) -> None:
    result = await reader.reset(device_pb2.ResetDeviceRequest(), RecordedRun())
    assert not result.status.conditions
    assert sam.heard == [RESET, STATUS]


async def test_the_internal_health_check_passes_on_a_healthy_module(sam: ScriptedSam, reader: SdtReader) -> None:
    request = device_pb2.CheckHealthRequest(level=device_pb2.HEALTH_LEVEL_INTERNAL)
    assert (await reader.check_health(request, RecordedRun())).healthy
