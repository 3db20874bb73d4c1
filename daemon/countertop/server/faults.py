"""Turns errors into gRPC statuses, in one place.

A failed call has a status code, a sentence, and in its details: ErrorInfo (domain `countertop`, exactly one reason),
DeviceFault where a device is involved, BadRequest with each field, RetryInfo where a retry helps, and
LocalizedMessage in English and Simplified Chinese.
"""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from countertop.sdk.errors import CountertopError, DeviceFault, InvalidRequest, reason_info
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Failure, Reason

__all__ = ["failure_of", "status_of", "status_of_failure"]

DOMAIN = "countertop"
_RETRY = Duration(seconds=1)


def failure_of(error: CountertopError, device_id: str = "") -> Failure:
    """An error as an operation keeps it."""
    failure = Failure(reason=error.reason, message=error.message)
    if isinstance(error, DeviceFault):
        failure.device_fault.CopyFrom(error.to_proto(device_id))
    return failure


def status_of(error: CountertopError, device_id: str = "") -> status_pb2.Status:
    """An error as a call ends with it."""
    status = status_of_failure(failure_of(error, device_id))
    if isinstance(error, InvalidRequest):
        bad = error_details_pb2.BadRequest()
        for field, expected in error.violations.items():
            bad.field_violations.add(field=field, description=expected)
        status.details.append(_pack(bad))
    return status


def status_of_failure(failure: Failure) -> status_pb2.Status:
    """How a call ends that carried a failed operation."""
    info = reason_info(failure.reason)
    status = status_pb2.Status(code=info.code, message=failure.message)
    name = Reason.Name(failure.reason).removeprefix("REASON_")
    status.details.append(_pack(error_details_pb2.ErrorInfo(reason=name, domain=DOMAIN)))
    if failure.HasField("device_fault"):
        status.details.append(_pack(failure.device_fault))
    if info.retry:
        status.details.append(_pack(error_details_pb2.RetryInfo(retry_delay=_RETRY)))
    for locale, sentence in (("en", info.en), ("zh-CN", info.zh)):
        status.details.append(_pack(error_details_pb2.LocalizedMessage(locale=locale, message=sentence)))
    return status


def _pack(message: error_details_pb2.ErrorInfo | error_pb2.DeviceFault | object) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)  # type: ignore[arg-type]
    return packed
