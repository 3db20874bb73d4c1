"""The counter: one daemon with its devices."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from types import TracebackType
from typing import TypeAlias, Unpack

from countertop.client._access import Access, Tls
from countertop.client._address import default_address
from countertop.client._bench import Bench
from countertop.client._cameras import Camera
from countertop.client._card_printers import CardPrinter
from countertop.client._claim import Claim, OnHandover
from countertop.client._devices import IdReader, ReceiptPrinter, SignaturePad
from countertop.client._operation import CallOptions, OperationHandle, call_options
from countertop.client._stubs import Connection
from countertop.client._vendor import Vendor
from countertop.client._watch import watch_events, watch_operation
from countertop.v1 import claim_pb2, device_pb2, operation_pb2
from countertop.v1.claim_pb2 import ClaimInfo
from countertop.v1.device_pb2 import (
    CheckHealthRequest,
    CheckHealthResponse,
    CheckHealthResult,
    Device,
    DeviceKind,
    GetStatisticsResponse,
    HealthLevel,
    ResetDeviceRequest,
    ResetDeviceResponse,
    ResetDeviceResult,
    Terminal,
    Unit,
    WatchEventsRequest,
    WatchEventsResponse,
)
from countertop.v1.operation_pb2 import CancelOperationResponse, Finding, Operation, OperationState

__all__ = ["Counter", "Operations", "connect"]

CheckHealthHandle: TypeAlias = OperationHandle[CheckHealthResponse, CheckHealthResult]
ResetHandle: TypeAlias = OperationHandle[ResetDeviceResponse, ResetDeviceResult]


def connect(
    address: str | None = None, *, patience: float = 30.0, token: str | None = None, tls: Tls | None = None
) -> Counter:
    """The counter behind a daemon's address, for `async with`.

    `address` is `unix:/PATH`, `HOST:PORT` or `tls:HOST:PORT`; by default COUNTERTOP_ADDRESS, the socket of a daemon on
    this machine, or 127.0.0.1:7411. `patience` is how many seconds a daemon that was lost is waited for, in operations
    and watches.
    A daemon that is not there from the start is not waited for: the first call raises ConnectionLost.

    `token` proves who calls, where the socket does not; by default COUNTERTOP_TOKEN, or the one that a daemon of the
    same user on this machine has left in a file. Beyond loopback, and at `tls:HOST:PORT`, `tls` has the certificates;
    by default COUNTERTOP_TLS_CERT, COUNTERTOP_TLS_KEY and COUNTERTOP_TLS_CA name them. Raises ValueError where they
    are missing.
    """
    return Counter(address, patience=patience, token=token, tls=tls)


class Operations:
    """Looks after operations of every device and kind."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, operation_id: str) -> Operation:
        """One operation. Raises NotFound."""
        answer = await self._connection.ask(operation_pb2.GetOperationRequest(operation_id=operation_id))
        operation: Operation = answer.operation
        return operation

    async def list(
        self,
        device_id: str | None = None,
        visit_id: str | None = None,
        states: Iterable[OperationState] = (),
        limit: int = 100,
        unresolved: bool = False,
    ) -> list[Operation]:
        """At most `limit` operations, newest first; with `unresolved` those that wait for a person's word."""
        found: list[Operation] = []
        request = operation_pb2.ListOperationsRequest(
            device_id=device_id or "", visit_id=visit_id or "", states=states, unresolved=unresolved
        )
        while len(found) < limit:
            request.page_size = min(limit - len(found), 500)
            answer = await self._connection.ask(request)
            found.extend(answer.operations)
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
        return found

    def watch(self, operation_id: str) -> AsyncGenerator[Operation, None]:
        """The operation's states from now to its end; states between two may be left out, the final one never is.

        Its failure is no error here. Raises NotFound, and ConnectionLost when the daemon stayed away.
        """
        return watch_operation(self._connection, operation_id)

    async def cancel(self, operation_id: str) -> CancelOperationResponse:
        """Ask for an operation to be given up; answers when that is settled, CANCELLED or TOO_LATE."""
        request = operation_pb2.CancelOperationRequest(operation_id=operation_id)
        response: CancelOperationResponse = await self._connection.ask(request)
        return response

    async def resolve(self, operation_id: str, finding: Finding, reason: str, by: str = "") -> Operation:
        """A person's word on an operation that is UNCERTAIN. Raises CountertopError(NOT_UNCERTAIN), NotFound."""
        request = operation_pb2.ResolveOperationRequest(
            operation_id=operation_id, finding=finding, reason=reason, by=by
        )
        operation: Operation = (await self._connection.ask(request)).operation
        return operation


