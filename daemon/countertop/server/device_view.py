"""What clients see of a device: one message, kept current, published when it changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from countertop.server.times import stamp
from countertop.v1 import device_pb2
from countertop.v1.card_pb2 import CardMoved, CardStatus, CardUnit
from countertop.v1.device_pb2 import Device, DeviceInfo, DeviceStatus, Event
from countertop.v1.error_pb2 import Failure

__all__ = ["DeviceView"]


class DeviceView:
    """Holds the `Device` message. FAULT if and only if a BLOCKING condition stands while the device answers."""

    def __init__(self, device: Device, publish: Callable[[Event], object]) -> None:
        self.device = device
        self._publish = publish
        self._answers = False
        self._busy = False
        self.on_card: Callable[[CardStatus], object] = lambda card: None
        self.on_card_units: Callable[[Iterable[CardUnit]], object] = lambda units: None
        device.state = device_pb2.DEVICE_STATE_CONNECTING
        device.revision = 1

    @property
    def failure(self) -> Failure | None:
        """Why the device is OFFLINE; None while it answers or was not tried yet."""
        return self.device.failure if self.device.state == device_pb2.DEVICE_STATE_OFFLINE else None

    def maintain(self, reason: str | None) -> None:
        """People take it into maintenance for a reason, or with None back into use."""
        into = reason is not None
        self.device.admin_state = device_pb2.ADMIN_STATE_MAINTENANCE if into else device_pb2.ADMIN_STATE_ENABLED
        self.device.maintenance_reason = reason or ""
        self._update()

    def connecting(self) -> None:
        """The driver tries to reach it. A device that was OFFLINE stays so until it answers."""
        if self.device.state != device_pb2.DEVICE_STATE_OFFLINE:
            self._answers = False
            self._update()

    def connected(self, info: DeviceInfo, status: DeviceStatus) -> None:
        """It answered."""
        self._answers = True
        self.device.ClearField("failure")
        self.device.info.CopyFrom(info)
        self.on_card_units(info.card_printer.units)
        self._take(status)
        self._update()

    def offline(self, failure: Failure) -> bool:
        """It does not answer. False when it was known already, for the same reason."""
        self._answers = False
        self._busy = False
        known = self.device.failure == failure
        if not known:
            self.device.failure.CopyFrom(failure)
            self.device.ClearField("status")
            self._update()
        return not known

    def reported(self, status: DeviceStatus) -> None:
        """The driver says how it is."""
        if not self._answers:
            return
        before, card = self.device.status.media, _key(self.device.status.card)
        if self._take(status):
            self._update()
            if status.media != before:
                media = device_pb2.MediaChanged(device_id=self.device.id, media=status.media)
                self._publish(Event(media_changed=media))
            if _key(status.card) != card and status.card.movement:
                self._card_moved(status.card)

    def busy(self, operation_id: str, queue_length: int) -> None:
        """It carries out an operation."""
        self._busy = True
        self.device.running_operation_id = operation_id
        self.device.queue_length = queue_length
        self._update()

    def idle(self, queue_length: int) -> None:
        """It carries out nothing."""
        if self._busy or self.device.queue_length != queue_length:
            self._busy = False
            self.device.running_operation_id = ""
            self.device.queue_length = queue_length
            self._update()

    def queued(self, queue_length: int) -> None:
        """The queue grew or shrank. Known at once to those who ask; told with the next change, since each operation
        already tells its place.
        """
        self.device.queue_length = queue_length

    def _take(self, status: DeviceStatus) -> bool:
        """Keep a status; True when it differs. A condition that stands on keeps its `since`."""
        since = {condition.reason: condition.since for condition in self.device.status.conditions}
        now = Timestamp()
        stamp(now)
        for condition in status.conditions:
            condition.since.CopyFrom(since.get(condition.reason, now))
        if status.HasField("card"):
            kept = self.device.status.card
            known = kept.HasField("since") and _key(kept) == _key(status.card)
            status.card.since.CopyFrom(kept.since if known else now)
        self.on_card_units(status.card_units)
        if status == self.device.status:
            return False
        self.device.status.CopyFrom(status)
        return True

    def _card_moved(self, card: CardStatus) -> None:
        moved = CardMoved(
            device_id=self.device.id, movement=card.movement, place=card.place, operation_id=card.operation_id
        )
        self._publish(Event(card_moved=moved))
        self.on_card(card)

    def _state(self) -> device_pb2.DeviceState:
        if not self._answers:
            failed = self.device.HasField("failure")
            return device_pb2.DEVICE_STATE_OFFLINE if failed else device_pb2.DEVICE_STATE_CONNECTING
        severities = {condition.severity for condition in self.device.status.conditions}
        if device_pb2.SEVERITY_BLOCKING in severities:
            return device_pb2.DEVICE_STATE_FAULT
        if self._busy:
            return device_pb2.DEVICE_STATE_BUSY
        if device_pb2.SEVERITY_WARNING in severities:
            return device_pb2.DEVICE_STATE_ATTENTION
        return device_pb2.DEVICE_STATE_READY

    def _update(self) -> None:
        self.device.state = self._state()
        self.device.revision += 1
        self._publish(Event(device_changed=self.device))


def _key(card: CardStatus) -> tuple[int, int, str]:
    """What tells one movement from another."""
    return card.place, card.movement, card.operation_id
