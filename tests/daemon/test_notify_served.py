"""What a service manager hears of a daemon that runs under it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path


def test_a_manager_hears_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"{tmp_path}/notify")
        manager.settimeout(30)
        command = [sys.executable, "-m", "countertop.cli", "serve", "--listen", f"unix:{tmp_path}/c.sock"]
        told = {"NOTIFY_SOCKET": f"{tmp_path}/notify", "WATCHDOG_USEC": "400000"}
        daemon = subprocess.Popen(
            [*command, "--state", f"{tmp_path}/state"], env=os.environ | told, stderr=subprocess.DEVNULL
        )
        try:
            assert manager.recv(4096).startswith(b"READY=1\nSTATUS=")
            beats = [manager.recv(4096) for _ in range(3)]
            assert all(beat.startswith(b"WATCHDOG=1") for beat in beats)
            daemon.send_signal(signal.SIGTERM)
            heard = [manager.recv(4096)]
            while b"STOPPING=1" not in heard[-1]:
                heard.append(manager.recv(4096))
            assert daemon.wait(20) == 0
        finally:
            daemon.kill()
            daemon.wait()
