"""Drivers in processes of their own: what goes wrong there stays there."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from countertop.sdk import DriverSpec, hookimpl
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_pb2
from countertop.v1.operation_pb2 import OperationOptions

READY = device_pb2.DEVICE_STATE_READY
OFFLINE = device_pb2.DEVICE_STATE_OFFLINE
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
CANCELLED = operation_pb2.OPERATION_STATE_CANCELLED
UNCERTAIN = operation_pb2.OPERATION_STATE_UNCERTAIN


def trial_plugin() -> ModuleType:
    module = ModuleType("trial_plugin")

    @hookimpl
    def countertop_drivers() -> list[DriverSpec]:
        kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER
        return [DriverSpec("trial-printer", kind, "isolation_drivers:TrialPrinter", "on trial")]

    module.countertop_drivers = countertop_drivers  # type: ignore[attr-defined]
    return module


def printing(what, operation_id=None, device="printer"):
    span = receipt_pb2.Span(text=what)
    return {
        "options": OperationOptions(operation_id=operation_id or what),
        "device_id": device,
        "receipt": receipt_pb2.Receipt(blocks=[receipt_pb2.Block(paragraph={"spans": [span]})]),
    }


@pytest.fixture
async def served(tmp_path, monkeypatch, caller, until):
    """Starts a daemon with an isolated printer of these options, and one that is as quiet as a mouse."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    daemons = []
    started = []

    async def start(**device):
        config = Config(
            terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
            listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
            devices=[
                DeviceConfig(id=name, driver="trial-printer", link="tcp://127.0.0.1:1", isolation="process", **more)
                for name, more in (("printer", device), ("quiet", {}))
            ],
        )
        daemon = Daemon(config, plugins=Plugins(trial_plugin()))
        await daemon.__aenter__()
        channel = grpc.aio.insecure_channel(daemon.addresses[0])
        daemons.append((daemon, channel))
        started.append(daemon)
        call = caller(channel)
        for name in ("printer", "quiet"):
            found = await until(call, name, READY)
        return call, found

    start.daemons = started
    yield start
    for daemon, channel in daemons:
        await channel.close()
        await daemon.stop()


def process_of(device):
    return int(device.info.model.removeprefix("pid "))


async def device(call, name="printer"):
    return (await call.unary("DeviceService", "GetDevice", device_id=name)).device


async def test_a_driver_notices_no_difference(served):
    call, _ = await served()
    updates = await call.all("ReceiptPrinterService", "Print", **printing("well"))
    assert updates[-1].operation.state == SUCCEEDED
    assert updates[-1].result.blocks == 2
    assert [update.printed.blocks for update in updates if update.HasField("printed")] == [1]
    assert updates[-1].operation.progress.total == 2
    found = await device(call)
    assert found.isolated
    assert process_of(found) != os.getpid()
    answer = await call.unary("DeviceService", "GetStatistics", device_id="printer")
    assert {item.name: item.amount for item in answer.since_start.media} == {"paper_mm": 5.0}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("invalid", "INVALID_REQUEST"),
        ("fault", "PAPER_OUT"),
        ("bug", "DRIVER_FAILED"),
        ("wrong_event", "DRIVER_FAILED"),
    ],
)
async def test_errors_are_those_of_the_driver(served, what, reason):
    call, _ = await served()
    with pytest.raises(Exception, match=r".") as caught:
        await call.all("ReceiptPrinterService", "Print", **printing(what))
    assert caught.value.reason == reason
    assert "customer" not in str(caught.value)
    if what == "fault":
        assert caught.value.updates[-1].operation.physical_effect == error_pb2.PHYSICAL_EFFECT_PARTIAL


async def test_a_call_is_cancelled_there_too(served):
    call, _ = await served()
    stream = call.stream("ReceiptPrinterService", "Print", **printing("for_ever"))
    async for update in stream:
        if update.operation.progress.done:
            break
    before = process_of(await device(call))
    answer = await call.unary("OperationService", "CancelOperation", operation_id="for_ever")
    assert answer.operation.state == CANCELLED
    await call.all("ReceiptPrinterService", "Print", **printing("well"))
    assert process_of(await device(call)) == before


