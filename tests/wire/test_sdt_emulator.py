"""The emulated reader of resident ID cards over its real pty, with pyserial as a client that knows nothing of us."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import pytest
import serial
from google.protobuf.duration_pb2 import Duration

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.plugin import countertop_decode_photo, countertop_emulators
from countertop.emulators.sdt.card import default_resident, encode_card
from countertop.emulators.sdt.emulator import SdtEmulator, start
from countertop.v1 import identity_pb2
from countertop.v1.identity_pb2 import IdentityDocument

LIMIT = 5.0
PREAMBLE = b"\xaa\xaa\xaa\x96\x69"
STATUS, SAM_ID, FIND, SELECT, READ, READ_FINGERS, ADDRESS = (
    bytes.fromhex(f"AAAAAA96690003{tail}")
    for tail in ("11FFED", "12FFEE", "200122", "200221", "300132", "301023", "300330")
)

Start = Callable[..., Awaitable[SdtEmulator]]


class Client:
    """A program that talks to a card reader over a COM port."""

    def __init__(self, emulator: SdtEmulator, baud: int = 115200) -> None:
        path = emulator.link_url.removeprefix("serial://").partition("?")[0]
        self.port = serial.Serial(path, baud, timeout=LIMIT)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.port.close()

    async def ask(self, frame: bytes) -> bytes:
        """The whole reply from the preamble on, whatever noise comes before it."""
        return await asyncio.to_thread(self._ask, frame)

    def _ask(self, frame: bytes) -> bytes:
        self.port.timeout = LIMIT
        self.port.write(frame)
        self.port.read_until(PREAMBLE)
        length = self.port.read(2)
        return PREAMBLE + length + self.port.read(int.from_bytes(length, "big"))

    async def sw3(self, frame: bytes) -> int:
        reply = await self.ask(frame)
        assert not reduce(xor, reply[5:]), "the reply's checksum holds"
        return reply[9]

    async def card(self, command: bytes = READ) -> bytes:
        """Find, select and read; the reply's data."""
        assert await self.sw3(FIND) == 0x9F
        assert await self.sw3(SELECT) == 0x90
        reply = await self.ask(command)
        assert reply[9] == 0x90
        return reply[10:-1]

    async def silent(self, frame: bytes) -> bool:
        """Nothing comes in answer within 0.3 s."""
        self.port.timeout = 0.3
        self.port.write(frame)
        return await asyncio.to_thread(self.port.read, 11) == b""


@pytest.fixture
async def starting() -> AsyncIterator[Start]:
    """Starts readers that are closed at the end; they boot and read at once unless told otherwise."""
    running: list[SdtEmulator] = []

    async def begin(**options: Any) -> SdtEmulator:
        emulator = await start({"boot_seconds": 0, "read_seconds": 0, **options})
        running.append(emulator)
        return emulator

    yield begin
    for emulator in running:
        await emulator.close()


async def lay(emulator: SdtEmulator, document: IdentityDocument | None = None) -> None:
    await emulator.insert_card(bench.InsertCardRequest(card=document))


async def lift(emulator: SdtEmulator) -> bool:
    return (await emulator.remove_card(bench.RemoveCardRequest())).removed


async def inject(emulator: SdtEmulator, fault: str, **how: Any) -> None:
    await emulator.inject_fault(bench.InjectFaultRequest(fault=fault, **how))


# A visit


async def test_the_announced_emulator_starts_and_names_its_port() -> None:
    (spec,) = (spec for spec in countertop_emulators() if spec.name == "sdt")
    emulator = await spec.start({})
    assert emulator.link_url.startswith("serial:///")
    assert emulator.link_url.endswith("?baud=115200")
    await emulator.close()
    await emulator.close()


async def test_a_whole_visit(starting: Start) -> None:
    emulator = await starting(read_seconds=0.05)
    with Client(emulator) as client:
        assert await client.sw3(STATUS) == 0x90
        assert len(await client.ask(SAM_ID)) == 27
        assert await client.sw3(FIND) == 0x80
        await lay(emulator)
        data = await client.card()
        assert data[:4] == b"\x01\x00\x04\x00"
        assert len(data) == 4 + 256 + 1024
        assert data[4:10].decode("utf-16-le") == "李小样"
        assert await client.sw3(FIND) == 0x80
        assert await client.sw3(ADDRESS) == 0x90
        assert await lift(emulator)
        assert not await lift(emulator)
        assert await client.sw3(ADDRESS) == 0x41
        await lay(emulator)
        assert await client.sw3(FIND) == 0x9F


