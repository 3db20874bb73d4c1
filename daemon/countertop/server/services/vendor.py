"""VendorService: commands of a vendor's own, each with an effect of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.sdk.vendor_call import parse_command, unknown_command
from countertop.server.services.base import Method, Service
from countertop.server.terminal import Terminal
from countertop.server.verbs import Verb
from countertop.v1 import device_pb2, error_pb2, options_pb2, vendor_pb2

__all__ = ["Vendor"]

_TYPE_URL = re.compile(r"[^\s]{1,128}/[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


class Vendor(Service):
    """Finds the command that a request asks for and gives the operation its effect; the driver does the rest."""

    descriptor = vendor_pb2.DESCRIPTOR.services_by_name["VendorService"]

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(terminal)
        self._consuming = self.verbs["Call"]  # the journal has these alone, so that this is what it restores
        self._reading = replace(self._consuming, effect=options_pb2.EFFECT_READS)

    def method(self, descriptor: MethodDescriptor) -> Method:
        """Call, with the effect of the command."""
        return lambda request: self.terminal.perform(self._verb(request), request)

    def _verb(self, request: vendor_pb2.CallRequest) -> Verb:
        """Raises CountertopError: NOT_SUPPORTED with the device's commands, and as `DeviceRunner.reached`."""
        if not _TYPE_URL.fullmatch(request.command.type_url):
            raise InvalidRequest({"command": "expected a type URL such as type.googleapis.com/acme.pad.v1.Command"})
        if self._is_known(request.options.operation_id):
            return self._consuming  # it attaches to that one, whatever its effect, or is refused
        name, commands = request.command.TypeName(), self._commands(request.device_id)
        command = next((command for command in commands if command.command == name), None)
        if command is None:
            known = [command.command for command in commands]
            raise unknown_command(f"The device {request.device_id!r}", name, known)
        self._check_bytes(request)
        return self._consuming if command.effect == options_pb2.EFFECT_CONSUMES else self._reading

    def _is_known(self, operation_id: str) -> bool:
        """There is such an operation, so that the device need not be asked; it may be away."""
        if not operation_id:
            return False
        try:
            self.terminal.operations.get(operation_id)
        except CountertopError as error:
            return error.reason != error_pb2.REASON_OPERATION_NOT_FOUND
        return True

    def _commands(self, device_id: str) -> Sequence[device_pb2.VendorCommand]:
        """What the device listed when it last connected."""
        runner = self.terminal.runner(device_id)
        if not runner.view.device.HasField("info"):
            runner.reached()
        return runner.view.device.info.vendor_commands

    def _check_bytes(self, request: vendor_pb2.CallRequest) -> None:
        """Find a mistake before it becomes an operation. A driver in a process of its own finds it there."""
        if self.terminal.runner(request.device_id).view.device.isolated:
            return
        try:
            found: Any = descriptor_pool.Default().FindMessageTypeByName(request.command.TypeName())
        except KeyError:  # the driver keeps its types to itself
            return
        parse_command(message_factory.GetMessageClass(found), request.command)
