"""From the printer's status bits to the words of the contract. No I/O."""

from __future__ import annotations

from countertop.sdk import reason_info
from countertop.v1 import device_pb2, error_pb2, operation_pb2
from countertop.v1.device_pb2 import Condition, Consumable, DeviceStatus
from countertop.v1.error_pb2 import Reason
from countertop.v1.operation_pb2 import PromptKind

from acme.protocol import StatusBit

__all__ = ["MENDABLE", "blocking", "to_status"]

_BLOCKING = {
    StatusBit.COVER_OPEN: error_pb2.REASON_COVER_OPEN,
    StatusBit.PAPER_OUT: error_pb2.REASON_PAPER_OUT,
    StatusBit.CUTTER_ERROR: error_pb2.REASON_CUTTER_ERROR,
}
MENDABLE: dict[Reason, PromptKind] = {
    error_pb2.REASON_PAPER_OUT: operation_pb2.PROMPT_KIND_LOAD_PAPER,
    error_pb2.REASON_COVER_OPEN: operation_pb2.PROMPT_KIND_CLOSE_COVER,
    error_pb2.REASON_CUTTER_ERROR: operation_pb2.PROMPT_KIND_UNSPECIFIED,
}
"""What a person can mend while a receipt waits, and what to ask for."""


def blocking(bits: StatusBit) -> Reason | None:
    """Why the printer does not print; None when it does."""
    return next((reason for bit, reason in _BLOCKING.items() if bits & bit), None)


def to_status(bits: StatusBit) -> DeviceStatus:
    """All that stands, and how much paper there is."""
    status = DeviceStatus()
    for bit, reason in _BLOCKING.items():
        if bits & bit:
            status.conditions.append(_condition(reason, device_pb2.SEVERITY_BLOCKING))
    level = device_pb2.SUPPLY_LEVEL_OK
    if bits & StatusBit.PAPER_OUT:
        level = device_pb2.SUPPLY_LEVEL_OUT
    elif bits & StatusBit.PAPER_NEAR_END:
        level = device_pb2.SUPPLY_LEVEL_LOW
        status.conditions.append(_condition(error_pb2.REASON_PAPER_NEAR_END, device_pb2.SEVERITY_WARNING))
    status.consumables.append(Consumable(name="paper", level=level))
    return status


def _condition(reason: Reason, severity: device_pb2.Severity) -> Condition:
    info = reason_info(reason)
    return Condition(reason=reason, severity=severity, fixed_by=info.fixed_by, action=info.app)
