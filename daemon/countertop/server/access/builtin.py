"""The built-in roles: one table over every method of every service.

A test fails when a method is missing here: whoever adds one decides who may call it. What is not in the table, no
built-in role may do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from countertop.server.access.roles import Role, RoleTable
from countertop.server.config import RoleConfig
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["BUILT_IN", "METHODS", "Method", "kinds_of", "role_of", "role_table", "roles_of"]

PURPOSES = {
    "admin": "everything",
    "app": "a counter's or kiosk's app: uses devices for customers",
    "teller": "a person at the counter: an app's rights, and what keeps the counter going",
    "supervisor": "says what became of an operation, cancels, takes claims away",
    "engineer": "mends devices; sees no customer data",
    "observer": "watches; sees no customer data and no pictures",
    "bench": "test hands on emulated devices",
}
"""The built-in roles, in the table's order."""
_SEES_CUSTOMERS = ("admin", "app", "teller", "bench")
"""Roles whose answers may hold what identifies a person. What the bench shows is invented by the emulators."""

_TABLE = """
                              admin  app  teller  supervisor  engineer  observer  bench   claim  whole
DeviceService
  GetTerminal                   x     x     x         x           x         x       .       .      .
  ListDevices                   x     x     x         x           x         x       .       .      .
  GetDevice                     x     x     x         x           x         x       .       .      .
  WatchEvents                   x     x     x         x           x         x       .       .      .
  GetStatistics                 x     .     .         x           x         x       .       .      .
  CheckHealth                   x     .     x         .           x         .       .       x      .
  ResetDevice                   x     .     x         .           x         .       .       x      .
  SetMaintenance                x     .     x         .           x         .       .       .      .
  RecordLink                    x     .     .         .           x         .       .       x      x
OperationService
  GetOperation                  x     x     x         x           x         x       .       .      .
  ListOperations                x     x     x         x           x         x       .       .      .
  WatchOperation                x     x     x         x           x         x       .       .      .
  CancelOperation               x     x     x         x           x         .       .       .      .
  ResolveOperation              x     .     .         x           .         .       .       .      .
ClaimService
  Claim                         x     x     x         .           x         .       .       .      x
  ReleaseClaim                  x     x     x         .           x         .       .       .      .
  AnswerHandover                x     x     x         .           x         .       .       .      .
  ListClaims                    x     x     x         x           x         x       .       .      .
  RevokeClaim                   x     .     .         x           .         .       .       .      .
IdReaderService
  Read                          x     x     x         .           .         .       .       x      .
ReceiptPrinterService
  Print                         x     x     x         .           .         .       .       x      .
  OpenDrawer                    x     x     x         .           .         .       .       x      .
  Preview                       x     x     x         .           .         .       .       .      .
SignaturePadService
  CaptureSignature              x     x     x         .           .         .       .       x      .
  PressButton                   x     x     x         .           .         .       .       .      .
  VerifySignature               x     x     x         .           .         .       .       .      .
  GetSigningKey                 x     x     x         x           x         x       .       .      .
CardPrinterService
  IssueCard                     x     x     x         .           .         .       .       x      .
  EncodeStripe                  x     x     x         .           .         .       .       x      .
  ReadStripe                    x     x     x         .           .         .       .       x      .
  MoveCard                      x     x     x         .           .         .       .       x      .
  ExchangeApdus                 x     x     x         .           .         .       .       x      .
  PreviewCard                   x     x     x         .           .         .       .       .      .
  GetCardInventory              x     x     x         x           x         x       .       .      .
  BeginCardExchange             x     .     x         .           .         .       .       .      .
  EndCardExchange               x     .     x         .           .         .       .       .      .
CameraService
  WatchFrames                   x     x     x         .           .         .       .       x      .
  GetFrame                      x     x     x         .           .         .       .       x      .
  Capture                       x     x     x         .           .         .       .       x      .
  GetPicture                    x     x     x         .           .         .       .       x      .
  ScanCodes                     x     x     x         .           .         .       .       x      .
  CaptureDocument               x     x     x         .           .         .       .       x      .
  VerifyPresence                x     x     x         .           .         .       .       x      .
  ComposeDocument               x     x     x         .           .         .       .       .      .
  CalibrateStage                x     x     x         .           x         .       .       x      .
VendorService
  Call                          x     .     .         .           x         .       .       x      .
BenchService
  InsertCard                    x     .     .         .           .         .       x       .      .
  RemoveCard                    x     .     .         .           .         .       x       .      .
  OpenCover                     x     .     .         .           .         .       x       .      .
  CloseCover                    x     .     .         .           .         .       x       .      .
  LoadPaper                     x     .     .         .           .         .       x       .      .
  Unplug                        x     .     .         .           .         .       x       .      .
  Replug                        x     .     .         .           .         .       x       .      .
  PowerCycle                    x     .     .         .           .         .       x       .      .
  ListFaults                    x     .     .         .           .         .       x       .      .
  InjectFault                   x     .     .         .           .         .       x       .      .
  ClearFault                    x     .     .         .           .         .       x       .      .
  Sign                          x     .     .         .           .         .       x       .      .
  PressPadButton                x     .     .         .           .         .       x       .      .
  LoadCards                     x     .     .         .           .         .       x       .      .
  LoadRibbon                    x     .     .         .           .         .       x       .      .
  EmptyBin                      x     .     .         .           .         .       x       .      .
  TakeCard                      x     .     .         .           .         .       x       .      .
  PushCard                      x     .     .         .           .         .       x       .      .
  RemoveJam                     x     .     .         .           .         .       x       .      .
  SetCustomer                   x     .     .         .           .         .       x       .      .
  CountCards                    x     .     .         .           .         .       x       .      .
  SetScene                      x     .     .         .           .         .       x       .      .
  GetOutput                     x     .     .         .           .         .       x       .      .
"""
"""`claim`: its request takes a claim's token, so that a role with claim = "held" needs one. `whole`: what its answer
marks is no customer data but the caller's own secret (a claim's token), or masked or encrypted where it was captured
(a recording), so that roles without customer data get it too.

An app has no ResetDevice: it ends other apps' operations too, and the daemon brings a device to its safe state by
itself when a claim ends. It has no CheckHealth, which may use up paper, and no vendor commands, which may do anything:
grant these by a role of your own.
"""


