"""The table of roles over real connections: every method of every service, by every built-in role, and by none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from countertop.sdk.marks import holds_marked
from countertop.server.access.builtin import BUILT_IN, METHODS, role_table
from countertop.server.access.grants import Grants
from countertop.server.access.revoked import RevokedCertificates
from countertop.server.access.tokens import Token, TokenStore
from countertop.server.config import AccessConfig, ListenConfig, RoleConfig
from countertop.server.doors.grpc_door import GrpcDoor
from countertop.server.gate import Call, Gate
from countertop.server.services.bench import Bench
from countertop.v1 import (
    claim_pb2,
    device_pb2,
    id_reader_pb2,
    identity_pb2,
    operation_pb2,
)

CONFIGURED = {
    "blind": RoleConfig(allow=["IdReaderService.Read"]),
    "kiosk": RoleConfig(allow=["IdReaderService.*", "ClaimService.Claim"], claim="held", customer_data=True),
    "left": RoleConfig(allow=["*"], devices=["left-*"]),
}
NAME = "张三丰"


class Served:
    """Calls every method as any role."""

    def __init__(self, gate: Gate, channel: grpc.aio.Channel, tokens: TokenStore) -> None:
        self.gate = gate
        self._channel = channel
        self._tokens = tokens

    def call(self, method: str, request: Message, *roles: str) -> Any:
        """An iterator of the answers, for every shape of method. Raises grpc.aio.AioRpcError."""
        call = next(call for call in self.gate.calls.values() if call.name == method)
        secret = self._tokens.issue_in_memory(Token(",".join(roles), roles))
        return self._answers(call, request, (("authorization", f"Bearer {secret}"),))

    async def one(self, method: str, request: Message, *roles: str) -> Any:
        """The last answer."""
        answers = [answer async for answer in self.call(method, request, *roles)]
        return answers[-1]

    async def _answers(self, call: Call, request: Message, metadata: Any) -> AsyncIterator[Any]:
        shape = call.descriptor
        kinds = {
            (False, False): self._channel.unary_unary,
            (False, True): self._channel.unary_stream,
            (True, True): self._channel.stream_stream,
        }
        make: Any = kinds[shape.client_streaming, shape.server_streaming]
        multi = make(
            call.path, request_serializer=call.input.SerializeToString, response_deserializer=call.output.FromString
        )
        under_way = multi(iter([request]) if shape.client_streaming else request, metadata=metadata, timeout=10)
        if not shape.server_streaming:
            yield await under_way
            return
        try:
            async for answer in under_way:
                yield answer
        finally:
            under_way.cancel()


@pytest.fixture
async def served(counter: SimpleNamespace, tmp_path: Path) -> AsyncIterator[Served]:
    """A second door to the daemon's terminal, with all services, where each call says which roles it has."""
    terminal = counter.daemon.terminal
    gate = Gate(terminal, [*counter.daemon._services(), Bench(terminal)], role_table(CONFIGURED), terminal.audit)

    tokens = TokenStore(tmp_path / "tokens")
    nobody = Grants([], AccessConfig(owner=""))
    door = GrpcDoor(gate, ListenConfig([f"unix:{tmp_path}/roles.sock"]), nobody, tokens, RevokedCertificates(tmp_path))
    door.listen()
    await door.start()
    async with grpc.aio.insecure_channel(door.addresses[0]) as channel:
        yield Served(gate, channel, tokens)
    await door.stop(0)


def reason(error: grpc.aio.AioRpcError) -> str:
    status, info = status_pb2.Status(), error_details_pb2.ErrorInfo()
    trailer: Any = dict(error.trailing_metadata() or ())
    status.ParseFromString(trailer.get("grpc-status-details-bin", b""))
    for packed in status.details:
        packed.Unpack(info)
    return str(info.reason)


def harmless(call: Call) -> Any:
    """A request that runs nothing: it is about a device, an operation and a claim that there are not."""
    request: Any = call.input()
    for name in ("device_id", "operation_id", "claim_id", "token", "resume_token"):
        if name in request.DESCRIPTOR.fields_by_name:
            setattr(request, name, "unheard-of")
    if "device_ids" in request.DESCRIPTOR.fields_by_name:
        request.device_ids.append("unheard-of")
    return request


async def outcome(served: Served, call: Call, *roles: str) -> tuple[grpc.StatusCode, str]:
    """How a call begins, and the reason where it fails."""
    try:
        async for _ in served.call(call.name, harmless(call), *roles):
            break
    except grpc.aio.AioRpcError as error:
        return error.code(), reason(error)
    return grpc.StatusCode.OK, ""


