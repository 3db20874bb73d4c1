"""`countertop demo` and `countertop emulate`: what somebody meets first."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from countertop.cli import main

CLI = [sys.executable, "-m", "countertop.cli"]
PNG = b"\x89PNG\r\n\x1a\n"


@contextmanager
def started(words: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive its test, whatever the test meets."""
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
            process.wait(timeout=20)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that a demo left, and what it said."""
    out = tmp_path_factory.mktemp("demo") / "counter-visit"
    done = subprocess.run([*CLI, "demo", "--out", str(out)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return out, done.stdout


def test_a_visit_leaves_its_files_and_tells_each_step(visit: tuple[Path, str]) -> None:
    out, told = visit
    left = json.loads((out / "visit.json").read_text(encoding="utf-8"))
    assert [step["step"] for step in left["steps"]] == [
        "ready",
        "read-card",
        "verify-presence",
        "remove-card",
        "preview",
        "sign",
        "verify",
        "print",
        "take-paper",
        "scan",
        "issue-card",
        "card-made",
    ]
    states = {step["step"]: step["state"] for step in left["steps"]}
    assert states.pop("verify-presence") == "NOT_CONFIGURED", "no model for liveness comes with the package"
    assert set(states.values()) == {"SUCCEEDED"}
    assert [step["step"] for step in left["steps"] if "operation_id" in step] == [
        "read-card",
        "verify-presence",
        "sign",
        "print",
        "scan",
        "issue-card",
    ]
    assert left["confirmation"] == "PROCESS_ID"
    assert (out / "receipt.png").read_bytes().startswith(PNG)
    assert (out / "photo.png").read_bytes().startswith(PNG)
    assert (out / "signature.png").read_bytes().startswith(PNG)
    assert (out / "pad.png").read_bytes().startswith(PNG)
    assert (out / "phone.jpg").read_bytes().startswith(b"\xff\xd8")
    assert "countertop models add" in told
    assert (out / "signature.svg").read_text(encoding="utf-8").startswith("<svg")
    assert "Lay the document on the reader." in told
    assert "Sign on the pad." in told
    assert "Take the card." in told


def test_the_card_of_the_visit_bears_the_customers_photo(visit: tuple[Path, str]) -> None:
    from PIL import Image, ImageStat

    with Image.open(visit[0] / "card-front.png") as front, Image.open(visit[0] / "photo.png") as photo:
        assert front.size == (1011, 638)
        printed = front.convert("RGB").crop((745, 145, 940, 390)).resize((40, 50))
        wanted = photo.convert("RGB").resize((40, 50))
    difference = sum(abs(a - b) for a, b in zip(ImageStat.Stat(printed).mean, ImageStat.Stat(wanted).mean, strict=True))
    assert difference < 45
    assert (visit[0] / "card-back.png").read_bytes().startswith(PNG)


def test_the_signature_file_of_the_visit_is_about_its_document(
    visit: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    file, document = visit[0] / "signature.json", visit[0] / "document.png"
    assert main(["verify-signature", str(file), "--document", str(document)]) == 0
    assert "FAILS" not in capsys.readouterr().out
    assert main(["verify-signature", str(file), "--document", str(visit[0] / "receipt.png")]) == 1
    assert "not about this document" in capsys.readouterr().out


def test_the_qr_code_on_the_paper_can_be_scanned(visit: tuple[Path, str]) -> None:
    zxingcpp = pytest.importorskip("zxingcpp", reason="needs the extra `receipt`")
    from PIL import Image

    with Image.open(visit[0] / "receipt.png") as picture:
        codes = zxingcpp.read_barcodes(picture)
    assert [urlsplit(code.text).hostname for code in codes] == ["bank.example.invalid"]


def test_what_is_left_names_no_person(visit: tuple[Path, str]) -> None:
    text = (visit[0] / "visit.json").read_text(encoding="utf-8")
    assert text.isascii()
    assert "name" not in text


def test_ctrl_c_in_the_demo_cleans_up(tmp_path: Path) -> None:
    words = [*CLI, "demo", "--out", str(tmp_path / "out")]
    environment = {"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    with started(words, env=environment, bufsize=1) as demo:
        assert demo.stdout is not None
        assert demo.stderr is not None
        first = demo.stdout.readline()
        assert "get ready" in first, demo.stderr.read()
        demo.send_signal(signal.SIGINT)
        told = demo.stdout.read() + demo.stderr.read()
    assert demo.returncode == 130, told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_demo_that_cannot_write_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    assert main(["demo", "--out", str(tmp_path / "taken")]) == 1
    assert "taken" in capsys.readouterr().err


def test_a_demo_whose_emulator_fails_says_so_and_leaves_the_failed_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("countertop.cli.visit._READY_SECONDS", 0.0)
    assert main(["demo", "--out", str(tmp_path)]) == 1
    assert "Not ready" in capsys.readouterr().err
    left = json.loads((tmp_path / "visit.json").read_text(encoding="utf-8"))
    assert [step["state"] for step in left["steps"]] == ["FAILED"]


def test_the_sample_receipt_fits_the_protocol_and_both_widths_of_paper() -> None:
    from countertop.cli.sample_receipt import sample_receipt
    from countertop.sdk.receipt import Paper, lay_out, to_text
    from countertop.server.bounds import check

    receipt = sample_receipt(datetime(2026, 11, 23, 10, 20, 30), "1")  # noqa: DTZ001 - as printed
    check(receipt)
    for dots in (384, 576):
        text = to_text(lay_out(receipt, Paper(width_dots=dots)))
        assert "业务回单" in text
        assert "26.00" in text


def test_an_emulated_reader_appears_where_it_was_asked_for(tmp_path: Path) -> None:
    port = tmp_path / "reader"
    with started([*CLI, "emulate", "sdt", "--pty", str(port)]) as emulator:
        assert emulator.stdout is not None
        assert str(port) in emulator.stdout.readline()
        assert port.exists()
        emulator.send_signal(signal.SIGINT)
        emulator.stdout.read()
    assert emulator.returncode == 0
    assert not port.exists()


def test_an_emulated_printer_writes_what_any_software_prints(tmp_path: Path) -> None:
    words = [*CLI, "emulate", "escpos", "--tcp", "127.0.0.1:0", "--out", str(tmp_path / "receipts")]
    with started(words) as emulator:
        assert emulator.stdout is not None
        link = urlsplit(emulator.stdout.readline().split()[-1])
        assert link.hostname is not None
        assert link.port is not None
        with socket.create_connection((link.hostname, link.port), timeout=5) as client:
            client.sendall(b"\x1b@hello\n\x1dVA\x00")  # feeds to the cutter, then cuts
            assert any(line.startswith("wrote ") for line in emulator.stdout)
        emulator.send_signal(signal.SIGTERM)
        emulator.stdout.read()
    assert emulator.returncode == 0
    assert list((tmp_path / "receipts").iterdir())


def test_an_emulator_that_cannot_start_says_which_option(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["emulate", "escpos", "--tcp", "nowhere", "--out", str(tmp_path)]) == 2
    assert "tcp" in capsys.readouterr().err
