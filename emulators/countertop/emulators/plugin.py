"""Announces the emulators that come with Countertop."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from countertop.emulators.core.spec import EmulatorSpec
from countertop.v1 import device_pb2
from countertop.v1.image_pb2 import Image

hookimpl = pluggy.HookimplMarker("countertop")


@hookimpl
def countertop_emulators() -> Sequence[EmulatorSpec]:
    """The emulators of this distribution."""
    return (
        EmulatorSpec(
            name="sdt",
            kind=device_pb2.DEVICE_KIND_ID_READER,
            driver="sdt",
            factory="countertop.emulators.sdt.emulator:start",
            description="A resident ID card reader (SAM_V module) on a pty",
        ),
        EmulatorSpec(
            name="escpos",
            kind=device_pb2.DEVICE_KIND_RECEIPT_PRINTER,
            driver="escpos",
            factory="countertop.emulators.escpos.emulator:start",
            description="An ESC/POS receipt printer on TCP or a pty",
        ),
        EmulatorSpec(
            name="wacom-stu",
            kind=device_pb2.DEVICE_KIND_SIGNATURE_PAD,
            driver="wacom-stu",
            factory="countertop.emulators.wacom_stu.emulator:start",
            description="A Wacom STU signature pad on USB/IP or a pty",
        ),
        EmulatorSpec(
            name="topaz",
            kind=device_pb2.DEVICE_KIND_SIGNATURE_PAD,
            driver="topaz",
            factory="countertop.emulators.topaz.emulator:start",
            description="A Topaz signature pad on a pty",
        ),
        EmulatorSpec(
            name="hid-digitizer",
            kind=device_pb2.DEVICE_KIND_SIGNATURE_PAD,
            driver="hid-digitizer",
            factory="countertop.emulators.hid_digitizer.emulator:start",
            description="An ePad signature pad, or a plain pen digitizer, on USB/IP",
        ),
        EmulatorSpec(
            name="evolis",
            kind=device_pb2.DEVICE_KIND_CARD_PRINTER,
            driver="evolis",
            factory="countertop.emulators.evolis.emulator:start",
            description="An Evolis card printer with stripe encoder and chip station, on TCP or USB/IP",
        ),
        EmulatorSpec(
            name="magicard",
            kind=device_pb2.DEVICE_KIND_CARD_PRINTER,
            driver="magicard",
            factory="countertop.emulators.magicard.emulator:start",
            description="A Magicard card printer with stripe encoder, on USB/IP or TCP",
        ),
        EmulatorSpec(
            name="camera",
            kind=device_pb2.DEVICE_KIND_CAMERA,
            driver="opencv",
            factory="countertop.emulators.camera.emulator:start",
            description="A camera with scenes, as MJPEG over HTTP or as a V4L2 node",
        ),
    )


@hookimpl
def countertop_decode_photo(raw: bytes, raw_format: str) -> Image | None:
    """Decode the test pictures that the emulated ID cards hold; real photos are left to a vendor's decoder."""
    from countertop.emulators.sdt.photo import decode_test_photo

    return decode_test_photo(raw) if raw_format == "wlt" else None
