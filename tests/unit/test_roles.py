"""Roles: the table of the built-in ones, and the decision over one call."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.sdk.options import option
from countertop.server.access.builtin import BUILT_IN, METHODS, role_table
from countertop.server.access.roles import Decision, Role, RoleTable
from countertop.server.caller import Caller
from countertop.server.config import RoleConfig
from countertop.v1 import device_pb2, options_pb2

PROTOS = Path(__file__).resolve().parents[2] / "protos"
NAMES = ("one", "two", "three")
DEVICES = {
    "": device_pb2.DEVICE_KIND_UNSPECIFIED,
    "left-reader": device_pb2.DEVICE_KIND_ID_READER,
    "printer": device_pb2.DEVICE_KIND_RECEIPT_PRINTER,
    "unheard-of": device_pb2.DEVICE_KIND_UNSPECIFIED,
}
UNDER_CLAIM = frozenset(name for name, method in METHODS.items() if method.claim)
PATTERNS = st.sampled_from(["*", "*Service.*", "IdReaderService.Read", "ReceiptPrinterService.*", "*.Get*", "*.Print"])
ROLES = st.builds(
    Role,
    name=st.just(""),
    allow=st.lists(PATTERNS, max_size=2).map(tuple),
    deny=st.lists(PATTERNS, max_size=1).map(tuple),
    devices=st.sampled_from([("*",), ("left-*",), ("printer", "left-reader"), ()]),
    kinds=st.sampled_from([frozenset(), frozenset({device_pb2.DEVICE_KIND_ID_READER})]),
    claim=st.sampled_from(["any", "held"]),
    customer_data=st.booleans(),
)
TABLES = st.lists(ROLES, min_size=3, max_size=3).map(
    lambda roles: RoleTable(
        [Role(name, *_rest(role)) for name, role in zip(NAMES, roles, strict=True)], under_claim=UNDER_CLAIM
    )
)
CALLS = st.tuples(
    st.sampled_from(["IdReaderService.Read", "ReceiptPrinterService.Print", "DeviceService.GetDevice", "New.Method"]),
    st.sampled_from(sorted(DEVICES)),
    st.booleans(),
)
SETS = st.frozensets(st.sampled_from([*NAMES, "unknown"]))


def _rest(role: Role) -> tuple[Any, ...]:
    return role.allow, role.deny, role.devices, role.kinds, role.claim, role.customer_data


def caller(*roles: str) -> Caller:
    return Caller("unix", "uid=1000", "pid=7", frozenset(roles))


def decide(table: RoleTable, roles: Any, method: str, device_id: str = "", *, claimed: bool = False) -> Decision:
    return table.decide(caller(*roles), method, device_id, DEVICES[device_id], claimed=claimed)


def methods() -> dict[str, MethodDescriptor]:
    """Every method of every service in the protos."""
    found: dict[str, MethodDescriptor] = {}
    for path in sorted(PROTOS.rglob("*.proto")):
        module = import_module(".".join(path.relative_to(PROTOS).with_suffix("").parts) + "_pb2")
        for service in module.DESCRIPTOR.services_by_name.values():
            found |= {f"{service.name}.{method.name}": method for method in service.methods}
    return found


def test_every_method_of_every_service_is_decided_on() -> None:
    assert set(METHODS) == set(methods()), "add the new method to the table in server/access/builtin.py"
    assert {name for name, method in METHODS.items() if "admin" not in method.roles} == set()


def test_what_takes_a_claims_token_needs_a_claim_of_who_must_hold_one() -> None:
    for name, method in methods().items():
        fields = method.input_type.fields_by_name
        takes_token = "claim_token" in fields or "options" in fields
        assert METHODS[name].claim == takes_token, name
        if option(method, options_pb2.effect):
            assert takes_token, f"{name} has an effect on a device"


def reaches_marked(descriptor: Any, above: frozenset[str] = frozenset()) -> bool:
    """Answers of this type may hold a marked field, or something packed, at some depth."""
    if descriptor.full_name == "google.protobuf.Any":
        return True
    return any(
        field.GetOptions().debug_redact
        or (
            field.message_type is not None
            and field.message_type.full_name not in above
            and reaches_marked(field.message_type, above | {field.message_type.full_name})
        )
        for field in descriptor.fields
    )


def test_who_sees_no_customer_data_asks_for_nothing_that_holds_any() -> None:
    """But for a vendor's commands, whose results an engineer gets without it."""
    found = {name for name, method in methods().items() if reaches_marked(method.output_type)}
    for role in ("supervisor", "engineer", "observer"):
        assert not BUILT_IN[role].customer_data
        marked = {name for name in found & set(BUILT_IN[role].allow) if not METHODS[name].whole}
        assert marked == ({"VendorService.Call"} if role == "engineer" else set()), role


