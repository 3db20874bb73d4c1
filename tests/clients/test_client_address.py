"""Where the client looks for the daemon when nobody says."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from countertop.client import _address, connect
from countertop.server.config import default_socket


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """An environment that names nothing, and a machine without a daemon."""
    monkeypatch.delenv("COUNTERTOP_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    elsewhere = {Path("/run/countertop/countertop.sock"), Path(f"/tmp/countertop-{os.geteuid()}/countertop.sock")}
    is_socket = Path.is_socket
    monkeypatch.setattr(Path, "is_socket", lambda path: path not in elsewhere and is_socket(path))


@pytest.fixture
def listening(tmp_path):
    path = tmp_path / "countertop" / "countertop.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        yield f"unix:{path}"


def test_without_any_daemon_it_is_the_loopback_port():
    assert connect().address == "127.0.0.1:7411"


def test_the_socket_in_the_run_time_directory_is_found(listening):
    assert connect().address == listening


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / "countertop").mkdir()
    (tmp_path / "countertop" / "countertop.sock").write_text("")
    assert connect().address == "127.0.0.1:7411"


def test_the_environment_goes_before_the_socket(listening, monkeypatch):
    monkeypatch.setenv("COUNTERTOP_ADDRESS", "127.0.0.1:1")
    assert connect().address == "127.0.0.1:1"


def test_an_address_that_is_given_goes_before_all(listening, monkeypatch):
    monkeypatch.setenv("COUNTERTOP_ADDRESS", "127.0.0.1:1")
    assert connect("unix:/elsewhere").address == "unix:/elsewhere"


@pytest.mark.parametrize(("runtime", "user"), [("/run/user/7", 7), (None, 7), (None, 0)])
def test_the_daemons_own_default_is_among_the_places(monkeypatch, runtime, user):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    if runtime is None:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    assert default_socket() in [f"unix:{path}" for path in _address._sockets()]
