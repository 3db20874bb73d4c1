"""The daemon under what its systemd unit forbids: devices connect and work, foreign libraries included."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from countertop.client import sync
from countertop.v1 import device_pb2
from countertop.v1.receipt_pb2 import Block, Receipt, Rule

HERE = Path(__file__).resolve()
UNIT = HERE.parents[2] / "deploy/systemd/countertop.service"
SANDBOX = HERE.with_name("unit_sandbox.py")

CONFIG = """
[[devices]]
id = "receipt-printer"
emulator = "escpos"

[[devices]]
id = "signature-pad"
emulator = "wacom-stu"
options = { encryption = "on" }

[[devices]]
id = "camera"
emulator = "camera"
isolation = "process"
memory_mb = 1024
"""
READY_SECONDS = 30.0

PROBE = """
import errno, mmap, os, socket
def refused(what, *args, **kwargs):
    try:
        what(*args, **kwargs)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "nothing"
print(
    refused(mmap.mmap, -1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    refused(socket.socket, socket.AF_PACKET, socket.SOCK_RAW),
    refused(os.chown, os.devnull, os.getuid(), os.getgid()),
    refused(os.nice, 1),
    refused(socket.socket, socket.AF_UNIX),
)
"""


def sandboxed(*words: str) -> list[str]:
    return [sys.executable, str(SANDBOX), str(UNIT), sys.executable, *words]


@pytest.fixture(scope="module", autouse=True)
def _usable() -> None:
    done = subprocess.run([sys.executable, SANDBOX], capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        pytest.skip(done.stderr.strip().rpartition("\n")[2])


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    config, address = tmp_path / "countertop.toml", f"unix:{tmp_path}/s"
    config.write_text(f'[listen]\naddresses = ["{address}"]\n{CONFIG}', encoding="utf-8")
    words = sandboxed("-m", "countertop.cli", "serve", "--config", str(config))
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as daemon:
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=READY_SECONDS)
            yield address
        finally:
            daemon.terminate()
            _, said = daemon.communicate(timeout=30)
    assert daemon.returncode == 0, said


def test_what_the_unit_forbids_is_refused() -> None:
    done = subprocess.run(sandboxed("-c", PROBE), capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["EPERM", "EAFNOSUPPORT", "EPERM", "EPERM", "nothing"]


def test_devices_work_under_it(address: str) -> None:
    with sync.connect(address) as counter:
        until_ready(counter)
        assert counter.receipt_printer().print(Receipt(blocks=[Block(rule=Rule())])).blocks == 1
        assert counter.camera().frame().data.startswith(b"\xff\xd8")


def until_ready(counter: sync.Counter) -> None:
    """The pad has made its keys, the camera's process has started: OpenCV is in it."""
    end = time.monotonic() + READY_SECONDS
    while any(device.state != device_pb2.DEVICE_STATE_READY for device in counter.devices()):
        assert time.monotonic() < end, counter.devices()
        time.sleep(0.02)