def test_the_observer_does_nothing_and_the_bench_has_only_hands() -> None:
    reads = {name for name, method in methods().items() if method.GetOptions().idempotency_level == 1}
    assert set(BUILT_IN["observer"].allow) <= reads
    assert {name.partition(".")[0] for name in BUILT_IN["bench"].allow} == {"BenchService"}


def test_what_is_kept_from_an_app() -> None:
    assert set(BUILT_IN["admin"].allow) - set(BUILT_IN["app"].allow) - set(BUILT_IN["bench"].allow) == {
        "DeviceService.GetStatistics",
        "DeviceService.CheckHealth",
        "DeviceService.ResetDevice",
        "DeviceService.SetMaintenance",
        "DeviceService.RecordLink",
        "OperationService.ResolveOperation",
        "ClaimService.RevokeClaim",
        "CardPrinterService.BeginCardExchange",
        "CardPrinterService.EndCardExchange",
        "VendorService.Call",
    }


@settings(max_examples=50)
@given(TABLES, SETS, SETS, CALLS)
def test_one_more_role_never_takes_anything_away(
    table: RoleTable, some: frozenset[str], more: frozenset[str], call: tuple[str, str, bool]
) -> None:
    method, device_id, claimed = call
    fewer = decide(table, some, method, device_id, claimed=claimed)
    both = decide(table, some | more, method, device_id, claimed=claimed)
    assert both.allowed >= fewer.allowed
    assert both.customer_data >= (fewer.customer_data and fewer.allowed)
    assert both == decide(table, some | more, method, device_id, claimed=claimed), "the second answer is the first"


@settings(max_examples=50)
@given(TABLES, SETS, CALLS)
def test_a_set_of_roles_allows_what_one_of_them_allows(
    table: RoleTable, roles: frozenset[str], call: tuple[str, str, bool]
) -> None:
    method, device_id, claimed = call
    each = [decide(table, {role}, method, device_id, claimed=claimed) for role in roles]
    found = decide(table, roles, method, device_id, claimed=claimed)
    assert found.allowed == any(one.allowed for one in each)
    assert (found.allowed and found.customer_data) == any(one.allowed and one.customer_data for one in each)
    assert bool(found.why) != found.allowed


@settings(max_examples=50)
@given(TABLES, CALLS)
def test_who_has_no_role_or_an_unknown_one_may_do_nothing(table: RoleTable, call: tuple[str, str, bool]) -> None:
    method, device_id, claimed = call
    for roles in ((), ("unknown",)):
        assert not decide(table, roles, method, device_id, claimed=claimed).allowed


@settings(max_examples=50)
@given(TABLES, SETS, CALLS)
def test_a_claim_never_takes_anything_away(table: RoleTable, roles: Any, call: tuple[str, str, bool]) -> None:
    method, device_id, _ = call
    free = decide(table, roles, method, device_id)
    assert decide(table, roles, method, device_id, claimed=True).allowed >= free.allowed


def test_a_deny_limits_the_role_that_it_stands_in() -> None:
    table = RoleTable([Role("a", allow=("*",), deny=("IdReaderService.*",)), Role("b", allow=("*.Read",))])
    assert not decide(table, {"a"}, "IdReaderService.Read").allowed
    assert decide(table, {"a", "b"}, "IdReaderService.Read").allowed


