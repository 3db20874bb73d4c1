"""The tutorial and the guide for testers work as they stand. Of the tutorial its files are written, and its commands
are run and say what it says they do.

A block with a title is a file. In a `console` block each line after `$ ` is a command, and the lines below are what it
says, in their order, with `...` for anything; such a block with a title is a terminal of its own, whose command runs
until the end.
"""

from __future__ import annotations

import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = DOCS / "tutorial" / "first-driver.md"
GUIDE = DOCS / "test-your-app.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
PORT = "7411"
"""Of the page; the test takes a free one."""


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    text: str

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Each command, with what it says."""
        pieces = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [(command.strip(), said) for command, _, said in (piece.partition("\n") for piece in pieces)]


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def loosely(said: str) -> re.Pattern[str]:
    """Finds the lines in their order, others between them, any blanks for a blank."""
    lines = [re.split(r"\.\.\.|\s+", line.strip()) for line in said.splitlines() if line.strip()]
    return re.compile(r"[\s\S]*?".join(r"[\s\S]*?".join(re.escape(part) for part in line) for line in lines))


class Project:
    """The reader's folder, with a virtual environment in which Countertop is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "quill-driver"
        self.folder.mkdir()
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = str(found.getsockname()[1])
        binaries = _environment(folder / "venv")
        self.environment = os.environ | {
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "COUNTERTOP_ADDRESS": f"127.0.0.1:{self.port}",
            "PYTHONUTF8": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "PIP_NO_DEPS": "1",  # they are there, and no index is asked
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "no",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def write(self, block: Block) -> None:
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        assert not path.exists(), f"{block.title} is there twice"
        path.write_text(block.text.replace(PORT, self.port), encoding="utf-8")

    def run(self, command: str, said: str) -> None:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        assert loosely(said).search(done.stdout), f"$ {command}\n{done.stdout}\nthe tutorial says:\n{said}"

    @contextmanager
    def started(self, command: str, said: str) -> Iterator[None]:
        """A terminal of its own: goes on once the command has said what the tutorial says it does."""
        wanted, told = loosely(said.replace(PORT, self.port)), ""
        with subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            lines = _lines(process)
            deadline = time.monotonic() + 60
            try:
                while not wanted.search(told):
                    line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
                    assert line, f"$ {command}\n{told}\nended; the tutorial says:\n{said}"
                    told += line
                yield
            except queue.Empty:
                pytest.fail(f"$ {command}\n{told}\nthe tutorial says:\n{said}", pytrace=False)
            finally:
                process.terminate()
                process.wait(timeout=30)


def _lines(process: subprocess.Popen[str]) -> queue.SimpleQueue[str]:
    """What a process says, line by line, read to its end so that it is never held up; "" is the end."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    return lines


def _environment(folder: Path) -> Path:
    """A virtual environment that sees all that is installed where the tests run. The folder of its programs."""
    venv.create(folder, with_pip=False, symlinks=True)
    binaries, own = folder / "bin", Path(sys.executable).parent
    [packages] = (folder / "lib").glob("python*/site-packages")
    paths = [path for path in sys.path if path.endswith("-packages")]
    lines = "".join(f"import site; site.addsitedir({path!r})\n" for path in paths)
    (packages / "countertop-tests.pth").write_text(lines, encoding="utf-8")
    for name, words in {
        "pip": f'"{own / "python"}" -m pip --python "{binaries / "python"}"',
        "countertop": f'"{binaries / "python"}" -m countertop.cli',
    }.items():
        program = binaries / name
        program.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    return binaries


def test_output_is_compared_loosely() -> None:
    assert loosely("one ... three\n\nfour\n").search("zero\none two three\nelse\n  four\n")
    assert loosely("a b").search("a    b")
    assert not loosely("one\ntwo\n").search("two\none\n")
    assert loosely("").search("anything")


@pytest.mark.timeout(600)  # the conformance suite is in it
def test_the_tutorial_works_as_it_stands(tmp_path: Path) -> None:
    project = Project(tmp_path)
    with ExitStack() as terminals:
        for block in blocks(TUTORIAL):
            if block.language == "console" and block.title:
                [(command, said)] = block.commands
                terminals.enter_context(project.started(command, said))
            elif block.language == "console":
                for command, said in block.commands:
                    project.run(command, said)
            elif block.title:
                project.write(block)


@pytest.mark.timeout(300)
def test_the_kiosk_of_the_guide_passes_its_tests(tmp_path: Path) -> None:
    for block in blocks(GUIDE):
        if block.language == "python" and block.title:
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
