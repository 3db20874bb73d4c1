"""The pytest plugin as somebody else's suite uses it, and that terminals leave nothing behind."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from pathlib import Path

import pytest

from countertop.client import CountertopError
from countertop.testing._loop import shared_loop
from countertop.testing.terminal import DEVICES, EmulatedTerminal
from countertop.v1 import device_pb2, error_pb2

pytest_plugins = ("pytester",)

USES = int(os.environ.get("COUNTERTOP_TERMINAL_USES", "25"))
"""500 in `python -m benchmarks terminal`."""

QUIET = ("-p", "no:cacheprovider", "-p", "no:asyncio")
"""The suite needs no plugin for asyncio."""

SUITE = """
import asyncio
import pytest
from countertop.v1.receipt_pb2 import Block, Paragraph, Receipt, Span

def test_a_card_is_read(id_reader, bench):
    bench.insert_card()
    assert id_reader.read().document.number

def test_every_device_has_its_fixture(id_reader, receipt_printer, signature_pad, card_printer, camera, counter):
    assert len(counter.devices()) == 5
    assert camera.frame().data.startswith(b"\\xff\\xd8")

@pytest.mark.terminal(devices=["receipt-printer"])
def test_only_what_is_asked_for_is_there(counter):
    assert [device.id for device in counter.devices()] == ["receipt-printer"]

@pytest.mark.terminal(
    devices=[{"id": "slips", "emulator": "escpos"}], faults={"slips": {"fault": "paper-near-end"}}
)
def test_something_is_wrong_from_the_start(bench):
    assert "paper-near-end" in [fault.name for fault in bench.faults("slips") if fault.active]

def test_an_asynchronous_app(terminal, bench):
    async def app():
        async with terminal.connect() as counter:
            bench.insert_card()
            return await counter.id_reader().read()
    assert asyncio.run(app()).document.number

def test_a_restart_keeps_the_journal(terminal, counter, receipt_printer):
    receipt = Receipt(blocks=[Block(paragraph=Paragraph(spans=[Span(text="Total")]))])
    receipt_printer.print(receipt, operation_id="first")
    terminal.restart()
    assert counter.operations.get("first").id == "first"
"""

FAILING = """
from countertop.v1.receipt_pb2 import Block, Paragraph, Receipt, Span

def test_it_fails(receipt_printer, bench):
    receipt_printer.print(Receipt(blocks=[Block(paragraph=Paragraph(spans=[Span(text="Total 12.30")]))]))
    assert not bench.output()
"""


@pytest.fixture
def temporary(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the suite's terminals have their folders."""
    folder = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_suite_runs_and_leaves_nothing(pytester: pytest.Pytester, temporary: Path, workers: tuple[str, ...]) -> None:
    pytester.makepyfile(test_app=SUITE)
    result = pytester.runpytest_subprocess(*QUIET, "-W", "error", *workers)
    result.assert_outcomes(passed=6)
    assert [path.name for path in temporary.iterdir() if path.name.startswith("countertop-")] == []
    assert not (pytester.path / "test-results").exists()


def test_what_happened_is_kept_of_a_test_that_fails(pytester: pytest.Pytester, temporary: Path) -> None:
    pytester.makepyfile(test_app=FAILING)
    result = pytester.runpytest_subprocess(*QUIET, "--countertop-artefacts", "kept")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*countertop artefacts*", "*events.jsonl"])
    folder = pytester.path / "kept" / "test_app.py-test_it_fails"
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    sequences = [int(event["sequence"]) for event in events]
    assert sequences == list(range(sequences[0], sequences[-1] + 1))
    (operation,) = [json.loads(line) for line in (folder / "operations.jsonl").read_text().splitlines()]
    assert operation["state"] == "OPERATION_STATE_SUCCEEDED"
    assert "Total 12.30" in (folder / "receipt-printer-1.txt").read_text()
    assert (folder / "receipt-printer-1.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "camera.jpg").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("['id-reader']", "*give the marker `terminal` its arguments by name*"),
        ("devices=['no-such-device']", "*devices: expected one of id-reader, *got 'no-such-device'*"),
        ("devices=['camera'], faults={'camera': 'no-such-fault'}", "*faults: camera: *no-such-fault*"),
        ("devices=['camera'], faults={'id-reader': 'mute'}", "*faults: expected one of camera, got 'id-reader'*"),
        ("devices=[{'id': 'x', 'emulator': 'sdt', 'speed': 1}]", "*devices: expected the fields *got speed*"),
    ],
)
def test_mistakes_are_named(pytester: pytest.Pytester, temporary: Path, marker: str, says: str) -> None:
    pytester.makepyfile(test_app=f"import pytest\n@pytest.mark.terminal({marker})\ndef test_x(terminal): pass\n")
    result = pytester.runpytest_subprocess(*QUIET)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([says])
    assert list(temporary.glob("countertop-*")) == []


def test_a_device_that_does_not_come_up_is_named() -> None:
    terminal = EmulatedTerminal([{"id": "reader", "driver": "sdt", "link": "tcp://127.0.0.1:1"}], ready=False)
    with terminal:
        late = terminal.until_ready(0.3)
        with pytest.raises(RuntimeError, match=r"Not ready after 0.3 s: reader is \w+"):
            shared_loop().run(late)


def test_a_terminal_that_does_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="use it in a `with` block"):
        _ = EmulatedTerminal([]).address


def test_two_terminals_stand_side_by_side() -> None:
    with EmulatedTerminal(["id-reader"]) as one, EmulatedTerminal(["id-reader"]) as other:
        one.bench.insert_card()
        assert one.counter.id_reader().read().document.number
        with pytest.raises(CountertopError) as refused:
            other.counter.id_reader().read(timeout=0.3)
        assert refused.value.reason == error_pb2.REASON_NO_DOCUMENT


def _held() -> dict[str, int]:
    gc.collect()
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    return {
        "descriptors": len(links),
        "ptys": sum(link.startswith(("/dev/pts", "/dev/ptmx")) for link in links),
        "threads": sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate()),  # a bounded pool
        "processes": len(children.read_text().split()) if children.exists() else 0,
    }


@pytest.fixture
def warm() -> None:
    """What is made once is there: imports, the loop's threads, grpc's own."""
    for _ in range(3):
        with EmulatedTerminal() as terminal:
            terminal.counter.devices()


@pytest.mark.timeout(600)
def test_terminals_leave_nothing_in_the_process(warm: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = _held()
    for _ in range(USES):
        with EmulatedTerminal() as terminal:
            assert {device.state for device in terminal.counter.devices()} == {device_pb2.DEVICE_STATE_READY}
            assert len(terminal.devices) == len(DEVICES)
    patient = time.monotonic() + 10  # grpc closes its channels in threads of its own
    while (after := _held()) != before and time.monotonic() < patient:
        time.sleep(0.05)
    for what, count in before.items():
        assert after[what] <= count, f"{USES} terminals left {after[what] - count} {what}"
    assert list(tmp_path.glob("countertop-*")) == []