def test_customer_data_is_seen_where_the_role_that_allows_it_sees_it() -> None:
    table = RoleTable(
        [
            Role("reads", allow=("IdReaderService.*",), devices=("left-*",), customer_data=True),
            Role("watches", allow=("*",)),
        ]
    )
    assert decide(table, {"reads", "watches"}, "IdReaderService.Read", "left-reader").customer_data
    assert not decide(table, {"reads", "watches"}, "IdReaderService.Read", "printer").customer_data
    assert not decide(table, {"reads", "watches"}, "OperationService.GetOperation").customer_data


def test_a_role_is_limited_to_devices_and_kinds() -> None:
    kinds = frozenset({device_pb2.DEVICE_KIND_ID_READER})
    table = RoleTable([Role("a", allow=("*",), kinds=kinds), Role("b", allow=("*",), devices=("pri*",))])
    found = {role: {device: decide(table, {role}, "X.Y", device).allowed for device in DEVICES} for role in "ab"}
    assert found["a"] == {"": True, "left-reader": True, "printer": False, "unheard-of": False}
    assert found["b"] == {"": True, "left-reader": False, "printer": True, "unheard-of": False}


def test_who_must_hold_a_claim_may_still_ask_for_one() -> None:
    table = role_table({"kiosk": RoleConfig(allow=["IdReaderService.*", "ClaimService.*"], claim="held")})
    assert decide(table, {"kiosk"}, "ClaimService.Claim", "left-reader").allowed
    assert decide(table, {"kiosk"}, "IdReaderService.Read", "left-reader", claimed=True).allowed
    refused = decide(table, {"kiosk"}, "IdReaderService.Read", "left-reader")
    assert refused.why == (
        "IdReaderService.Read on 'left-reader' needs a claim on it: the role kiosk allows it only under one."
    )


def test_a_refusal_says_what_was_asked_for_and_which_roles_would_do() -> None:
    table = role_table({"printing": RoleConfig(allow=["*.Print", "*.SetMaintenance"], devices=["printer"])})
    refused = decide(table, {"app", "observer"}, "DeviceService.SetMaintenance", "printer")
    assert refused.why == (
        "DeviceService.SetMaintenance on 'printer' needs the role admin, engineer, printing or teller;"
        " you have app and observer."
    )
    assert decide(table, (), "ClaimService.RevokeClaim").why == (
        "ClaimService.RevokeClaim needs the role admin or supervisor; you have none."
    )
    assert decide(table, {"admin"}, "New.Method").why == "No role allows New.Method; you have admin."


def test_what_is_no_devices_id_is_not_repeated() -> None:
    table = role_table({})
    for device_id in ("张三丰", "x" * 65, "a\nb"):
        why = table.decide(caller(), "IdReaderService.Read", device_id, DEVICES[""], claimed=False).why
        assert "on that device" in why
        assert device_id not in why
    assert all(not rule.known for rule in table._rules.values()), "made-up devices are not remembered"


def test_a_secret_of_the_callers_own_reaches_who_sees_no_customer_data() -> None:
    """A claim's token and a masked recording are marked, and an engineer needs both."""
    table = role_table({})
    for method in ("ClaimService.Claim", "DeviceService.RecordLink"):
        assert decide(table, {"engineer"}, method, "printer").customer_data
    assert not decide(table, {"engineer"}, "VendorService.Call", "printer").customer_data


def test_a_configured_role_stands_instead_of_the_built_in_one() -> None:
    table = role_table({"app": RoleConfig(allow=["DeviceService.ListDevices"])})
    assert decide(table, {"app"}, "DeviceService.ListDevices").allowed
    assert not decide(table, {"app"}, "IdReaderService.Read", "left-reader").allowed
    assert table.names == sorted(BUILT_IN)
    with pytest.raises(ValueError, match="TOASTER"):
        role_table({"a": RoleConfig(kinds=["TOASTER"])})
