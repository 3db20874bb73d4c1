"""One decision over a call by the roles, against matching every pattern of the roles in each call, as fnmatch does.

Both sides are asked the same, in the same order; their answers are compared before anything is timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial

from benchmarks.harness import Figure, Settings, interleave
from countertop.server.access.builtin import METHODS, role_table, roles_of
from countertop.server.access.roles import Role
from countertop.server.caller import Caller
from countertop.server.config import RoleConfig
from countertop.v1 import device_pb2
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["run"]

CONFIGURED = {
    "kiosk": RoleConfig(
        allow=["DeviceService.*", "IdReaderService.*", "ReceiptPrinterService.*", "ClaimService.*"],
        deny=["DeviceService.SetMaintenance", "*.RevokeClaim"],
        devices=["id-*", "receipt-*"],
        kinds=["ID_READER", "RECEIPT_PRINTER"],
        claim="held",
        customer_data=True,
    )
}
CALLS: list[tuple[str, str, DeviceKind]] = [
    ("IdReaderService.Read", "id-reader", device_pb2.DEVICE_KIND_ID_READER),
    ("ReceiptPrinterService.Print", "receipt-printer", device_pb2.DEVICE_KIND_RECEIPT_PRINTER),
    ("DeviceService.ListDevices", "", device_pb2.DEVICE_KIND_UNSPECIFIED),
    ("DeviceService.GetDevice", "id-reader", device_pb2.DEVICE_KIND_ID_READER),
    ("DeviceService.SetMaintenance", "id-reader", device_pb2.DEVICE_KIND_ID_READER),
]
UNHEARD_OF = [("IdReaderService.Read", f"reader-{number}", device_pb2.DEVICE_KIND_UNSPECIFIED) for number in range(5)]
ROUND = 2000

Decide = Callable[[str, str, DeviceKind], bool]


def by_patterns(roles: list[Role], method: str, device_id: str, kind: DeviceKind) -> bool:
    """What a decision is when nothing is prepared."""

    def matches(patterns: tuple[str, ...], text: str) -> bool:
        return any(fnmatchcase(text, pattern) for pattern in patterns)

    return any(
        matches(role.allow, method)
        and not matches(role.deny, method)
        and (not device_id or ((not role.kinds or kind in role.kinds) and matches(role.devices, device_id)))
        for role in roles
    )


def timed(decide: Decide, calls: list[tuple[str, str, DeviceKind]]) -> list[float]:
    """Seconds of one decision, the mean of a round."""
    start = time.perf_counter()
    for _ in range(ROUND // len(calls)):
        for method, device_id, kind in calls:
            decide(method, device_id, kind)
    return [(time.perf_counter() - start) / (ROUND // len(calls) * len(calls))]


def run(settings: Settings) -> list[Figure]:
    """In this process; as a caller with a role of the configuration, with a built-in one, and with both."""
    table, roles = role_table(CONFIGURED), roles_of(CONFIGURED)
    figures = []
    for title, names, calls in (
        ("a role limited to devices", ("kiosk",), CALLS),
        ("a built-in role", ("teller",), CALLS),
        ("both", ("kiosk", "teller"), CALLS),
        ("devices that there are not, refused", ("kiosk",), UNHEARD_OF),
    ):
        caller = Caller("unix", "uid=1000", "pid=7", frozenset(names))

        def ours(method: str, device_id: str, kind: DeviceKind, caller: Caller = caller) -> bool:
            return table.decide(caller, method, device_id, kind, claimed=True).allowed

        reference = partial(by_patterns, [roles[name] for name in names])
        assert all(ours(*call) == reference(*call) for call in calls), "both sides decide alike"
        pair = interleave((partial(timed, ours, calls), partial(timed, reference, calls)), settings.count(40))
        figures.append(Figure.of(f"decision by {title}", "µs", pair, scale=1e6, methods=len(METHODS)))
    return figures
