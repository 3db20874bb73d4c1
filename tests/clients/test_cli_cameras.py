"""Cameras on the command line, as people and scripts use them."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from countertop.cli import main
from countertop.cli.commands.preview import half_blocks

CLI = [sys.executable, "-m", "countertop.cli"]
CAMERA = "camera"
CONFIG = """
[listen]
addresses = ["unix:{folder}/c.sock"]
[terminal]
state_dir = "{folder}/state"
drain_seconds = 0.0
[[devices]]
id = "camera"
emulator = "camera"
emulator_options = {{ width = 640, height = 360 }}
"""


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
    """Where a terminal with an emulated camera answers, ready."""
    folder = tmp_path_factory.mktemp("cli-cameras")
    (folder / "c.toml").write_text(CONFIG.format(folder=folder), encoding="utf-8")
    with started([*CLI, "serve", "--config", str(folder / "c.toml")]) as daemon:
        assert daemon.stderr is not None
        for line in daemon.stderr:
            if "device camera is ready" in line:
                break
        yield f"unix:{folder}/c.sock"
        daemon.send_signal(signal.SIGINT)
        daemon.stderr.read()


@pytest.fixture
def scene(address: str) -> Any:
    def put(*words: str) -> None:
        assert main(["bench", "scene", CAMERA, *words, "--address", address]) == 0
        # what is on its way still shows the scene before
        for _ in range(4):
            assert main(["capture", CAMERA, "--out", os.devnull, "--json", "--address", address]) == 0

    return put


def test_a_still_is_saved_and_told(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "still.jpg"
    assert main(["capture", CAMERA, "--out", str(out), "--address", address]) == 0
    assert f"saved {out}: 640 x 360" in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.size == (640, 360)
    assert main(["capture", CAMERA, "--out", str(out), "--json", "--address", address]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["width"] == 640
    assert "data" not in told, "it is in the file"


def test_a_code_goes_to_standard_output_and_the_prompt_to_standard_error(
    address: str, scene: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    scene("code", "--text", "payment 00421", "--size", "0.7")
    capsys.readouterr()
    assert main(["scan", CAMERA, "--address", address]) == 0
    told = capsys.readouterr()
    assert told.out == "QR: payment 00421\n"
    assert "Hold the code before the camera." in told.err
    assert main(["scan", CAMERA, "--format", "all", "--json", "--address", address]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "payment 00421"
    scene("empty")
    assert main(["scan", CAMERA, "--timeout", "0.5", "--address", address]) == 1
    assert "[NO_CODE_FOUND]" in capsys.readouterr().err


def test_a_document_is_straightened_or_nothing_is_cut_off(
    address: str, scene: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, pdf, original = tmp_path / "d.jpg", tmp_path / "d.pdf", tmp_path / "o.jpg"
    scene("mat")
    assert main(["capture", CAMERA, "--calibrate", "empty", "--address", address]) == 0
    scene("document", "--turned", "5")
    assert main(["capture", CAMERA, "--calibrate", "a4", "--address", address]) == 0
    assert re.search(r"measured; \d+ dpi", capsys.readouterr().out)
    files = ["--out", str(out), "--pdf", str(pdf), "--original", str(original)]
    assert main(["capture", CAMERA, "--document", "a4", "--dpi", "100", *files, "--address", address]) == 0
    assert "by stage" in capsys.readouterr().out
    with Image.open(out) as picture:
        assert picture.size == (827, 1169)
        assert picture.info["dpi"] == (100, 100)
    assert pdf.read_bytes().startswith(b"%PDF")
    with Image.open(original) as picture:
        assert picture.size == (640, 360)
    scene("mat")
    out.unlink()
    assert main(["capture", CAMERA, "--document", "a4", "--out", str(out), "--address", address]) == 1
    assert "nothing was cut off" in capsys.readouterr().err
    assert not out.exists()


def test_a_presence_check_without_a_model_says_what_is_missing(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify-presence", CAMERA, "--address", address]) == 1
    told = capsys.readouterr().err
    assert "[NOT_CONFIGURED]" in told
    assert "countertop models add" in told


def test_the_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--json"]) == 0
    models = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {model["role"] for model in models} >= {"face-detector", "face-recogniser", "liveness"}


class TestPreview:
    def test_it_wants_a_terminal(self, address: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["preview", CAMERA, "--address", address]) == 1
        assert "countertop capture" in capsys.readouterr().err

    def test_a_window_wants_a_display(
        self, address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("DISPLAY", raising=False)
        assert main(["preview", CAMERA, "--window", "--address", address]) == 1
        assert re.search("A window needs tkinter|No window can be opened", capsys.readouterr().err)

    def test_frames_are_drawn_and_the_cursor_comes_back(self, address: str) -> None:
        leader, follower = pty.openpty()
        words = [*CLI, "preview", CAMERA, "--frames", "3", "--address", address]
        with subprocess.Popen(
            words, stdout=follower, stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "60"}
        ) as it:
            os.close(follower)
            drawn = b""
            try:
                while part := os.read(leader, 65536):
                    drawn += part
            except OSError:  # the other side has closed it
                pass
            assert it.wait(20) == 0, it.stderr.read() if it.stderr else b""
        os.close(leader)
        text = drawn.decode()
        assert text.count("640 x 360") == 3
        assert "\u2580" in text
        assert text.rstrip().endswith("\x1b[?25h"), "the cursor is shown again"

    def test_a_picture_keeps_its_shape(self) -> None:
        file = io.BytesIO()
        Image.new("RGB", (200, 100), (255, 0, 0)).save(file, "JPEG", quality=95)
        lines = half_blocks(file.getvalue(), 40, 30).splitlines()
        assert len(lines) == 10, "40 columns wide, 20 pixels high, two in a line"
        assert all(line.count("\u2580") == 40 for line in lines)
        assert "38;2;254;0;0" in lines[0]
