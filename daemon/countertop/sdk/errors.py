"""Every error that Countertop's own code raises below the daemon's doors.

::

    CountertopError            has a Reason; `message` is a complete sentence
    ├── InvalidRequest         the caller's request has a mistake; names each field
    └── DeviceFault            the device's side: step, expected, got, who mends it, physical effect
        ├── LinkFault          the link could not be opened, or broke
        ├── NoAnswer           no answer in the time that the protocol allows
        └── ProtocolFault      bytes that break the protocol
            └── ReportRefused  a HID device that stalls a request for a report

Foreign errors (OSError, serial.SerialException, …) are turned into `LinkFault` in one place, the links.
No error text may hold customer data: say which field is wrong, never what is in it.
"""

from __future__ import annotations

from countertop.sdk.options import option
from countertop.v1 import card_pb2, error_pb2, options_pb2
from countertop.v1.error_pb2 import PhysicalEffect, Reason

__all__ = [
    "CountertopError",
    "DeviceFault",
    "InvalidRequest",
    "LinkFault",
    "NoAnswer",
    "ProtocolFault",
    "ReportRefused",
    "reason_info",
]


def reason_info(reason: Reason) -> options_pb2.ReasonInfo:
    """What the table says of a reason: status code, retry, who mends it, sentences for people."""
    info: options_pb2.ReasonInfo = option(
        error_pb2.Reason.DESCRIPTOR.values_by_number[int(reason)], options_pb2.reason_info
    )
    return info


class CountertopError(Exception):
    """Something failed for a stated reason.

    `message` is a complete sentence; by default the reason's own English sentence.
    """

    def __init__(self, reason: Reason, message: str = "") -> None:
        self.reason = reason
        self.message = message or reason_info(reason).en
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message} [{Reason.Name(self.reason).removeprefix('REASON_')}]"


class InvalidRequest(CountertopError):
    """The request has mistakes; `violations` maps a field's path to what was expected of it."""

    def __init__(self, violations: dict[str, str]) -> None:
        self.violations = violations
        listed = "; ".join(f"{field}: {expected}" for field, expected in violations.items())
        super().__init__(error_pb2.REASON_INVALID_REQUEST, f"The request has a mistake: {listed}.")


class DeviceFault(CountertopError):
    """A device failed, in its own terms.

    `step` says what was being done, `expected` and `got` what the driver wanted and saw. `effect` says what has
    happened in the world by now; leave it UNSPECIFIED and the daemon derives it from the commit point: NONE before
    it, UNKNOWN after it. `card` says where the card is that was in work, and what had been done to it.
    """

    def __init__(
        self,
        reason: Reason,
        message: str = "",
        *,
        step: str = "",
        expected: str = "",
        got: str = "",
        action: str = "",
        effect: PhysicalEffect = error_pb2.PHYSICAL_EFFECT_UNSPECIFIED,
        card: card_pb2.CardReport | None = None,
    ) -> None:
        super().__init__(reason, message)
        self.step = step
        self.expected = expected
        self.got = got
        self.action = action
        self.effect = effect
        self.card = card

    def to_proto(self, device_id: str) -> error_pb2.DeviceFault:
        """The fault as it goes over the wire and into the operation."""
        info = reason_info(self.reason)
        return error_pb2.DeviceFault(
            device_id=device_id,
            reason=self.reason,
            step=self.step,
            expected=self.expected,
            got=self.got,
            fixed_by=info.fixed_by,
            action=self.action or info.app,
            physical_effect=self.effect,
            card=self.card,
        )


class LinkFault(DeviceFault):
    """The link could not be opened (DEVICE_OFFLINE) or broke (LINK_LOST)."""


class NoAnswer(DeviceFault):
    """The device did not answer in the time that its protocol allows."""

    def __init__(self, step: str, seconds: float, *, effect: PhysicalEffect = error_pb2.PHYSICAL_EFFECT_UNSPECIFIED):
        super().__init__(
            error_pb2.REASON_NO_ANSWER,
            f"The device did not answer within {seconds:g} s ({step}).",
            step=step,
            expected=f"an answer within {seconds:g} s",
            got="nothing",
            effect=effect,
        )


class ProtocolFault(DeviceFault):
    """The device sent bytes that break its protocol; `got` tells their shape, never customer data."""

    def __init__(self, step: str, expected: str, got: str):
        super().__init__(
            error_pb2.REASON_PROTOCOL_ERROR,
            f"The device broke its protocol ({step}): expected {expected}, got {got}.",
            step=step,
            expected=expected,
            got=got,
        )


class ReportRefused(ProtocolFault):
    """A HID device that stalls a request for one of its reports: it does not know it, or not in its present state."""

    def __init__(self, report_id: int, verb: str):
        super().__init__(f"{verb} report {report_id:02X}", "the report to be taken", "a STALL")
        self.report_id = report_id
