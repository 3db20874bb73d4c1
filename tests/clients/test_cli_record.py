"""`countertop record`, end to end: a daemon with an emulated reader, a recording, its replay."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from countertop.cli import main
from countertop.cli.commands.record import Tally
from countertop.client import connect, sync
from countertop.client.errors import CountertopError
from countertop.sdk.trace.reading import parse_trace, read_trace
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.testing.replaying import replayed
from countertop.v1 import device_pb2

CLI = [sys.executable, "-m", "countertop.cli"]
READY = device_pb2.DEVICE_STATE_READY
LIMIT = 20
OPTIONS = {"find_interval_ms": 20}


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """A daemon with an emulated reader."""
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
        devices=[DeviceConfig(id="reader", emulator="sdt", options=OPTIONS, emulator_options={"speed": 0})],
    )
    async with Daemon(config) as daemon, connect(daemon.addresses[0]) as counter:
        async with asyncio.timeout(LIMIT):
            async for response in counter.watch():
                devices = response.snapshot.devices or [response.event.device_changed]
                if any(device.state == READY for device in devices):
                    break
        yield SimpleNamespace(address=daemon.addresses[0], counter=counter, folder=tmp_path)


async def begin(terminal: SimpleNamespace, *words: str) -> asyncio.subprocess.Process:
    """`countertop record` in a process of its own, once its file has begun."""
    process = await asyncio.create_subprocess_exec(
        *CLI, "record", "reader", "--address", terminal.address, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out = Path(words[words.index("--out") + 1])
    await until(out, b"\ndriver: ")
    return process


async def until(path: Path, text: bytes, times: int = 1) -> None:
    """Wait until the file, which another process writes, has a text so often."""

    def there() -> bool:
        return path.exists() and path.read_bytes().count(text) >= times

    async with asyncio.timeout(LIMIT):
        while not there():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def end(process: asyncio.subprocess.Process) -> str:
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0, err.decode()
    return out.decode()


async def visit(terminal: SimpleNamespace) -> Any:
    bench, reader = terminal.counter.bench, terminal.counter.id_reader("reader")
    await bench.insert_card("reader")
    return await reader.read(photo=True)


async def test_a_field_bug_becomes_a_regression_test(terminal: SimpleNamespace) -> None:
    path = terminal.folder / "visit.trace"
    process = await begin(terminal, "--out", str(path))
    document = (await visit(terminal)).document
    await until(path, b"> aa aa aa 96 69 00 03 30 01 32")
    told = await end(process)
    assert str(path) in told
    assert "entries" in told
    text = path.read_text()
    assert text.endswith("\n")
    (section,) = read_trace(path)
    came = b"".join(entry.data for entry in section.entries if entry.mark == "<")
    assert document.number.encode("utf-16-le") not in came
    assert document.person.name.encode("utf-16-le") not in came
    async with replayed(path, "sdt", OPTIONS, mode="tolerant") as driver:
        assert (await driver.status()).media == device_pb2.MEDIA_STATE_NOT_PRESENT


async def test_an_encrypted_recording_is_read_with_the_key_that_was_made(
    terminal: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    key, path = terminal.folder / "field.pem", terminal.folder / "sealed.trace"
    assert main(["record", "--new-key", str(key)]) == 0
    told = capsys.readouterr().out
    public = terminal.folder / "field.pub.pem"
    assert str(public) in told
    assert key.stat().st_mode & 0o777 == 0o600
    assert main(["record", "--new-key", str(key)]) == 1
    assert "File exists" in capsys.readouterr().err
    process = await begin(terminal, "--out", str(path), "--encrypt-to", str(public), "--json")
    await until(path, b"\n* ", 6)
    facts = json.loads(await end(process))
    assert facts["encrypted"] is True
    assert facts["openings"] == 1
    assert facts["entries"] >= 6
    async with replayed(path, "sdt", OPTIONS, key=key) as driver:
        assert driver.url.scheme == "serial"


async def test_it_ends_by_itself_after_the_seconds_given(terminal: SimpleNamespace) -> None:
    path = terminal.folder / "short.trace"
    process = await begin(terminal, "--out", str(path), "--seconds", "1")
    out, err = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 0, err.decode()
    assert str(path) in out.decode()
    assert read_trace(path)


async def run(*words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(*CLI, "record", *words, stderr=subprocess.PIPE)
    _, err = await asyncio.wait_for(process.communicate(), LIMIT)
    return process.returncode or 0, err.decode()


async def test_what_cannot_be_is_told_and_leaves_no_file(terminal: SimpleNamespace) -> None:
    path = terminal.folder / "x.trace"
    code, told = await run("nobody", "--out", str(path), "--address", terminal.address)
    assert code == 1
    assert "countertop devices" in told
    assert not path.exists()
    path.write_text("mine")
    code, told = await run("reader", "--out", str(path), "--address", terminal.address)
    assert code == 1
    assert "File exists" in told
    assert path.read_text() == "mine"
    code, told = await run("reader")
    assert code == 1
    assert "--out" in told


async def test_a_second_recorder_is_told_to_wait(terminal: SimpleNamespace) -> None:
    process = await begin(terminal, "--out", str(terminal.folder / "one.trace"))
    with pytest.raises(CountertopError, match="recorded already") as caught:
        async for _ in terminal.counter.record("reader"):
            pass
    assert caught.value.reason_name == "LINK_RECORDED"
    await end(process)


async def test_the_blocking_client_records_too(terminal: SimpleNamespace) -> None:
    def work() -> list[str]:
        with sync.connect(terminal.address) as counter:
            lines = []
            for line in counter.record("reader"):
                lines.append(line)
                if len(lines) > 15:
                    return lines
        return []

    lines = await asyncio.to_thread(work)
    assert lines[0] == ""
    assert parse_trace(lines)[0].header.driver == "sdt"


def test_the_tally_counts_what_the_file_holds() -> None:
    tally = Tally()
    for line in ["", "countertop-trace 1", "driver: x", "+3", "> 01 02", "  03", "< 04", "! send LINK_LOST ab cd"]:
        tally.take(line)
    assert (tally.openings, tally.entries, tally.bytes) == (1, 3, 4)
