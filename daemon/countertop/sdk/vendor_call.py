"""Carries out a vendor's command in the driver's process: unpacks it, calls its handler, packs what comes back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message

from countertop.sdk.errors import CountertopError, DeviceFault, InvalidRequest
from countertop.sdk.marks import holds_marked
from countertop.sdk.vendor import VendorCommand
from countertop.v1 import error_pb2, options_pb2, vendor_pb2

if TYPE_CHECKING:
    from countertop.sdk.device import Device, Evidence, Run

__all__ = ["EVIDENCE", "carry_out", "parse_command", "unknown_command", "vendor_result"]

EVIDENCE = "vendor_command"
"""Where the evidence of a vendor's operation says which command it is, for `reconcile`."""
MAX_BYTES = 1024 * 1024
"""Of a result, and of an event."""

log = logging.getLogger("countertop.vendor")


async def carry_out(driver: Device, request: vendor_pb2.CallRequest, run: Run) -> vendor_pb2.CallResult:
    """The handler's result, packed.

    Raises CountertopError(NOT_SUPPORTED) for a type that the driver does not declare, InvalidRequest for bytes that
    are no such message, DeviceFault(DRIVER_FAILED) where the handler does not keep what the driver declares.
    """
    name = request.command.TypeName()
    command = next((command for command in driver.vendor_commands if command.name == name), None)
    if command is None:
        raise unknown_command(f"The driver {driver.name}", name, [known.name for known in driver.vendor_commands])
    handle = _VendorRun(run, command)
    message = parse_command(command.command, request.command)
    result = await getattr(driver, command.handler)(message, cast("Run", handle))
    _check_type(command, "return", [command.result], result)
    if command.effect == options_pb2.EFFECT_CONSUMES and not handle.committed:
        log.warning("%s: %s uses something up and has set no commit point", driver.name, command.handler)
    return vendor_result(result)


def vendor_result(message: Message) -> vendor_pb2.CallResult:
    """A command's result, as a driver's `reconcile` puts it into its Settlement.

    Raises DeviceFault(DRIVER_FAILED) for more than 1 MiB.
    """
    return vendor_pb2.CallResult(message=_pack(message), plain=not holds_marked(message))


def parse_command(kind: type[Message], command: any_pb2.Any) -> Message:
    """The command that was packed. Raises InvalidRequest; the error never quotes the bytes."""
    message = kind()
    try:
        message.ParseFromString(command.value)
    except DecodeError:
        name = kind.DESCRIPTOR.full_name
        expected = f"expected a serialised {name}, got {len(command.value)} bytes that are none"
        raise InvalidRequest({"command": expected}) from None
    return message


def unknown_command(whose: str, name: str, known: list[str]) -> CountertopError:
    """The refusal of a command that is not listed; it lists those that are."""
    listed = ", ".join(known) or "none"
    return CountertopError(
        error_pb2.REASON_NOT_SUPPORTED, f"{whose} has no vendor command {name:.128}; it has: {listed}."
    )


class _VendorRun:
    """`Run` as a handler sees it: its events are the vendor's own, its evidence says which command it is."""

    def __init__(self, run: Run, command: VendorCommand) -> None:
        self._run = run
        self._command = command
        self.committed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)

    def emit(self, event: Message) -> None:
        """As `Run.emit`. Raises DeviceFault for a message that the command does not declare, or of more than 1 MiB."""
        _check_type(self._command, "emit", list(self._command.events), event)
        self._run.emit(vendor_pb2.CallEvent(message=_pack(event)))

    async def commit_point(self, step: str, evidence: Evidence | None = None) -> None:
        """As `Run.commit_point`. Raises DeviceFault for a command that is declared to use nothing up."""
        if self._command.effect != options_pb2.EFFECT_CONSUMES:
            raise _broken(f"{self._command.handler} sets a commit point; declare {self._command.name} EFFECT_CONSUMES")
        await self._run.commit_point(step, {**(evidence or {}), EVIDENCE: self._command.name})
        self.committed = True


def _check_type(command: VendorCommand, does: str, declared: list[type[Message]], message: Any) -> None:
    names = [kind.DESCRIPTOR.full_name for kind in declared]
    got = message.DESCRIPTOR.full_name if isinstance(message, Message) else type(message).__name__
    if not isinstance(message, Message) or got not in names:
        listed = " or ".join(names) or "nothing"
        raise _broken(f"expected {command.handler} to {does} {listed}, got {got}")


def _pack(message: Message) -> any_pb2.Any:
    size = message.ByteSize()
    if size > MAX_BYTES:
        raise _broken(f"expected a {message.DESCRIPTOR.full_name} of at most {MAX_BYTES} bytes, got {size}")
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed


def _broken(what: str) -> DeviceFault:
    """The driver does not keep what it declares."""
    return DeviceFault(error_pb2.REASON_DRIVER_FAILED, f"The driver has a mistake: {what}.", step="vendor command")
