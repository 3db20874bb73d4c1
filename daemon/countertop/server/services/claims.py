"""ClaimService."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.caller import CALLER
from countertop.server.services.base import Service
from countertop.v1 import claim_pb2

__all__ = ["Claims"]

MAX_DEVICES = 16


class Claims(Service):
    """Gives and takes the right to use devices alone."""

    descriptor = claim_pb2.DESCRIPTOR.services_by_name["ClaimService"]

    async def claim(self, request: claim_pb2.ClaimRequest) -> AsyncIterator[claim_pb2.ClaimResponse]:
        """As long as the stream lives."""
        updates = self.terminal.claims.claim(self._with_units(request))
        try:
            async for update in updates:
                yield update
        finally:
            await updates.aclose()  # type: ignore[attr-defined]

    def _with_units(self, request: claim_pb2.ClaimRequest) -> claim_pb2.ClaimRequest:
        """The same request with its units' devices. Raises CountertopError(DEVICE_NOT_FOUND), InvalidRequest."""
        device_ids = list(request.device_ids)
        for unit_id in dict.fromkeys(request.unit_ids):
            device_ids += [item for item in self.terminal.unit(unit_id) if item not in device_ids]
        if not 1 <= len(device_ids) <= MAX_DEVICES:
            expected = f"expected 1 to {MAX_DEVICES} devices with those of the units, got {len(device_ids)}"
            raise InvalidRequest({"device_ids": expected})
        whole = claim_pb2.ClaimRequest()
        whole.CopyFrom(request)
        whole.device_ids[:] = device_ids
        return whole

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

    async def revoke_claim(self, request: claim_pb2.RevokeClaimRequest) -> claim_pb2.RevokeClaimResponse:
        """Take it from its holder; where the audit can be written, it is on the disk before the answer."""
        device_ids = self.terminal.claims.devices(request.claim_id)
        self.terminal.claims.revoke(request.claim_id)
        self.terminal.audit.record(
            "revoke",
            CALLER.get(),
            device_id=",".join(device_ids),
            id=request.claim_id,
            reason=request.reason,
            by=request.by,
        )
        with suppress(CountertopError):  # logged by the audit; the record waits
            await self.terminal.audit.flush()
        return claim_pb2.RevokeClaimResponse()