async def test_the_photo_is_decoded_through_the_plugin(starting: Start) -> None:
    emulator = await starting(card=True)
    with Client(emulator) as client:
        raw = (await client.card())[260:]
    image = countertop_decode_photo(raw, "wlt")
    assert image is not None
    assert (image.width, image.height) == (102, 126)
    assert countertop_decode_photo(raw, "jpeg") is None


async def test_a_card_can_be_read_with_fingerprints(starting: Start) -> None:
    emulator = await starting(card=True)
    with Client(emulator) as client:
        data = await client.card(READ_FINGERS)
    assert data[:6] == b"\x01\x00\x04\x00\x04\x00"
    assert len(data) == 6 + 256 + 1024 + 1024
    assert data[6 + 1280 : 6 + 1281] == b"C"


# The four layouts: offset and length in bytes, and what stands there

RESIDENT = default_resident()
PERSON = identity_pb2.Person(
    name="陈大文",
    latin_name="",
    sex=identity_pb2.SEX_MALE,
    birth_date="1985-12-31",
    address="样例省样例市示范路１０号",
    nationality="XXA",
)


def document(**fields: Any) -> IdentityDocument:
    person = identity_pb2.Person()
    person.CopyFrom(PERSON)
    person.latin_name = fields.pop("latin_name", "")
    return IdentityDocument(person=person, valid_from="2024-02-29", **fields)


PERMIT = document(
    number="810000198512310017",
    issuing_authority="样例市公安局",
    valid_until="2029-02-28",
    hk_macao_taiwan_permit=identity_pb2.HkMacaoTaiwanPermit(pass_number="H00000000", issue_count="01"),
)
FOREIGNER_2017 = document(
    number="XXA000085123101",
    latin_name="SPECIMEN, PERSON OF INVENTED NAME",
    valid_until="2034-02-28",
    foreign_permanent_resident_2017=identity_pb2.ForeignPermanentResident2017(card_version="01", authority_code="9999"),
)
FOREIGNER_2023 = document(
    number="911XXA198512310010",
    latin_name="SPECIMEN PERSON WITH A NAME THAT OVERFLOWS BIT",
    valid_long_term=True,
    foreign_permanent_resident_2023=identity_pb2.ForeignPermanentResident2023(renewals="02", old_number_link="AB7"),
)


