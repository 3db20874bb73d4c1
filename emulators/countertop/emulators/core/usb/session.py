"""One imported device: transfers by endpoint, in order, waiting where a real one would answer NAK. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from countertop.emulators.core.usb.device import Stall, UsbPeer
from countertop.emulators.core.usb.enumeration import Enumeration
from countertop.emulators.core.usb.wire import Submit, Unlink, UsbIpError, ret_submit, ret_unlink

__all__ = ["MAX_WAITING", "Session"]

EPIPE, ENODEV, EOVERFLOW, ECONNRESET, EREMOTEIO = 32, 19, 75, 104, 121
SHORT_NOT_OK = 0x01
MAX_WAITING = 512
"""Transfers that a host may leave waiting."""
MAX_WAITING_BYTES = 8 * 1024 * 1024
_BULK = 2


class Session:
    """The device's host (`UsbHost`) towards the device, and the device towards the host; `write` takes bytes for it."""

    def __init__(self, peer: UsbPeer, device_id: int, write: Callable[[bytes], None], in_queue: int) -> None:
        self._peer = peer
        self._device_id = device_id
        self._write = write
        self._in_queue = in_queue
        self._enumeration = Enumeration(peer.descriptors)
        self._kinds = {
            endpoint.address: endpoint.attributes & 3
            for interface in peer.descriptors.interfaces
            for endpoint in interface.endpoints
        }
        self._waiting: dict[int, deque[Submit]] = {address: deque() for address in self._kinds}
        self._offered: dict[int, deque[bytes]] = {address: deque() for address in self._kinds if address & 0x80}
        self._busy: set[int] = set()
        self._open = True

    # -- what the host asks --

    def submit(self, request: Submit) -> None:
        """Begin a transfer. Raises UsbIpError for a host that leaves too much waiting."""
        if request.device_id != self._device_id:
            self._end(request, -ENODEV)
        elif not request.endpoint & 0x7F:
            self._control(request)
        elif request.endpoint not in self._kinds or request.endpoint in self._enumeration.halted:
            self._end(request, -EPIPE)
        else:
            waiting = self._waiting[request.endpoint]
            waiting.append(request)
            self._serve(request.endpoint)
            if waiting and waiting[-1] is request:
                self._check_waiting()

    def unlink(self, request: Unlink) -> None:
        """Take a transfer back, if it has not ended."""
        for waiting in self._waiting.values():
            for submitted in waiting:
                if submitted.seqnum == request.unlinked:
                    waiting.remove(submitted)
                    self._write(ret_unlink(request.seqnum, -ECONNRESET))
                    return
        self._write(ret_unlink(request.seqnum, 0))

    def close(self) -> None:
        """The host is gone."""
        self._open = False
        for waiting in self._waiting.values():
            waiting.clear()
        for offered in self._offered.values():
            offered.clear()

    # -- what the device does --

    def send(self, endpoint: int, data: bytes) -> bool:
        """Offer a transfer's data; False when `in_queue` wait already, or nobody is there."""
        offered = self._offered[endpoint]
        if not self._open or len(offered) >= self._in_queue:
            return False
        offered.append(data)
        self._serve(endpoint)
        return True

    def room(self, endpoint: int) -> int:
        """How many more are taken."""
        return self._in_queue - len(self._offered[endpoint]) if self._open else 0

    def halt(self, endpoint: int) -> None:
        """STALL until the host clears it."""
        self._enumeration.halted.add(endpoint)
        waiting = self._waiting[endpoint]
        while waiting:
            self._end(waiting.popleft(), -EPIPE)

    def set_ready(self, endpoint: int, ready: bool) -> None:
        """Take data on an OUT endpoint, or let it wait."""
        (self._busy.discard if ready else self._busy.add)(endpoint)
        if ready:
            self._serve(endpoint)

    # -- transfers --

    def _control(self, request: Submit) -> None:
        setup = request.setup
        try:
            if self._enumeration.answers(setup):
                data = self._enumeration.answer(setup)
            else:
                data = self._peer.control(setup, request.data)
        except Stall:
            self._end(request, -EPIPE)
            return
        if not request.endpoint & 0x80:
            self._write(ret_submit(request, 0, len(request.data)))
        else:
            self._give(request, data[: min(setup.length, request.length)])

    def _serve(self, endpoint: int) -> None:
        """Bring together what waits on both sides of an endpoint."""
        waiting = self._waiting[endpoint]
        if endpoint & 0x80:
            offered = self._offered[endpoint]
            while waiting and offered:
                request, data = waiting.popleft(), offered.popleft()
                if len(data) <= request.length:
                    self._give(request, data)
                elif self._kinds[endpoint] == _BULK:  # the rest goes into the next one
                    offered.appendleft(data[request.length :])
                    self._give(request, data[: request.length])
                else:
                    self._end(request, -EOVERFLOW)
                self._peer.in_space(endpoint)
        else:
            while waiting and endpoint not in self._busy:
                request = waiting.popleft()
                self._write(ret_submit(request, 0, len(request.data)))
                self._peer.received(endpoint, request.data)

    def _give(self, request: Submit, data: bytes) -> None:
        short = len(data) < request.length and request.flags & SHORT_NOT_OK
        self._write(ret_submit(request, -EREMOTEIO if short else 0, len(data), data))

    def _end(self, request: Submit, status: int) -> None:
        self._write(ret_submit(request, status, 0))

    def _check_waiting(self) -> None:
        count = sum(len(waiting) for waiting in self._waiting.values())
        size = sum(len(request.data) for waiting in self._waiting.values() for request in waiting)
        if count > MAX_WAITING or size > MAX_WAITING_BYTES:
            raise UsbIpError(f"expected at most {MAX_WAITING} transfers and {MAX_WAITING_BYTES} bytes to wait")
