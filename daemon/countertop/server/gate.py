"""The gate between every door and the services: may this caller do that, and how is it written down.

A door turns bytes into a request and finds out who calls; everything else is done here, once for all doors.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.rpc import status_pb2

from countertop.sdk.errors import CountertopError
from countertop.sdk.marks import safe
from countertop.server.access.roles import Decision
from countertop.server.bounds import check
from countertop.server.caller import CALLER, Caller
from countertop.server.faults import status_of, status_of_failure
from countertop.server.redact import stripped
from countertop.server.services.base import Service
from countertop.server.terminal import Terminal
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import DeviceKind
from countertop.v1.error_pb2 import Reason
from countertop.v1.operation_pb2 import Operation, OperationState

__all__ = ["Auditor", "Call", "Decider", "Decision", "Gate", "Opened", "Refused"]

UNREADABLE = "a request that cannot be read"
"""Why a door refuses bytes that are no message of the call's."""
MAX_CALLS = 128
"""Calls that one caller may have under way at once."""

MAX_REFUSALS = 20
"""Refusals of doors that are written down in a second."""
_OPERATIONS = ("operation_id", "issue_operation_id")
"""Fields that name an operation, and by it a device."""

_ID = re.compile(r"[A-Za-z0-9._:-]{0,64}")
log = logging.getLogger("countertop.gate")


