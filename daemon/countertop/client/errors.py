"""Every error that the client raises, and the one place where gRPC's become ours.

::

    CountertopError            has a Reason; `message` is a complete sentence
    ├── InvalidRequest         the request has a mistake; `violations` names each field
    ├── NotFound               no such device, operation or content
    ├── DeviceUnavailable      the device is offline or out of use, or takes no more work; nothing was done
    ├── OperationFailed        the operation ended FAILED; `operation.physical_effect` says what happened
    ├── OperationCancelled     the operation ended CANCELLED; nothing happened
    ├── OutcomeUncertain       the operation ended UNCERTAIN; a person must look, do not repeat it
    └── ConnectionLost         the daemon cannot be reached; `operation`, if any, may go on without us
"""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from countertop.v1 import error_pb2, options_pb2
from countertop.v1.error_pb2 import DeviceFault, PhysicalEffect, Reason
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_CANCELLED,
    OPERATION_STATE_FAILED,
    OPERATION_STATE_SUCCEEDED,
    OPERATION_STATE_UNCERTAIN,
    Operation,
)

__all__ = [
    "ConnectionLost",
    "CountertopError",
    "DeviceUnavailable",
    "InvalidRequest",
    "NotFound",
    "OperationCancelled",
    "OperationFailed",
    "OutcomeUncertain",
]

DOMAIN = "countertop"


