"""Calls methods of our services by their path, as a client of any kind would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import message_factory
from google.protobuf.message import Message

from countertop.v1 import card_printer_pb2, claim_pb2, device_pb2, id_reader_pb2, receipt_printer_pb2

__all__ = ["CLAIM", "GET_DEVICE", "GET_TERMINAL", "ISSUE", "PRINT", "READ", "RELEASE", "WATCH", "Method"]

GET_DEVICE = "/countertop.v1.DeviceService/GetDevice"
GET_TERMINAL = "/countertop.v1.DeviceService/GetTerminal"
READ = "/countertop.v1.IdReaderService/Read"
ISSUE = "/countertop.v1.CardPrinterService/IssueCard"
PRINT = "/countertop.v1.ReceiptPrinterService/Print"
WATCH = "/countertop.v1.DeviceService/WatchEvents"
CLAIM = "/countertop.v1.ClaimService/Claim"
RELEASE = "/countertop.v1.ClaimService/ReleaseClaim"

_SERVICES = {
    service.full_name: service
    for module in (card_printer_pb2, claim_pb2, device_pb2, id_reader_pb2, receipt_printer_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
}


@dataclass(frozen=True, slots=True)
class Method:
    """A method's names and messages."""

    path: str
    service: str
    name: str
    request: type[Message]
    response: type[Message]

    @classmethod
    def of(cls, path: str) -> Method:
        """By its path, `/package.Service/Name`."""
        _, service, name = path.split("/")
        descriptor = _SERVICES[service].methods_by_name[name]
        return cls(
            path,
            service,
            name,
            message_factory.GetMessageClass(descriptor.input_type),
            message_factory.GetMessageClass(descriptor.output_type),
        )

    def unary(self, channel: grpc.Channel) -> Any:
        """What calls it."""
        return channel.unary_unary(self.path, self.request.SerializeToString, self.response.FromString)

    def stream(self, channel: grpc.Channel) -> Any:
        """What calls it, for a stream of responses."""
        return channel.unary_stream(self.path, self.request.SerializeToString, self.response.FromString)