class Refused(Exception):
    """A call ends with this status: what a door sends to the client."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(f"{status.code}")
        self.status = status


class Decider(Protocol):
    """Says what a caller may do."""

    def decide(self, caller: Caller, method: str, device_id: str, kind: DeviceKind, *, claimed: bool) -> Decision:
        """`method` is `ReceiptPrinterService.Print`; `device_id` is empty and `kind` UNSPECIFIED where no device is
        meant; `claimed`: the call comes under a claim on the device.
        """
        ...


class Auditor(Protocol):
    """Writes down what was done."""

    def record(
        self,
        what: str,
        caller: Caller,
        *,
        method: str = "",
        device_id: str = "",
        operation_id: str = "",
        outcome: str = "",
        **details: str | int | bool,
    ) -> None:
        """Add a record; never waits. Nothing in it may be customer data."""
        ...


class Call:
    """One method of a service, as a door sees it."""

    def __init__(self, service: Service, descriptor: MethodDescriptor) -> None:
        self.descriptor = descriptor
        self.name = f"{descriptor.containing_service.name}.{descriptor.name}"
        self.path = f"/{descriptor.containing_service.full_name}/{descriptor.name}"
        self.input: type[Message] = message_factory.GetMessageClass(descriptor.input_type)
        self.output: type[Message] = message_factory.GetMessageClass(descriptor.output_type)
        self.run: Any = service.method(descriptor)
        changes = descriptor.GetOptions().idempotency_level != descriptor.GetOptions().NO_SIDE_EFFECTS
        self.audited = changes and descriptor.name != "WatchEvents"
        """It does something, to the world or to the terminal; or shows a person."""


@dataclass(slots=True)
class Opened:
    """What a call concerns, as far as its request says."""

    devices: tuple[str, ...] = ()
    token: str = ""
    operation_id: str = ""


@dataclass(slots=True)
class _Passage:
    """One call under way."""

    call: Call
    caller: Caller
    opened: Opened = field(default_factory=Opened)
    customer_data: bool = True
    operation: Operation | None = None


class Gate:
    """Lets calls through to the services.

    `unary` and `stream` raise Refused with the status that the client gets; what they let through is as the service
    gives it: messages, or bytes that are serialised already.
    """

    def __init__(self, terminal: Terminal, services: Sequence[Service], decider: Decider, auditor: Auditor) -> None:
        self._terminal = terminal
        self._decider = decider
        self._auditor = auditor
        self._under_way: Counter[str] = Counter()
        self._refused_in = self._refused = self._unwritten = 0
        self.calls: dict[str, Call] = {
            call.path: call
            for service in services
            for call in (Call(service, method) for method in service.descriptor.methods)
        }
        """By path: `/countertop.v1.DeviceService/ListDevices`."""
        self.services = tuple(services)

    async def unary(self, call: Call, request: Message, caller: Caller) -> Message:
        """Carry out a method that takes one message and answers with one."""
        with self._passing(call, caller) as passage:
            CALLER.set(caller)
            self._open(passage, request)
            answer: Message = await cast("Awaitable[Message]", call.run(request))
            return answer if passage.customer_data else stripped(answer)

    async def stream(
        self, call: Call, request: Message | AsyncIterator[Message], caller: Caller
    ) -> AsyncGenerator[Message | bytes, None]:
        """Carry out a method that answers with many; where the client streams too, `request` is its messages."""
        with self._passing(call, caller) as passage:
            CALLER.set(caller)
            if isinstance(request, Message):
                self._open(passage, request)
                updates = call.run(request)
            else:
                self._decide(passage, ())
                updates = call.run(self._each(passage, request))
            async with aclosing(updates):
                async for update in updates:
                    _check_standing(caller)
                    passage.operation = getattr(update, "operation", None) or passage.operation
                    yield update if passage.customer_data else self._strip(call, update)
            if passage.operation is not None and passage.operation.HasField("failure"):
                raise Refused(status_of_failure(passage.operation.failure))

    def audit_refusal(self, caller: Caller, why: str, *, method: str = "") -> None:
        """A door turned a caller away before any request was read. Of a flood some are written down, and how many
        were not.
        """
        second = int(time.monotonic())
        if second != self._refused_in:
            self._refused_in, self._refused = second, 0
        self._refused += 1
        if self._refused > MAX_REFUSALS:
            self._unwritten += 1
            return
        unwritten, self._unwritten = self._unwritten, 0
        details: dict[str, str | int | bool] = {"unwritten_before": unwritten} if unwritten else {}
        self._auditor.record(
            "refused", caller, method=method, device_id="", operation_id="", outcome="REFUSED", why=why, **details
        )

    async def _each(self, passage: _Passage, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        """The first message says what the call concerns; a later one that names a device is decided on anew."""
        first = True
        async for request in requests:
            _check_standing(passage.caller)
            if first or self._concerned(request).devices:
                self._open(passage, request)
            else:
                check(request)
            first = False
            yield request

    def _open(self, passage: _Passage, request: Message) -> None:
        """Raises CountertopError: INVALID_REQUEST, PERMISSION_DENIED."""
        passage.opened = opened = self._concerned(request)
        self._decide(passage, opened.devices, opened.token)
        check(request)

    def _decide(self, passage: _Passage, devices: Sequence[str], token: str = "") -> None:
        for device_id in devices or ("",):
            runner = self._terminal.runners.get(device_id)
            kind = runner.view.device.kind if runner is not None else device_pb2.DEVICE_KIND_UNSPECIFIED
            claimed = bool(token) and self._terminal.claims.holds(device_id, token)
            decision = self._decider.decide(passage.caller, passage.call.name, device_id, kind, claimed=claimed)
            if not decision.allowed:
                raise CountertopError(error_pb2.REASON_PERMISSION_DENIED, decision.why)
            passage.customer_data = passage.customer_data and decision.customer_data

    def _concerned(self, request: Any) -> Opened:
        """The devices that a request names: by their ids, by their units, or by an operation of theirs."""
        fields = request.DESCRIPTOR.fields_by_name
        devices: list[str] = []
        if "device_id" in fields and request.device_id:
            devices.append(request.device_id)
        if "device_ids" in fields:
            devices += request.device_ids
        if "unit_ids" in fields:
            units = self._terminal.units()
            devices += [device_id for unit_id in request.unit_ids for device_id in units.get(unit_id, ())]
        if "claim_id" in fields:
            devices += self._terminal.claims.devices(request.claim_id)
        opened = Opened()
        for name in _OPERATIONS:
            if name in fields and (operation_id := getattr(request, name)):
                opened.operation_id = operation_id
                found = self._terminal.operations.device_of(operation_id)
                devices += [found] if found else []
        if "claim_token" in fields:
            opened.token = request.claim_token
        if "options" in fields:
            opened.token = getattr(request.options, "claim_token", "")
            opened.operation_id = opened.operation_id or getattr(request.options, "operation_id", "")
        opened.devices = tuple(dict.fromkeys(devices))
        return opened

    @staticmethod
    def _strip(call: Call, update: Message | bytes) -> Message:
        if not isinstance(update, bytes):
            return stripped(update)
        message = call.output()
        message.ParseFromString(update)
        return stripped(message)

    @contextmanager
    def _passing(self, call: Call, caller: Caller) -> Iterator[_Passage]:
        """Count the call, turn its error into a status, and write it down."""
        passage = _Passage(call, caller)
        client = caller.client
        outcome = "CANCELLED"
        self._under_way[client] += 1
        try:
            _check_number(self._under_way[client])
            yield passage
            outcome = "OK"
        except CountertopError as error:
            outcome = Reason.Name(error.reason).removeprefix("REASON_")
            raise Refused(status_of(error, next(iter(passage.opened.devices), ""))) from error
        except Refused:
            outcome = "FAILED"
            raise
        except Exception as error:  # a bug of ours: its text may hold customer data, and a door would pass it on
            outcome = "INTERNAL"
            log.error("%s failed: %s", call.name, safe(error))
            raise Refused(status_of(CountertopError(error_pb2.REASON_INTERNAL))) from error
        finally:
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]
            self._write_down(passage, outcome)

    def _write_down(self, passage: _Passage, outcome: str) -> None:
        denied = outcome in ("PERMISSION_DENIED", "UNAUTHENTICATED", "TOO_MANY_CALLS")
        if not denied and not passage.call.audited and outcome != "INVALID_REQUEST":
            return
        operation = passage.operation
        # what a client sends as an id may be anything: only what this terminal knows, or what has an id's form, is kept
        devices = [device_id for device_id in passage.opened.devices if device_id in self._terminal.runners]
        asked_as = passage.opened.operation_id if _ID.fullmatch(passage.opened.operation_id) else ""
        if operation is not None and outcome in ("OK", "FAILED"):
            outcome = OperationState.Name(operation.state).removeprefix("OPERATION_STATE_")
        self._auditor.record(
            "denied" if denied else "call",
            passage.caller,
            method=passage.call.name,
            device_id=",".join(devices),
            operation_id=operation.id if operation is not None else asked_as,
            outcome=outcome,
        )


def _check_standing(caller: Caller) -> None:
    """A stream may go on for days, and must not outlive what let its caller in."""
    if not caller.stands():
        message = (
            "The token or certificate of this call has been revoked since, or has expired. "
            "`countertop pair` issues a new one."
        )
        raise CountertopError(error_pb2.REASON_UNAUTHENTICATED, message)


def _check_number(calls: int) -> None:
    if calls > MAX_CALLS:
        message = f"More than {MAX_CALLS} calls of this client are under way."
        raise CountertopError(error_pb2.REASON_TOO_MANY_CALLS, message)