async def test_every_method_is_refused_to_exactly_the_roles_that_the_table_says(served: Served) -> None:
    calls = served.gate.calls.values()
    assert {call.name for call in calls} == set(METHODS)
    for role in (*BUILT_IN, "unknown", ""):
        outcomes = await asyncio.gather(*(outcome(served, call, role) for call in calls))
        found = {call.name: how for call, how in zip(calls, outcomes, strict=True)}
        broken = [name for name, (_, why) in found.items() if why in ("INTERNAL", "TOO_MANY_CALLS")]
        assert not broken, (role, broken)
        assert all(why for code, why in found.values() if code is not grpc.StatusCode.OK), "every failure has a reason"
        refused = {name for name, (_, why) in found.items() if why == "PERMISSION_DENIED"}
        assert refused == {name for name, method in METHODS.items() if role not in method.roles}, role


async def test_customer_data_reaches_only_roles_that_see_it(served: Served, world: Any) -> None:
    document = identity_pb2.IdentityDocument(number="110101190001011234", person=identity_pb2.Person(name=NAME))

    async def found(request: Any, run: Any) -> Any:
        return id_reader_pb2.ReadResult(document=document)

    world.read = found
    request = id_reader_pb2.ReadRequest(device_id="reader", options=operation_pb2.OperationOptions(operation_id="r-1"))
    watch = served.call("DeviceService.WatchEvents", device_pb2.WatchEventsRequest(), "observer")
    assert (await anext(watch)).HasField("snapshot")
    seen: dict[tuple[str, ...], Any] = {}
    for roles in (("teller",), ("blind",), ("blind", "teller"), ("blind", "observer")):
        seen[roles] = (await served.one("IdReaderService.Read", request, *roles)).result
    assert seen["teller",].document == seen["blind", "teller"].document == document
    assert not holds_marked(seen["blind",])
    assert not holds_marked(seen["blind", "observer"])
    assert document.person.name == NAME
    events = []
    async for answer in watch:
        events.append(answer)
        state = answer.event.operation_changed.state
        if state == operation_pb2.OPERATION_STATE_SUCCEEDED:
            break
    await watch.aclose()
    operation = await served.one(
        "OperationService.GetOperation", operation_pb2.GetOperationRequest(operation_id="r-1"), "observer"
    )
    devices = await served.one("DeviceService.ListDevices", device_pb2.ListDevicesRequest(), "observer")
    assert operation.operation.device_id == "reader"
    assert len(devices.devices) == 2
    for answer in (*events, operation, devices):
        assert not holds_marked(answer)
        assert NAME.encode() not in answer.SerializeToString()


async def test_who_must_hold_a_claim_gets_one_and_then_the_device(served: Served) -> None:
    request = id_reader_pb2.ReadRequest(device_id="reader")
    with pytest.raises(grpc.aio.AioRpcError, match="needs a claim on it") as caught:
        await served.one("IdReaderService.Read", request, "kiosk")
    assert reason(caught.value) == "PERMISSION_DENIED"
    claim = served.call("ClaimService.Claim", claim_pb2.ClaimRequest(device_ids=["reader"], label="kiosk"), "kiosk")
    request.options.claim_token = (await anext(claim)).granted.token
    last = await served.one("IdReaderService.Read", request, "kiosk")
    assert last.operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED
    request.options.claim_token = "made up"
    with pytest.raises(grpc.aio.AioRpcError, match="needs a claim on it"):
        await served.one("IdReaderService.Read", request, "kiosk")
    await claim.aclose()


async def test_a_role_of_other_devices_sees_this_one_and_may_not_use_it(served: Served) -> None:
    devices = await served.one("DeviceService.ListDevices", device_pb2.ListDevicesRequest(), "left")
    assert [device.id for device in devices.devices] == ["reader", "printer"]
    with pytest.raises(grpc.aio.AioRpcError, match="needs the role"):
        await served.one("DeviceService.GetDevice", device_pb2.GetDeviceRequest(device_id="reader"), "left")
    claim = claim_pb2.ClaimRequest(device_ids=["reader"], label="left")
    with pytest.raises(grpc.aio.AioRpcError, match="needs the role"):
        await served.one("ClaimService.Claim", claim, "left")


async def test_a_supervisor_takes_an_engineers_claim_away(served: Served) -> None:
    request = claim_pb2.ClaimRequest(device_ids=["printer"], label="bench")
    claim = served.call("ClaimService.Claim", request, "engineer")
    assert (await anext(claim)).granted.token, "a secret of its own, though it sees no customer data"
    (info,) = (await served.one("ClaimService.ListClaims", claim_pb2.ListClaimsRequest(), "supervisor")).claims
    revoke = claim_pb2.RevokeClaimRequest(claim_id=info.id, reason="went home")
    with pytest.raises(grpc.aio.AioRpcError, match="needs the role admin or supervisor; you have engineer"):
        await served.one("ClaimService.RevokeClaim", revoke, "engineer")
    await served.one("ClaimService.RevokeClaim", revoke, "supervisor")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(claim)
    assert reason(caught.value) == "CLAIM_LOST"
