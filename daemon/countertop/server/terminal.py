"""This terminal: its devices with their runners, its operations, its events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.events import EventLog
from countertop.server.operations import OperationRecord, OperationStore
from countertop.server.plugins import Plugins
from countertop.server.runner import DeviceRunner
from countertop.server.times import stamp
from countertop.server.verbs import Verb
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceKind, Event

__all__ = ["Terminal"]

log = logging.getLogger("countertop.terminal")


class Terminal:
    """What the services work on."""

    def __init__(self, terminal_id: str, plugins: Plugins) -> None:
        self.id = terminal_id
        self.plugins = plugins
        self.events = EventLog()
        self.operations = OperationStore()
        self.runners: dict[str, DeviceRunner] = {}
        self.emulators: dict[str, Any] = {}
        self._started = Timestamp()
        stamp(self._started)

    def describe(self) -> device_pb2.Terminal:
        """What GetTerminal answers."""
        from importlib.metadata import version

        return device_pb2.Terminal(
            id=self.id,
            version=version("countertop"),
            started=self._started,
            drivers=self.plugins.listed(),
            bench=any(runner.view.device.emulated for runner in self.runners.values()),
            epoch=self.events.epoch,
        )

    def runner(self, device_id: str, kind: DeviceKind = device_pb2.DEVICE_KIND_UNSPECIFIED) -> DeviceRunner:
        """Raises CountertopError: DEVICE_NOT_FOUND, WRONG_KIND with both kinds named."""
        runner = self.runners.get(device_id)
        if runner is None:
            known = ", ".join(self.runners) or "none"
            raise CountertopError(
                error_pb2.REASON_DEVICE_NOT_FOUND, f"No device {device_id!r}; this terminal has: {known}."
            )
        actual = runner.view.device.kind
        if kind and actual != kind:
            raise CountertopError(
                error_pb2.REASON_WRONG_KIND,
                f"The device {device_id!r} is of kind {_kind(actual)}; this verb needs {_kind(kind)}.",
            )
        return runner

    def devices(self) -> list[device_pb2.Device]:
        """All devices as they are now, in the configuration's order."""
        return [runner.view.device for runner in self.runners.values()]

    def begin(self, verb: Verb, request: Any) -> OperationRecord:
        """Start an operation, or attach to the one that the request's id belongs to. Raises CountertopError."""
        if request.options.operation_id:
            record = self.operations.attach(verb, request)
            if record is not None:
                return record
        elif verb.consumes:
            raise InvalidRequest({"options.operation_id": "required for verbs that use something up (a UUID is good)"})
        runner = self.runner(request.device_id, verb.kind)
        record = OperationRecord(verb, request, self._operation_changed)
        if verb.method == "reset":
            runner.reset(record)
        else:
            runner.submit(record)
        self.operations.add(record)
        return record

    async def perform(self, verb: Verb, request: Any) -> AsyncIterator[Message]:
        """The verb's stream of updates. A READS operation ends with its last stream."""
        record = self.begin(verb, request)
        updates = record.follow(caller=True)
        try:
            async for update in updates:
                yield update
        finally:
            await updates.aclose()  # type: ignore[attr-defined]
            if not verb.consumes and not record.called and not record.ended:
                self.cancel(record)

    def cancel(self, record: OperationRecord) -> bool:
        """Ask for an operation to be given up; False when it is too late."""
        runner = self.runners.get(record.operation.device_id)
        return runner is not None and runner.cancel(record)

    async def stop(self, drain: float) -> None:
        """Stop every runner at the same time, then end the event streams."""
        await asyncio.gather(*(runner.stop(drain) for runner in self.runners.values()))
        self.events.close()

    def _operation_changed(self, record: OperationRecord) -> None:
        self.events.append(Event(operation_changed=record.operation))
        if record.ended:
            self.operations.ended(record)


def _kind(kind: DeviceKind) -> str:
    return DeviceKind.Name(kind).removeprefix("DEVICE_KIND_")
