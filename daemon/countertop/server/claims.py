"""Claims: who may use which devices alone.

One board for the whole terminal. Devices are granted all or none, in the order in which they were asked for, so that
nobody waits for somebody who waits for them. A claim lives as long as its stream, plus a grace time.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.server.operations import seconds
from countertop.server.times import stamp
from countertop.v1 import claim_pb2, error_pb2
from countertop.v1.claim_pb2 import (
    CLAIM_STATE_ENDED,
    CLAIM_STATE_GRACE,
    CLAIM_STATE_HELD,
    CLAIM_STATE_QUEUED,
    CLAIM_STATE_REVOKED,
    ClaimInfo,
    ClaimRequest,
    ClaimResponse,
    ClaimState,
)

__all__ = ["WAYS", "ClaimBoard", "ClaimPolicy"]

DEFAULT_WAIT = 30.0

WAYS: dict[ClaimState, frozenset[ClaimState]] = {
    CLAIM_STATE_QUEUED: frozenset({CLAIM_STATE_HELD, CLAIM_STATE_ENDED}),
    CLAIM_STATE_HELD: frozenset({CLAIM_STATE_GRACE, CLAIM_STATE_ENDED, CLAIM_STATE_REVOKED}),
    CLAIM_STATE_GRACE: frozenset({CLAIM_STATE_HELD, CLAIM_STATE_ENDED, CLAIM_STATE_REVOKED}),
    CLAIM_STATE_ENDED: frozenset(),
    CLAIM_STATE_REVOKED: frozenset(),
}
"""The states of a claim and the ways between them."""
_HOLDING = (CLAIM_STATE_HELD, CLAIM_STATE_GRACE)


class _Handle(Protocol):
    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], _Handle]


@dataclass(slots=True)
class ClaimPolicy:
    """How claims end and how many may wait."""

    grace_seconds: float = 5.0
    """How long a claim waits for its holder when the stream breaks."""
    handover_seconds: float = 10.0
    """How long a holder may take to answer when somebody waits."""
    revoke_without_answer: bool = False
    """Take the devices from a holder that does not answer."""
    queue: int = 16
    """Claims that may wait."""


class _Stream:
    """One call that follows a claim. The latest QUEUED replaces an earlier one; the rest is few by nature."""

    def __init__(self) -> None:
        self.pending: deque[ClaimResponse] = deque()
        self.wake = asyncio.Event()
        self.ended = False
        self.error: CountertopError | None = None

    def push(self, update: ClaimResponse) -> None:
        if update.HasField("queued") and self.pending and self.pending[-1].HasField("queued"):
            self.pending.pop()
        self.pending.append(update)
        self.wake.set()

    def end(self, error: CountertopError | None) -> None:
        self.ended, self.error = True, error
        self.wake.set()

    async def follow(self) -> AsyncIterator[ClaimResponse]:
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.pending:
                yield self.pending.popleft()
            if self.ended:
                if self.error is not None:
                    raise self.error
                return


@dataclass(slots=True, eq=False)
class _Claim:
    info: ClaimInfo
    devices: frozenset[str]
    stream: _Stream | None
    token: str = ""
    fences: dict[str, int] = field(default_factory=dict)
    timer: _Handle | None = None
    """Of the wait, or of the grace time."""
    asked: dict[str, _Handle] = field(default_factory=dict)
    """By the id of the waiting claim: the time for the holder's answer."""

    @property
    def state(self) -> ClaimState:
        return self.info.state

    def tell(self, **update: object) -> None:
        if self.stream is not None:
            self.stream.push(ClaimResponse(**update))  # type: ignore[arg-type]

    def stop_clocks(self) -> None:
        for timer in (self.timer, *self.asked.values()):
            if timer is not None:
                timer.cancel()
        self.timer = None
        self.asked.clear()