class CountertopError(Exception):
    """A call failed, for one stated reason.

    Attributes:
        reason: why, from the one enum of reasons; UNSPECIFIED where the daemon did not say.
        message: a complete sentence for people, in English; never customer data.
        code: the gRPC status code.
        violations: a field's path mapped to what was expected of it.
        device_fault: the device's side of it, where a device is involved.
        operation: the operation as it ended, or as it was last known.
        physical_effect: what happened in the world; UNKNOWN where a connection was lost while something was used up,
            UNSPECIFIED where the daemon refused the call or none of this applies.
        retry_after: seconds after which trying again may help; None where it will not.
        localized: the reason's sentence for people by locale ("en", "zh-CN").
    """

    def __init__(
        self,
        message: str,
        *,
        reason: Reason = error_pb2.REASON_UNSPECIFIED,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        violations: dict[str, str] | None = None,
        device_fault: DeviceFault | None = None,
        operation: Operation | None = None,
        physical_effect: PhysicalEffect | None = None,
        retry_after: float | None = None,
        localized: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.violations = violations or {}
        self.device_fault = device_fault
        self.operation = operation
        self.physical_effect = _effect(operation, device_fault) if physical_effect is None else physical_effect
        self.retry_after = retry_after
        self.localized = localized or {}

    @property
    def reason_name(self) -> str:
        """The reason without its prefix, such as "PAPER_OUT"; for a reason newer than this client, its number."""
        value = error_pb2.Reason.DESCRIPTOR.values_by_number.get(int(self.reason))
        return str(self.reason) if value is None else value.name.removeprefix("REASON_")

    def __str__(self) -> str:
        return f"{self.message} [{self.reason_name}]" if self.reason else self.message


class InvalidRequest(CountertopError):
    """The request has a mistake; `violations` names each field."""


class NotFound(CountertopError):
    """There is no such device, operation or content."""


class DeviceUnavailable(CountertopError):
    """The device is offline or out of use, or takes no more work; nothing was done."""


class OperationFailed(CountertopError):
    """The operation ended FAILED; `operation.physical_effect` says what happened."""


class OperationCancelled(CountertopError):
    """The operation ended CANCELLED; nothing happened."""


class OutcomeUncertain(CountertopError):
    """The operation ended UNCERTAIN: a person must look; do not repeat it."""


class ConnectionLost(CountertopError):
    """The daemon cannot be reached; `operation`, if any, may go on without us."""


_BY_STATE: dict[int, type[CountertopError]] = {
    OPERATION_STATE_FAILED: OperationFailed,
    OPERATION_STATE_CANCELLED: OperationCancelled,
    OPERATION_STATE_UNCERTAIN: OutcomeUncertain,
}
_BY_REASON: dict[int, type[CountertopError]] = {
    error_pb2.REASON_INVALID_REQUEST: InvalidRequest,
    error_pb2.REASON_WRONG_KIND: InvalidRequest,
    error_pb2.REASON_OPERATION_ID_REUSED: InvalidRequest,
    error_pb2.REASON_BOOKMARK_INVALID: InvalidRequest,
    error_pb2.REASON_DEVICE_NOT_FOUND: NotFound,
    error_pb2.REASON_OPERATION_NOT_FOUND: NotFound,
    error_pb2.REASON_NO_SUCH_CONTENT: NotFound,
    error_pb2.REASON_DEVICE_OFFLINE: DeviceUnavailable,
    error_pb2.REASON_DEVICE_DISABLED: DeviceUnavailable,
    error_pb2.REASON_QUEUE_FULL: DeviceUnavailable,
    error_pb2.REASON_TERMINAL_STOPPING: DeviceUnavailable,
    error_pb2.REASON_CANCELLED: OperationCancelled,
    error_pb2.REASON_OUTCOME_UNKNOWN: OutcomeUncertain,
    error_pb2.REASON_EPOCH_CHANGED: OutcomeUncertain,
    error_pb2.REASON_DEVICE_IN_MAINTENANCE: DeviceUnavailable,
    error_pb2.REASON_CLAIMED_BY_OTHER: DeviceUnavailable,
    error_pb2.REASON_JOURNAL_FAILED: DeviceUnavailable,
}
_LOSSES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def translate(error: grpc.RpcError, operation: Operation | None = None) -> CountertopError:
    """A gRPC error as ours; `operation` is what was last known of the operation that the call carried.

    A call that ends without a reason of the daemon's, as one does whose transport breaks, becomes ConnectionLost.
    """
    code, message, status = _status(error)
    fields: dict[str, Any] = {"code": code, "operation": operation}
    for packed in status.details:
        _take(packed, fields)
    if "reason" not in fields and code in _LOSSES:
        return ConnectionLost(f"The connection to the daemon is lost: {message or code.name}.", **fields)
    return _kind(fields.get("reason", 0), operation)(message or f"The call ended with {code.name}.", **fields)


def error_of(operation: Operation) -> CountertopError:
    """How an operation ended badly, from what it says itself: its call broke off before the status."""
    failure = operation.failure
    info = _info(failure.reason)
    return _kind(failure.reason, operation)(
        failure.message or info.en or "The operation failed.",
        reason=failure.reason,
        code=_CODES.get(info.code, grpc.StatusCode.UNKNOWN),
        device_fault=failure.device_fault if failure.HasField("device_fault") else None,
        operation=operation,
        localized={"en": info.en, "zh-CN": info.zh} if info.en else {},
    )


def refusal(kind: type[CountertopError], reason: Reason, message: str, **fields: Any) -> CountertopError:
    """An error that the client itself finds, with what the table of reasons says of it."""
    info = _info(reason)
    return kind(message, reason=reason, code=_CODES[info.code], localized={"en": info.en, "zh-CN": info.zh}, **fields)


def _kind(reason: int, operation: Operation | None) -> type[CountertopError]:
    """By the operation's end; by the reason where there is no operation, or the device never got to work on it."""
    by_reason = _BY_REASON.get(reason, CountertopError)
    by_state = _BY_STATE.get(operation.state) if operation is not None else None
    if by_state is None or operation is None:
        return by_reason
    untouched = operation.physical_effect == error_pb2.PHYSICAL_EFFECT_NONE
    if by_state is OperationFailed and by_reason is DeviceUnavailable and untouched:
        return DeviceUnavailable
    return by_state


def _effect(operation: Operation | None, fault: DeviceFault | None) -> PhysicalEffect:
    """As the ended operation says it, else the device; what an operation said on its way may be out of date."""
    if operation is not None and (operation.state in _BY_STATE or operation.state == OPERATION_STATE_SUCCEEDED):
        return operation.physical_effect
    return fault.physical_effect if fault is not None else error_pb2.PHYSICAL_EFFECT_UNSPECIFIED


def _info(reason: Reason) -> options_pb2.ReasonInfo:
    value = error_pb2.Reason.DESCRIPTOR.values_by_number.get(int(reason))
    if value is None:
        return options_pb2.ReasonInfo()
    extensions: Any = value.GetOptions().Extensions  # protoc's type stubs do not know that extensions index
    info: options_pb2.ReasonInfo = extensions[options_pb2.reason_info]
    return info


def _status(error: grpc.RpcError) -> tuple[grpc.StatusCode, str, status_pb2.Status]:
    status = status_pb2.Status()
    if not isinstance(error, grpc.aio.AioRpcError):
        return grpc.StatusCode.UNKNOWN, "", status
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                status.MergeFromString(value)
            except DecodeError:
                status.Clear()  # somebody else's details; code and sentence remain
    return error.code(), (error.details() or "").strip(), status


def _take(packed: AnyMessage, fields: dict[str, Any]) -> None:
    """Put one detail of a status into the fields of an error."""
    info, fault = error_details_pb2.ErrorInfo(), DeviceFault()
    bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    localized = error_details_pb2.LocalizedMessage()
    if packed.Unpack(info) and info.domain == DOMAIN:
        fields["reason"] = _reason(info.reason)
    elif packed.Unpack(fault):
        fields["device_fault"] = fault
    elif packed.Unpack(bad):
        fields["violations"] = {item.field: item.description for item in bad.field_violations}
    elif packed.Unpack(retry):
        fields["retry_after"] = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    elif packed.Unpack(localized):
        fields.setdefault("localized", {})[localized.locale] = localized.message


def _reason(name: str) -> int:
    """A reason by its name without prefix; UNSPECIFIED for one that is newer than this client."""
    value = error_pb2.Reason.DESCRIPTOR.values_by_name.get(f"REASON_{name}")
    return value.number if value is not None else 0
