"""ClaimService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from countertop.server.services.base import Service
from countertop.v1 import claim_pb2

__all__ = ["Claims"]


class Claims(Service):
    """Gives and takes the right to use devices alone."""

    descriptor = claim_pb2.DESCRIPTOR.services_by_name["ClaimService"]

    async def claim(self, request: claim_pb2.ClaimRequest) -> AsyncIterator[claim_pb2.ClaimResponse]:
        """As long as the stream lives."""
        updates = self.terminal.claims.claim(request)
        try:
            async for update in updates:
                yield update
        finally:
            await updates.aclose()  # type: ignore[attr-defined]

    async def release_claim(self, request: claim_pb2.ReleaseClaimRequest) -> claim_pb2.ReleaseClaimResponse:
        """Give it back."""
        self.terminal.claims.release(request.token)
        return claim_pb2.ReleaseClaimResponse()

    async def answer_handover(self, request: claim_pb2.AnswerHandoverRequest) -> claim_pb2.AnswerHandoverResponse:
        """Yield or keep."""
        self.terminal.claims.answer_handover(request.token, request.yield_devices)
        return claim_pb2.AnswerHandoverResponse()

    async def list_claims(self, request: claim_pb2.ListClaimsRequest) -> claim_pb2.ListClaimsResponse:
        """Those that stand or wait."""
        return claim_pb2.ListClaimsResponse(claims=self.terminal.claims.standing())