@pytest.mark.parametrize(
    ("card", "fields"),
    [
        pytest.param(
            RESIDENT,
            {
                (0, 30): "李小样",
                (30, 2): "2",
                (32, 4): "01",
                (36, 16): "19900307",
                (52, 70): RESIDENT.person.address,
                (122, 36): RESIDENT.number,
                (158, 30): "样例市公安局示范分局",
                (188, 16): "20200115",
                (204, 16): "20400115",
                (220, 36): "",
            },
            id="resident",
        ),
        pytest.param(
            PERMIT,
            {
                (0, 30): "陈大文",
                (30, 2): "1",
                (32, 4): "",
                (36, 16): "19851231",
                (52, 70): "样例省样例市示范路１０号",
                (122, 36): "810000198512310017",
                (158, 30): "样例市公安局",
                (188, 16): "20240229",
                (204, 16): "20290228",
                (220, 18): "H00000000",
                (238, 4): "01",
                (242, 6): "",
                (248, 2): "J",
                (250, 6): "",
            },
            id="Hong Kong, Macao, Taiwan",
        ),
        pytest.param(
            FOREIGNER_2017,
            {
                (0, 120): "SPECIMEN, PERSON OF INVENTED NAME",
                (120, 2): "1",
                (122, 30): "XXA000085123101",
                (152, 6): "XXA",
                (158, 30): "陈大文",
                (188, 16): "20240229",
                (204, 16): "20340228",
                (220, 16): "19851231",
                (236, 4): "01",
                (240, 8): "9999",
                (248, 2): "I",
                (250, 6): "",
            },
            id="foreigner 2017",
        ),
        pytest.param(
            FOREIGNER_2023,
            {
                (0, 30): "陈大文",
                (30, 2): "1",
                (32, 4): "02",
                (36, 16): "19851231",
                (52, 70): "SPECIMEN PERSON WITH A NAME THAT OV",
                (122, 36): "911XXA198512310010",
                (158, 30): "",
                (188, 16): "20240229",
                (204, 16): "长期",
                (220, 22): "ERFLOWS BIT",
                (242, 6): "XXA",
                (248, 2): "Y",
                (250, 6): "AB7",
            },
            id="foreigner 2023",
        ),
    ],
)
async def test_each_kind_of_card_has_its_layout(
    starting: Start, card: IdentityDocument, fields: dict[tuple[int, int], str]
) -> None:
    emulator = await starting()
    await lay(emulator, card)
    with Client(emulator) as client:
        text = (await client.card())[4:260]
    assert sum(size for _, size in fields) == 256, "the fields cover the whole text area"
    for (offset, size), expected in fields.items():
        assert text[offset : offset + size].decode("utf-16-le") == expected.ljust(size // 2), f"at {offset}"


async def test_a_type_that_no_card_has_is_refused(starting: Start) -> None:
    emulator = await starting()
    wrong = IdentityDocument(person=PERSON)
    wrong.type = 99  # type: ignore[assignment]
    with pytest.raises(ValueError, match="type: expected"):
        await lay(emulator, wrong)


# Power and plug


async def test_a_booting_reader_does_not_answer(starting: Start) -> None:
    emulator = await starting(boot_seconds=1)
    with Client(emulator) as client:
        assert await client.silent(STATUS)
        async with asyncio.timeout(LIMIT):
            while await client.silent(STATUS):
                pass
        await emulator.power_cycle(bench.PowerCycleRequest())
        assert await client.silent(STATUS)


async def test_an_instant_clock_needs_no_waiting(starting: Start) -> None:
    emulator = await starting(speed=0, boot_seconds=3600, read_seconds=3600, card=True)
    with Client(emulator) as client:
        assert len(await client.card()) == 1284


async def test_pulling_the_plug_ends_the_client_and_the_same_name_comes_back(starting: Start, tmp_path: Path) -> None:
    emulator = await starting(pty=str(tmp_path / "reader"), card=True)
    url = emulator.link_url
    with Client(emulator) as client:
        await client.card()
        await emulator.unplug(bench.UnplugRequest())
        with pytest.raises((serial.SerialException, OSError)):
            await client.ask(STATUS)
    assert not (tmp_path / "reader").is_symlink()
    await emulator.replug(bench.ReplugRequest())
    assert emulator.link_url == url
    with Client(emulator) as client:
        assert await client.sw3(FIND) == 0x9F, "the card lies there and is new to the reader"


async def test_pulling_the_plug_while_it_reads_leaves_nothing_behind(starting: Start) -> None:
    emulator = await starting(read_seconds=30, card=True)
    with Client(emulator) as client:
        assert await client.sw3(FIND) == 0x9F
        assert await client.sw3(SELECT) == 0x90
        assert await client.silent(READ)
        await emulator.unplug(bench.UnplugRequest())
    await emulator.replug(bench.ReplugRequest())
    with Client(emulator) as client:
        assert await client.sw3(STATUS) == 0x90


async def test_lifting_the_card_while_it_is_read_fails_the_read(starting: Start) -> None:
    emulator = await starting(read_seconds=30, card=True)
    with Client(emulator) as client:
        assert await client.sw3(FIND) == 0x9F
        assert await client.sw3(SELECT) == 0x90
        reading = asyncio.create_task(client.ask(READ))
        await asyncio.wait({reading}, timeout=0.2)
        assert not reading.done()
        await lift(emulator)
        assert (await reading)[9] == 0x41
        assert await client.sw3(FIND) == 0x80


async def test_a_client_at_another_rate_is_not_understood_until_both_agree(starting: Start) -> None:
    emulator = await starting()
    with Client(emulator, baud=9600) as client:
        assert await client.silent(STATUS)
        client.port.baudrate = 115200
        assert await client.sw3(bytes.fromhex("AAAAAA96690003600467")) == 0x90
        assert await client.silent(STATUS)
        client.port.baudrate = 9600
        assert await client.sw3(STATUS) == 0x90


async def test_clients_come_and_go_without_the_reader_noticing(starting: Start) -> None:
    emulator = await starting(card=True)
    with Client(emulator) as client:
        await client.card()
    with Client(emulator) as client:
        assert await client.sw3(FIND) == 0x80
        assert await client.sw3(ADDRESS) == 0x90


# Faults


async def test_all_faults_are_listed_and_unknown_ones_are_refused(starting: Start) -> None:
    emulator = await starting()
    await inject(emulator, "mute")
    listed = (await emulator.list_faults(bench.ListFaultsRequest())).faults
    assert {fault.name for fault in listed if fault.active} == {"mute"}
    assert {fault.name for fault in listed} == {
        *("stall", "slow-drain", "disconnect", "mute", "corrupt-reply", "noise", "split-replies"),
        *("wrong-checksum", "wrong-length", "read-fails", "card-rejects-sam", "sam-rejects-card", "unknown-card"),
        *("remove-while-reading", "self-test-failed", "not-authorised"),
    }
    assert all(fault.description.endswith(".") for fault in listed)
    with pytest.raises(ValueError, match="expected one of stall"):
        await inject(emulator, "gremlins")
    await emulator.clear_fault(bench.ClearFaultRequest())
    assert not any(fault.active for fault in (await emulator.list_faults(bench.ListFaultsRequest())).faults)


async def test_a_mute_reader_says_nothing_once(starting: Start) -> None:
    emulator = await starting()
    await inject(emulator, "mute", times=1)
    with Client(emulator) as client:
        assert await client.silent(STATUS)
        assert await client.sw3(STATUS) == 0x90


async def test_a_stalled_reader_answers_late(starting: Start) -> None:
    emulator = await starting()
    await inject(emulator, "stall")
    with Client(emulator) as client:
        assert await client.silent(STATUS)
        await emulator.clear_fault(bench.ClearFaultRequest(fault="stall"))
        assert (await client.ask(b""))[9] == 0x90


async def test_a_fault_can_end_after_a_time(starting: Start) -> None:
    emulator = await starting(speed=0)
    await inject(emulator, "self-test-failed", duration=Duration(seconds=3600))
    async with asyncio.timeout(LIMIT):
        with Client(emulator) as client:
            while await client.sw3(STATUS) == 0x60:
                pass


async def test_noise_and_splitting_leave_the_reply_whole(starting: Start) -> None:
    emulator = await starting(card=True)
    await inject(emulator, "noise")
    await inject(emulator, "split-replies")
    with Client(emulator) as client:
        assert len(await client.card()) == 1284


async def test_a_corrupt_reply_differs_in_one_bit(starting: Start) -> None:
    emulator = await starting(seed=3)
    await inject(emulator, "corrupt-reply", times=1)
    with Client(emulator) as client:
        await asyncio.to_thread(client.port.write, STATUS)
        reply = await asyncio.to_thread(client.port.read, 11)
    good = bytes.fromhex("AAAAAA9669000400009094")
    assert sum((a ^ b).bit_count() for a, b in zip(reply, good, strict=True)) == 1


async def test_the_link_breaks_in_the_middle_of_a_command_and_comes_back(starting: Start) -> None:
    emulator = await starting()
    await inject(emulator, "disconnect", after_bytes=4)
    with Client(emulator) as client, pytest.raises((serial.SerialException, OSError)):
        await client.ask(STATUS)
    await emulator.clear_fault(bench.ClearFaultRequest(fault="disconnect"))
    with Client(emulator) as client:
        assert await client.sw3(STATUS) == 0x90


async def test_a_card_pulled_when_reading_begins_is_gone(starting: Start) -> None:
    emulator = await starting(card=True)
    await inject(emulator, "remove-while-reading", times=1)
    with Client(emulator) as client:
        assert [await client.sw3(frame) for frame in (FIND, SELECT, READ, FIND)] == [0x9F, 0x90, 0x41, 0x80]
    assert not await lift(emulator)


async def test_closing_with_a_standing_disconnect_leaves_no_port(starting: Start, tmp_path: Path) -> None:
    emulator = await starting(pty=str(tmp_path / "reader"))
    await inject(emulator, "disconnect")
    await emulator.close()
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - only the names count


async def test_a_reader_puts_nothing_into_the_world(starting: Start) -> None:
    emulator = await starting()
    assert await emulator.get_output(bench.GetOutputRequest()) == bench.GetOutputResponse()


# Options


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"colour": "red"}, "colour: expected one of the options pty, boot_seconds"),
        ({"boot_seconds": -1}, "boot_seconds: expected"),
        ({"boot_seconds": True}, "boot_seconds: expected"),
        ({"read_seconds": 1e9}, "read_seconds: expected"),
        ({"speed": "fast"}, "speed: expected"),
        ({"speed": float("nan")}, "speed: expected"),
        ({"sam_id": "17"}, "sam_id: expected"),
        ({"sam_id": 17}, "sam_id: expected"),
        ({"card": 1}, "card: expected"),
        ({"seed": 1.5}, "seed: expected"),
        ({"lift_after_error": "yes"}, "lift_after_error: expected"),
        ({"pty": ""}, "pty: expected"),
    ],
)
async def test_a_mistake_in_the_options_names_the_option(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        await start(options)


async def test_a_path_that_is_taken_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reader").write_text("somebody's file")
    with pytest.raises(ValueError, match="pty: expected a free name"):
        await start({"pty": str(tmp_path / "reader")})


async def test_nothing_is_leaked_by_starting_and_closing() -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only the number counts

    await (await start({})).close()
    before = opened()
    for _ in range(5):
        await (await start({})).close()
    assert opened() == before


def test_the_default_card_fits() -> None:
    assert len(encode_card(default_resident()).text) == 256
