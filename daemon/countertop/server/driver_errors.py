"""What drivers raise, as errors of ours."""

from __future__ import annotations

import logging

from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.marks import safe
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import Failure

__all__ = ["CONNECT_ANEW", "as_ours", "offline_error"]

log = logging.getLogger("countertop.runner")

CONNECT_ANEW = frozenset(
    {
        error_pb2.REASON_LINK_LOST,
        error_pb2.REASON_DEVICE_OFFLINE,
        error_pb2.REASON_DRIVER_FAILED,
        error_pb2.REASON_NO_ANSWER,
        error_pb2.REASON_DRIVER_CRASHED,
        error_pb2.REASON_DRIVER_HUNG,
        error_pb2.REASON_DRIVER_OUT_OF_MEMORY,
        error_pb2.REASON_CAMERA_STALLED,
        error_pb2.REASON_CAMERA_PICTURE_DAMAGED,
    }
)
"""Reasons after which the driver is made anew."""


def as_ours(device_id: str, error: BaseException, step: str) -> CountertopError:
    """Any error a driver raised, as one of ours. A foreign one is the driver's bug: its text may hold customer data, so
    that only its type is told; the log has where it was raised.
    """
    if isinstance(error, CountertopError):
        return error
    if isinstance(error, TimeoutError):
        return DeviceFault(error_pb2.REASON_NO_ANSWER, step=step)
    log.error("driver of %s failed in %s: %s", device_id, step, safe(error))
    return DeviceFault(
        error_pb2.REASON_DRIVER_FAILED,
        f"The driver of {device_id} failed in {step} ({type(error).__name__}).",
        step=step,
    )


def offline_error(device_id: str, failure: Failure) -> CountertopError:
    """Why a device takes no operation now."""
    return DeviceFault(
        error_pb2.REASON_DEVICE_OFFLINE,
        f"The device {device_id} is offline: {failure.message}",
        step=failure.device_fault.step,
        expected=failure.device_fault.expected,
        got=failure.device_fault.got,
        action=failure.device_fault.action,
        effect=error_pb2.PHYSICAL_EFFECT_NONE,
    )
