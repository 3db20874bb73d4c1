"""What the service manager is told: systemd's protocol, heard on sockets of our own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from countertop.server.notify import keep_telling, tell_ready, tell_stopping, watchdog_seconds


class Manager:
    """Hears what it is told."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[list[str]]:
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self._socket.recv(4096).decode().split("\n"))
        return found

    async def next(self) -> list[str]:
        told = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._socket, 4096), 5)
        return told.decode().split("\n")


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@countertop-test-{os.getpid()}"
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    manager = Manager(address)
    yield manager
    manager.close()


def test_ready_and_stopping_are_told_with_what_they_mean(manager: Manager) -> None:
    assert tell_ready("5 devices, 4 of them ready")
    assert tell_stopping(15.5)
    assert manager.heard() == [
        ["READY=1", "STATUS=5 devices, 4 of them ready"],
        ["STOPPING=1", "EXTEND_TIMEOUT_USEC=15500000"],
    ]


def test_a_status_cannot_say_anything_else(manager: Manager) -> None:
    tell_ready("fine\nMAINPID=1\n")
    assert manager.heard() == [["READY=1", "STATUS=fine MAINPID=1"]]


async def test_the_watchdog_is_fed_and_a_status_told_when_it_changes(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "40000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    words = iter(["starting", "starting", "ready", *["ready"] * 1000])
    telling = asyncio.create_task(keep_telling(lambda: next(words)))
    heard = [await manager.next() for _ in range(4)]
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling
    assert heard == [["WATCHDOG=1", "STATUS=starting"], ["WATCHDOG=1"], ["WATCHDOG=1", "STATUS=ready"], ["WATCHDOG=1"]]


async def test_without_a_watchdog_only_the_status_is_told(manager: Manager) -> None:
    telling = asyncio.create_task(keep_telling(lambda: "ready"))
    assert await manager.next() == ["STATUS=ready"]
    telling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await telling


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_often_it_is_wanted(
    environment: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert watchdog_seconds() == seconds


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/to/be/found"])
async def test_where_nobody_listens_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not tell_ready("fine")
    if not address:
        await keep_telling(lambda: "fine")


def test_a_manager_that_does_not_take_what_it_is_told_holds_nobody_up(manager: Manager) -> None:
    while tell_ready("again and again"):  # until its queue is full
        assert True
    assert not tell_stopping(1.0)
    assert manager.heard()
    assert tell_ready("it listens again")