class ClaimBoard:
    """Who holds what, and who waits for it.

    `known` tells whether a device exists; `publish` gets each change, without the token; `ended` is called with the
    devices and the token of a claim that was granted and is over, before its devices are given to the next one.
    """

    def __init__(
        self,
        known: Callable[[str], bool],
        publish: Callable[[ClaimInfo], object],
        ended: Callable[[list[str], str], None],
        policy: ClaimPolicy,
        *,
        fences: Mapping[str, int] | None = None,
        call_later: CallLater | None = None,
    ) -> None:
        self._known = known
        self._publish = publish
        self._ended = ended
        self._policy = policy
        self._call_later = call_later
        self.fences: dict[str, int] = dict(fences or {})
        """The last fence of each device."""
        self._claims: dict[str, _Claim] = {}
        self._holders: dict[str, _Claim] = {}
        self._tokens: dict[str, _Claim] = {}
        self._number = 0

    # -- what clients ask --

    async def claim(self, request: ClaimRequest) -> AsyncIterator[ClaimResponse]:
        """Wait for the devices, then hold them until the caller leaves.

        Raises CountertopError: DEVICE_NOT_FOUND, QUEUE_FULL, QUEUE_TIMEOUT, CLAIMED_BY_OTHER for a claim that does not
        want to wait, CLAIM_LOST, TERMINAL_STOPPING; InvalidRequest.
        """
        stream = _Stream()
        claim = self._resume(request, stream) if request.resume_token else self._enter(request, stream)
        updates = stream.follow()
        try:
            async for update in updates:
                yield update
        finally:
            self._left(claim, stream)

    def answer_handover(self, token: str, yields: bool) -> None:
        """The holder's answer: yield the devices, or keep them. Raises CountertopError(CLAIM_LOST)."""
        claim = self._of_token(token)
        if yields:
            self._finish(claim, CLAIM_STATE_ENDED, error_pb2.REASON_CLAIM_LOST, "The claim was handed over.")
            return
        for timer in claim.asked.values():
            timer.cancel()

    def release(self, token: str) -> None:
        """Give a claim back. Raises CountertopError(CLAIM_LOST)."""
        self._finish(self._of_token(token), CLAIM_STATE_ENDED)

    def revoke(self, claim_id: str) -> None:
        """Take a claim from its holder without asking, or end its wait. Raises CountertopError(CLAIM_NOT_FOUND)."""
        claim = self._claims.get(claim_id)
        if claim is None:
            raise CountertopError(error_pb2.REASON_CLAIM_NOT_FOUND, f"No claim {claim_id!r} stands or waits.")
        state = CLAIM_STATE_REVOKED if claim.state in _HOLDING else CLAIM_STATE_ENDED
        self._finish(claim, state, error_pb2.REASON_CLAIM_LOST, "The claim was revoked by a supervisor.")

    def devices(self, claim_id: str) -> list[str]:
        """The devices of a claim that stands or waits; none of an unknown one."""
        claim = self._claims.get(claim_id)
        return list(claim.info.device_ids) if claim is not None else []

    def holds(self, device_id: str, token: str) -> bool:
        """The token is that of a granted claim on the device."""
        claim = self._tokens.get(token)
        return claim is not None and claim.state in _HOLDING and device_id in claim.devices

    def check(self, device_id: str, token: str) -> int:
        """The fence under which a call may use a device; 0 for an unclaimed one.

        Raises CountertopError: CLAIMED_BY_OTHER, CLAIM_LOST.
        """
        holder = self._holders.get(device_id)
        if token:
            if holder is not None and secrets.compare_digest(holder.token.encode(), token.encode()):
                return holder.fences[device_id]
            raise CountertopError(
                error_pb2.REASON_CLAIM_LOST, f"The claim of this token has ended, or {device_id!r} is not in it."
            )
        if holder is None:
            return 0
        raise CountertopError(
            error_pb2.REASON_CLAIMED_BY_OTHER, f"The device {device_id!r} is claimed by {holder.info.label!r}."
        )

    def standing(self) -> list[ClaimInfo]:
        """Claims that stand or wait, in the order in which they were asked for."""
        return [claim.info for claim in self._claims.values()]

    def close(self) -> None:
        """End everything: the daemon stops."""
        claims, self._claims = list(self._claims.values()), {}
        for claim in claims:
            claim.stop_clocks()
            if claim.stream is not None:
                claim.stream.end(CountertopError(error_pb2.REASON_TERMINAL_STOPPING))
                claim.stream = None

    # -- waiting --

    def _enter(self, request: ClaimRequest, stream: _Stream) -> _Claim:
        devices = list(request.device_ids)
        if len(set(devices)) != len(devices):
            raise InvalidRequest({"device_ids": "expected each device once"})
        for device_id in devices:
            if not self._known(device_id):
                raise CountertopError(error_pb2.REASON_DEVICE_NOT_FOUND, f"No device {device_id!r} on this terminal.")
        wait = seconds(request, "wait", DEFAULT_WAIT)
        self._number += 1
        info = ClaimInfo(id=str(self._number), label=request.label, device_ids=devices, state=CLAIM_STATE_QUEUED)
        stamp(info.since)
        claim = _Claim(info, frozenset(devices), stream)
        before = self._before(claim)
        if not before:
            self._claims[info.id] = claim
            self._grant(claim)
            return claim
        if wait == 0:
            raise CountertopError(
                error_pb2.REASON_CLAIMED_BY_OTHER, f"Claimed by {_names(self._holding(claim), before)}."
            )
        waiting = sum(other.state == CLAIM_STATE_QUEUED for other in self._claims.values())
        if waiting >= self._policy.queue:
            raise CountertopError(
                error_pb2.REASON_QUEUE_FULL, f"{waiting} claims wait on this terminal, which is the limit."
            )
        self._claims[info.id] = claim
        claim.timer = self._after(wait, lambda: self._waited_enough(claim, wait))
        self._publish(info)
        self._tell_positions()
        self._ask_holders(claim)
        return claim

    def _before(self, claim: _Claim) -> list[_Claim]:
        """Claims that were asked for earlier, and hold or want one of its devices."""
        earlier = []
        for other in self._claims.values():
            if other is claim:
                break
            if other.devices & claim.devices:
                earlier.append(other)
        return earlier

    def _holding(self, claim: _Claim) -> list[_Claim]:
        return list(dict.fromkeys(self._holders[item] for item in claim.info.device_ids if item in self._holders))

    def _waited_enough(self, claim: _Claim, wait: float) -> None:
        names = _names(self._holding(claim), self._before(claim))
        message = f"The devices were not free within {wait:g} s; claimed by {names}."
        self._finish(claim, CLAIM_STATE_ENDED, error_pb2.REASON_QUEUE_TIMEOUT, message)

    def _tell_positions(self) -> None:
        for claim in self._claims.values():
            if claim.state != CLAIM_STATE_QUEUED:
                continue
            ahead = sum(other.state == CLAIM_STATE_QUEUED for other in self._before(claim))
            holders = [holder.info.label for holder in self._holding(claim)]
            claim.info.position = ahead + 1
            claim.tell(queued=claim_pb2.ClaimQueued(position=ahead + 1, holders=holders))

    def _advance(self) -> None:
        """Grant what has become free, in the order of asking."""
        for claim in list(self._claims.values()):
            if claim.state == CLAIM_STATE_QUEUED and not self._before(claim):
                self._grant(claim)
        self._tell_positions()

    # -- holding --

    def _grant(self, claim: _Claim) -> None:
        claim.stop_clocks()
        claim.token = secrets.token_urlsafe(24)
        self._tokens[claim.token] = claim
        for device_id in claim.info.device_ids:
            assert device_id not in self._holders, "one holder a device"
            self._holders[device_id] = claim
            self.fences[device_id] = claim.fences[device_id] = self.fences.get(device_id, 0) + 1
        claim.info.ClearField("position")
        self._move(claim, CLAIM_STATE_HELD)
        self._tell_granted(claim)
        for other in self._claims.values():
            if other.state == CLAIM_STATE_QUEUED:
                self._ask(claim, other)

    def _tell_granted(self, claim: _Claim) -> None:
        grace = Duration()
        grace.FromNanoseconds(round(self._policy.grace_seconds * 1e9))
        claim.tell(granted=claim_pb2.ClaimGranted(token=claim.token, fences=claim.fences, grace=grace))

    def _resume(self, request: ClaimRequest, stream: _Stream) -> _Claim:
        claim = self._of_token(request.resume_token)
        if claim.devices != frozenset(request.device_ids) or claim.info.label != request.label:
            raise InvalidRequest({"resume_token": "expected devices and label as the claim has them"})
        if claim.stream is not None:
            claim.stream.end(CountertopError(error_pb2.REASON_CLAIM_LOST, "Another stream took the claim up."))
        claim.stop_clocks()
        claim.stream = stream
        if claim.state == CLAIM_STATE_GRACE:
            self._move(claim, CLAIM_STATE_HELD)
        self._tell_granted(claim)
        for other in self._claims.values():
            if other.state == CLAIM_STATE_QUEUED:
                self._ask(claim, other)
        return claim

    def _left(self, claim: _Claim, stream: _Stream) -> None:
        """The stream of a claim has ended, whoever ended it."""
        if claim.stream is not stream:
            return
        claim.stream = None
        if claim.state == CLAIM_STATE_QUEUED:
            self._finish(claim, CLAIM_STATE_ENDED)
        elif claim.state == CLAIM_STATE_HELD:
            claim.stop_clocks()
            self._move(claim, CLAIM_STATE_GRACE)
            claim.timer = self._after(self._policy.grace_seconds, lambda: self._finish(claim, CLAIM_STATE_ENDED))

    def _ask_holders(self, waiting: _Claim) -> None:
        for holder in self._holding(waiting):
            self._ask(holder, waiting)

    def _ask(self, holder: _Claim, waiting: _Claim) -> None:
        """Tell a holder that somebody waits; once for each who does."""
        if holder.stream is None or waiting.info.id in holder.asked or not holder.devices & waiting.devices:
            return
        policy, answer_within = self._policy, Duration()
        answer_within.FromNanoseconds(round(policy.handover_seconds * 1e9))
        holder.asked[waiting.info.id] = self._after(policy.handover_seconds, lambda: self._no_answer(holder))
        holder.tell(
            handover_requested=claim_pb2.HandoverRequested(
                by=waiting.info.label,
                answer_within=answer_within,
                revoked_without_answer=policy.revoke_without_answer,
            )
        )

    def _no_answer(self, holder: _Claim) -> None:
        if self._policy.revoke_without_answer:
            message = "The claim was revoked: somebody waited, and its holder did not answer."
            self._finish(holder, CLAIM_STATE_REVOKED, error_pb2.REASON_CLAIM_LOST, message)

    # -- ends --

    def _finish(
        self,
        claim: _Claim,
        state: ClaimState,
        reason: error_pb2.Reason = error_pb2.REASON_UNSPECIFIED,
        message: str = "",
    ) -> None:
        held = claim.state in _HOLDING
        claim.stop_clocks()
        self._claims.pop(claim.info.id, None)
        for other in self._claims.values():
            if (timer := other.asked.pop(claim.info.id, None)) is not None:
                timer.cancel()
        claim.info.reason = reason
        claim.info.ClearField("position")
        self._move(claim, state)
        stream, claim.stream = claim.stream, None
        if stream is not None:
            stream.end(CountertopError(reason, message) if reason else None)
        if held:
            self._tokens.pop(claim.token, None)
            for device_id in claim.info.device_ids:
                del self._holders[device_id]
            self._ended(list(claim.info.device_ids), claim.token)
        self._advance()

    def _move(self, claim: _Claim, state: ClaimState) -> None:
        if state not in WAYS[claim.state]:
            raise AssertionError(f"no way from claim state {claim.state} to {state}")
        claim.info.state = state
        stamp(claim.info.since)
        self._publish(claim.info)

    def _of_token(self, token: str) -> _Claim:
        claim = self._tokens.get(token)
        if claim is None:
            raise CountertopError(error_pb2.REASON_CLAIM_LOST, "The claim of this token has ended.")
        return claim

    def _after(self, delay: float, call: Callable[[], None]) -> _Handle:
        later = self._call_later or asyncio.get_running_loop().call_later
        return later(delay, call)


def _names(*claims: list[_Claim]) -> str:
    return ", ".join(dict.fromkeys(claim.info.label for group in claims for claim in group))