async def test_a_commit_that_is_cancelled_has_committed_nothing(served):
    call, _, daemon = *(await served()), served.daemons[-1]
    journal, asked = daemon.terminal.journal, asyncio.Event()
    saved = journal.saved

    def never(*, durable):
        if not durable:
            return saved(durable=durable)
        asked.set()
        return asyncio.get_running_loop().create_future()

    journal.saved = never
    print_ = printing("slow_commit") | {"options": OperationOptions(operation_id="p", timeout=Duration(seconds=1))}
    stream = call.stream("ReceiptPrinterService", "Print", **print_)
    await asyncio.wait_for(asked.wait(), 5)
    journal.saved = saved
    answer = await call.unary("DeviceService", "GetDevice", device_id="printer")
    assert answer.device.running_operation_id == "p"
    daemon.terminal.runners["printer"]._interrupt(
        daemon.terminal.runners["printer"]._running, error_pb2.REASON_RESET_BY_REQUEST
    )
    with pytest.raises(grpc.aio.AioRpcError):
        async for _ in stream:
            pass
    found = (await call.unary("OperationService", "GetOperation", operation_id="p")).operation
    assert found.physical_effect == error_pb2.PHYSICAL_EFFECT_NONE


async def test_a_process_does_not_end_by_a_signal_to_the_whole_group(served):
    call, _ = await served()
    process = process_of(await device(call))
    os.kill(process, signal.SIGTERM)
    await call.all("ReceiptPrinterService", "Print", **printing("well"))
    assert process_of(await device(call)) == process


async def test_a_crash_after_the_commit_point_is_settled_by_the_next_process(served):
    call, _ = await served()
    quiet = await device(call, "quiet")
    updates = await call.all("ReceiptPrinterService", "Print", **printing("committed_crash"))
    assert updates[-1].operation.state == SUCCEEDED
    assert updates[-1].result.blocks == 7
    assert process_of(await device(call, "quiet")) == process_of(quiet)


@pytest.mark.parametrize(
    ("what", "options", "reason", "told"),
    [
        ("hang", {"hang_seconds": 0.6}, "DRIVER_HUNG", "did not answer"),
        ("eat", {"memory_mb": 200}, "DRIVER_OUT_OF_MEMORY", "200 MiB"),
        ("leave", {}, "DRIVER_CRASHED", "exit code"),
    ],
)
async def test_a_process_that_fails_is_named_and_started_anew(served, until, what, options, reason, told):
    call, _ = await served(**options)
    watch = call.stream("DeviceService", "WatchEvents")
    await watch.read()
    with pytest.raises(Exception, match=told) as caught:
        await call.all("ReceiptPrinterService", "Print", **printing(what))
    assert caught.value.reason == reason
    await until(call, "printer", READY)
    watch.cancel()
    await call.all("ReceiptPrinterService", "Print", **printing("well"))


async def test_a_process_that_dies_while_idle_is_noticed_told_and_started_anew(served, until):
    call, _ = await served(options={"crash_when_idle": True})
    gone = await until(call, "printer", OFFLINE)
    assert gone.failure.reason == error_pb2.REASON_DRIVER_CRASHED
    assert "SIGSEGV" in gone.failure.message
    await until(call, "printer", READY)


LONELY = """
import asyncio
from countertop.server.isolation.remote import IsolatedDriver
async def main():
    driver = IsolatedDriver("t", "isolation_drivers:TrialPrinter", "tcp://127.0.0.1:1", {})
    print((await driver.connect()).model, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def test_no_process_outlives_a_daemon_that_is_killed():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    words = [sys.executable, "-c", LONELY]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as daemon:
        assert daemon.stdout is not None
        child = os.pidfd_open(int(daemon.stdout.readline().removeprefix("pid ")))
        daemon.kill()
    ended, _, _ = select.select([child], [], [], 5)
    os.close(child)
    assert ended


async def test_processes_are_reaped(served, until):
    call, _ = await served()
    first = process_of(await device(call))
    with pytest.raises(Exception, match="exit code"):
        await call.all("ReceiptPrinterService", "Print", **printing("leave"))
    async with asyncio.timeout(5):
        await until(call, "printer", READY)
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
