"""Records what goes over a device's links. The taps are transparent: what the driver sees, and when, stays as it is."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from countertop.sdk.errors import CountertopError, DeviceFault
from countertop.sdk.links._base import ByteLink, HidLink, Link
from countertop.sdk.trace.format import FAULT, MAX_DATA, NOTE, Entry, Header, clean, entry_lines, header_lines
from countertop.sdk.trace.ledger import ByteLedger, HidLedger, Ledger
from countertop.sdk.trace.taps import ByteTap, HidTap
from countertop.v1 import error_pb2

if TYPE_CHECKING:
    from countertop.sdk.device import Device
    from countertop.sdk.trace.masking import Masker

__all__ = ["Recorder", "Tape"]

log = logging.getLogger("countertop.trace")

AnyLink = TypeVar("AnyLink", bound=Link)


class Recorder:
    """Turns the life of a device's links into lines of a trace, which go to `write` as they come to be.

    `encrypt_to` is an X25519 public key in PEM; without one, the driver's masker decides what is kept. `failed` is told
    once when the recording cannot go on; the driver goes on. Belongs to one event loop.
    """

    def __init__(
        self,
        write: Callable[[list[str]], object],
        *,
        encrypt_to: str = "",
        failed: Callable[[CountertopError], object] = lambda error: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.encrypt_to = encrypt_to
        self.write = write
        """Takes lines; those of one entry come together."""
        self._failed = failed
        self._clock = clock
        self.stopped = False
        self._tapes: set[Tape] = set()

    def check(self, device: Device) -> None:
        """Raises CountertopError(NOT_SUPPORTED): the device has no link that can be recorded, its driver does not say
        which bytes tell of a person, or cryptography is missing. ValueError: `encrypt_to` is no key.
        """
        if not any(issubclass(link, ByteLink | HidLink) for link in device.links):
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED,
                f"The driver {device.name} talks to its device over another kind of link than bytes or HID reports; "
                "there is nothing that could be recorded.",
            )
        if self.encrypt_to:
            from countertop.sdk.trace.sealing import read_public_key

            read_public_key(self.encrypt_to)
        elif self._masker(device) is None:
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED,
                f"The driver {device.name} does not say which bytes tell of a person, so that its traffic is recorded "
                "encrypted only: countertop record --encrypt-to KEY.pem (countertop record --new-key makes one).",
            )

    @staticmethod
    def _masker(device: Device) -> Masker | None:
        try:
            return device.masker()
        except Exception as error:  # it is the driver's code
            name = type(error).__name__
            message = f"The driver {device.name} cannot make its masker ({name})."
            raise CountertopError(error_pb2.REASON_DRIVER_FAILED, message) from error

    async def bytes_link(self, device: Device, opening: Awaitable[ByteLink]) -> ByteLink:
        """The byte link once it is open, recorded. Raises what opening it raises."""
        return await self._tapped(device, "bytes", opening, ByteTap)

    async def hid_link(self, device: Device, opening: Awaitable[HidLink]) -> HidLink:
        """The HID link once it is open, recorded. Raises what opening it raises."""
        return await self._tapped(device, "hid", opening, HidTap)

    def stop(self) -> None:
        """Keep what was held back and record no more. Safe to call twice."""
        for tape in list(self._tapes):
            tape.end()
        self.stopped = True

    async def _tapped(
        self, device: Device, kind: str, opening: Awaitable[AnyLink], tap: Callable[[AnyLink, Tape], AnyLink]
    ) -> AnyLink:
        if self.stopped:
            return await opening
        tape = Tape(self, device, kind)
        try:
            link = await opening
        except DeviceFault as fault:
            tape.begin(None)
            tape.fault("open", fault)
            tape.end()
            raise
        tape.begin(link)
        return tap(link, tape)

    # -- for tapes --

    def now(self) -> float:
        """Seconds of the recorder's clock."""
        return self._clock()

    def take(self, tape: Tape, lines: list[str]) -> None:
        """More lines of a tape; it must be told once it has ended."""
        if not self.stopped and lines:
            self._tapes.add(tape)
            self.write(lines)

    def forget(self, tape: Tape) -> None:
        """It has ended."""
        self._tapes.discard(tape)

    def give_up(self, driver: str, error: Exception) -> None:
        """The recording cannot go on; told by its type, for its text may hold what is not to be kept."""
        log.error("the recording of driver %s has failed: %s", driver, type(error).__name__)
        if not isinstance(error, CountertopError):
            error = CountertopError(
                error_pb2.REASON_DRIVER_FAILED,
                f"The masker of driver {driver} failed ({type(error).__name__}); the recording is whole up to there.",
            )
        self.fail(error)

    def fail(self, error: CountertopError) -> None:
        """The recording cannot go on."""
        if not self.stopped:
            self.stopped = True
            self._tapes.clear()
            self._failed(error)


