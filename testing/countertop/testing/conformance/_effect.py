"""What a failed operation says has happened in the world."""

from __future__ import annotations

from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import error_pb2
from countertop.v1.error_pb2 import PhysicalEffect

__all__ = ["stated_effect"]


def stated_effect(error: CountertopError, run: RecordingRun) -> PhysicalEffect:
    """What a failure says has happened, as a daemon takes it: where the driver does not state it, it is NONE before the
    commit point and UNKNOWN after it.
    """
    stated = error.effect if isinstance(error, DeviceFault) else error_pb2.PHYSICAL_EFFECT_UNSPECIFIED
    if stated == error_pb2.PHYSICAL_EFFECT_UNSPECIFIED and run.effects:
        stated = run.effects[-1]
    if stated != error_pb2.PHYSICAL_EFFECT_UNSPECIFIED:
        return stated
    return error_pb2.PHYSICAL_EFFECT_UNKNOWN if run.commits else error_pb2.PHYSICAL_EFFECT_NONE
