"""DeviceService."""

from __future__ import annotations

from collections.abc import AsyncIterator

from countertop.sdk.errors import CountertopError
from countertop.server.events import FellBehind
from countertop.server.operations import seconds
from countertop.server.services.base import Service
from countertop.server.services.recording import record_link
from countertop.server.states import FINAL
from countertop.v1 import device_pb2, error_pb2
from countertop.v1.device_pb2 import WatchEventsResponse

__all__ = ["Devices"]

DEFAULT_HEARTBEAT = 10
DEFAULT_DRAIN = 60.0


class Devices(Service):
    """Devices, their health, and what happens to them."""

    descriptor = device_pb2.DESCRIPTOR.services_by_name["DeviceService"]

    async def get_terminal(self, request: device_pb2.GetTerminalRequest) -> device_pb2.GetTerminalResponse:
        """What this terminal is."""
        return device_pb2.GetTerminalResponse(terminal=self.terminal.describe())

    async def list_devices(self, request: device_pb2.ListDevicesRequest) -> device_pb2.ListDevicesResponse:
        """All devices, or those of one kind."""
        devices = self.terminal.devices()
        if request.kind:
            devices = [device for device in devices if device.kind == request.kind]
        units: dict[str, device_pb2.Unit] = {}
        for device in devices:
            units.setdefault(device.unit, device_pb2.Unit(id=device.unit)).device_ids.append(device.id)
        return device_pb2.ListDevicesResponse(devices=devices, units=units.values())

    async def get_device(self, request: device_pb2.GetDeviceRequest) -> device_pb2.GetDeviceResponse:
        """One device."""
        return device_pb2.GetDeviceResponse(device=self.terminal.runner(request.device_id).view.device)

    async def set_maintenance(self, request: device_pb2.SetMaintenanceRequest) -> device_pb2.SetMaintenanceResponse:
        """Into maintenance or back into use."""
        drain = seconds(request, "drain", DEFAULT_DRAIN)
        runner = self.terminal.runner(request.device_id)
        book = self.terminal.card_books.get(runner.id)
        if book is not None and book.exchanging:
            raise CountertopError(error_pb2.REASON_EXCHANGE_ACTIVE)
        await self.terminal.maintain(runner, request.reason if request.maintenance else None, drain)
        return device_pb2.SetMaintenanceResponse(device=runner.view.device)

    async def get_statistics(self, request: device_pb2.GetStatisticsRequest) -> device_pb2.GetStatisticsResponse:
        """What a device has done."""
        return self.terminal.books[self.terminal.runner(request.device_id).id].message()

    def record_link(self, request: device_pb2.RecordLinkRequest) -> AsyncIterator[device_pb2.RecordLinkResponse]:
        """What goes over a device's link, until the client hangs up."""
        return record_link(self.terminal, request)

    async def watch_events(self, request: device_pb2.WatchEventsRequest) -> AsyncIterator[WatchEventsResponse | bytes]:
        """A snapshot and what follows, or what follows a bookmark; events come serialised."""
        after = self._bookmarked(request.bookmark, request.snapshot_on_gap)
        if after is None:
            if request.bookmark:
                yield self._response(self.terminal.events.sequence, gap=self._gap())
            after = self.terminal.events.sequence
            snapshot = self._response(after, snapshot=self._snapshot())
            await self.terminal.events.until(after)
            yield snapshot
            yield self._response(after, synced=device_pb2.Synced())
        events = self.terminal.events.follow(after, float(request.heartbeat_seconds or DEFAULT_HEARTBEAT))
        try:
            async for sequence, event in events:
                if event is None:
                    yield self._response(sequence, heartbeat=device_pb2.Heartbeat())
                else:
                    yield event
        except FellBehind as error:
            raise CountertopError(
                error_pb2.REASON_WATCHER_TOO_SLOW,
                f"The watcher is too slow: the oldest event still kept is {error.oldest}.",
            ) from error
        raise CountertopError(error_pb2.REASON_TERMINAL_STOPPING)

    def _bookmarked(self, bookmark: str, snapshot_on_gap: bool) -> int | None:
        """The sequence to go on from; None to begin with a snapshot."""
        if not bookmark:
            return None
        epoch, _, number = bookmark.partition(":")
        sequence = int(number) if number.isascii() and number.isdigit() else -1
        log = self.terminal.events
        if sequence < 0:
            raise CountertopError(
                error_pb2.REASON_BOOKMARK_INVALID, "The bookmark is malformed; expected `epoch:sequence`."
            )
        if epoch == log.epoch and log.oldest - 1 <= sequence <= log.published:
            return sequence
        if snapshot_on_gap:
            return None
        raise CountertopError(
            error_pb2.REASON_BOOKMARK_INVALID,
            f"The bookmark cannot be served: this is epoch {log.epoch} and the oldest event kept is {log.oldest}.",
        )

    def _snapshot(self) -> device_pb2.Snapshot:
        operations = [item.operation for item in self.terminal.operations if item.operation.state not in FINAL]
        claims = self.terminal.claims.standing()
        return device_pb2.Snapshot(devices=self.terminal.devices(), operations=operations, claims=claims)

    def _gap(self) -> device_pb2.Gap:
        return device_pb2.Gap(oldest_sequence=self.terminal.events.oldest)

    def _response(self, sequence: int, **payload: object) -> WatchEventsResponse:
        return WatchEventsResponse(
            sequence=sequence,
            bookmark=self.terminal.events.bookmark(sequence),
            **payload,  # type: ignore[arg-type]
        )
