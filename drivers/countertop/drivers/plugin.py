"""Announces the drivers that come with Countertop."""

from __future__ import annotations

from collections.abc import Sequence

from countertop.sdk.plugins import DriverSpec, hookimpl
from countertop.v1 import device_pb2


@hookimpl
def countertop_drivers() -> Sequence[DriverSpec]:
    """The drivers of this distribution."""
    return (
        DriverSpec(
            name="sdt",
            kind=device_pb2.DEVICE_KIND_ID_READER,
            factory="countertop.drivers.sdt.driver:SdtReader",
            description="Chinese resident ID card readers with a SAM_V module",
        ),
        DriverSpec(
            name="escpos",
            kind=device_pb2.DEVICE_KIND_RECEIPT_PRINTER,
            factory="countertop.drivers.escpos.driver:EscPosPrinter",
            description="Receipt printers that speak ESC/POS",
        ),
        DriverSpec(
            name="wacom-stu",
            kind=device_pb2.DEVICE_KIND_SIGNATURE_PAD,
            factory="countertop.drivers.wacom_stu.driver:StuPad",
            description="Wacom STU signature pads",
        ),
        DriverSpec(
            name="topaz",
            kind=device_pb2.DEVICE_KIND_SIGNATURE_PAD,
            factory="countertop.drivers.topaz.driver:TopazPad",
            description="Topaz signature pads on a serial line",
        ),
        DriverSpec(
            name="hid-digitizer",
            kind=device_pb2.DEVICE_KIND_SIGNATURE_PAD,
            factory="countertop.drivers.hid_digitizer.driver:HidDigitizer",
            description="Pen digitizers that say in HID's own words what they send, and ePad signature pads",
        ),
        DriverSpec(
            name="evolis",
            kind=device_pb2.DEVICE_KIND_CARD_PRINTER,
            factory="countertop.drivers.evolis.driver:EvolisPrinter",
            description="Evolis card printers and issuers",
        ),
        DriverSpec(
            name="magicard",
            kind=device_pb2.DEVICE_KIND_CARD_PRINTER,
            factory="countertop.drivers.magicard.driver:MagicardPrinter",
            description="Magicard card printers",
        ),
        DriverSpec(
            name="ipp-card",
            kind=device_pb2.DEVICE_KIND_CARD_PRINTER,
            factory="countertop.drivers.ipp_card.driver:IppCardPrinter",
            description="Driverless card printers over IPP",
        ),
        DriverSpec(
            name="opencv",
            kind=device_pb2.DEVICE_KIND_CAMERA,
            factory="countertop.drivers.opencv.driver:OpenCvCamera",
            description="Cameras: V4L2, MJPEG over HTTP, RTSP, video files",
        ),
    )
