"""OperationService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from countertop.sdk.errors import InvalidRequest
from countertop.server.operations import OperationRecord
from countertop.server.services.base import Service
from countertop.server.states import UNCERTAIN
from countertop.v1 import operation_pb2
from countertop.v1.operation_pb2 import Operation, WatchOperationResponse

__all__ = ["Operations"]

DEFAULT_PAGE = 100


class Operations(Service):
    """Operations of every device and kind."""

    descriptor = operation_pb2.DESCRIPTOR.services_by_name["OperationService"]

    async def get_operation(self, request: operation_pb2.GetOperationRequest) -> operation_pb2.GetOperationResponse:
        """One operation."""
        record = self.terminal.operations.get(request.operation_id)
        if record.ended:
            await record.done.wait()
        return operation_pb2.GetOperationResponse(operation=record.operation)

    async def list_operations(
        self, request: operation_pb2.ListOperationsRequest
    ) -> operation_pb2.ListOperationsResponse:
        """Newest first; the page token is the id of the last operation of the page before."""
        size = request.page_size or DEFAULT_PAGE
        page: list[Operation] = []
        for operation in self._after(request.page_token):
            if _wanted(operation, request):
                if len(page) == size:
                    return operation_pb2.ListOperationsResponse(operations=page, next_page_token=page[-1].id)
                page.append(operation)
        return operation_pb2.ListOperationsResponse(operations=page)

    async def watch_operation(
        self, request: operation_pb2.WatchOperationRequest
    ) -> AsyncIterator[WatchOperationResponse]:
        """From the present state to the end."""
        record = self.terminal.operations.get(request.operation_id)
        revision = 0
        async for _ in record.follow():
            if record.operation.revision != revision:
                revision = record.operation.revision
                yield WatchOperationResponse(operation=record.operation)

    async def cancel_operation(
        self, request: operation_pb2.CancelOperationRequest
    ) -> operation_pb2.CancelOperationResponse:
        """Answers when the wish is settled."""
        record = self.terminal.operations.get(request.operation_id)
        outcome = operation_pb2.CANCEL_OUTCOME_TOO_LATE
        if self.terminal.cancel(record) and await _cancelled(record):
            outcome = operation_pb2.CANCEL_OUTCOME_CANCELLED
        return operation_pb2.CancelOperationResponse(outcome=outcome, operation=record.operation)

    async def resolve_operation(
        self, request: operation_pb2.ResolveOperationRequest
    ) -> operation_pb2.ResolveOperationResponse:
        """A person's word."""
        record = self.terminal.operations.get(request.operation_id)
        resolution = operation_pb2.Resolution(finding=request.finding, reason=request.reason, by=request.by)
        await self.terminal.resolve(record, resolution)
        return operation_pb2.ResolveOperationResponse(operation=record.operation)

    def _after(self, token: str) -> Iterator[Operation]:
        operations = (record.operation for record in reversed(self.terminal.operations))
        if token:
            for operation in operations:
                if operation.id == token:
                    break
            else:
                raise InvalidRequest({"page_token": "expected the next_page_token of an answer not long ago"})
        return operations


async def _cancelled(record: OperationRecord) -> bool:
    await record.done.wait()
    return record.operation.state == operation_pb2.OPERATION_STATE_CANCELLED


def _wanted(operation: Operation, request: operation_pb2.ListOperationsRequest) -> bool:
    return (
        (not request.device_id or operation.device_id == request.device_id)
        and (not request.visit_id or operation.visit_id == request.visit_id)
        and (not request.states or operation.state in request.states)
        and (not request.unresolved or (operation.state == UNCERTAIN and not operation.HasField("resolution")))
    )