@dataclass(frozen=True, slots=True)
class Method:
    """A method as the table has it."""

    name: str
    """`ReceiptPrinterService.Print`."""
    roles: frozenset[str]
    """The built-in roles that may call it."""
    claim: bool
    """Its request takes a claim's token."""
    whole: bool
    """What is marked in its answer is no customer data."""


def _read(table: str) -> dict[str, Method]:
    methods: dict[str, Method] = {}
    service = ""
    columns, *rows = (line.split() for line in table.strip().splitlines())
    for name, *cells in rows:
        if not cells:
            service = name
            continue
        marked = {column for column, cell in zip(columns, cells, strict=True) if cell == "x"}
        method = Method(f"{service}.{name}", frozenset(marked & set(PURPOSES)), "claim" in marked, "whole" in marked)
        methods[method.name] = method
    return methods


METHODS = _read(_TABLE)
"""Every method of every service, by name."""
BUILT_IN = {
    name: Role(
        name,
        allow=tuple(method.name for method in METHODS.values() if name in method.roles),
        customer_data=name in _SEES_CUSTOMERS,
    )
    for name in PURPOSES
}


def kinds_of(names: Iterable[str]) -> frozenset[DeviceKind]:
    """`ID_READER` and so on. Raises ValueError for one that there is not."""
    return frozenset(cast("DeviceKind", DeviceKind.Value(f"DEVICE_KIND_{name}")) for name in names)


def role_of(name: str, config: RoleConfig) -> Role:
    """A role as the configuration has it. Raises ValueError for a kind that there is not."""
    return Role(
        name,
        allow=tuple(config.allow),
        deny=tuple(config.deny),
        devices=tuple(config.devices),
        kinds=kinds_of(config.kinds),
        claim=config.claim,
        customer_data=config.customer_data,
    )


def roles_of(configured: Mapping[str, RoleConfig]) -> dict[str, Role]:
    """The built-in roles and those of the configuration, which stand instead of built-in ones of the same name."""
    return BUILT_IN | {name: role_of(name, config) for name, config in configured.items()}


def role_table(configured: Mapping[str, RoleConfig]) -> RoleTable:
    """What the gate decides by."""
    return RoleTable(
        roles_of(configured).values(),
        under_claim=frozenset(method.name for method in METHODS.values() if method.claim),
        whole=frozenset(method.name for method in METHODS.values() if method.whole),
    )
