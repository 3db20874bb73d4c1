"""The bench verbs that every emulator has: faults."""

from __future__ import annotations

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.core.faults import FaultBoard

__all__ = ["FaultBench"]


class FaultBench:
    """Base of emulators: lists, injects and clears the faults of a board. Raises ValueError for an unknown fault."""

    def __init__(self, board: FaultBoard) -> None:
        self._board = board

    async def list_faults(self, request: bench.ListFaultsRequest) -> bench.ListFaultsResponse:
        """All faults of the link and the device."""
        return bench.ListFaultsResponse(faults=self._board.listing())

    async def inject_fault(self, request: bench.InjectFaultRequest) -> bench.InjectFaultResponse:
        """Let one happen."""
        duration = request.duration.ToTimedelta().total_seconds() if request.HasField("duration") else None
        self._board.inject(request.fault, request.after_bytes, request.times, duration)
        return bench.InjectFaultResponse()

    async def clear_fault(self, request: bench.ClearFaultRequest) -> bench.ClearFaultResponse:
        """End one, or all."""
        self._board.clear(request.fault)
        return bench.ClearFaultResponse()
