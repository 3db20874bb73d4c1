"""What a driver is: one class per device model, on one base class per kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from google.protobuf.message import Message
from pydantic import BaseModel, ConfigDict

from countertop.sdk.errors import CountertopError
from countertop.sdk.links import ByteLink, HidLink, Link, LinkUrl, as_recorded, open_link
from countertop.sdk.vendor import VendorCommand
from countertop.sdk.vendor_call import carry_out
from countertop.v1 import card_pb2, device_pb2, error_pb2, id_reader_pb2, receipt_printer_pb2, vendor_pb2
from countertop.v1.device_pb2 import DeviceInfo, DeviceKind, DeviceStatus
from countertop.v1.error_pb2 import PhysicalEffect, Reason
from countertop.v1.operation_pb2 import Operation, PromptKind

if TYPE_CHECKING:
    from countertop.sdk.trace.masking import Masker
    from countertop.sdk.trace.recorder import Recorder

__all__ = [
    "Device",
    "Evidence",
    "IdReader",
    "Options",
    "ReceiptPrinter",
    "Run",
    "Settlement",
    "Surroundings",
    "Unsettled",
]

Evidence: TypeAlias = Mapping[str, str | int | float | list[int]]
"""What a driver needs to find out later what became of an operation: numbers and marks, never customer data. It is kept
as JSON, at most 4096 bytes of it."""


class Options(BaseModel):
    """A driver's options: typed, checked when the configuration is read. Unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Run(Protocol):
    """A driver's handle on the operation that it carries out."""

    @property
    def operation_id(self) -> str:
        """The operation's id, at most 64 ASCII characters."""
        ...

    @property
    def time_left(self) -> float:
        """Seconds until the operation's time is up, never negative. The daemon cancels the verb a little later."""
        ...

    def progress(self, done: int, total: int = 0, unit: str = "") -> None:
        """Say how far it is."""
        ...

    def prompt(self, kind: PromptKind) -> None:
        """Ask a person for something: the operation is WAITING_FOR_PERSON until `working` or another prompt."""
        ...

    def working(self) -> None:
        """The device works again: the operation is RUNNING."""
        ...

    def emit(self, event: Message) -> None:
        """Send one of the verb's own events (a message of the update's `payload`) to those who watch."""
        ...

    def stop(self, reason: Reason, prompt: PromptKind = ...) -> None:
        """The operation is STOPPED by something that a person can mend, until `working`."""
        ...

    async def instruction(self) -> Message:
        """Wait for what the app says to the running operation, such as PressButtonRequest. Cancelling loses none."""
        ...

    async def commit_point(self, step: str, evidence: Evidence = ...) -> None:
        """Say that the next byte has an effect in the world, and what `reconcile` needs to find out about it; returns
        when that is on disk. From here on cancelling is too late, and a failure whose effect the driver does not state
        is UNCERTAIN. Call it right before that byte; a second call replaces the evidence.

        Raises CountertopError(JOURNAL_FAILED): nothing must be sent then.
        """
        ...

    def effect(self, effect: PhysicalEffect) -> None:
        """State what has happened in the world so far, for a failure that comes later."""
        ...

    def used(self, medium: str, amount: float) -> None:
        """Count what was used up ("paper_mm", 84.5), for the device's statistics."""
        ...


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An operation that had passed its commit point when the link broke or the daemon died."""

    verb: str
    """The driver's method: "print"."""
    operation: Operation
    """As it was last known; `progress` is how far it had surely come."""
    evidence: Evidence = field(default_factory=dict)
    """What its last `commit_point` was given."""
    commit_point: Callable[[str, Evidence], Awaitable[None]] | None = None
    """As `Run.commit_point`: for a driver that must move something to settle it, so that it is found if this is cut off
    too. Always given by the daemon."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a driver found out about an unsettled operation."""

    effect: PhysicalEffect
    """COMPLETE: it succeeded. NONE, PARTIAL: it failed. UNKNOWN: the device cannot tell, a person must look."""
    message: str
    """A complete sentence for people: what was found, and how."""
    result: Message | None = None
    """The verb's result; needed with COMPLETE."""
    card: card_pb2.CardReport | None = None
    """Where the card is that was in work, and what had been done to it."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a driver finds around it in the daemon."""

    folder: Path | None = None
    """Where the device may keep what it measured, through restarts; None: nowhere. Never customer data. Made by whoever
    writes the first file."""
    analyser: str = ""
    """The factory of the analyser of faces, `package.module:callable`."""
    models_dir: Path | None = None
    """Looked into for models first."""
    analysis_options: Mapping[str, Any] = field(default_factory=dict)
    """The analyser's options."""

    def to_json(self) -> dict[str, Any]:
        """For a driver in another process."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "analyser": self.analyser,
            "models_dir": None if self.models_dir is None else str(self.models_dir),
            "analysis_options": dict(self.analysis_options),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Surroundings:
        """What `to_json` made."""
        folder, models = data["folder"], data["models_dir"]
        return cls(
            None if folder is None else Path(folder),
            data["analyser"],
            None if models is None else Path(models),
            data["analysis_options"],
        )


class Device(ABC):
    """One device. The daemon owns reconnecting, polling, the queue, time limits and conversion of errors; it calls
    one method at a time, and may cancel any of them at any await.

    `connect` is called on a fresh instance; after `disconnect` the instance is thrown away.
    """

    name: ClassVar[str]
    """The driver's name in the configuration."""
    kind: ClassVar[DeviceKind]
    """The kind of device that the class drives."""
    links: ClassVar[tuple[type[Link], ...]]
    """What it can run over."""
    options_type: ClassVar[type[Options]] = Options
    """Its options."""
    poll_interval: ClassVar[float] = 2.0
    """Seconds between two calls of `status` while idle."""
    vendor_commands: ClassVar[tuple[VendorCommand, ...]] = ()
    """Commands of the vendor's own that it takes beside the verbs of its kind."""

    def __init__(self, url: LinkUrl, options: Options) -> None:
        self.url = as_recorded(url)
        self.options = options
        self.report: Callable[[DeviceStatus], None] = lambda status: None
        """Set by the daemon: call it to push a status instead of waiting to be asked."""
        self.surroundings = Surroundings()
        """Set by the daemon, before `connect`."""
        self._recorder: Recorder | None = None

    async def open_link(self, **defaults: str) -> ByteLink:
        """Open the configured byte link; `defaults` fill in query parameters (`baud="115200"`) that the URL lacks."""
        allowed = tuple(link for link in self.links if issubclass(link, ByteLink))
        opening = open_link(self.url, allowed=allowed, defaults=defaults, masker=self.masker)
        return await (opening if self._recorder is None else self._recorder.bytes_link(self, opening))

    async def open_hid_link(self) -> HidLink:
        """Open the configured HID link."""
        allowed = tuple(link for link in self.links if issubclass(link, HidLink))
        opening = open_link(self.url, allowed=allowed, masker=self.masker)
        return await (opening if self._recorder is None else self._recorder.hid_link(self, opening))

    def masker(self) -> Masker | None:
        """What makes a recording of a link fit to be kept, anew for each link. By default None: the driver does not say
        which bytes tell of a person, and its links are recorded encrypted only.
        """
        return None

    async def record_links(self, recorder: Recorder) -> None:
        """Record the links that are opened from now on; called by the daemon, before `connect`.

        Raises CountertopError(NOT_SUPPORTED): there is nothing that could be recorded, or not in clear.
        """
        recorder.check(self)
        self._recorder = recorder

    @abstractmethod
    async def connect(self) -> DeviceInfo:
        """Open the link and identify the device. Raises DeviceFault when it is not there or is another one."""

    @abstractmethod
    async def disconnect(self) -> None:
        """Close the link. Never raises."""

    @abstractmethod
    async def status(self) -> DeviceStatus:
        """Ask the device how it is. Raises DeviceFault when it does not answer: it is then OFFLINE and reconnected."""

    async def rest(self) -> None:
        """A claim on the device has ended: forget what its holder left. By default there is nothing. Never raises."""
        return

    async def reconcile(self, unsettled: Unsettled) -> Settlement:
        """Ask the device what became of an operation that had passed its commit point: process ids, counters, sensors.
        Called after `connect` and before any other operation. Nothing may be repeated here; what the device still
        holds of the operation must be finished or dropped when this returns.

        Raises DeviceFault: the device is lost again, and is asked again when it is back.
        """
        return Settlement(error_pb2.PHYSICAL_EFFECT_UNKNOWN, "The device cannot tell what became of it.")

    async def reset(self, request: device_pb2.ResetDeviceRequest, run: Run) -> device_pb2.ResetDeviceResult:
        """Bring the device into its safe state. By default: just ask how it is."""
        return device_pb2.ResetDeviceResult(status=await self.status())

    async def check_health(self, request: device_pb2.CheckHealthRequest, run: Run) -> device_pb2.CheckHealthResult:
        """Check the device's health. By default INTERNAL only: it answers, and no condition stands."""
        if request.level > device_pb2.HEALTH_LEVEL_INTERNAL:
            raise CountertopError(error_pb2.REASON_NOT_SUPPORTED, f"The driver {self.name} checks at INTERNAL only.")
        return internal_health(await self.status())

    def offered_commands(self, info: DeviceInfo) -> tuple[VendorCommand, ...]:
        """Those of `vendor_commands` that the device takes which `connect` has found: all of them, by default."""
        return self.vendor_commands

    async def call_vendor(self, request: vendor_pb2.CallRequest, run: Run) -> vendor_pb2.CallResult:
        """Carry out one of `vendor_commands` by its handler. Not overridden by drivers."""
        return await carry_out(self, request, run)


