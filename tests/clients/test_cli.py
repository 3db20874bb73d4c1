"""The command line, as people and scripts use it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from countertop.cli import COMMANDS, main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLI = [sys.executable, "-m", "countertop.cli"]
HEAVY = {"grpc", "rich", "pydantic", "google.protobuf", "asyncio", "yaml", "numpy"}


def serve(*arguments: str) -> subprocess.Popen[str]:
    """A daemon in a process of its own, that listens already."""
    daemon = subprocess.Popen([*CLI, "serve", *arguments], stderr=subprocess.PIPE, text=True)
    assert daemon.stderr is not None
    seen = []
    for line in daemon.stderr:
        seen.append(line)
        if "listening on" in line:
            return daemon
    raise AssertionError(f"the daemon did not start: {''.join(seen)}")


def end(daemon: subprocess.Popen[str], signum: int = signal.SIGINT) -> int:
    """Its exit code after a signal."""
    assert daemon.stderr is not None
    daemon.send_signal(signum)
    daemon.stderr.read()
    daemon.stderr.close()
    return daemon.wait(timeout=20)


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
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where an emulated terminal answers, its devices ready."""
    address = f"unix:{tmp_path_factory.mktemp('cli')}/c.sock"
    daemon = serve("--listen", address)
    try:
        ready: set[str] = set()
        with started([*CLI, "watch", "--json", "--address", address]) as watch:
            assert watch.stdout is not None
            for line in watch.stdout:
                message = json.loads(line)
                changed = message.get("event", {}).get("device_changed")
                for device in message.get("snapshot", {}).get("devices", [changed] if changed else []):
                    if device["state"] == "DEVICE_STATE_READY":
                        ready.add(device["id"])
                if ready == {"id-reader", "receipt-printer", "signature-pad", "card-printer"}:
                    break
            watch.terminate()
        yield address
    finally:
        end(daemon)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom countertop.cli import main\ncode = main(['--help'])\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[] 0"
    assert all(name in done.stdout for name in COMMANDS)
    assert "130  interrupted" in done.stdout


def test_each_commands_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom countertop.cli import COMMANDS, main\n"
        "codes = [main([name, '--help']) for name in COMMANDS]\n"
        f"print(sorted({HEAVY - {'asyncio'}!r} & set(sys.modules)), set(codes), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[] {0}"


@pytest.mark.parametrize("words", [[], ["no-such-command"], ["devices", "--no-such-option"], ["read-id"]])
def test_a_mistake_on_the_command_line_exits_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    told = capsys.readouterr()
    assert "usage: countertop" in told.err + told.out


