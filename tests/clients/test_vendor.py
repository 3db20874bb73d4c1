"""A vendor's commands through the Python client, its blocking face, and a client that has reflection alone."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from countertop.cli import main
from countertop.cli.output import Refused
from countertop.cli.vendor_types import vendor_types
from countertop.client import CountertopError, InvalidRequest, NotFound, OperationFailed, connect, sync
from countertop.sdk import DriverSpec, hookimpl
from countertop.server.app import Daemon
from countertop.server.config import Config, DeviceConfig, ListenConfig, TerminalConfig
from countertop.server.plugins import Plugins
from countertop.v1 import device_pb2, error_pb2, operation_pb2, options_pb2

BUF = shutil.which("buf")
DRIVERS = str(Path(__file__).parents[1] / "daemon")


@pytest.fixture(scope="module")
def vendor() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DRIVERS)
        return importlib.import_module("vendor_drivers")


def vendor_plugin() -> ModuleType:
    module = ModuleType("vendor_plugin")
    kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER

    @hookimpl
    def countertop_drivers() -> list[DriverSpec]:
        return [DriverSpec("acme", kind, "vendor_drivers:AcmePrinter", "takes commands")]

    module.countertop_drivers = countertop_drivers  # type: ignore[attr-defined]
    return module


@pytest.fixture
async def pad(vendor: Any, tmp_path: Path) -> AsyncIterator[SimpleNamespace]:
    """A daemon with a device `pad`, and a counter."""
    config = Config(
        terminal=TerminalConfig(id="test", state_dir=f"{tmp_path}/state"),
        listen=ListenConfig(addresses=[f"unix:{tmp_path}/t.sock"]),
        devices=[DeviceConfig(id="pad", driver="acme", link="tcp://127.0.0.1:1")],
    )
    async with Daemon(config, plugins=Plugins(vendor_plugin())) as daemon, connect(daemon.addresses[0]) as counter:
        async with asyncio.timeout(10), aclosing(counter.watch()) as responses:
            async for _ in responses:
                if (await counter.device("pad")).state == device_pb2.DEVICE_STATE_READY:
                    break
        yield SimpleNamespace(address=daemon.addresses[0], counter=counter)


async def test_a_command_gives_its_vendors_result(pad, vendor):
    result = await pad.counter.vendor("pad").call(vendor.SetLightRequest(level=4), vendor.SetLightResult)
    assert result.level == 4


async def test_a_handle_tells_events_and_its_result(pad, vendor):
    async with pad.counter.vendor("pad").start_call(vendor.SetLightRequest(level=4), vendor.SetLightResult) as handle:
        dimmed = vendor.Dimmed()
        events = [update.event async for update in handle if update.HasField("event")]
        assert [event.message.Unpack(dimmed) for event in events] == [True]
        assert dimmed.level == 3
        assert (await handle.result()).level == 4
        assert handle.operation.verb == "countertop.v1.VendorService/Call"


async def test_a_consuming_command_is_attached_to_by_its_id(pad, vendor):
    vendor.AcmePrinter.ejected.clear()
    face = pad.counter.vendor("pad")
    for _ in range(2):
        assert (await face.call(vendor.EjectRequest(), vendor.EjectResult, operation_id="e")).slot == 3
    assert vendor.AcmePrinter.ejected == ["e"]


async def test_a_result_of_another_type_is_told_by_both_names(pad, vendor):
    with pytest.raises(CountertopError, match=r"Expected a acme\.pad\.v1\.Dimmed .* got acme\.pad\.v1\.SetLightResult"):
        await pad.counter.vendor("pad").call(vendor.SetLightRequest(), vendor.Dimmed)


async def test_refusals_and_failures_are_the_clients_errors(pad, vendor):
    face = pad.counter.vendor("pad")
    with pytest.raises(CountertopError, match="it has: acme") as caught:
        await face.call(vendor.Dimmed(), vendor.Dimmed)
    assert caught.value.reason == error_pb2.REASON_NOT_SUPPORTED
    with pytest.raises(OperationFailed) as failed:
        await face.call(vendor.SetLightRequest(how="fault"), vendor.SetLightResult)
    assert failed.value.reason == error_pb2.REASON_PAD_FAULT
    with pytest.raises(NotFound):
        await pad.counter.vendor("nowhere").call(vendor.SetLightRequest(), vendor.SetLightResult)
    with pytest.raises(InvalidRequest) as large:
        await face.call(vendor.SetLightRequest(how="x" * 1024 * 1024), vendor.SetLightResult)
    assert list(large.value.violations) == ["command"]


async def test_a_call_that_is_given_up_gives_up_a_command_that_reads(pad, vendor):
    face = pad.counter.vendor("pad")
    handle = face.start_call(vendor.SetLightRequest(how="for ever"), vendor.SetLightResult, operation_id="r")
    async for update in handle:
        if update.operation.progress.done:
            break
    await handle.close()
    states = [operation.state async for operation in pad.counter.operations.watch("r")]
    assert states[-1] == operation_pb2.OPERATION_STATE_CANCELLED


async def test_commands_are_listed(pad):
    listed = await pad.counter.vendor("pad").commands()
    assert [(item.command, item.effect) for item in listed] == [
        ("acme.pad.v1.SetLightRequest", options_pb2.EFFECT_READS),
        ("acme.pad.v1.EjectRequest", options_pb2.EFFECT_CONSUMES),
    ]


async def test_the_blocking_client_has_the_same(pad, vendor):
    def program():
        with sync.connect(pad.address) as counter:
            face = counter.vendor("pad")
            assert [item.result for item in face.commands()] == [
                "acme.pad.v1.SetLightResult",
                "acme.pad.v1.EjectResult",
            ]
            assert face.call(vendor.SetLightRequest(level=2), vendor.SetLightResult).level == 2
            with face.start_call(vendor.SetLightRequest(level=5), vendor.SetLightResult) as handle:
                events = [update.event for update in handle if update.HasField("event")]
                return len(events), handle.result().level

    assert await asyncio.to_thread(program) == (1, 5)


@pytest.mark.skipif(BUF is None and not os.environ.get("COUNTERTOP_REQUIRE_BUF"), reason="buf is not installed")
async def test_buf_curl_packs_a_command_from_json_by_reflection(pad):
    command = {"@type": "type.googleapis.com/acme.pad.v1.SetLightRequest", "level": 4}
    process = await asyncio.create_subprocess_exec(
        *(str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge"),
        *("--unix-socket", pad.address.removeprefix("unix:")),
        *("-d", json.dumps({"device_id": "pad", "command": command})),
        "http://localhost/countertop.v1.VendorService/Call",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    assert '"@type": "type.googleapis.com/acme.pad.v1.SetLightResult"' in out.decode()


@pytest.fixture
def command_line(pad, capsys):
    """Runs `countertop call` on a thread: its exit code and what it printed."""

    async def run(*words: str) -> tuple[int, list[Any], str]:
        code = await asyncio.to_thread(main, ["call", *words, "--address", pad.address])
        told = capsys.readouterr()
        return code, told.out.splitlines(), told.err

    return run


@pytest.mark.parametrize("module", [(), ("--module", "vendor_drivers")], ids=["reflection", "module"])
async def test_the_command_line_packs_a_command_and_shows_events_and_result(command_line, module):
    code, out, _ = await command_line("pad", "acme.pad.v1.SetLightRequest", '{"level": 4}', *module)
    assert code == 0
    assert [json.loads(line) for line in out] == [
        {"@type": "type.googleapis.com/acme.pad.v1.Dimmed", "level": 3},
        {"@type": "type.googleapis.com/acme.pad.v1.SetLightResult", "level": 4},
    ]


async def test_the_command_line_lists_what_a_device_takes(command_line):
    code, out, _ = await command_line("pad", "--json")
    assert code == 0
    assert [json.loads(line)["command"] for line in out] == [
        "acme.pad.v1.SetLightRequest",
        "acme.pad.v1.EjectRequest",
    ]
    _, out, _ = await command_line("pad")
    assert any("CONSUMES" in line and "Gives out a token." in line for line in out)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("acme.pad.v1.Dimmed",), "lists no command acme.pad.v1.Dimmed"),
        (("acme.pad.v1.SetLightRequest", '{"lvel": 李}'), "not in the JSON form of acme.pad.v1.SetLightRequest"),
        (("acme.pad.v1.SetLightRequest", '{"lvel": 1}'), 'no field named "lvel"'),
        (("acme.pad.v1.SetLightRequest", '{"level": "李小样"}'), "Failed to parse level field"),
        (("acme.pad.v1.SetLightRequest", "{}", "--module", "no.such"), "module no.such cannot be imported"),
        (("acme.pad.v1.SetLightRequest", '{"how": "fault"}'), "[PAD_FAULT]"),
    ],
)
async def test_the_command_line_says_what_is_wrong_and_never_what_was_in_it(command_line, words, told):
    code, out, err = await command_line("pad", *words)
    assert (code, out) == (1, [])
    assert told in err
    assert "李" not in err


async def test_the_command_line_attaches_by_the_operations_id(command_line, vendor):
    vendor.AcmePrinter.ejected.clear()
    for _ in range(2):
        code, out, _ = await command_line("pad", "acme.pad.v1.EjectRequest", "--operation-id", "cli")
        assert (code, json.loads(out[-1])["slot"]) == (0, 3)
    assert vendor.AcmePrinter.ejected == ["cli"]


def test_a_type_that_is_not_to_be_had_is_told_with_the_way_out():
    with vendor_types("unix:/nowhere", "json") as types, pytest.raises(Refused, match=r"nobody\.v1\.X") as caught:
        types.find("nobody.v1.X")
    assert "--module" in caught.value.next_step
