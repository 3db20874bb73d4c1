"""A printer is driven through faults; what came out on paper is compared with what the daemon says of each operation.

The daemon runs as a process of its own on an emulated printer; hypothesis draws receipts, hands and misfortunes.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import grpc
import pytest
from google.protobuf import message_factory
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from countertop.bench.v1 import bench_pb2
from countertop.v1 import device_pb2, error_pb2, operation_pb2, receipt_pb2, receipt_printer_pb2

CONFIG = """
[[devices]]
id = "printer"
emulator = "escpos"
emulator_options = { speed = 0 }
options = { answer_seconds = 0.5 }
"""
METHODS = {
    method.full_name: method
    for module in (device_pb2, operation_pb2, receipt_printer_pb2, bench_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
FAULTS = st.sampled_from(["paper-out", "cover-open", "cutter-error", "disconnect"])
SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
FAILED = operation_pb2.OPERATION_STATE_FAILED
UNCERTAIN = operation_pb2.OPERATION_STATE_UNCERTAIN


class Daemon:
    """A daemon process, and calls to it."""

    def __init__(self, folder: Path) -> None:
        config, self.socket = folder / "countertop.toml", folder / "t.sock"
        config.write_text(CONFIG)
        # a printer that is lost in the middle of a print is mended only after the print has ended: do not wait long
        code = "from countertop.server.runner import Limits; Limits.settle = 0.5; "
        code += "import sys; from pathlib import Path; from countertop.server.serving import serve; "
        code += "sys.exit(serve(Path(sys.argv[1]), [sys.argv[2]]))"
        self.log = (folder / "log").open("wb")
        command = [sys.executable, "-c", code, str(config), f"unix:{self.socket}"]
        self.process = subprocess.Popen(command, stderr=self.log)
        self.channel = grpc.insecure_channel(f"unix:{self.socket}")
        grpc.channel_ready_future(self.channel).result(timeout=20)

    def call(self, name: str, **fields: Any) -> Any:
        """The response of a unary method; of a stream, the list of responses and the error that ended it, if any."""
        method = METHODS[name]
        make = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        path = f"/{method.containing_service.full_name}/{method.name}"
        request = message_factory.GetMessageClass(method.input_type)
        response = message_factory.GetMessageClass(method.output_type)
        multi = make(path, request_serializer=request.SerializeToString, response_deserializer=response.FromString)
        answer = multi(request(**fields), timeout=30)
        if not method.server_streaming:
            return answer
        updates: list[Any] = []
        try:
            updates.extend(answer)
        except grpc.RpcError as error:
            return updates, error
        return updates, None

    def bench(self, verb: str, **fields: Any) -> Any:
        return self.call(f"countertop.bench.v1.BenchService.{verb}", device_id="printer", **fields)

    def wait_for(self, *states: int) -> None:
        """Follow the events until the printer is in one of these states."""
        method = METHODS["countertop.v1.DeviceService.WatchEvents"]
        watch = self.channel.unary_stream(
            "/countertop.v1.DeviceService/WatchEvents",
            request_serializer=message_factory.GetMessageClass(method.input_type).SerializeToString,
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )(device_pb2.WatchEventsRequest(), timeout=15)
        try:
            for response in watch:
                devices = [*response.snapshot.devices]
                if response.event.HasField("device_changed"):
                    devices.append(response.event.device_changed)
                if any(device.state in states for device in devices):
                    return
        finally:
            watch.cancel()

    def close(self) -> None:
        self.channel.close()
        self.process.terminate()
        try:
            assert self.process.wait(timeout=20) == 0
        finally:
            self.process.kill()
            self.log.close()


@dataclass
class Printed:
    """A receipt that was asked for, and what the daemon said of it."""

    token: str
    lines: int
    state: int
    effect: int
    blocks: int
    confirmed: bool
    """The printer itself confirmed it; else the daemon only says that all bytes were written."""

    def check(self, paper: list[str]) -> None:
        """Compare with the lines on paper."""
        mine = [line for line in paper if line.startswith(f"{self.token}-")]
        expected = [f"{self.token}-{number}" for number in range(self.lines)]
        assert mine == expected[: len(mine)], f"{self}: lines doubled or out of order: {mine}"
        if self.state == SUCCEEDED and not self.confirmed:
            return
        if self.state == SUCCEEDED:
            assert len(mine) == self.lines, f"{self}: not wholly printed: {mine}"
        elif self.state == FAILED and self.effect == error_pb2.PHYSICAL_EFFECT_NONE:
            assert mine == [], f"{self}: said to be unprinted, but {mine}"
        elif self.state == FAILED:
            assert len(mine) >= min(self.blocks, self.lines), f"{self}: fewer lines than confirmed: {mine}"
            assert self.effect == error_pb2.PHYSICAL_EFFECT_PARTIAL
        else:
            assert self.state == UNCERTAIN


class PrinterMachine(RuleBasedStateMachine):
    """Hands, misfortunes and prints in any order."""

    daemon: Daemon
    outcomes: ClassVar[Counter[str]] = Counter()

    @initialize()
    def make_whole(self) -> None:
        self.printed: list[Printed] = []
        self.plugged = True
        self.daemon.bench("ClearFault")
        self.daemon.bench("CloseCover")
        self.daemon.bench("LoadPaper")
        self.daemon.bench("PowerCycle")
        self.daemon.wait_for(device_pb2.DEVICE_STATE_READY)
        self.skip = self.daemon.bench("GetOutput", text_only=True).total

    @rule(lines=st.integers(4, 12), fault=FAULTS, after=st.integers(0, 500))
    def something_goes_wrong_while_printing(self, lines: int, fault: str, after: int) -> None:
        self.everything_is_mended()
        self.something_goes_wrong_later(fault, after)
        self.print_a_receipt(lines)

    @rule(lines=st.integers(1, 8))
    def print_a_receipt(self, lines: int) -> None:
        token = uuid.uuid4().hex[:8]
        blocks = [{"paragraph": {"spans": [{"text": f"{token}-{number}"}]}} for number in range(lines)]
        updates, error = self.daemon.call(
            "countertop.v1.ReceiptPrinterService.Print",
            device_id="printer",
            options={"operation_id": token},
            receipt=receipt_pb2.Receipt(blocks=[*blocks, {"cut": {}}]),
        )
        if not updates:
            assert error is not None
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
            state, effect, done, confirmed = FAILED, error_pb2.PHYSICAL_EFFECT_NONE, 0, False
        else:
            operation = updates[-1].operation
            assert operation.state in (SUCCEEDED, FAILED, UNCERTAIN), operation
            assert (error is None) == (operation.state == SUCCEEDED)
            state, effect, done = operation.state, operation.physical_effect, operation.progress.done
            confirmed = updates[-1].result.confirmation > receipt_printer_pb2.CONFIRMATION_WRITTEN
        self.printed.append(Printed(token, lines, state, effect, done, confirmed))
        self.printed[-1].check(self.paper())
        name = operation_pb2.OperationState.Name(state).removeprefix("OPERATION_STATE_")
        self.outcomes[f"{name} {error_pb2.PhysicalEffect.Name(effect).removeprefix('PHYSICAL_EFFECT_')}"] += 1

    @rule(fault=FAULTS, after=st.integers(0, 300))
    def something_goes_wrong_later(self, fault: str, after: int) -> None:
        self.daemon.bench("InjectFault", fault=fault, after_bytes=after, times=1 if fault == "cutter-error" else 0)

    @rule()
    def everything_is_mended(self) -> None:
        self.daemon.bench("ClearFault")
        self.daemon.bench("CloseCover")
        self.daemon.bench("LoadPaper")
        if not self.plugged:
            self.daemon.bench("Replug")
            self.plugged = True
        updates, error = self.daemon.call("countertop.v1.DeviceService.ResetDevice", device_id="printer")
        assert updates or error
        self.daemon.wait_for(device_pb2.DEVICE_STATE_READY, device_pb2.DEVICE_STATE_ATTENTION)

    @rule()
    def the_cover_opens(self) -> None:
        self.daemon.bench("OpenCover")

    @rule(mm=st.integers(5, 60))
    def little_paper_is_loaded(self, mm: int) -> None:
        self.daemon.bench("LoadPaper", mm=mm)

    @rule()
    def the_plug_is_pulled(self) -> None:
        self.daemon.bench("Unplug")
        self.plugged = False

    @rule()
    def the_power_fails_for_a_moment(self) -> None:
        if self.plugged:
            self.daemon.bench("PowerCycle")

    @invariant()
    def the_daemon_lives(self) -> None:
        assert self.daemon.process.poll() is None

    def paper(self) -> list[str]:
        """All lines on paper since the machine began."""
        lines: list[str] = []
        skip = max(0, self.skip - 1)
        while True:
            answer = self.daemon.bench("GetOutput", text_only=True, limit=20, skip=skip)
            if not answer.outputs:
                return lines
            lines += [line for output in answer.outputs for line in output.text.splitlines()]
            skip = answer.outputs[-1].number

    def teardown(self) -> None:
        if hasattr(self, "printed"):
            self.everything_is_mended()
            paper = self.paper()
            for printed in self.printed:
                printed.check(paper)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with contextlib.closing(Daemon(tmp_path_factory.mktemp("daemon"))) as running:
        yield running


def test_paper_and_operations_agree_through_faults(daemon: Daemon) -> None:
    PrinterMachine.daemon = daemon
    PrinterMachine.outcomes.clear()
    run_state_machine_as_test(
        PrinterMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
    print("how prints ended:", dict(PrinterMachine.outcomes))
    assert {"SUCCEEDED COMPLETE", "FAILED NONE", "FAILED PARTIAL"} <= set(PrinterMachine.outcomes)
