"""What an operator does on the command line: after a crash, for maintenance, about claims."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from countertop.cli import main
from countertop.cli.commands.statistics import median
from countertop.client import connect
from countertop.v1 import device_pb2

CLI = [sys.executable, "-m", "countertop.cli"]


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A daemon that listens, with the journal of the folder; ended when the block ends."""
    words = [*CLI, "serve", "--listen", f"unix:{folder}/c.sock", "--state", str(folder / "journal")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        for line in daemon.stderr:
            if "listening on" in line:
                break
        try:
            yield daemon
        finally:
            if daemon.poll() is None:
                daemon.terminate()
            daemon.stderr.read()


def test_after_a_kill_in_the_middle_of_the_demos_receipt_operations_tell_the_truth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"unix:{tmp_path}/c.sock"
    words = [*CLI, "demo", "--address", address, "--out", str(tmp_path / "out")]
    with serving(tmp_path) as daemon:
        watch = subprocess.Popen([*CLI, "watch", "--json", "--address", address], stdout=subprocess.PIPE, text=True)
        assert watch.stdout is not None
        assert watch.stdout.readline()
        demo = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | {"COLUMNS": "200"}
        )
        assert demo.stdout is not None
        for line in watch.stdout:
            operation = json.loads(line).get("event", {}).get("operation_changed", {})
            if int(operation.get("progress", {}).get("done", 0)) > 0:
                break
        daemon.send_signal(signal.SIGKILL)
        daemon.wait(timeout=10)
        watch.kill()
        watch.communicate()
    with serving(tmp_path):
        told = demo.stdout.read()
        assert demo.wait(timeout=30) == 1, told
        demo.stdout.close()
        assert "UNCERTAIN" in told
        assert main(["operations", "--unresolved", "--json", "--address", address]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        operation = json.loads(line)
        assert operation["state"] == "OPERATION_STATE_UNCERTAIN"
        assert operation["failure"]["reason"] == "REASON_INTERRUPTED"
        assert main(["operations", "--address", address]) == 0
        assert f"countertop resolve {operation['id']}" in capsys.readouterr().out
        words = [operation["id"], "not-done", "--reason", "the roll was torn", "--by", "teller 7", "--address", address]
        assert main(["resolve", *words]) == 0
        assert "resolved" in capsys.readouterr().out
        assert main(["resolve", *words]) == 1
        assert "NOT_UNCERTAIN" in capsys.readouterr().err
        assert main(["operations", "--unresolved", "--json", "--address", address]) == 0
        assert capsys.readouterr().out == ""
        assert main(["operations", "--address", address]) == 0
        assert "NOT_DONE" in capsys.readouterr().out


def test_maintenance_claims_and_statistics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"unix:{tmp_path}/c.sock"
    (tmp_path / "r.txt").write_text("1", encoding="utf-8")
    with serving(tmp_path):
        assert main(["print", "receipt-printer", str(tmp_path / "r.txt"), "--address", address]) == 0
        assert main(["maintenance", "receipt-printer", "on", "--reason", "new head", "--address", address]) == 0
        assert "in maintenance" in capsys.readouterr().out
        assert main(["print", "receipt-printer", str(tmp_path / "r.txt"), "--address", address]) == 1
        assert "new head" in capsys.readouterr().err
        assert main(["maintenance", "receipt-printer", "off", "--json", "--address", address]) == 0
        assert json.loads(capsys.readouterr().out)["admin_state"] == "ADMIN_STATE_ENABLED"
        assert main(["statistics", "receipt-printer", "--address", address]) == 0
        told = capsys.readouterr().out
        assert "Print SUCCEEDED" in told
        assert "paper_mm" in told
        assert main(["statistics", "receipt-printer", "--json", "--address", address]) == 0
        assert json.loads(capsys.readouterr().out)["since_start"]["operations"]
        assert main(["claims", "--address", address]) == 0
        assert main(["claims", "--json", "--address", address]) == 0


async def test_a_supervisor_takes_a_claim_away(served: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    async def command(*words: str) -> int:
        return await asyncio.to_thread(main, ["claims", *words, "--address", served.address])

    async with connect(served.address) as counter:
        held = await counter.claim("printer", label="counter 3").acquire()
        assert await command("--json") == 0
        claim_id = json.loads(capsys.readouterr().out)["id"]
        assert await command() == 0
        assert "counter 3" in capsys.readouterr().out
        for words in (["--revoke", claim_id], ["--reason", "hangs"], ["--by", "supervisor 2"]):
            with pytest.raises(SystemExit):
                await command(*words)
        assert "--revoke needs a --reason" in capsys.readouterr().err
        assert await command("--revoke", claim_id, "--reason", "the app hangs", "--by", "supervisor 2") == 0
        assert f"Claim {claim_id} is revoked" in capsys.readouterr().out
        async with asyncio.timeout(5):
            await held.lost.wait()
        assert await command("--revoke", claim_id, "--reason", "the app hangs") == 1
        assert "CLAIM_NOT_FOUND" in capsys.readouterr().err


def test_the_median_is_the_bound_below_which_half_lie() -> None:
    histogram = device_pb2.Histogram(bounds=[0.1, 1.0], counts=[1, 2, 0])
    assert median(histogram) == "<= 1 s"
    assert median(device_pb2.Histogram(bounds=[0.1, 1.0], counts=[0, 0, 5])) == "> 1 s"
    assert median(device_pb2.Histogram(bounds=[0.1], counts=[0, 0])) == "-"