class Counter:
    """One daemon with its devices. Use `async with`: leaving it hangs up and frees the sockets."""

    def __init__(
        self, address: str | None = None, *, patience: float = 30.0, token: str | None = None, tls: Tls | None = None
    ) -> None:
        self._connection = Connection(Access(address or default_address(), token, tls), patience)
        self.operations = Operations(self._connection)
        self.bench = Bench(self._connection)

    @property
    def address(self) -> str:
        """The daemon's address."""
        return self._connection.address

    async def __aenter__(self) -> Counter:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End every call, as each handle's `close` does, and free the sockets."""
        await self._connection.close()

    async def terminal(self) -> Terminal:
        """What this terminal is, and which drivers it has."""
        terminal: Terminal = (await self._connection.ask(device_pb2.GetTerminalRequest())).terminal
        return terminal

    async def devices(self, kind: DeviceKind | None = None) -> list[Device]:
        """All devices, or those of a kind, in the configuration's order."""
        request = device_pb2.ListDevicesRequest(kind=kind or device_pb2.DEVICE_KIND_UNSPECIFIED)
        return list((await self._connection.ask(request)).devices)

    async def units(self) -> list[Unit]:
        """The boxes that hold the devices."""
        return list((await self._connection.ask(device_pb2.ListDevicesRequest())).units)

    async def device(self, device_id: str) -> Device:
        """One device. Raises NotFound."""
        device: Device = (await self._connection.ask(device_pb2.GetDeviceRequest(device_id=device_id))).device
        return device

    def claim(
        self,
        *device_ids: str,
        units: Iterable[str] = (),
        label: str,
        wait: float = 30.0,
        on_handover: OnHandover | None = None,
        on_queued: Callable[[int, list[str]], object] | None = None,
    ) -> Claim:
        """The right to use devices, and those of `units`, alone, all or none, for `async with`.

        Waits up to `wait` s (0 to 600) for them.

        `label` is shown to others. `on_handover` is called with the label of somebody who waits, and returns whether
        to yield; without it the daemon's policy decides. `on_queued` is told the position and the holders' labels.
        """
        return Claim(self._connection, device_ids, tuple(units), label, wait, on_handover, on_queued)

    async def claims(self) -> list[ClaimInfo]:
        """Claims that stand or wait."""
        return list((await self._connection.ask(claim_pb2.ListClaimsRequest())).claims)

    async def revoke_claim(self, claim_id: str, reason: str, by: str = "") -> None:
        """Take the devices from a claim's holder without asking, or end a claim that waits; for supervisors.

        `claim_id` is from `claims`; `reason` (1 to 256 characters) and `by` (at most 64), a staff number, go into the
        audit: no customer data. Raises CountertopError (CLAIM_NOT_FOUND, PERMISSION_DENIED), InvalidRequest.
        """
        await self._connection.ask(claim_pb2.RevokeClaimRequest(claim_id=claim_id, reason=reason, by=by))

    async def set_maintenance(
        self, device_id: str, maintenance: bool, reason: str = "", drain: float | None = None
    ) -> Device:
        """Take a device out of use, or back into use; answers when what it had is finished, for `drain` s at most."""
        request = device_pb2.SetMaintenanceRequest(device_id=device_id, maintenance=maintenance, reason=reason)
        if drain is not None:
            request.drain.FromNanoseconds(round(drain * 1e9))
        device: Device = (await self._connection.ask(request)).device
        return device

    async def statistics(self, device_id: str) -> GetStatisticsResponse:
        """What a device has done since it was installed and since the daemon started. Raises NotFound."""
        found: GetStatisticsResponse = await self._connection.ask(device_pb2.GetStatisticsRequest(device_id=device_id))
        return found

    def id_reader(self, device_id: str | None = None) -> IdReader:
        """An ID reader; without an id, the terminal's only one, looked up at the first call."""
        return IdReader(self._connection, device_id)

    def receipt_printer(self, device_id: str | None = None) -> ReceiptPrinter:
        """A receipt printer; without an id, the terminal's only one, looked up at the first call."""
        return ReceiptPrinter(self._connection, device_id)

    def signature_pad(self, device_id: str | None = None) -> SignaturePad:
        """A signature pad; without an id, the terminal's only one, looked up at the first call."""
        return SignaturePad(self._connection, device_id)

    def camera(self, device_id: str | None = None) -> Camera:
        """A camera; without an id, the terminal's only one, looked up at the first call."""
        return Camera(self._connection, device_id)

    def card_printer(self, device_id: str | None = None) -> CardPrinter:
        """A card printer; without an id, the terminal's only one, looked up at the first call."""
        return CardPrinter(self._connection, device_id)

    def vendor(self, device_id: str) -> Vendor:
        """The commands of a device's vendor, by the vendor's own messages; for devices of any kind."""
        return Vendor(self._connection, device_id)

    async def check_health(
        self,
        device_id: str,
        level: HealthLevel = device_pb2.HEALTH_LEVEL_INTERNAL,
        **options: Unpack[CallOptions],
    ) -> CheckHealthResult:
        """Check a device's health. EXTERNAL may use up paper. Raises CountertopError."""
        async with self.start_check_health(device_id, level, **options) as handle:
            return await handle.result()

    def start_check_health(
        self,
        device_id: str,
        level: HealthLevel = device_pb2.HEALTH_LEVEL_INTERNAL,
        **options: Unpack[CallOptions],
    ) -> CheckHealthHandle:
        """Begin to check a device's health."""
        request = CheckHealthRequest(options=call_options(options), device_id=device_id, level=level)
        return OperationHandle(self._connection, request)

    async def reset(self, device_id: str, **options: Unpack[CallOptions]) -> ResetDeviceResult:
        """End what runs on the device, connect anew, bring it to its safe state. Raises CountertopError."""
        async with self.start_reset(device_id, **options) as handle:
            return await handle.result()

    def start_reset(self, device_id: str, **options: Unpack[CallOptions]) -> ResetHandle:
        """Begin to reset a device."""
        request = ResetDeviceRequest(options=call_options(options), device_id=device_id)
        return OperationHandle(self._connection, request)

    async def record(
        self, device_id: str, encrypt_to: str | None = None, *, claim_token: str = ""
    ) -> AsyncGenerator[str, None]:
        """What goes over a device's link from now on, as the lines of a trace, without their line ends: until it is
        closed. Person data is masked by the driver; or all is encrypted to `encrypt_to`, an X25519 public key in PEM.

        The device is connected anew first. The first line is empty: from then on it is recorded. Read on without
        delay: the daemon keeps some 8 MB for who does not. Raises CountertopError (LINK_RECORDED, DEVICE_TIMEOUT,
        NOT_SUPPORTED, WATCHER_TOO_SLOW, ...), and ConnectionLost when the daemon is gone, which ends a recording.
        """
        request = device_pb2.RecordLinkRequest(
            device_id=device_id, encrypt_to=encrypt_to or "", claim_token=claim_token
        )
        async with aclosing(self._connection.stream(request)) as responses:
            async for response in responses:
                for line in response.lines or [""]:
                    yield line

    def watch(
        self, bookmark: str = "", *, snapshot_on_gap: bool = True, heartbeat_seconds: int = 0
    ) -> AsyncGenerator[WatchEventsResponse, None]:
        """Everything that happens on the terminal: a snapshot, SYNCED, then events; or on from a bookmark.

        When the connection is lost, it goes on by itself behind the last message, without loss or repetition; where
        that is not possible it sends GAP and a new snapshot, or, without `snapshot_on_gap`, raises InvalidRequest
        (BOOKMARK_INVALID). `heartbeat_seconds` is 1 to 60; default 10. Raises ConnectionLost when the daemon stayed
        away for longer than the counter's patience.
        """
        request = WatchEventsRequest(
            bookmark=bookmark, snapshot_on_gap=snapshot_on_gap, heartbeat_seconds=heartbeat_seconds
        )
        return watch_events(self._connection, request)
