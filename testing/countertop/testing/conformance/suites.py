"""The suite of each kind of device."""

from __future__ import annotations

from collections.abc import Mapping

from countertop.testing.conformance._camera import CameraConformance
from countertop.testing.conformance._card_printer import CardPrinterConformance
from countertop.testing.conformance._device import DeviceConformance
from countertop.testing.conformance._id_reader import IdReaderConformance
from countertop.testing.conformance._receipt_printer import ReceiptPrinterConformance
from countertop.testing.conformance._signature_pad import SignaturePadConformance
from countertop.v1.device_pb2 import DeviceKind

__all__ = ["SUITES"]

SUITES: Mapping[DeviceKind, type[DeviceConformance]] = {
    suite.kind: suite
    for suite in (
        IdReaderConformance,
        ReceiptPrinterConformance,
        SignaturePadConformance,
        CardPrinterConformance,
        CameraConformance,
    )
}
