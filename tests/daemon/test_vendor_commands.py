"""VendorService as clients see it, with drivers in the daemon and in processes of their own."""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from countertop.sdk import DriverSpec, hookimpl
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.server.runner import Limits
from countertop.v1 import device_pb2, error_pb2, operation_pb2, options_pb2
from countertop.v1.operation_pb2 import OperationOptions

READY = device_pb2.DEVICE_STATE_READY
OFFLINE = device_pb2.DEVICE_STATE_OFFLINE
STOPPED = operation_pb2.OPERATION_STATE_STOPPED
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
CANCELLED = operation_pb2.OPERATION_STATE_CANCELLED
UNCERTAIN = operation_pb2.OPERATION_STATE_UNCERTAIN
HERE = str(Path(__file__).parent)
PRINTER = device_pb2.DEVICE_KIND_RECEIPT_PRINTER


@pytest.fixture(scope="module")
def vendor() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        return importlib.import_module("vendor_drivers")


def vendor_plugin() -> ModuleType:
    module = ModuleType("vendor_plugin")

    @hookimpl
    def countertop_drivers() -> list[DriverSpec]:
        return [
            DriverSpec("acme", PRINTER, "vendor_drivers:AcmePrinter", "takes commands"),
            DriverSpec("acme-settling", PRINTER, "vendor_drivers:SettlingPrinter", "and can settle them"),
            DriverSpec("acme-bad", PRINTER, "vendor_drivers:BadPrinter", "declares them wrongly"),
        ]

    module.countertop_drivers = countertop_drivers  # type: ignore[attr-defined]
    return module


@pytest.fixture(params=["none", "process"], ids=["in-the-daemon", "own-process"])
def isolation(request) -> str:
    return str(request.param)


