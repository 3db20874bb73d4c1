"""The SDT driver, recorded against its emulator and played back."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import reduce
from operator import xor
from pathlib import Path
from typing import Any

import pytest

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.sdt.driver import SdtOptions, SdtReader
from countertop.drivers.sdt.masked_card import INVENTED
from countertop.emulators.sdt import emulator as sdt
from countertop.emulators.sdt.card import default_resident
from countertop.sdk import DeviceFault, LinkFault, parse_link
from countertop.sdk.trace.reading import read_trace
from countertop.sdk.trace.sealing import Unsealer, new_key_pair
from countertop.testing.conformance._run import RecordingRun
from countertop.testing.replaying import Recording, replayed
from countertop.v1 import error_pb2
from countertop.v1.id_reader_pb2 import ReadRequest
from countertop.v1.identity_pb2 import IdentityDocument

TRACES = Path(__file__).parent / "traces"
OPTIONS = {"find_interval_ms": 20, "answer_seconds": 0.6, "read_seconds": 0.6}
ALL = ReadRequest(photo=True, fingerprints=True, additional_address=True)
NAME, NUMBER, ADDRESS = "测试独名", "320106197803151234", "独一路 77 号"
SAM_ID = "05.03-20260101-0000777777-1234567890"


def document() -> IdentityDocument:
    found = default_resident()
    found.person.name, found.number, found.person.address = NAME, NUMBER, ADDRESS
    return found


@asynccontextmanager
async def recorded(recording: Recording, **options: Any) -> AsyncIterator[tuple[SdtReader, sdt.SdtEmulator]]:
    """A driver on its emulator, with the link recorded."""
    emulator = await sdt.start({"speed": 0, "sam_id": SAM_ID, **options})
    try:
        reader = SdtReader(parse_link(emulator.link_url), SdtOptions(**OPTIONS))
        await reader.record_links(recording.recorder)
        await reader.connect()
        try:
            yield reader, emulator
        finally:
            await reader.disconnect()
    finally:
        await emulator.close()


async def visit(recording: Recording) -> IdentityDocument:
    async with recorded(recording) as (reader, emulator):
        await reader.status()
        await emulator.insert_card(bench.InsertCardRequest(card=document()))
        result = await reader.read(ALL, RecordingRun())
        return result.document


def text_of(path: Path) -> str:
    return path.read_text()


@pytest.fixture
async def trace(tmp_path: Path) -> Path:
    recording = Recording()
    assert (await visit(recording)).person.name == NAME
    assert recording.error is None
    return recording.save(tmp_path / "visit.trace")


async def test_a_visit_is_played_back_with_an_invented_person(trace: Path) -> None:
    async with replayed(trace, SdtReader, OPTIONS) as driver:
        await driver.status()
        found = (await driver.read(ALL, RecordingRun())).document
    assert found.person.name == INVENTED["name"]
    assert found.number == INVENTED["number"]
    assert found.person.address == INVENTED["address"]
    assert len(found.photo.raw) == 1024
    assert len(found.fingerprints) == len(document().fingerprints)
    assert all(check.passed for check in found.checks)


async def test_nothing_of_the_person_nor_of_the_module_is_in_the_recording(trace: Path) -> None:
    (section,) = read_trace(trace)
    sent = b"".join(entry.data for entry in section.entries if entry.mark == ">")
    came = b"".join(entry.data for entry in section.entries if entry.mark == "<")
    text = text_of(trace)
    for secret in (NAME, NUMBER, ADDRESS, NUMBER[6:14]):
        for encoding in ("utf-16-le", "utf-8"):
            assert secret.encode(encoding) not in sent + came
            assert secret.encode(encoding).hex(" ") not in text
        assert secret not in text
    assert (777777).to_bytes(4, "little") not in came
    assert "/dev/" not in text
    assert INVENTED["name"].encode("utf-16-le") in came


async def test_frames_keep_their_lengths_and_have_right_checksums(trace: Path) -> None:
    (section,) = read_trace(trace)
    came = b"".join(entry.data for entry in section.entries if entry.mark == "<")
    count = 0
    while came:
        assert came.startswith(bytes.fromhex("AAAAAA9669"))
        length = int.from_bytes(came[5:7], "big")
        frame, came = came[5 : 7 + length], came[7 + length :]
        assert not reduce(xor, frame)
        count += 1
    assert count >= 6


async def test_a_strict_replay_names_the_line_where_the_driver_deviates(trace: Path) -> None:
    lines = text_of(trace).splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("> ") and "30 10" in line)
    async with replayed(trace, SdtReader, OPTIONS) as driver:
        await driver.status()
        with pytest.raises(LinkFault) as caught:
            await driver.read(ReadRequest(), RecordingRun())  # without fingerprints: another command
    assert caught.value.reason == error_pb2.REASON_LINK_LOST
    assert f"at line {place + 1}, byte 8" in caught.value.message
    assert "expected 10 " in caught.value.message
    assert "got 01 " in caught.value.message


async def test_a_strict_replay_ends_where_the_recording_does(trace: Path) -> None:
    async with replayed(trace, SdtReader, OPTIONS) as driver:
        await driver.status()
        await driver.read(ALL, RecordingRun())
        with pytest.raises(LinkFault, match="it has ended") as caught:
            await driver.status()
    assert caught.value.reason == error_pb2.REASON_LINK_LOST


async def test_a_tolerant_replay_answers_polls_as_often_as_they_come(trace: Path) -> None:
    async with replayed(trace, SdtReader, OPTIONS, mode="tolerant") as driver:
        for _ in range(5):
            await driver.status()
        found = (await driver.read(ALL, RecordingRun())).document
        assert found.number == INVENTED["number"]
        assert (await driver.read(ALL, RecordingRun())).document.number == INVENTED["number"]


async def test_a_tolerant_replay_names_the_line_of_what_it_does_not_have(trace: Path) -> None:
    async with replayed(trace, SdtReader, OPTIONS, mode="tolerant") as driver:
        with pytest.raises(LinkFault, match=r"line \d+, byte \d+: expected .*, got .*10 ff"):
            await driver.reset(None, RecordingRun())


async def test_the_recorded_pace_is_kept(tmp_path: Path) -> None:
    recording = Recording()
    async with recorded(recording):
        pass
    text, count = re.subn(r"^< ", "+250\n< ", recording.text, flags=re.MULTILINE)
    path = tmp_path / "slow.trace"
    path.write_text(text)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with replayed(path, SdtReader, OPTIONS, pace="recorded"):
        assert loop.time() - began >= 0.25 * count - 0.05


async def test_a_cable_that_is_pulled_is_pulled_in_the_replay(tmp_path: Path) -> None:
    recording = Recording()
    async with recorded(recording) as (reader, emulator):
        await emulator.unplug(bench.UnplugRequest())
        with pytest.raises(LinkFault) as first:
            await reader.status()
    path = recording.save(tmp_path / "pulled.trace")
    async with replayed(path, SdtReader, OPTIONS) as driver:
        with pytest.raises(LinkFault) as again:
            await driver.status()
    assert again.value.reason == first.value.reason
    assert again.value.got == first.value.got


async def test_a_port_that_is_not_there_is_not_there_in_the_replay(tmp_path: Path) -> None:
    recording = Recording()
    reader = SdtReader(parse_link(f"serial://{tmp_path}/secret-port"), SdtOptions())
    await reader.record_links(recording.recorder)
    with pytest.raises(LinkFault):
        await reader.connect()
    assert "secret" not in recording.text
    with pytest.raises(LinkFault) as caught:
        async with replayed(recording.save(tmp_path / "missing.trace"), SdtReader):
            pass
    assert caught.value.reason == error_pb2.REASON_DEVICE_OFFLINE
    assert caught.value.step == "open"


async def test_each_opening_is_a_section_of_its_own(tmp_path: Path) -> None:
    recording = Recording()
    async with recorded(recording):
        pass
    assert (await visit(recording)).person.name == NAME
    path = recording.save(tmp_path / "two.trace")
    assert len(read_trace(path)) == 2
    async with replayed(path, SdtReader, OPTIONS, opening=2) as driver:
        await driver.status()
        assert (await driver.read(ALL, RecordingRun())).document.number == INVENTED["number"]
    with pytest.raises(LinkFault, match="opened 2 times"):
        async with replayed(path, SdtReader, OPTIONS, opening=3):
            pass


async def test_an_encrypted_recording_shows_nothing_and_is_played_with_its_key(tmp_path: Path) -> None:
    private, public = new_key_pair()
    recording = Recording(encrypt_to=public.decode())
    assert (await visit(recording)).person.name == NAME
    path, key = recording.save(tmp_path / "sealed.trace"), tmp_path / "key.pem"
    key.write_bytes(private)
    assert not re.search(r"^[<>!=+]", recording.text, re.MULTILINE)
    assert NUMBER.encode("utf-16-le").hex(" ") not in recording.text
    with pytest.raises(LinkFault, match="the key of this encrypted recording"):
        async with replayed(path, SdtReader, OPTIONS):
            pass
    async with replayed(path, SdtReader, OPTIONS, key=key) as driver:
        await driver.status()
        assert (await driver.read(ALL, RecordingRun())).document.number == NUMBER
        with pytest.raises(LinkFault, match="ended"):
            await driver.status()
    assert len(read_trace(path, Unsealer(private))[0].entries) > 10


async def test_deviations_from_an_encrypted_recording_show_no_bytes(tmp_path: Path) -> None:
    private, public = new_key_pair()
    recording = Recording(encrypt_to=public.decode())
    await visit(recording)
    path, key = recording.save(tmp_path / "sealed.trace"), tmp_path / "key.pem"
    key.write_bytes(private)
    async with replayed(path, SdtReader, OPTIONS, key=key) as driver:
        with pytest.raises(DeviceFault, match=r"expected \d+ bytes, got \d+ bytes"):
            await driver.reset(None, RecordingRun())


async def test_the_checked_in_recording_still_plays() -> None:
    async with replayed(TRACES / "sdt-visit.trace", "sdt", OPTIONS) as driver:
        await driver.status()
        found = (await driver.read(ALL, RecordingRun())).document
        assert (found.person.name, found.number) == (INVENTED["name"], INVENTED["number"])
        assert found.fingerprints[0].position == 11
        with pytest.raises(LinkFault, match="ended"):
            await driver.status()