class Tape:
    """One section in the making. No method raises."""

    def __init__(self, recorder: Recorder, device: Device, kind: str) -> None:
        self._recorder = recorder
        self._device = device
        self._kind = kind
        self._opened = datetime.now(UTC)
        self._began = recorder.now()
        self._last = 0
        self._ended = False
        self._ledger = Ledger()
        self._form: Callable[[list[str]], list[str]] = lambda lines: lines

    def begin(self, link: Any) -> None:
        """The link is open; None: it could not be opened."""
        self._do(lambda: self._recorder.take(self, self._begin(link)))

    def _begin(self, link: Any) -> list[str]:
        masker = None if self._recorder.encrypt_to else self._device.masker()
        if masker is not None:
            self._ledger = HidLedger(masker) if self._kind == "hid" else ByteLedger(masker)
        header = Header(
            driver=self._device.name,
            link=self._kind,
            scheme=self._device.url.scheme,
            opened=f"{self._opened:%Y-%m-%dT%H:%M:%SZ}",
            masked_by=self._device.name if masker is not None else "",
            hid=link.info if isinstance(link, HidLink) else None,
        )
        if self._recorder.encrypt_to:
            from countertop.sdk.trace.sealing import Sealer

            sealer = Sealer(header, self._recorder.encrypt_to)
            header, self._form = sealer.header, lambda lines: [sealer.seal(lines)]
        elif masker is None:
            raise TypeError("no masker any more")
        return header_lines(header)

    def note(self, mark: str, data: bytes, verb: str = "") -> None:
        """Bytes went over the link."""
        for at in range(0, max(1, len(data)), MAX_DATA):
            self._add(Entry(mark, verb, data[at : at + MAX_DATA]))

    def fault(self, operation: str, fault: DeviceFault) -> None:
        """The link broke. What an opening complains of may name the port, and is left out."""
        case = f"{error_pb2.Reason.Name(fault.reason).removeprefix('REASON_')}"
        if operation != "open":
            case = f"{case} {clean(fault.got)}".rstrip()
        self._add(Entry(FAULT, operation, text=case))

    def remark(self, what: str) -> None:
        """Something that is of use to a reader."""
        self._add(Entry(NOTE, what))

    def end(self) -> None:
        """The link is closed, or the recording ends. Safe to call twice."""
        if not self._ended:
            self._do(lambda: self._keep(self._ledger.end()))
        self._ended = True
        self._recorder.forget(self)

    def _add(self, entry: Entry) -> None:
        at = round((self._recorder.now() - self._began) * 1000)
        placed = Entry(entry.mark, entry.verb, entry.data, entry.text, at)
        self._do(lambda: self._keep(self._ledger.add(placed)))

    def _keep(self, entries: list[Entry]) -> None:
        lines: list[str] = []
        for entry in entries:
            lines += self._form(entry_lines(entry, entry.at - self._last))
            self._last = entry.at
        self._recorder.take(self, lines)

    def _do(self, work: Callable[[], None]) -> None:
        """Whatever fails here, a driver's masker above all, must not reach the driver's work."""
        if self._ended or self._recorder.stopped:
            return
        try:
            work()
        except Exception as error:  # a masker is foreign code, and may raise anything
            self._ended = True
            self._recorder.give_up(self._device.name, error)