@pytest.fixture
def serve(vendor, tmp_path, monkeypatch, caller, until):
    """Runs a daemon with a device `pad` on one of the drivers; with `bad`, which declares its commands wrongly."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE, *sys.path]))
    vendor.AcmePrinter.ejected.clear()
    vendor.AcmePrinter.entered, vendor.AcmePrinter.go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def run(isolation="none", driver="acme", state_dir=None, drain=5.0, bad=False):
        drivers = {"bad": "acme-bad"} if bad else {}
        config = Config(
            terminal=TerminalConfig(id="test", state_dir=state_dir or f"{tmp_path}/state", drain_seconds=drain),
            listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
            devices=[
                DeviceConfig(id=name, driver=kind, link="tcp://127.0.0.1:1", isolation=isolation)
                for name, kind in (drivers | {"pad": driver}).items()
            ],
        )
        async with (
            Daemon(config, plugins=Plugins(vendor_plugin())) as daemon,
            grpc.aio.insecure_channel(daemon.addresses[0]) as channel,
        ):
            found = SimpleNamespace(call=caller(channel), daemon=daemon, until=until)
            await until(found.call, "pad", READY)
            yield found

    return run


@pytest.fixture
async def served(serve):
    async with serve() as found:
        yield found


@pytest.fixture
async def either(serve, isolation):
    """The driver in the daemon, and in a process of its own: no difference is seen."""
    async with serve(isolation) as found:
        yield found


@pytest.fixture
def ask(vendor):
    """The fields of a request."""

    def fields(command, operation_id="", **options):
        packed = command if isinstance(command, AnyMessage) else vendor.packed(command)
        options = OperationOptions(operation_id=operation_id, **options)
        return {"options": options, "device_id": "pad", "command": packed}

    return fields


async def refused(call, **fields):
    with pytest.raises(Exception, match=r".") as caught:
        await call.all("VendorService", "Call", **fields)
    return caught.value


async def the_operation(call, operation_id):
    return (await call.unary("OperationService", "GetOperation", operation_id=operation_id)).operation


async def test_a_command_that_reads_gives_events_and_its_result(either, vendor, ask):
    updates = await either.call.all("VendorService", "Call", **ask(vendor.SetLightRequest(level=4)))
    light, dimmed = vendor.SetLightResult(), vendor.Dimmed()
    (event,) = [update.event for update in updates if update.HasField("event")]
    assert event.message.Unpack(dimmed)
    assert dimmed.level == 3
    assert updates[-1].result.message.Unpack(light)
    assert light.level == 4
    operation = updates[-1].operation
    assert (operation.state, operation.verb) == (SUCCEEDED, "countertop.v1.VendorService/Call")
    assert operation.vendor_command == "acme.pad.v1.SetLightRequest"
    assert operation.physical_effect == error_pb2.PHYSICAL_EFFECT_NONE
    assert operation.progress.unit == "steps"
    stored = either.daemon.terminal.journal
    assert stored.find(operation.id) is None  # as every verb that reads


async def test_a_device_lists_its_commands(either):
    device = (await either.call.unary("DeviceService", "GetDevice", device_id="pad")).device
    listed = [(item.command, item.result, item.effect) for item in device.info.vendor_commands]
    assert listed == [
        ("acme.pad.v1.SetLightRequest", "acme.pad.v1.SetLightResult", options_pb2.EFFECT_READS),
        ("acme.pad.v1.EjectRequest", "acme.pad.v1.EjectResult", options_pb2.EFFECT_CONSUMES),
    ]


async def test_a_wrong_declaration_is_that_devices_error_and_the_others_go_on(serve, isolation, vendor, ask):
    async with serve(isolation, bad=True) as served:
        device = await served.until(served.call, "bad", OFFLINE)
        assert "async def set_lihgt(self, command, run)" in device.failure.message
        assert device.failure.reason == error_pb2.REASON_DRIVER_FAILED
        fields = ask(vendor.SetLightRequest()) | {"device_id": "bad"}
        assert (await refused(served.call, **fields)).reason == "DEVICE_OFFLINE"
        await served.call.all("VendorService", "Call", **ask(vendor.SetLightRequest(level=1)))


async def test_an_unknown_command_is_refused_with_those_that_there_are(served, vendor, ask):
    failed = await refused(served.call, **ask(vendor.Dimmed(level=1), "never"))
    assert (failed.reason, failed.code) == ("NOT_SUPPORTED", grpc.StatusCode.UNIMPLEMENTED)
    assert "no vendor command acme.pad.v1.Dimmed" in str(failed)
    assert "acme.pad.v1.SetLightRequest, acme.pad.v1.EjectRequest" in str(failed)
    with pytest.raises(Exception, match="never"):
        await the_operation(served.call, "never")  # it never became an operation


@pytest.mark.parametrize("url", ["", "acme.pad.v1.SetLightRequest", "/x", "a b/acme.X", "x/acme..X", "x/李小样"])
async def test_what_names_no_type_is_a_mistake_in_the_command(served, ask, url):
    failed = await refused(served.call, **ask(AnyMessage(type_url=url, value=b"1")))
    (violation,) = failed.detail(error_details_pb2.BadRequest).field_violations
    assert violation.field == "command"
    assert "李" not in str(failed)


async def test_a_request_without_a_command_is_refused(served, ask):
    fields = ask(AnyMessage())
    del fields["command"]
    failed = await refused(served.call, **fields)
    (violation,) = failed.detail(error_details_pb2.BadRequest).field_violations
    assert (violation.field, violation.description) == ("command", "required")


async def test_bytes_that_are_no_such_message_are_a_mistake_in_the_command(either, ask, isolation):
    command = AnyMessage(type_url="type.googleapis.com/acme.pad.v1.EjectRequest", value="李".encode() * 3)
    failed = await refused(either.call, **ask(command, "op"))
    assert failed.reason == "INVALID_REQUEST"
    assert "command: expected a serialised acme.pad.v1.EjectRequest, got 9 bytes" in str(failed)
    if isolation == "none":
        (violation,) = failed.detail(error_details_pb2.BadRequest).field_violations
        assert violation.field == "command"
    else:  # the daemon does not have the type: the driver finds out, before anything happens
        operation = await the_operation(either.call, "op")
        assert (operation.state, operation.physical_effect) == (FAILED, error_pb2.PHYSICAL_EFFECT_NONE)


async def test_a_request_of_more_than_a_mebibyte_is_refused_by_its_field(served, ask):
    command = AnyMessage(type_url="type.googleapis.com/acme.pad.v1.SetLightRequest", value=b"x" * 1024 * 1024)
    failed = await refused(served.call, **ask(command))
    (violation,) = failed.detail(error_details_pb2.BadRequest).field_violations
    assert violation.field == "command"


async def test_a_consuming_command_needs_an_operation_id_and_runs_once(either, vendor, ask):
    failed = await refused(either.call, **ask(vendor.EjectRequest()))
    (violation,) = failed.detail(error_details_pb2.BadRequest).field_violations
    assert violation.field == "options.operation_id"
    first = await either.call.all("VendorService", "Call", **ask(vendor.EjectRequest(), "e1"))
    again = await either.call.all("VendorService", "Call", **ask(vendor.EjectRequest(), "e1"))
    token = vendor.EjectResult()
    for updates in (first, again):
        assert updates[-1].operation.physical_effect == error_pb2.PHYSICAL_EFFECT_COMPLETE
        assert updates[-1].result.message.Unpack(token)
        assert token.slot == 3
    assert first[-1].operation.revision == again[-1].operation.revision
    if not either.daemon.terminal.runners["pad"].view.device.isolated:
        assert vendor.AcmePrinter.ejected == ["e1"]
    other = await refused(either.call, **ask(vendor.EjectRequest(how="name"), "e1"))
    assert other.reason == "OPERATION_ID_REUSED"


async def test_errors_are_those_of_the_driver(either, vendor, ask):
    fault = await refused(either.call, **ask(vendor.SetLightRequest(how="fault")))
    assert (fault.reason, fault.detail(error_pb2.DeviceFault).step) == ("PAD_FAULT", "light")
    bug = await refused(either.call, **ask(vendor.SetLightRequest(how="bug")))
    assert bug.reason == "DRIVER_FAILED"
    assert "customer" not in str(bug)


async def test_a_driver_that_breaks_its_word_fails_alone(served, vendor, ask):
    failed = await refused(served.call, **ask(vendor.SetLightRequest(how="wrong event")))
    assert failed.reason == "DRIVER_FAILED"
    assert "expected set_light to emit acme.pad.v1.Dimmed" in str(failed)
    await served.until(served.call, "pad", READY)
    await served.call.all("VendorService", "Call", **ask(vendor.SetLightRequest(level=1)))


async def until_running(stream):
    while True:
        update = await stream.read()
        if update.operation.progress.done:
            return


async def test_a_command_that_reads_ends_with_its_stream(served, vendor, ask):
    stream = served.call.stream("VendorService", "Call", **ask(vendor.SetLightRequest(how="for ever"), "r"))
    await until_running(stream)
    stream.cancel()
    watch = served.call.stream("OperationService", "WatchOperation", operation_id="r")
    states = [update.operation.state async for update in _quiet(watch)]
    assert states[-1] == CANCELLED


async def _quiet(stream):
    try:
        async for update in stream:
            yield update
    except grpc.aio.AioRpcError:
        return


async def test_a_command_is_cancelled_and_kept_in_its_time(either, vendor, ask, monkeypatch):
    monkeypatch.setattr(Limits, "over_time", 0.1)
    stream = either.call.stream("VendorService", "Call", **ask(vendor.SetLightRequest(how="for ever"), "c"))
    await until_running(stream)
    answer = await either.call.unary("OperationService", "CancelOperation", operation_id="c")
    assert answer.operation.state == CANCELLED
    late = ask(vendor.SetLightRequest(how="for ever"), "late", timeout=Duration(nanos=100_000_000))
    failed = await refused(either.call, **late)
    assert failed.reason == "DEVICE_TIMEOUT"


async def test_a_claimed_device_serves_its_holder_alone(served, vendor, ask):
    claim = served.call.stream("ClaimService", "Claim", device_ids=["pad"], label="counter 3")
    token = (await claim.read()).granted.token
    other = await refused(served.call, **ask(vendor.SetLightRequest(level=1)))
    assert other.reason == "CLAIMED_BY_OTHER"
    await served.call.all("VendorService", "Call", **ask(vendor.SetLightRequest(level=1), claim_token=token))
    claim.cancel()


async def test_commands_wait_their_turn(serve, vendor, ask):
    async with serve() as served:
        held = served.call.stream("VendorService", "Call", **ask(vendor.EjectRequest(how="held"), "first"))
        await held.read()
        await vendor.AcmePrinter.entered.wait()
        late = ask(vendor.SetLightRequest(level=1), queue_timeout=Duration(nanos=1))
        assert (await refused(served.call, **late)).reason == "QUEUE_TIMEOUT"
        second = asyncio.create_task(served.call.all("VendorService", "Call", **ask(vendor.SetLightRequest(level=1))))
        answer = await served.call.unary("OperationService", "CancelOperation", operation_id="first")
        assert answer.outcome == operation_pb2.CANCEL_OUTCOME_TOO_LATE
        vendor.AcmePrinter.go_on.set()
        assert (await second)[-1].operation.state == SUCCEEDED
        assert (await the_operation(served.call, "first")).state == SUCCEEDED
        held.cancel()


@pytest.mark.parametrize(("driver", "state"), [("acme", UNCERTAIN), ("acme-settling", SUCCEEDED)])
async def test_a_process_that_dies_behind_the_commit_point(serve, vendor, ask, driver, state):
    async with serve("process", driver) as served:
        stream = served.call.stream("VendorService", "Call", **ask(vendor.EjectRequest(how="crash"), "x"))
        updates = [update async for update in _quiet(stream)]
        assert updates[-1].operation.state == state
        await served.until(served.call, "pad", READY)
        if state == SUCCEEDED:  # the driver was asked, by the command's name in its evidence
            token = vendor.EjectResult()
            assert updates[-1].result.message.Unpack(token)
            assert token.slot == 7


@pytest.mark.parametrize(("driver", "state"), [("acme", UNCERTAIN), ("acme-settling", SUCCEEDED)])
async def test_the_next_daemon_finds_out_about_one_that_was_under_way(serve, vendor, ask, tmp_path, driver, state):
    command = vendor.EjectRequest(how="held")
    async with serve(driver=driver, drain=0.0) as first:
        stream = first.call.stream("VendorService", "Call", **ask(command, "k"))
        await stream.read()
        await vendor.AcmePrinter.entered.wait()
        await first.daemon.terminal.journal.saved(durable=False)
        shutil.copytree(tmp_path / "state", tmp_path / "died")  # as `kill -9` would leave it now
        stream.cancel()
    async with serve(driver=driver, state_dir=f"{tmp_path}/died") as second:
        watch = second.call.stream("OperationService", "WatchOperation", operation_id="k")
        states = [update.operation.state async for update in _quiet(watch)]
        assert states[-1] == state
        stream = second.call.stream("VendorService", "Call", **ask(command, "k"))
        updates = [update async for update in _quiet(stream)]
        assert updates[-1].operation.state == state  # attached, not repeated
        assert updates[-1].operation.vendor_command == "acme.pad.v1.EjectRequest"  # for the person who must look
        assert vendor.AcmePrinter.ejected == ["k"]
        if state == SUCCEEDED:
            assert updates[-1].result.message.TypeName() == "acme.pad.v1.EjectResult"


async def test_the_next_daemon_has_results_without_customer_data_only(serve, isolation, vendor, ask):
    async with serve(isolation) as first:
        for how in ("plain", "name"):
            await first.call.all("VendorService", "Call", **ask(vendor.EjectRequest(how=how), how))
    async with serve(isolation) as second:
        (last,) = (await second.call.all("VendorService", "Call", **ask(vendor.EjectRequest(how="plain"), "plain")))[
            -1:
        ]
        assert last.result.message.TypeName() == "acme.pad.v1.EjectResult"
        failed = await refused(second.call, **ask(vendor.EjectRequest(how="name"), "name"))
        assert failed.reason == "OPERATION_EXPIRED"
        assert (await the_operation(second.call, "name")).state == SUCCEEDED


async def test_an_old_operation_is_told_while_its_device_is_away(serve, vendor, ask, monkeypatch):
    async with serve() as first:
        await first.call.all("VendorService", "Call", **ask(vendor.EjectRequest(), "old"))
        runner = first.daemon.terminal.runners["pad"]
        runner.view.device.ClearField("info")  # as one that was not reached yet
        updates = await first.call.all("VendorService", "Call", **ask(vendor.EjectRequest(), "old"))
        assert updates[-1].operation.state == SUCCEEDED
        monkeypatch.setattr(runner.reach, "driver", None)
        failed = await refused(first.call, **ask(vendor.EjectRequest(), "new"))
        assert (failed.reason, "not reached yet" in str(failed)) == ("DEVICE_OFFLINE", True)
