"""The states of an operation and the ways between them, as a table."""

from __future__ import annotations

from countertop.v1.operation_pb2 import (
    OPERATION_STATE_CANCELLED as CANCELLED,
)
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_FAILED as FAILED,
)
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_QUEUED as QUEUED,
)
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_RUNNING as RUNNING,
)
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_STOPPED as STOPPED,
)
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_SUCCEEDED as SUCCEEDED,
)
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_UNCERTAIN as UNCERTAIN,
)
from countertop.v1.operation_pb2 import (
    OPERATION_STATE_WAITING_FOR_PERSON as WAITING,
)
from countertop.v1.operation_pb2 import OperationState

__all__ = ["CANCELLED", "FAILED", "FINAL", "QUEUED", "RUNNING", "STOPPED", "SUCCEEDED", "UNCERTAIN", "WAITING", "WAYS"]

FINAL = frozenset({SUCCEEDED, FAILED, CANCELLED, UNCERTAIN})

WAYS: dict[OperationState, frozenset[OperationState]] = {
    QUEUED: frozenset({RUNNING, FAILED, CANCELLED}),
    RUNNING: frozenset({RUNNING, WAITING, STOPPED}) | FINAL,
    WAITING: frozenset({RUNNING, WAITING, STOPPED}) | FINAL,
    STOPPED: frozenset({RUNNING, WAITING, STOPPED}) | FINAL,
    **{state: frozenset() for state in FINAL},
}
