"""The ways to a chip: a virtual card that listens (vpcd), and readers of a PC/SC service that a stand-in plays."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.sdk.cards.chip import ChipLink, PcscChipLink, VpcdChipLink, check_chip_url, open_chip
from countertop.sdk.cards.chip._pcsc import pick_reader
from countertop.sdk.cards.chip.vpcd_wire import MAX_MESSAGE, Control, MessageDecoder, encode_control, encode_message
from countertop.sdk.errors import CountertopError, DeviceFault, InvalidRequest, LinkFault, ProtocolFault
from countertop.v1 import error_pb2

T0_ATR = bytes.fromhex("3B6500009C11010103")
BOTH_ATR = bytes.fromhex("3B8180018080")
SELECT = bytes.fromhex("00A4040002010200")
OK = b"\x90\x00"


# -- URLs --


@pytest.mark.parametrize(
    "text",
    [
        "vpcd://127.0.0.1:35963",
        "vpcd://[::1]:1",
        "vpcd://host:65535",
        "pcsc://Reader",
        "pcsc://Evolis%20KC%20[CI]%2000",
    ],
)
def test_a_chip_url_that_is_one_is_taken_as_it_is(text: str) -> None:
    assert check_chip_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "vpcd", "vpcd://", "vpcd://host", "vpcd://:1", "vpcd://host:0", "vpcd://host:65536", "vpcd://host:1/x"),
        *(
            "vpcd://u@host:1",
            "vpcd://host:1?x=1",
            "VPCD://h:1",
            "tcp://host:1",
            "pcsc://",
            "pcsc://%20",
            "pcsc://a%00b",
        ),
    ],
)
async def test_another_chip_url_is_told_what_was_expected(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected vpcd://HOST:PORT or pcsc://READER"):
        check_chip_url(text)
    with pytest.raises(ValueError, match=r"expected vpcd://"):
        await open_chip(text)


@given(st.text() | st.builds("{}://{}".format, st.sampled_from(["vpcd", "pcsc"]), st.text()))
def test_any_text_is_a_chip_url_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert check_chip_url(text) == text


# -- the messages --


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_messages_come_out_alike_however_their_bytes_are_split(messages: list[bytes], draw: st.DataObject) -> None:
    stream = b"".join(encode_message(message) for message in messages)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    decoder = MessageDecoder()
    pieces = [stream[start:end] for start, end in itertools.pairwise([0, *cuts, len(stream)])]
    assert [message for piece in pieces for message in decoder.feed(piece)] == messages


@given(st.lists(st.binary(max_size=100), max_size=20))
def test_any_bytes_are_messages_and_little_is_held(pieces: list[bytes]) -> None:
    decoder = MessageDecoder()
    total = sum(len(piece) for piece in pieces)
    taken = sum(len(message) + 2 for piece in pieces for message in decoder.feed(piece))
    assert taken + decoder.held == total
    assert list(decoder.feed(bytes(MAX_MESSAGE + 2)))  # whatever was begun is whole by now


def test_controls_are_messages_of_one_byte() -> None:
    assert [encode_control(control) for control in Control] == [
        b"\0\x01\0",
        b"\0\x01\x01",
        b"\0\x01\x02",
        b"\0\x01\x04",
    ]
    with pytest.raises(ValueError, match="at most 65535 bytes"):
        encode_message(bytes(65536))


# -- vpcd --


class Card:
    """A virtual card that listens: vicc in its reversed mode."""

    def __init__(self) -> None:
        self.atr = BOTH_ATR
        self.answer: Callable[[bytes], bytes | None] = lambda apdu: OK
        self.got: list[bytes] = []
        self.heard = asyncio.Condition()
        self.ends = 0
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"vpcd://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                message = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                async with self.heard:
                    self.got.append(message)
                    self.heard.notify_all()
                answer = self._answer(message)
                if answer is not None:
                    for byte in encode_message(answer):  # one byte at a time
                        writer.write(bytes([byte]))
        except (asyncio.IncompleteReadError, ConnectionError):
            async with self.heard:
                self.ends += 1
                self.heard.notify_all()
        finally:
            writer.close()

    def _answer(self, message: bytes) -> bytes | None:
        if len(message) == 1:
            return self.atr if message[0] == Control.GET_ATR else None
        return self.answer(message)

    def say(self, data: bytes) -> None:
        self._writers[-1].write(data)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(5), self.heard:
            await self.heard.wait_for(happened)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()


@pytest.fixture
async def card() -> AsyncIterator[Card]:
    card = Card()
    await card.start()
    yield card
    await card.stop()


@pytest.fixture
async def link(card: Card) -> AsyncIterator[ChipLink]:
    link = await open_chip(card.url)
    assert isinstance(link, VpcdChipLink)
    yield link
    await link.close()


async def test_a_virtual_card_is_powered_reset_talked_to_and_powered_off(card: Card, link: ChipLink) -> None:
    assert await link.power_on(()) == (BOTH_ATR, 0)
    assert await link.power_on([1]) == (BOTH_ATR, 1)
    assert await link.reset() == (BOTH_ATR, 1)
    card.answer = lambda apdu: apdu[::-1] + OK
    assert await link.transmit(SELECT) == SELECT[::-1] + OK
    await link.power_off()
    await link.power_off()
    await card.until(lambda: b"\0" in card.got)
    assert card.got == [b"\x01", b"\x04", b"\x01", b"\x04", b"\x02", b"\x04", SELECT, b"\0"]
    with pytest.raises(DeviceFault, match="not powered"):
        await link.transmit(SELECT)


async def test_with_t_0_the_answer_is_fetched(card: Card, link: ChipLink) -> None:
    answers = {SELECT: "6102", b"\x00\xc0\x00\x00\x02": "6C01", b"\x00\xc0\x00\x00\x01": "AA9000"}
    card.answer = lambda apdu: bytes.fromhex(answers[apdu])
    await link.power_on([0])
    assert await link.transmit(SELECT) == bytes.fromhex("AA9000")
    await link.power_on([1])
    assert await link.transmit(SELECT) == bytes.fromhex("6102")


async def test_the_longest_message_goes_both_ways(card: Card, link: ChipLink) -> None:
    await link.power_on([1])
    card.answer = lambda apdu: apdu[: 65533 - 0] + OK
    command = SELECT[:4] + b"\x00" + (65528).to_bytes(2, "big") + bytes(65528)
    assert await link.transmit(command) == command[:65533] + OK
    with pytest.raises(InvalidRequest) as refused:
        await link.transmit(SELECT[:4] + b"\x00\xff\xff" + bytes(65535))
    assert "command" in refused.value.violations


async def test_what_is_no_command_goes_nowhere(card: Card, link: ChipLink) -> None:
    await link.power_on(())
    card.got.clear()
    with pytest.raises(InvalidRequest) as refused:
        await link.transmit(b"\x04")
    assert refused.value.violations == {"command": "expected a command of 4 to 65544 bytes, got 1"}
    assert card.got == []


@pytest.mark.parametrize(
    ("atr", "protocols", "told"),
    [
        (b"", (), "There is no card"),
        (b"\x3b", (), "expected an ATR of 2 to 33 bytes, got 1"),
        (bytes.fromhex("3B8180018081"), (), "expected 80 as TCK"),
        (T0_ATR, (1,), "expected a chip with T=1, got T=0"),
    ],
)
async def test_a_chip_that_cannot_be_used_is_not_answering(
    card: Card, link: ChipLink, atr: bytes, protocols: tuple[int, ...], told: str
) -> None:
    card.atr = atr
    with pytest.raises(DeviceFault, match=told) as fault:
        await link.power_on(protocols)
    assert fault.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING
    if atr:  # it is not left powered
        await card.until(lambda: card.got[-1] == b"\0")
    card.atr = BOTH_ATR
    assert await link.power_on(()) == (BOTH_ATR, 0)


async def test_a_chip_that_does_not_answer_in_time_is_given_up_and_powered_anew(card: Card) -> None:
    link = VpcdChipLink(card.url, answer_seconds=0.05)
    card.answer = lambda apdu: None
    await link.power_on(())
    with pytest.raises(DeviceFault, match=r"did not answer within 0.05 s") as fault:
        await link.transmit(SELECT)
    assert fault.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING
    with pytest.raises(DeviceFault, match="not powered"):
        await link.transmit(SELECT)
    card.answer = lambda apdu: OK
    await link.power_on(())
    assert await link.transmit(SELECT) == OK
    await link.close()


async def test_a_late_answer_is_never_taken_for_another_commands(card: Card, link: ChipLink) -> None:
    card.answer = lambda apdu: None
    await link.power_on(())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await link.transmit(SELECT)
    await card.until(lambda: card.ends == 1)
    card.answer = lambda apdu: b"\x6a\x82"
    await link.power_on(())
    assert await link.transmit(SELECT) == b"\x6a\x82"


@pytest.mark.parametrize("answer", [b"", b"\x90"])
async def test_an_answer_without_status_words_breaks_the_protocol(card: Card, link: ChipLink, answer: bytes) -> None:
    card.answer = lambda apdu: answer
    await link.power_on(())
    with pytest.raises(ProtocolFault):
        await link.transmit(SELECT)


async def test_two_answers_to_one_command_break_the_protocol_and_the_connection(card: Card, link: ChipLink) -> None:
    def twice(apdu: bytes) -> None:
        card.say(encode_message(OK) * 2)

    card.answer = twice
    await link.power_on(())
    with pytest.raises(ProtocolFault, match="more than one answer"):
        await link.transmit(SELECT)
    await card.until(lambda: card.ends == 1)


async def test_what_a_virtual_card_says_unasked_is_never_taken_for_an_answer(card: Card, link: ChipLink) -> None:
    card.answer = lambda apdu: card.say(encode_message(OK)) or b"\x6a\x82"  # type: ignore[func-returns-value]
    await link.power_on(())
    with pytest.raises(ProtocolFault):  # noqa: PT012 - it depends on when the two arrive
        await link.transmit(SELECT)
        await link.transmit(SELECT)
    card.answer = lambda apdu: OK
    await link.power_on(())
    assert await link.transmit(SELECT) == OK


async def test_a_virtual_card_that_hung_up_meanwhile_is_found_at_the_next_command(card: Card, link: ChipLink) -> None:
    await link.power_on(())
    card.hang_up()
    with pytest.raises(LinkFault) as lost:  # noqa: PT012 - the first may still go out
        await link.transmit(SELECT)
        await link.transmit(SELECT)
    assert lost.value.reason == error_pb2.REASON_LINK_LOST
    assert await link.power_on(()) == (BOTH_ATR, 0)


async def test_a_virtual_card_that_hangs_up_is_a_lost_link_until_it_is_powered_anew(card: Card, link: ChipLink) -> None:
    def gone(apdu: bytes) -> None:
        card.hang_up()

    card.answer = gone
    await link.power_on(())
    with pytest.raises(LinkFault) as lost:
        await link.transmit(SELECT)
    assert lost.value.reason == error_pb2.REASON_LINK_LOST
    assert await link.power_on(()) == (BOTH_ATR, 0)


async def test_closing_powers_off_and_nothing_works_after_it(card: Card, link: ChipLink) -> None:
    await link.power_on(())
    await link.close()
    await link.close()
    await card.until(lambda: card.ends == 1)
    assert card.got[-1] == b"\0"
    with pytest.raises(LinkFault):
        await link.power_on(())
    with pytest.raises(LinkFault):
        await link.reset()


async def test_nobody_who_listens_is_an_offline_link() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(LinkFault, match="nothing listens there") as offline:
        await open_chip(f"vpcd://127.0.0.1:{port}")
    assert offline.value.reason == error_pb2.REASON_DEVICE_OFFLINE


# -- PC/SC, with a stand-in for its service --

CODES = [
    "SCARD_E_NO_SERVICE",
    "SCARD_E_SERVICE_STOPPED",
    "SCARD_E_NO_READERS_AVAILABLE",
    "SCARD_E_READER_UNAVAILABLE",
    "SCARD_E_SHARING_VIOLATION",
    "SCARD_W_SECURITY_VIOLATION",
    "SCARD_E_NO_SMARTCARD",
    "SCARD_W_REMOVED_CARD",
    "SCARD_W_RESET_CARD",
    "SCARD_W_UNRESPONSIVE_CARD",
    "SCARD_E_PROTO_MISMATCH",
]


class Service:
    """What `smartcard.scard` has, as far as the link uses it; `fail` maps a call to the code that it gives."""

    SCARD_S_SUCCESS, SCARD_E_TIMEOUT = 0, 0x8010000A
    SCARD_SCOPE_USER = 0
    SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
    SCARD_SHARE_EXCLUSIVE = 1
    SCARD_RESET_CARD, SCARD_UNPOWER_CARD = 1, 2
    SCARD_STATE_UNAWARE, SCARD_STATE_CHANGED, SCARD_STATE_EMPTY, SCARD_STATE_PRESENT = 0, 0x02, 0x10, 0x20

    def __init__(self) -> None:
        for number, name in enumerate(CODES, 0x80100101):
            setattr(self, name, number)
        self.readers = ["Invented CI 00 00", "Invented PICC 01 00"]
        self.fail: dict[str, list[int]] = {}
        self.calls: list[str] = []
        self.answers: dict[bytes, bytes] = {}
        self.atr = list(BOTH_ATR)
        self.noticed: list[int] = []
        """The ATR of the card that was there before."""
        self.mask = 0
        self.absent = 0
        """How many times it must be waited for until there is a card."""

    def _code(self, call: str) -> int:
        self.calls.append(call)
        codes = self.fail.get(call, [])
        return codes.pop(0) if codes else 0

    def SCardEstablishContext(self, scope: int) -> tuple[int, int]:
        return self._code("establish"), 7

    def SCardReleaseContext(self, context: int) -> int:
        return self._code("release")

    def SCardListReaders(self, context: int, groups: list[str]) -> tuple[int, list[str]]:
        return self._code("list"), self.readers

    def SCardConnect(self, context: int, reader: str, mode: int, protocols: int) -> tuple[int, int, int]:
        self.mask = protocols
        code = self._code(f"connect {reader}")
        if self.absent:
            code = getattr(self, "SCARD_E_NO_SMARTCARD")  # noqa: B009 - it is set by name
        return code, 9, protocols & -protocols

    def SCardReconnect(self, card: int, mode: int, protocols: int, how: int) -> tuple[int, int]:
        assert card == 9
        return self._code("reset" if how == self.SCARD_RESET_CARD else "restart"), protocols & -protocols

    def SCardStatus(self, card: int) -> tuple[int, str, int, int, list[int]]:
        return self._code("status"), "", 0, 0, self.atr

    def SCardTransmit(self, card: int, protocol: int, data: list[int]) -> tuple[int, list[int]]:
        return self._code(f"T={protocol - 1} {bytes(data).hex()}"), list(self.answers.get(bytes(data), OK))

    def SCardDisconnect(self, card: int, how: int) -> int:
        assert (card, how) == (9, self.SCARD_UNPOWER_CARD)
        return self._code("off")

    def SCardGetStatusChange(self, context: int, wait: int, states: list[tuple[str, int]]) -> tuple[int, list[Any]]:
        (reader, state), event = states[0], self.SCARD_STATE_EMPTY if self.absent else self.SCARD_STATE_PRESENT
        code = self._code("wait" if wait else "look")
        if wait:
            assert state == event
            self.absent -= 1
            code = code or self.SCARD_E_TIMEOUT
        return code, [(reader, event | self.SCARD_STATE_CHANGED, [] if self.absent else self.noticed or self.atr)]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setitem(sys.modules, "smartcard.scard", service)  # type: ignore[arg-type]
    return service


async def opened(url: str = "pcsc://Invented%20CI") -> PcscChipLink:
    link = await open_chip(url)
    assert isinstance(link, PcscChipLink)
    return link


async def test_a_reader_is_opened_by_the_beginning_of_its_name_and_its_card_powered(service: Service) -> None:
    link = await opened()
    assert link.reader == "Invented CI 00 00"
    assert await link.power_on(()) == (BOTH_ATR, 0)
    assert service.mask == 1
    assert await link.reset() == (BOTH_ATR, 0)
    assert await link.power_on([1]) == (BOTH_ATR, 1)
    assert service.mask == 2
    assert await link.transmit(SELECT) == OK
    await link.power_off()
    await link.power_off()
    await link.close()
    await link.close()
    connect = "connect Invented CI 00 00"
    assert service.calls == [
        *("establish", "list", "look", connect, "status", "reset", "status"),
        *("off", "look", connect, "status", f"T=1 {SELECT.hex()}", "off", "release"),
    ]
    with pytest.raises(LinkFault, match="the link was closed"):
        await link.power_on(())


async def test_over_t_0_tpdus_go_to_the_reader(service: Service) -> None:
    service.answers = {SELECT[:-1]: b"\x61\x01", b"\x00\xc0\x00\x00\x01": b"\xaa" + OK}
    link = await opened()
    await link.power_on([0])
    assert await link.transmit(SELECT) == b"\xaa" + OK
    assert await link.transmit(SELECT[:4]) == OK
    with pytest.raises(InvalidRequest):
        await link.transmit(b"")
    await link.close()
    assert [call for call in service.calls if call.startswith("T=")] == [
        "T=0 00a40400020102",
        "T=0 00c0000001",
        "T=0 00a40400",
    ]


async def test_power_on_waits_for_a_card_that_the_service_has_not_noticed_yet(service: Service) -> None:
    service.absent = 2
    link = await opened()
    assert await link.power_on(()) == (BOTH_ATR, 0)
    assert service.calls.count("wait") == 2
    await link.close()


@pytest.mark.parametrize(
    ("call", "name", "told", "reason"),
    [
        ("establish", "SCARD_E_NO_SERVICE", "the PC/SC service does not run. Start", "DEVICE_OFFLINE"),
        ("list", "SCARD_W_SECURITY_VIOLATION", "no right to use the PC/SC service", "DEVICE_OFFLINE"),
        ("connect Invented CI 00 00", "SCARD_E_SHARING_VIOLATION", "another program has the card", "DEVICE_OFFLINE"),
        ("connect Invented CI 00 00", "SCARD_E_READER_UNAVAILABLE", "the reader is gone", "LINK_LOST"),
        ("connect Invented CI 00 00", "SCARD_W_UNRESPONSIVE_CARD", "does not answer its reset", "CHIP_NOT_ANSWERING"),
        ("connect Invented CI 00 00", "SCARD_E_PROTO_MISMATCH", "does not speak the protocol", "CHIP_NOT_ANSWERING"),
        ("status", "SCARD_W_REMOVED_CARD", "the card was taken away", "CHIP_NOT_ANSWERING"),
        ("reset", "SCARD_W_RESET_CARD", "another program has reset", "CHIP_NOT_ANSWERING"),
        (f"T=0 {SELECT[:-1].hex()}", "SCARD_W_REMOVED_CARD", "the card was taken away", "CHIP_NOT_ANSWERING"),
        (f"T=0 {SELECT[:-1].hex()}", "SCARD_E_SERVICE_STOPPED", "the PC/SC service has stopped", "LINK_LOST"),
    ],
)
async def test_what_the_service_refuses_is_told_with_what_to_do(
    service: Service, call: str, name: str, told: str, reason: str
) -> None:
    service.fail = {call: [getattr(service, name)] * 2}
    link: ChipLink | None = None
    with pytest.raises(DeviceFault) as fault:  # noqa: PT012 - each step may be the one
        link = await opened()
        await link.power_on(())
        await link.reset()
        await link.transmit(SELECT)
    assert told in str(fault.value)
    assert fault.value.reason == error_pb2.Reason.Value(f"REASON_{reason}")
    if link is not None:
        await link.close()
    assert service.calls[-1] == ("establish" if call == "establish" else "release")


async def test_a_card_that_was_changed_unnoticed_is_powered_anew_under_its_own_protocol(service: Service) -> None:
    service.noticed = list(bytes.fromhex("3BF81300008131FE454A434F5076323431B7"))  # T=1
    link = await opened()
    assert await link.power_on(()) == (BOTH_ATR, 0)
    assert service.calls[-4:] == ["connect Invented CI 00 00", "status", "restart", "status"]
    await link.close()


async def test_a_contactless_reader_that_refuses_t_0_is_opened_with_t_1(service: Service) -> None:
    service.fail = {"connect Invented PICC 01 00": [getattr(service, "SCARD_E_PROTO_MISMATCH")]}  # noqa: B009
    link = await opened("pcsc://Invented%20PICC")
    await link.power_on(())
    assert service.mask == 3
    await link.close()


async def test_a_code_that_nobody_knows_is_told_by_its_number(service: Service) -> None:
    service.fail = {"reset": [0x80100077]}
    link = await opened()
    await link.power_on(())
    with pytest.raises(DeviceFault, match="0x80100077"):
        await link.reset()
    await link.close()


async def test_a_card_that_never_comes_is_not_answering(service: Service) -> None:
    service.absent = 1_000_000
    link = await opened()
    link.card_seconds = 0
    with pytest.raises(DeviceFault, match="no card at the contacts") as fault:
        await link.power_on(())
    assert fault.value.reason == error_pb2.REASON_CHIP_NOT_ANSWERING
    with pytest.raises(DeviceFault, match="not powered"):
        await link.transmit(SELECT)
    await link.close()


def test_a_reader_is_picked_by_its_name_or_a_beginning_that_no_other_has() -> None:
    names = ["A 00", "A 00 01", "B 00"]
    assert pick_reader("A 00", names) == "A 00"
    assert pick_reader("B", names) == "B 00"
    for wanted, there, told in [
        ("A", names, "several readers begin so; there are: A 00; A 00 01"),
        ("C", names, "there is no such reader; there are: A 00; A 00 01; B 00"),
        ("C", [], "there is no such reader; there is none"),
    ]:
        with pytest.raises(LinkFault) as fault:
            pick_reader(wanted, there)
        assert told in str(fault.value)
        assert fault.value.reason == error_pb2.REASON_DEVICE_OFFLINE


async def test_without_pyscard_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.scard", None)
    with pytest.raises(CountertopError, match=r"pip install 'countertop\[pcsc\]'") as refused:
        await open_chip("pcsc://Reader")
    assert refused.value.reason == error_pb2.REASON_NOT_SUPPORTED
