"""Commands of a vendor's own: how a driver declares them, and the rules for that.

::

    class AcmePad(SignaturePad):
        vendor_commands = (
            VendorCommand(
                SetBacklightRequest,
                SetBacklightResult,
                effect=EFFECT_READS,
                handler="set_backlight",
                description="Sets how bright the screen is.",
            ),
        )

        async def set_backlight(self, request: SetBacklightRequest, run: Run) -> SetBacklightResult: ...

The messages are the vendor's, from a proto of the vendor's own; the full name of the command's type is its name and
carries its version.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.message import Message

from countertop.sdk.errors import CountertopError
from countertop.v1 import device_pb2, error_pb2, options_pb2
from countertop.v1.options_pb2 import Effect

if TYPE_CHECKING:
    from countertop.sdk.device import Device

__all__ = ["BadVendorCommands", "VendorCommand", "check_vendor_commands", "list_vendor_commands"]

MAX_DESCRIPTION = 200
_VERSION = re.compile(r"v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?")
_EFFECTS = (options_pb2.EFFECT_READS, options_pb2.EFFECT_CONSUMES)
_LENT = re.compile(r"google\.protobuf|countertop\.v[0-9]+")
"""Packages whose messages may also be results and events."""


@dataclass(frozen=True, slots=True)
class VendorCommand:
    """One command of a vendor's own, as the driver's class declares it."""

    command: type[Message]
    """The message that asks for it."""
    result: type[Message]
    """The message that its handler returns."""
    _: KW_ONLY
    effect: Effect
    """EFFECT_READS: looks, waits, or changes what may be changed again; ends with its caller's stream.
    EFFECT_CONSUMES: uses something up; needs an operation id, is journaled, and its handler calls
    `run.commit_point` before the first byte that has the effect."""
    handler: str
    """The driver's method: `async def handler(self, command, run) -> result`."""
    description: str
    """What it is for: one line of at most 200 characters."""
    events: tuple[type[Message], ...] = ()
    """The messages that its handler may give to `run.emit`."""

    @property
    def name(self) -> str:
        """The full name of the command's type: `acme.pad.v1.SetBacklightRequest`."""
        return self.command.DESCRIPTOR.full_name

    def to_proto(self) -> device_pb2.VendorCommand:
        """As the device lists it."""
        return device_pb2.VendorCommand(
            command=self.name,
            result=self.result.DESCRIPTOR.full_name,
            events=[event.DESCRIPTOR.full_name for event in self.events],
            effect=self.effect,
            description=self.description,
        )


class BadVendorCommands(CountertopError):
    """A driver's class declares its vendor commands wrongly; `problems` has one sentence for each mistake."""

    def __init__(self, driver: str, problems: list[str]) -> None:
        self.problems = problems
        listed = "; ".join(problems)
        super().__init__(
            error_pb2.REASON_DRIVER_FAILED, f"The driver {driver} declares its vendor commands wrongly: {listed}."
        )


def check_vendor_commands(kind: type[Device]) -> None:
    """Check what a driver's class declares, when it is loaded. Raises BadVendorCommands that names every mistake."""
    declared: Any = kind.vendor_commands
    if not isinstance(declared, tuple):
        raise BadVendorCommands(kind.name, [f"vendor_commands: expected a tuple, got a {type(declared).__name__}"])
    problems = [problem for item in declared for problem in _problems(kind, item)]
    sound = [item for item in declared if isinstance(item, VendorCommand) and _is_message(item.command)]
    names = [item.name for item in sound]
    problems += [f"{name}: expected once, got it {names.count(name)} times" for name in _repeated(names)]
    if problems:
        raise BadVendorCommands(kind.name, problems)


def list_vendor_commands(driver: Device, info: device_pb2.DeviceInfo) -> None:
    """Put the commands that the device takes into what the driver has told of it."""
    if driver.vendor_commands:
        del info.vendor_commands[:]
        info.vendor_commands.extend(command.to_proto() for command in driver.offered_commands(info))


def _problems(kind: type[Device], item: Any) -> Iterator[str]:
    if not isinstance(item, VendorCommand):
        yield f"expected VendorCommand, got a {type(item).__name__}"
        return
    types = {"command": item.command, "result": item.result}
    types |= {f"events[{index}]": event for index, event in enumerate(item.events)}
    strangers = [part for part, found in types.items() if not _is_message(found)]
    if strangers:
        yield from (f"{part}: expected a class of protobuf messages, got {types[part]!r:.80}" for part in strangers)
        return
    for part, found in types.items():
        package = found.DESCRIPTOR.file.package
        expected = None if part != "command" and _LENT.fullmatch(package) else _expected(package)
        if expected is not None:
            yield f"{found.DESCRIPTOR.full_name}: expected {expected}, got {package or 'no package'}"
    if item.effect not in _EFFECTS:
        yield f"{item.name}: expected the effect EFFECT_READS or EFFECT_CONSUMES, got {item.effect!r}"
    if not inspect.iscoroutinefunction(getattr(kind, item.handler, None)):
        yield f"{item.name}: expected a method `async def {item.handler}(self, command, run)` in {kind.__name__}"
    if not 0 < len(item.description) <= MAX_DESCRIPTION or not item.description.isprintable():
        yield f"{item.name}: expected a description of one line, 1 to {MAX_DESCRIPTION} characters"


def _expected(package: str) -> str | None:
    """What is wrong with the package of a vendor's type; None when nothing is."""
    *names, version = package.split(".")
    if "countertop" in names[:1] or "google" in names[:1] or version in ("countertop", "google"):
        return "a package of the vendor's own"
    if not _VERSION.fullmatch(version):
        return "a package that ends with a version such as v1 or v2beta1"
    if len(names) < 2:
        return "a package of the form VENDOR.PRODUCT.VERSION, such as acme.pad.v1"
    return None


def _is_message(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, Message) and hasattr(found, "DESCRIPTOR")


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
