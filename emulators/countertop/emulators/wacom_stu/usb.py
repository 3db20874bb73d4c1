"""A pad as a USB device."""

from __future__ import annotations

from countertop.emulators.core.usb.device import Stall, UsbDescriptors
from countertop.emulators.core.usb.hid import FEATURE, HidPeer, hid_interface
from countertop.emulators.wacom_stu.device import RefusedReport, StuDevice, report_descriptor
from countertop.emulators.wacom_stu.models import VENDOR_ID

__all__ = ["StuUsb"]


class StuUsb(HidPeer):
    """Feature reports by endpoint 0, input reports by an interrupt endpoint."""

    def __init__(self, device: StuDevice) -> None:
        model = device.model
        descriptor = report_descriptor(model)
        super().__init__(
            UsbDescriptors(
                vendor_id=VENDOR_ID,
                product_id=model.product_id,
                manufacturer="Wacom Co.,Ltd.",
                product=f"STU-{model.name}",
                interfaces=(hid_interface(descriptor),),
            ),
            descriptor,
        )
        self._device = device
        device.send = self.send_input

    def get_report(self, kind: int, report_id: int, length: int) -> bytes:
        """A feature report; anything else is a STALL."""
        if kind != FEATURE:
            raise Stall
        try:
            return self._device.get(report_id)
        except RefusedReport:
            raise Stall from None

    def set_report(self, kind: int, report_id: int, data: bytes) -> None:
        """A feature report; anything else is a STALL."""
        if kind != FEATURE or not data or data[0] != report_id:
            raise Stall
        try:
            self._device.set(data)
        except RefusedReport:
            raise Stall from None
