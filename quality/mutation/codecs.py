"""Which codecs are mutated, and the tests that belong to each. Paths are relative to the repository."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CODECS", "Codec"]

_DRIVERS = "drivers/countertop/drivers/"
_EMULATORS = "emulators/countertop/emulators/"
_SDK = "daemon/countertop/sdk/"


@dataclass(frozen=True)
class Codec:
    """Modules that turn bytes into meaning, and the test files that must notice a change in them."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]


CODECS = (
    Codec(
        "stu-framing",
        (_DRIVERS + "wacom_stu/framing.py",),
        ("tests/unit/test_stu.py", "tests/unit/test_stu_masking.py"),
    ),
    Codec("stu-reports", (_DRIVERS + "wacom_stu/reports.py",), ("tests/unit/test_stu.py",)),
    Codec("topaz-packets", (_DRIVERS + "topaz/packets.py",), ("tests/unit/test_topaz_packets.py",)),
    Codec("sdt-protocol", (_DRIVERS + "sdt/protocol.py",), ("tests/wire/test_sdt_protocol.py",)),
    Codec("sdt-layouts", (_DRIVERS + "sdt/layouts.py",), ("tests/unit/test_sdt_layouts.py",)),
    Codec("evolis-protocol", (_DRIVERS + "evolis/protocol.py",), ("tests/unit/test_evolis_protocol.py",)),
    Codec("magicard-protocol", (_DRIVERS + "magicard/protocol.py",), ("tests/unit/test_magicard_job.py",)),
    Codec("magicard-job", (_DRIVERS + "magicard/job.py",), ("tests/unit/test_magicard_job.py",)),
    Codec("escpos-protocol", (_DRIVERS + "escpos/protocol.py",), ("tests/wire/test_escpos_protocol.py",)),
    Codec("escpos-status", (_DRIVERS + "escpos/status.py",), ("tests/unit/test_escpos_status.py",)),
    Codec(
        "hid-descriptor",
        (_DRIVERS + "hid_digitizer/descriptor_items.py", _DRIVERS + "hid_digitizer/report_descriptor.py"),
        ("tests/unit/test_hid_report_descriptor.py",),
    ),
    Codec("hid-layout", (_DRIVERS + "hid_digitizer/layout.py",), ("tests/unit/test_hid_digitizer_layout.py",)),
    Codec("mjpeg-multipart", (_DRIVERS + "opencv/multipart.py",), ("tests/unit/test_mjpeg_multipart.py",)),
    Codec("card-stripe", (_SDK + "cards/stripe.py",), ("tests/unit/test_card_stripe.py",)),
    Codec("apdu", (_SDK + "cards/apdu.py",), ("tests/unit/test_apdu.py",)),
    Codec("atr", (_SDK + "cards/atr.py",), ("tests/unit/test_atr.py",)),
    Codec("iso19794-7", (_SDK + "ink/iso19794_7.py",), ("tests/unit/test_ink.py",)),
    Codec(
        "isolation-frames",
        ("daemon/countertop/server/isolation/frames.py",),
        ("tests/unit/test_isolation_frames.py",),
    ),
    Codec("trace-format", (_SDK + "trace/format.py",), ("tests/unit/test_trace_format.py",)),
    Codec("emulated-sdt", (_EMULATORS + "sdt/wire.py",), ("tests/wire/test_sdt_emulator_wire.py",)),
    Codec("emulated-topaz", (_EMULATORS + "topaz/wire.py",), ("tests/unit/test_topaz_packets.py",)),
    Codec("emulated-usbip", (_EMULATORS + "core/usb/wire.py",), ("tests/unit/test_usbip_wire.py",)),
    Codec("emulated-escpos", (_EMULATORS + "escpos/tokenizer.py",), ("tests/wire/test_escpos_tokenizer.py",)),
)
