"""The gate between doors and services: what it lets through, takes out, refuses and writes down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from countertop.server.caller import Caller
from countertop.server.gate import MAX_CALLS, Decision, Gate, Refused
from countertop.v1 import (
    card_printer_pb2,
    claim_pb2,
    device_pb2,
    id_reader_pb2,
    identity_pb2,
    operation_pb2,
)

DEVICES = "/countertop.v1.DeviceService/"
READ = "/countertop.v1.IdReaderService/Read"
TELLER = Caller("unix", "uid=1000", "pid=7", frozenset({"teller"}))


class Decider:
    """Says what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int, bool]] = []
        self.denied: set[str] = set()
        self.customer_data = True

    def decide(self, caller: Caller, method: str, device_id: str, kind: int, *, claimed: bool) -> Decision:
        self.asked.append((method, device_id, kind, claimed))
        return Decision(method not in self.denied, self.customer_data, f"{method} is not for you.")


class Book:
    """An audit in memory."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def record(self, what: str, caller: Caller, **details: Any) -> None:
        self.records.append({"what": what, "who": caller.identity, **details})


@pytest.fixture
def gate(counter: SimpleNamespace) -> SimpleNamespace:
    decider, book = Decider(), Book()
    made = Gate(counter.daemon.terminal, counter.daemon._services(), decider, book)
    return SimpleNamespace(gate=made, decider=decider, book=book)


async def read(gate: Gate, **options: Any) -> list[Any]:
    request = id_reader_pb2.ReadRequest(device_id="reader", options=operation_pb2.OperationOptions(**options))
    return [update async for update in gate.stream(gate.calls[READ], request, TELLER)]


def reason(refused: Refused) -> str:
    info = error_details_pb2.ErrorInfo()
    assert any(packed.Unpack(info) for packed in refused.status.details)
    return info.reason


async def test_what_the_roles_deny_never_reaches_a_device(gate: SimpleNamespace, world: Any) -> None:
    gate.decider.denied = {"IdReaderService.Read"}
    with pytest.raises(Refused) as refused:
        await read(gate.gate, operation_id="read-1")
    assert reason(refused.value) == "PERMISSION_DENIED"
    assert gate.decider.asked == [("IdReaderService.Read", "reader", device_pb2.DEVICE_KIND_ID_READER, False)]
    assert gate.book.records == [
        {
            "what": "denied",
            "who": "uid=1000",
            "method": "IdReaderService.Read",
            "device_id": "reader",
            "operation_id": "read-1",
            "outcome": "PERMISSION_DENIED",
        }
    ]
    gate.decider.denied = set()
    updates = await read(gate.gate, operation_id="read-1")
    assert updates[-1].operation.state == operation_pb2.OPERATION_STATE_SUCCEEDED, "the refused one took no id"


async def test_the_roles_are_asked_before_the_request_is_judged(gate: SimpleNamespace) -> None:
    gate.decider.denied = {"DeviceService.SetMaintenance"}
    request = device_pb2.SetMaintenanceRequest()
    with pytest.raises(Refused) as refused:
        await gate.gate.unary(gate.gate.calls[DEVICES + "SetMaintenance"], request, TELLER)
    assert reason(refused.value) == "PERMISSION_DENIED", "who may not call learns nothing about the bounds"


async def test_customer_data_is_taken_out_for_who_may_not_see_it(gate: SimpleNamespace, world: Any) -> None:
    document = identity_pb2.IdentityDocument(
        type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD, person=identity_pb2.Person(name="张三丰")
    )

    async def found(request: Any, run: Any) -> Any:
        return id_reader_pb2.ReadResult(document=document)

    world.read = found
    seen = (await read(gate.gate))[-1].result.document
    assert seen.person.name == "张三丰"
    gate.decider.customer_data = False
    bare = (await read(gate.gate))[-1].result.document
    assert bare.type == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD
    assert not bare.person.name
    assert document.person.name, "the operation's own result stays whole"


async def test_answers_that_are_serialised_already_are_opened_for_it(gate: SimpleNamespace) -> None:
    """Events are serialised once for all watchers; one without customer data gets its own."""
    gate.decider.customer_data = False
    call = gate.gate.calls[DEVICES + "WatchEvents"]
    watch = gate.gate.stream(call, device_pb2.WatchEventsRequest(), TELLER)
    kinds = []
    async for answer in watch:
        assert isinstance(answer, device_pb2.WatchEventsResponse)
        kinds.append(answer.WhichOneof("payload"))
        if kinds[-1] == "event":
            break
        if kinds[-1] == "synced":
            await gate.gate.unary(
                gate.gate.calls[DEVICES + "SetMaintenance"],
                device_pb2.SetMaintenanceRequest(device_id="reader", maintenance=True, reason="new cable"),
                TELLER,
            )
    await watch.aclose()
    assert kinds == ["snapshot", "synced", "event"]


async def test_a_client_has_so_many_calls_and_no_more(gate: SimpleNamespace) -> None:
    call = gate.gate.calls[DEVICES + "WatchEvents"]

    async def watch(caller: Caller) -> AsyncIterator[Message | bytes]:
        answers = gate.gate.stream(call, device_pb2.WatchEventsRequest(), caller)
        await anext(answers)
        return answers

    watching = [await watch(TELLER) for _ in range(MAX_CALLS)]
    with pytest.raises(Refused) as refused:
        await watch(TELLER)
    assert reason(refused.value) == "TOO_MANY_CALLS"
    other = await watch(Caller("unix", "uid=1000", "pid=8"))
    for answers in (other, watching.pop()):
        await answers.aclose()  # type: ignore[attr-defined]
    watching.append(await watch(TELLER))
    for answers in watching:
        await answers.aclose()  # type: ignore[attr-defined]
    assert not gate.gate._under_way


@pytest.mark.parametrize(
    ("door", "one", "other"),
    [
        ("loopback", "127.0.0.1:{}", ""),
        ("tls", "[2001:db8::7]:{}", "[2001:db8::8]:{}"),
        ("browser", "10.1.2.3", "10.1.2.4"),
    ],
)
def test_more_connections_give_a_client_no_more_calls(door: Any, one: str, other: str) -> None:
    callers = [Caller(door, "till-3", one.format(port)) for port in range(40_000, 40_010)]
    assert len({caller.client for caller in callers}) == 1
    others = [Caller(door, "till-4", one.format(1)), Caller(door, "till-3", other.format(1))]
    assert callers[0].client not in {caller.client for caller in others}


async def test_what_was_done_is_written_down_with_its_outcome(gate: SimpleNamespace, world: Any) -> None:
    async def jammed(request: Any, run: Any) -> Any:
        raise RuntimeError("张三丰")

    await read(gate.gate, operation_id="good")
    world.read = jammed
    with pytest.raises(Refused):
        await read(gate.gate, operation_id="bad")
    await gate.gate.unary(gate.gate.calls[DEVICES + "ListDevices"], device_pb2.ListDevicesRequest(), TELLER)
    written = [(record["operation_id"], record["outcome"]) for record in gate.book.records]
    assert written == [("good", "SUCCEEDED"), ("bad", "FAILED")], "looking is not written down"
    assert "张" not in str(gate.book.records)


async def test_a_call_under_a_claim_is_known_as_one(gate: SimpleNamespace) -> None:
    request = claim_pb2.ClaimRequest(device_ids=["reader"], label="till")
    claim = gate.gate.stream(gate.gate.calls["/countertop.v1.ClaimService/Claim"], request, TELLER)
    granted: Any = await anext(claim)
    while not granted.HasField("granted"):
        granted = await anext(claim)
    await read(gate.gate, claim_token=granted.granted.token)
    assert [claimed for method, _, _, claimed in gate.decider.asked if method.endswith("Read")] == [True]
    (info,) = gate.gate._terminal.claims.standing()
    revoke = claim_pb2.RevokeClaimRequest(claim_id=info.id, reason="the app hangs")
    await gate.gate.unary(gate.gate.calls["/countertop.v1.ClaimService/RevokeClaim"], revoke, TELLER)
    assert ("ClaimService.RevokeClaim", "reader", device_pb2.DEVICE_KIND_ID_READER, False) in gate.decider.asked
    with pytest.raises(Refused) as refused:
        await anext(claim)
    assert reason(refused.value) == "CLAIM_LOST"


async def test_an_operation_stands_for_its_device(gate: SimpleNamespace) -> None:
    await read(gate.gate, operation_id="read-1")
    gate.decider.asked.clear()
    cancel = operation_pb2.CancelOperationRequest(operation_id="read-1")
    await gate.gate.unary(gate.gate.calls["/countertop.v1.OperationService/CancelOperation"], cancel, TELLER)
    assert [device_id for _, device_id, _, _ in gate.decider.asked] == ["reader"]


async def test_each_message_of_a_stream_is_decided_on(gate: SimpleNamespace) -> None:
    """The device is named in the first of a client's messages: a call that was begun has proven nothing yet."""
    call = gate.gate.calls["/countertop.v1.CardPrinterService/ExchangeApdus"]

    async def requests() -> AsyncIterator[Message]:
        yield card_printer_pb2.ExchangeApdusRequest(device_id="printer")
        yield card_printer_pb2.ExchangeApdusRequest(command=card_printer_pb2.ChipCommand(command=b"0"))

    with pytest.raises(Refused):
        _ = [answer async for answer in gate.gate.stream(call, requests(), TELLER)]
    assert [device_id for _, device_id, _, _ in gate.decider.asked] == ["", "printer"]
    assert gate.book.records[-1]["device_id"] == "printer"


async def test_a_defect_ends_its_call_alone(gate: SimpleNamespace) -> None:
    call = gate.gate.calls[DEVICES + "ListDevices"]
    call.run = None
    with pytest.raises(Refused) as refused:
        await gate.gate.unary(call, device_pb2.ListDevicesRequest(), TELLER)
    assert reason(refused.value) == "INTERNAL"
    assert not gate.gate._under_way