@pytest.mark.parametrize("timeout", ["0", "601", "soon", "nan"])
def test_a_timeout_out_of_range_is_refused(timeout: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read-id", "id-reader", "--timeout", timeout]) == 2
    assert "expected seconds, 0.1 to 600" in capsys.readouterr().err


def test_without_a_daemon_a_sentence_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--address", f"unix:{tmp_path}/none.sock"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "countertop serve" in told.err
    assert "Traceback" not in told.err


MISTAKES = [
    ("r.json", '{"blocks": [{"paragrph": {}}]}', "blocks[0].paragrph: there is no such field; did you mean paragraph?"),
    (
        "r.json",
        '{"blocks": [{"paragraph": {"spans": [{"text": 3}]}}]}',
        "blocks[0].paragraph.spans[0].text: expected text",
    ),
    ("r.json", '{"blocks": [', "line 1: not JSON"),
    ("r.json", '{"blocks": []}', "blocks: required"),
    ("r.json", "[" * 100_000, "nested too deeply"),
    ("r.yaml", "blocks:\n- feed: {mm: 900}\n", "blocks[0].feed.mm: expected 0.1 to 200, got 900"),
    ("r.yaml", "blocks:\n- cut:\n", "blocks[0].cut: expected a mapping with full, got nothing; write {}"),
    ("r.yaml", "blocks:\n- cut: {}\n  feed: {mm: 3}\n", "blocks[0].feed: stands beside cut"),
    ("r.yaml", "blocks:\n- paragraph: {align: [1]}\n", "blocks[0].paragraph.align: expected one of ALIGN_UNSPECIFIED"),
    ("r.yml", "blocks:\n- picture: {data: '!'}\n", "blocks[0].picture.data: expected a file's content as base64"),
    ("r.yml", "blocks: [\n  {cut: ]\n", "line 2: not YAML"),
    ("r.yml", "blocks: 2026-13-45\n", "not YAML"),
    ("r.txt", " \n", "is empty: there is nothing to print"),
    ("r.txt", "a\x07b", "blocks[0].paragraph.spans[0].text"),
]


@pytest.mark.parametrize(("name", "content", "told"), MISTAKES)
def test_a_mistake_in_what_is_printed_is_named_by_its_field(
    name: str, content: str, told: str, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert main(["print", "receipt-printer", str(tmp_path / name), "--address", address]) == 1
    assert told in capsys.readouterr().err


def test_every_mistake_of_a_file_is_told_at_once_and_never_its_content(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"blocks": [{"feed": {"mm": "Zhang San"}}, {"cut": {"full": "Zhang San"}}]}', encoding="utf-8")
    assert main(["print", "receipt-printer", str(path)]) == 1
    told = capsys.readouterr().err
    assert "has 2 mistakes" in told
    assert "blocks[0].feed.mm" in told
    assert "blocks[1].cut.full" in told
    assert "Zhang" not in told


def test_text_in_another_encoding_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.txt"
    path.write_bytes("回单".encode("gb18030"))
    assert main(["print", "receipt-printer", str(path)]) == 1
    assert "iconv -f GB18030 -t UTF-8" in capsys.readouterr().err


def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["print", "receipt-printer", "/no/such/file.txt"]) == 1
    assert "/no/such/file.txt" in capsys.readouterr().err


def test_devices_are_listed_for_programs_and_for_people(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["devices", "--json", "--address", address]) == 0
    devices = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [device["id"] for device in devices] == [
        "id-reader",
        "receipt-printer",
        "signature-pad",
        "card-printer",
        "camera",
    ]
    assert all(device["emulated"] for device in devices)
    assert main(["devices", "--address", address]) == 0
    told = capsys.readouterr().out
    assert "id-reader" in told
    assert "RECEIPT" in told


def test_an_unknown_device_fails_with_a_sentence(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read-id", "no-such-reader", "--address", address]) == 1
    told = capsys.readouterr().err
    assert "DEVICE_NOT_FOUND" in told
    assert "Traceback" not in told


def test_a_card_is_read_and_its_picture_saved(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = tmp_path / "photo.png"
    assert main(["bench", "insert-card", "id-reader", "--address", address]) == 0
    assert main(["read-id", "id-reader", "--json", "--photo", str(photo), "--address", address]) == 0
    document = json.loads(capsys.readouterr().out)["document"]
    assert document["person"]["name"]
    assert all(check["passed"] for check in document["checks"])
    assert photo.read_bytes().startswith(b"\x89PNG")
    assert main(["bench", "remove-card", "id-reader", "--address", address]) == 0


def test_a_card_from_a_file_is_laid_on_the_reader_and_shown(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    card = EXAMPLES / "card.yaml"
    assert main(["bench", "insert-card", "id-reader", "--card", str(card), "--address", address]) == 0
    assert main(["read-id", "id-reader", "--address", address]) == 0
    told = capsys.readouterr().out
    assert "欧阳试样" in told
    assert "2020-01-01 to 2040-01-01" in told
    assert main(["bench", "remove-card", "id-reader", "--address", address]) == 0


def test_no_card_in_time_fails_and_says_so(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read-id", "id-reader", "--timeout", "0.3", "--address", address]) == 1
    told = capsys.readouterr()
    assert "Lay the document on the reader." in told.err
    assert "NO_DOCUMENT" in told.err
    assert told.out == ""


RECEIPTS = [
    ("r.txt", "业务回单\n金额 26.00\n"),
    ("r.json", '{"blocks": [{"paragraph": {"spans": [{"text": "业务回单"}]}}, {"cut": {}}]}'),
    ("r.yaml", "blocks:\n- paragraph:\n    spans: [{text: 业务回单, bold: true}]\n- cut: {}\n"),
]


@pytest.mark.parametrize(("name", "content"), RECEIPTS)
def test_what_is_printed_comes_out_of_the_printer(
    name: str, content: str, address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    before = len(outputs(address, capsys))
    assert main(["print", "receipt-printer", str(tmp_path / name), "--json", "--address", address]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["blocks"] == 2
    printed = outputs(address, capsys)
    assert len(printed) == before + 1
    assert "业务回单" in printed[-1]["text"]


def outputs(address: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert main(["bench", "output", "receipt-printer", "--json", "--address", address]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_receipt_on_standard_input_is_printed(address: str) -> None:
    words = ["print", "receipt-printer", "-", "--format", "yaml", "--address", address]
    told = subprocess.run([*CLI, *words], input=RECEIPTS[2][1], capture_output=True, text=True, check=True).stdout
    assert "Printed 2 blocks" in told


def test_the_example_receipt_is_printed(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["print", "receipt-printer", str(EXAMPLES / "receipt.yaml"), "--address", address]) == 0
    told = capsys.readouterr()
    assert "Printed 6 blocks" in told.out


def test_a_preview_prints_nothing(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.txt").write_text("业务回单", encoding="utf-8")
    before = len(outputs(address, capsys))
    words = ["print", "receipt-printer", str(tmp_path / "r.txt"), "--preview", str(tmp_path / "p.png")]
    assert main([*words, "--address", address]) == 0
    assert "dots" in capsys.readouterr().out
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert len(outputs(address, capsys)) == before


def test_what_was_done_is_listed_and_cannot_be_cancelled_any_more(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.txt").write_text("1", encoding="utf-8")
    assert main(["print", "receipt-printer", str(tmp_path / "r.txt"), "--address", address]) == 0
    capsys.readouterr()
    assert main(["operations", "--device", "receipt-printer", "--json", "--address", address]) == 0
    newest = json.loads(capsys.readouterr().out.splitlines()[0])
    assert newest["state"] == "OPERATION_STATE_SUCCEEDED"
    assert main(["operations", "--address", address]) == 0
    assert "SUCCEEDED" in capsys.readouterr().out
    assert main(["cancel", newest["id"], "--address", address]) == 1
    assert "too late" in capsys.readouterr().err


def test_ctrl_c_cancels_the_reading_at_the_daemon(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*CLI, "read-id", "id-reader", "--address", address]
    with started(words) as reading:
        assert reading.stderr is not None
        assert reading.stderr.readline() == "Lay the document on the reader.\n"
        reading.send_signal(signal.SIGINT)
        told = reading.stderr.read()
    assert reading.returncode == 130
    assert "Traceback" not in told
    assert main(["operations", "--device", "id-reader", "--json", "--address", address]) == 0
    newest = json.loads(capsys.readouterr().out.splitlines()[0])
    assert newest["state"] == "OPERATION_STATE_CANCELLED"


def test_ctrl_c_cancels_a_print_that_waits_and_is_too_late_for_one_that_began(address: str, tmp_path: Path) -> None:
    blocks = [{"paragraph": {"spans": [{"text": f"line {number}\n\n"}]}} for number in range(40)]
    (tmp_path / "r.json").write_text(json.dumps({"blocks": blocks}), encoding="utf-8")
    words = [*CLI, "print", "receipt-printer", str(tmp_path / "r.json"), "--address", address]
    with started(words) as first:
        assert first.stderr is not None
        assert "of 40 blocks" in first.stderr.readline()
        with started(words) as second:
            assert second.stderr is not None
            assert "The device is busy" in second.stderr.readline()
            second.send_signal(signal.SIGINT)
            assert "CANCELLED" in second.stderr.read()
        assert second.returncode == 130
        first.send_signal(signal.SIGINT)
        assert "TOO_LATE" in first.stderr.read()
    assert first.returncode == 130


@pytest.mark.parametrize("device", ["id-reader", "receipt-printer", "signature-pad", "card-printer", "camera"])
def test_health_and_reset_tell_how_a_device_is(device: str, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", device, "--address", address]) == 0
    assert "healthy" in capsys.readouterr().out
    assert main(["health", device, "--json", "--address", address]) == 0
    assert json.loads(capsys.readouterr().out)["healthy"]
    assert main(["reset", device, "--address", address]) == 0
    assert "all is well" in capsys.readouterr().out


def test_faults_are_listed_injected_and_cleared(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    def faults() -> dict[str, bool]:
        assert main(["bench", "faults", "id-reader", "--json", "--address", address]) == 0
        listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return {fault["name"]: fault.get("active", False) for fault in listed}

    name = next(iter(faults()))
    words = ["bench", "fault", "id-reader", name, "--after-bytes", "1000000", "--address", address]
    assert main(words) == 0
    assert main(["bench", "clear-fault", "id-reader", "--address", address]) == 0
    assert not any(faults().values())
    assert main(["bench", "fault", "id-reader", "no-such-fault", "--address", address]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_an_open_cover_is_seen_by_people(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with started([*CLI, "watch", "--address", address]) as watch:
        assert watch.stdout is not None
        assert main(["bench", "open-cover", "receipt-printer", "--address", address]) == 0
        assert any("receipt-printer: FAULT (COVER_OPEN" in line for line in watch.stdout)
        assert main(["devices", "--address", address]) == 0
        assert "COVER_OPEN" in capsys.readouterr().out
        assert main(["bench", "close-cover", "receipt-printer", "--address", address]) == 0
        assert any("receipt-printer: READY" in line for line in watch.stdout)
        watch.send_signal(signal.SIGINT)
    assert watch.returncode == 130


@pytest.mark.parametrize("name", ["countertop.toml", "portable-issuer.toml"])
def test_the_example_configurations_are_served(name: str, tmp_path: Path) -> None:
    words = ["--config", str(EXAMPLES / name), "--listen", f"unix:{tmp_path}/c.sock"]
    assert end(serve(*words)) == 0


def test_a_box_of_several_devices_is_shown_as_a_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"unix:{tmp_path}/c.sock"
    daemon = serve("--config", str(EXAMPLES / "portable-issuer.toml"), "--listen", address)
    try:
        assert main(["devices", "--address", address]) == 0
    finally:
        end(daemon)
    names = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if "issuer" in line]
    assert names == [
        ["issuer", "unit"],
        ["├", "issuer-id-reader"],
        ["├", "issuer-camera"],
        ["└", "issuer-card-printer"],
    ]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_daemon_with_0_and_frees_its_socket(signum: int, tmp_path: Path) -> None:
    path = tmp_path / "c.sock"
    daemon = serve("--listen", f"unix:{path}", "--json-logs")
    assert path.is_socket()
    assert end(daemon, signum) == 0
    assert not path.exists()


def test_a_configuration_with_a_mistake_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[[devices]]\nid = "x"\ndriver = "no-such-driver"\nlink = "tcp://127.0.0.1:1"\n')
    assert main(["serve", "--config", str(config)]) == 1
    assert "devices[0].driver" in capsys.readouterr().err


def test_doctor_names_each_thing_and_mends_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    items = {finding["item"] for finding in findings}
    assert {"Python", "packages", "pillow", "numpy", "zxing-cpp", "Chinese font", "socket directory"} <= items
    assert all(finding["mend"] for finding in findings if finding["state"] == "missing")
    assert code == int(any(finding["state"] == "missing" for finding in findings))


def test_doctor_finds_a_socket_directory_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/1/no")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "missing" in told
    assert "sudo install -d -m 700" in told


def test_doctor_tells_a_foreign_program_on_the_port(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from countertop.cli import checks

    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(checks, "_PORT", other.getsockname()[1])
        monkeypatch.setattr(checks, "_daemon", lambda address: "")
        assert [finding.state for finding in checks.port()] == [checks.MISSING]
        monkeypatch.setattr(checks, "_daemon", lambda address: "a daemon answers")
        assert [finding.state for finding in checks.port()] == [checks.OK]
    assert [finding.state for finding in checks.port()] == [checks.OK]


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.startswith("countertop 0.")


# -- signatures --


def test_a_signature_is_taken_saved_in_every_form_and_verified(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {suffix: tmp_path / f"signature.{suffix}" for suffix in ("svg", "png", "iso", "json")}
    words = [*CLI, "sign", "signature-pad", "--text", "CNY 1.00 人民币", "--title", "Receipt", "--address", address]
    for path in files.values():
        words += ["--out", str(path)]
    with started(words) as signing:
        assert signing.stderr is not None
        assert "Sign on the pad." in signing.stderr.readline()
        assert main(["bench", "sign", "signature-pad", "--speed", "4", "--seed", "5", "--address", address]) == 0
        assert main(["bench", "press", "signature-pad", "accept", "--address", address]) == 0
        told, _ = signing.communicate(timeout=30)
    assert signing.returncode == 0
    assert "6 strokes" in told
    assert files["svg"].read_bytes().startswith(b"<svg")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert files["iso"].read_bytes().startswith(b"SDI\0 10\0")
    key = tmp_path / "key.pem"
    assert main(["signing-key", "--out", str(key), "--address", address]) == 0
    capsys.readouterr()
    assert main(["verify-signature", str(files["json"]), "--key", str(key), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["genuine"]
    changed = files["json"].read_bytes().replace(b'"ink": "C', b'"ink": "D')
    files["json"].write_bytes(changed)
    assert main(["verify-signature", str(files["json"]), "--key", str(key)]) == 1
    assert "FAILS" in capsys.readouterr().out


def test_cancel_on_the_pad_ends_signing_with_a_sentence(address: str) -> None:
    with started([*CLI, "sign", "signature-pad", "--text", "x", "--address", address]) as signing:
        assert signing.stderr is not None
        assert "Sign on the pad." in signing.stderr.readline()
        assert main(["bench", "press", "signature-pad", "cancel", "--address", address]) == 0
        _, told = signing.communicate(timeout=30)
    assert signing.returncode == 1
    assert "did not sign" in told


def test_ctrl_c_gives_a_capture_up(address: str) -> None:
    with started([*CLI, "sign", "signature-pad", "--text", "x", "--address", address]) as signing:
        assert signing.stderr is not None
        assert "Sign on the pad." in signing.stderr.readline()
        signing.send_signal(signal.SIGINT)
        assert "CANCELLED" in signing.stderr.read()
    assert signing.returncode == 130


def test_a_file_name_that_says_no_form_is_refused_before_anybody_signs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sign", "signature-pad", "--text", "x", "--out", str(tmp_path / "ink.gif")]) == 1
    assert ".svg, .png, .iso, .json" in capsys.readouterr().err


def test_an_emulator_alone_takes_words_from_standard_input() -> None:
    words = [*CLI, "emulate", "wacom-stu", "--model", "520"]
    with started(words, stdin=subprocess.PIPE, bufsize=1) as emulator:
        assert emulator.stdin is not None
        assert emulator.stdout is not None
        assert "usbip://127.0.0.1:" in emulator.stdout.readline()
        assert "Ctrl-C" in emulator.stdout.readline()
        emulator.stdin.write("sing\naccept\n")
        emulator.stdin.flush()
        assert "done: accept" in emulator.stdout.readline()
        emulator.send_signal(signal.SIGINT)
        assert "no part for 'sing'" in (emulator.stderr.read() if emulator.stderr else "")
    assert emulator.returncode == 0
