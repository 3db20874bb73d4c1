"""Cold start: from spawning the process to its first reply to GetTerminal.

Whoever waits for it polls for the socket and then calls, the same for both sides. Bytecode is compiled beforehand;
files are in the page cache, as after the first start since boot.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import grpc

from benchmarks.harness import ROOT, Figure, Settings, Side, environment, interleave, stop
from benchmarks.methods import GET_TERMINAL, Method
from countertop.v1 import device_pb2

__all__ = ["Command", "bare", "daemon", "explain", "first_reply", "run"]

TARGET = 2.0
START_SECONDS = 20.0
POLL_SECONDS = 0.0005

Command = Callable[[Path], Sequence[str]]
"""The command line of a server that listens on a unix socket."""

_CHANNEL = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
)
_SERVE = "import sys; from countertop.server.serving import serve; sys.exit(serve(None, [sys.argv[1]]))"


def daemon(path: Path) -> Sequence[str]:
    """The emulated terminal, as a user starts it."""
    if find_spec("countertop.cli.__main__") is None:
        return sys.executable, "-c", _SERVE, f"unix:{path}"
    return sys.executable, "-m", "countertop.cli", "serve", "--listen", f"unix:{path}"


def instant(path: Path) -> Sequence[str]:
    """The daemon with made-up devices in place of emulators and their drivers."""
    return sys.executable, "-m", "benchmarks.instant_daemon", f"unix:{path}"


def bare(path: Path, *flags: str) -> Sequence[str]:
    """A server that does nothing else."""
    return sys.executable, "benchmarks/bare_start.py", str(path), *flags


def with_messages(path: Path) -> Sequence[str]:
    """A bare server that imports the generated messages."""
    return bare(path, "--messages")


def spawn(command: Command, path: Path) -> subprocess.Popen[bytes]:
    """Start it on a unix socket; what it logs lies beside that."""
    with path.with_suffix(".log").open("wb") as log:
        own = environment() | {"XDG_STATE_HOME": str(path.parent)}  # the journal of nobody else
        return subprocess.Popen(command(path), cwd=ROOT, env=own, stdout=log, stderr=log)


def first_reply(process: subprocess.Popen[bytes], path: Path) -> None:
    """Return once the server on a unix socket has answered GetTerminal. Raises RuntimeError when it does not."""
    deadline = time.monotonic() + START_SECONDS
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            said = path.with_suffix(".log").read_text(errors="replace").strip().splitlines()
            raise RuntimeError(f"the server did not start: {said[-1] if said else 'it says nothing'}")
        time.sleep(POLL_SECONDS)
    with grpc.insecure_channel(f"unix:{path}", _CHANNEL) as channel:
        call = Method.of(GET_TERMINAL).unary(channel)
        call(device_pb2.GetTerminalRequest(), timeout=START_SECONDS, wait_for_ready=True)


def timed(command: Command, directory: Path, numbers: count[int]) -> list[float]:
    """Seconds from spawning a server to its first reply."""
    path = directory / f"{next(numbers)}.sock"  # gRPC remembers addresses, so that each start has its own
    start = time.perf_counter()
    process = spawn(command, path)
    try:
        first_reply(process, path)
        return [time.perf_counter() - start]
    finally:
        stop(process)
        path.unlink(missing_ok=True)


def explain(modules: Sequence[str]) -> list[tuple[str, float, float]]:
    """The 15 imports that take longest by themselves: name, own and cumulated milliseconds, medians of 5 runs."""
    own: dict[str, list[tuple[int, int]]] = {}
    statement = "; ".join(f"import {module}" for module in modules)
    for _ in range(5):
        run = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", statement],
            cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        for line in run.stderr.splitlines():
            fields = line.removeprefix("import time:").split("|")
            if fields[0].strip().isdigit():
                own.setdefault(fields[2].strip(), []).append((int(fields[0]), int(fields[1])))
    medians = [
        (name, *(statistics.median(column) / 1000 for column in zip(*times, strict=True)))
        for name, times in own.items()
    ]
    return sorted(medians, key=lambda item: item[1], reverse=True)[:15]


def run(settings: Settings) -> list[Figure]:
    """The emulated terminal and the daemon alone, against the bare server; then what messages alone cost."""
    numbers, rounds = count(), settings.count(20)

    def side(command: Command) -> Side:
        return partial(timed, command, settings.directory, numbers)

    figures = []
    for name, command, reference, target in (
        ("emulated terminal", daemon, bare, TARGET),
        ("emulated terminal / bare server with our messages", daemon, with_messages, None),
        ("made-up devices", instant, bare, None),
        ("bare server with our messages", with_messages, bare, None),
    ):
        pair = interleave((side(command), side(reference)), rounds)
        figures.append(Figure.of(f"first reply, {name}", "ms", pair, scale=1e3, target=target))
    if settings.explain:
        imports = explain(["countertop.server.serving"])
        settings.say("imports of countertop.server.serving, own and cumulated ms:")
        for module, mine, total in imports:
            settings.say(f"  {mine:7.2f} {total:8.2f}  {module}")
        figures[0].details["imports"] = imports
    return figures