def internal_health(status: DeviceStatus) -> device_pb2.CheckHealthResult:
    """The finding of an INTERNAL check: the device answers, and one finding per condition."""
    findings = [device_pb2.HealthFinding(item="answers", passed=True, detail="The device answers.")]
    for condition in status.conditions:
        passed = condition.severity != device_pb2.SEVERITY_BLOCKING
        name = error_pb2.Reason.Name(condition.reason).removeprefix("REASON_")
        findings.append(device_pb2.HealthFinding(item=name.lower(), passed=passed, detail=condition.action))
    return device_pb2.CheckHealthResult(healthy=all(finding.passed for finding in findings), findings=findings)


class IdReader(Device):
    """Base of ID reader drivers."""

    kind = device_pb2.DEVICE_KIND_ID_READER

    @abstractmethod
    async def read(self, request: id_reader_pb2.ReadRequest, run: Run) -> id_reader_pb2.ReadResult:
        """Wait for a document, read it, wait for its removal if asked.

        Emits DocumentDetected, IdentityDocument (only with `wait_for_removal`) and DocumentRemoved. Raises DeviceFault
        with NO_DOCUMENT when `run.time_left` is used up, DOCUMENT_REMOVED, DOCUMENT_UNREADABLE,
        DOCUMENT_UNSUPPORTED.
        """


class ReceiptPrinter(Device):
    """Base of receipt printer drivers."""

    kind = device_pb2.DEVICE_KIND_RECEIPT_PRINTER

    @abstractmethod
    async def print(self, request: receipt_printer_pb2.PrintRequest, run: Run) -> receipt_printer_pb2.PrintResult:
        """Print a receipt. Emits BlocksPrinted as confirmation comes in. Raises DeviceFault with PAPER_OUT,
        COVER_OPEN, CUTTER_ERROR, … and the effect; `run.progress(done, total, "blocks")` tells the block reached.
        """

    @abstractmethod
    async def open_drawer(
        self, request: receipt_printer_pb2.OpenDrawerRequest, run: Run
    ) -> receipt_printer_pb2.OpenDrawerResult:
        """Give the drawer its pulse. Raises CountertopError(NOT_SUPPORTED) where there is none."""
