"""What a daemon writes into its audit, over real gRPC; and what is left of it when the daemon is killed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from countertop.cli import main
from countertop.sdk import CountertopError
from countertop.server.audit import carry
from countertop.server.audit.reading import find
from countertop.server.audit.verify import verify
from countertop.v1 import device_pb2, error_pb2, receipt_pb2
from countertop.v1.operation_pb2 import OperationOptions

PRIVATE = "王小明 6222 0000"
RECEIPT = receipt_pb2.Receipt(
    blocks=[receipt_pb2.Block(paragraph=receipt_pb2.Paragraph(spans=[receipt_pb2.Span(text=PRIVATE)]))]
)
FAULTY = error_pb2.REASON_JOURNAL_FAILED


def printing(operation_id: str, **options: Any) -> dict[str, Any]:
    return {
        "options": OperationOptions(operation_id=operation_id, **options),
        "device_id": "printer",
        "receipt": RECEIPT,
    }


async def written(counter: SimpleNamespace, *kinds: str) -> list[dict[str, Any]]:
    """Records of some kinds that are on the disk by now."""
    audit = counter.daemon.terminal.audit
    await audit.flush()
    return [found.record for found in find(audit.folder, what=kinds)]


def on_disk(counter: SimpleNamespace, *kinds: str) -> list[dict[str, Any]]:
    """Without waiting for it."""
    return [found.record for found in find(counter.daemon.terminal.audit.folder, what=kinds)]


async def test_what_is_done_is_written_down_with_who_and_how_it_ended(counter):
    await counter.call.all("ReceiptPrinterService", "Print", **printing("p"))
    await counter.call.unary("DeviceService", "ListDevices")
    (record,) = await written(counter, "call")
    expected = {
        "door": "unix",
        "identity": f"uid={os.getuid()}",
        "method": "ReceiptPrinterService.Print",
        "device_id": "printer",
        "operation_id": "p",
        "outcome": "SUCCEEDED",
    }
    assert record.items() >= expected.items()
    assert record["roles"], "what it could do, it could by these"
    chain = b"".join(path.read_bytes() for path in counter.daemon.terminal.audit.folder.iterdir())
    for secret in (PRIVATE, "6222"):
        assert secret.encode() not in chain
        assert json.dumps(secret).strip('"').encode() not in chain


async def test_maintenance_is_on_the_disk_before_the_answer(counter):
    change = {"device_id": "reader", "maintenance": True, "reason": "new cable"}
    await counter.call.unary("DeviceService", "SetMaintenance", **change)
    (record,) = on_disk(counter, "maintenance")
    assert record["details"] == {"begin": True, "reason": "new cable"}
    assert (record["door"], record["device_id"]) == ("unix", "reader")
    await counter.call.unary("DeviceService", "SetMaintenance", device_id="reader")
    assert on_disk(counter, "maintenance")[-1]["details"] == {"begin": False, "reason": ""}


async def test_a_device_is_maintained_all_the_same_when_the_audit_cannot_be_written(counter, monkeypatch):
    async def refuse() -> None:
        raise CountertopError(FAULTY, "The disk is full.")

    monkeypatch.setattr(counter.daemon.terminal.audit, "flush", refuse)
    answer = await counter.call.unary(
        "DeviceService", "SetMaintenance", device_id="reader", maintenance=True, reason="new cable"
    )
    assert answer.device.admin_state == device_pb2.ADMIN_STATE_MAINTENANCE


async def test_claims_come_and_go_and_a_revoked_one_is_on_the_disk_before_the_answer(counter):
    claim = counter.call.stream("ClaimService", "Claim", device_ids=["reader"], label="till app")
    while not (await claim.read()).HasField("granted"):
        pass
    (held,) = await written(counter, "claim")
    assert (held["outcome"], held["device_id"], held["details"]["label"]) == ("HELD", "reader", "till app")
    claim_id = held["details"]["id"]
    word = {"claim_id": claim_id, "reason": "the app hangs", "by": "teller 7"}
    await counter.call.unary("ClaimService", "RevokeClaim", **word)
    (revoked,) = on_disk(counter, "revoke")
    assert revoked["device_id"] == "reader"
    assert revoked["details"] == {"id": claim_id, "reason": "the app hangs", "by": "teller 7"}
    claim.cancel()


async def test_who_may_not_is_written_down_and_nothing_happens(world, tmp_path, start, until):
    async with start(world, tmp_path, owner="observer") as counter:
        await until(counter.call, "printer", device_pb2.DEVICE_STATE_READY)
        with pytest.raises(Exception, match=r".") as refused:
            await counter.call.all("ReceiptPrinterService", "Print", **printing("never"))
        assert refused.value.reason == "PERMISSION_DENIED"
        (denied,) = await written(counter, "denied")
    expected = {
        "door": "unix",
        "identity": f"uid={os.getuid()}",
        "roles": ["observer"],
        "method": "ReceiptPrinterService.Print",
        "device_id": "printer",
        "operation_id": "never",
        "outcome": "PERMISSION_DENIED",
    }
    assert denied.items() >= expected.items()
    assert not world.printed


class TestCarriedOver:
    ROWS = (
        (1_790_000_000.25, "resolve", {"operation_id": "p", "finding": 1, "reason": "seen", "by": "teller 7"}),
        (1_790_000_001.5, "claim", {"id": "c", "device_ids": ["reader", "printer"], "state": 2}),
        (1_790_000_002.0, "card exchange", {"device_id": "cards", "what": "begin", "counts": {"hopper": 40}}),
    )

    @pytest.fixture
    def old(self, world: Any, tmp_path: Path, start: Any) -> Any:
        async def make() -> Path:
            async with start(world, tmp_path):
                pass
            path = tmp_path / "state" / "journal.db"
            with sqlite3.connect(path) as connection:
                rows = [(time, kind, json.dumps(body)) for time, kind, body in self.ROWS]
                connection.executemany("INSERT INTO audit (time, kind, body) VALUES (?, ?, ?)", rows)
            return path

        return make

    async def test_the_audit_of_an_earlier_version_is_carried_over_once(self, old, world, tmp_path, start):
        path = await old()
        for _ in range(2):
            async with start(world, tmp_path) as counter:
                terminal = counter.daemon.terminal
                async with asyncio.timeout(5):
                    while terminal.journal.old_audit(0, 1):
                        await terminal.journal.saved(durable=False)
        imported = [found.record for found in find(tmp_path / "state/audit", what=("imported",))]
        assert [record["details"]["kind"] for record in imported] == ["resolve", "claim", "card exchange"]
        assert imported[0]["details"]["at"] == "2026-09-21T14:13:20.250000Z"
        assert imported[1]["details"]["device_ids"] == "reader,printer"
        assert imported[2]["details"].items() >= {"counts hopper": 40, "what_": "begin"}.items()
        assert (imported[0]["operation_id"], imported[2]["device_id"]) == ("p", "cards")
        with sqlite3.connect(path) as connection:
            assert connection.execute("SELECT count(*) FROM audit").fetchone() == (0,)
        assert verify(tmp_path / "state/audit").intact

    async def test_what_a_daemon_carried_over_before_it_died_is_not_carried_over_again(
        self, old, world, tmp_path, start, monkeypatch
    ):
        await old()
        async with start(world, tmp_path) as counter:
            terminal = counter.daemon.terminal
            for task in list(terminal._tasks):
                task.cancel()
            carry._record(terminal.audit, 1, *self.ROWS[0][:2], dict(self.ROWS[0][2]))
            await terminal.audit.flush()
            await carry.carry_over(terminal.journal, terminal.audit)
            rows = [record["details"]["row"] for record in await written(counter, "imported")]
        assert rows == [1, 2, 3]


CODE = """
import sys
from countertop.server.serving import serve
sys.exit(serve(None, sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def lives(tmp_path_factory) -> SimpleNamespace:
    """What two daemons left: the first one was killed, the second one told to stop."""
    folder = tmp_path_factory.mktemp("lives")
    address, audit, key = f"unix:{folder}/t.sock", folder / "countertop/audit", folder / "key.pem"
    verdicts = []
    for signum in (signal.SIGKILL, signal.SIGTERM):
        environment = os.environ | {"XDG_STATE_HOME": str(folder)}
        with subprocess.Popen([sys.executable, "-c", CODE, address], stderr=subprocess.DEVNULL, env=environment) as run:
            try:
                _cancel_nothing(address)
                assert signum == signal.SIGKILL or main(["signing-key", "--address", address, "--out", str(key)]) == 0
                run.send_signal(signum)
                run.wait(20)
            finally:
                run.kill()
        verdicts.append(verify(audit))
    return SimpleNamespace(state=audit.parent, audit=audit, key=key, verdicts=verdicts)


def _cancel_nothing(address: str) -> None:
    """Calls that are written down, whatever becomes of them."""
    with grpc.insecure_channel(address) as channel:
        grpc.channel_ready_future(channel).result(20)
        call = channel.unary_unary("/countertop.v1.OperationService/CancelOperation")
        for _ in range(50):
            with pytest.raises(grpc.RpcError):
                call(b"\x0a\x04none", timeout=10)


def test_kill_9_leaves_a_chain_that_verifies_and_the_next_daemon_goes_on(lives):
    killed, stopped = lives.verdicts
    assert killed.intact, killed.problems
    assert killed.records
    assert stopped.intact, stopped.problems
    assert stopped.signed_to == stopped.last - 1
    starts = [found.record["details"]["clean"] for found in find(lives.audit, what=("start",))]
    assert starts == [True, False], "the second one saw that the first had not ended in good order"


def test_records_are_exported_and_shown(lives, capsys):
    words = ["--state", str(lives.state)]
    assert main(["audit", "export", *words, "--what", "call", "--what", "checkpoint"]) == 0
    exported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["what"] for record in exported].count("call") >= 50
    assert main(["audit", "export", *words, "--until", "2020-01-01"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["audit", "show", *words, "--what", "call", "--last", "2"]) == 0
    assert capsys.readouterr().out.count("OperationService.CancelOperation") == 2


def test_the_command_line_tells_what_was_done_to_a_chain(lives, tmp_path, capsys):
    shutil.copytree(lives.audit, tmp_path / "audit")
    words, key = ["--state", str(tmp_path)], ["--key", str(lives.key)]
    assert main(["audit", "verify", *words, *key]) == 0
    assert "Intact" in capsys.readouterr().out
    assert main(["audit", "verify", *words, *key, "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    head = f"{verdict['last']}:{verdict['head']}"
    assert main(["audit", "verify", *words, *key, "--head", head]) == 0
    (file,) = (tmp_path / "audit").glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-1]))
    assert main(["audit", "verify", *words]) == 0, "a chain alone does not tell that its end is missing"
    (tmp_path / "head.jsonl").write_bytes(lines[-1])
    assert main(["audit", "verify", *words, "--head", str(tmp_path / "head.jsonl")]) == 1
    assert f"record {verdict['last']}: missing" in capsys.readouterr().err
    file.write_bytes(b"".join(lines).replace(b'"outcome":"OPERATION_NOT_FOUND"', b'"outcome":"SUCCEEDED"', 1))
    assert main(["audit", "verify", *words]) == 1
    assert "altered" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["verify", "--state", "/nowhere"], "There is no audit in /nowhere"),
        (["verify", "--head", "12"], "12"),
        (["verify", "--key", "{here}/no.pem"], "no public key"),
        ([], "needs an action"),
        (["export", "--since", "yesterday"], "expected a time"),
    ],
)
def test_mistakes_are_told(tmp_path, capsys, words, said):
    (tmp_path / "audit").mkdir()
    (tmp_path / "no.pem").write_text("nothing")
    words = [word.replace("{here}", str(tmp_path)) for word in words]
    state = [] if not words or "--state" in words else ["--state", str(tmp_path)]
    assert main(["audit", *words, *state]) in (1, 2)
    assert said in capsys.readouterr().err
