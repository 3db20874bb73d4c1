"""Drivers whose masker or vendor commands are broken on purpose."""

from __future__ import annotations

from typing import Any

from google.protobuf.wrappers_pb2 import StringValue

from countertop.drivers.sdt.driver import SdtReader
from countertop.drivers.topaz.driver import TopazPad
from countertop.sdk import VendorCommand
from countertop.sdk.trace import Masker
from countertop.testing.conformance import IdReaderConformance, SignaturePadConformance
from countertop.v1 import options_pb2
from tests.conformance.planted import Planted


class _KeepsAll(Masker):
    def sent(self, data: bytes) -> bytes:
        return data

    def received(self, data: bytes) -> bytes:
        return data

    def end(self) -> tuple[bytes, bytes]:
        return b"", b""


class _LosesAByte(_KeepsAll):
    def received(self, data: bytes) -> bytes:
        return bytes(len(data))[1:]


class KeepsTheCustomer(SdtReader):
    def masker(self) -> Masker:
        return _KeepsAll()


class LosesAByte(TopazPad):
    def masker(self) -> Masker:
        return _LosesAByte()


class TakesOurName(TopazPad):
    vendor_commands = (
        VendorCommand(
            StringValue,
            StringValue,
            effect=options_pb2.EFFECT_READS,
            handler="say",
            description="A type that is not the vendor's own.",
        ),
    )

    async def say(self, command: Any, run: Any) -> Any:
        return StringValue()


PLANTED = [
    Planted("a recording with the customer's name", IdReaderConformance, KeepsTheCustomer, "D-19"),
    Planted("a recording that is shorter than the traffic", SignaturePadConformance, LosesAByte, "D-19"),
    Planted("a vendor command of a type that is not the vendor's", SignaturePadConformance, TakesOurName, "D-20"),
]
