"""What a driver author imports.

::

    from countertop.sdk import IdReader, Options, Run, DeviceFault, hookimpl, DriverSpec

Names are imported when they are first used: the daemon answers before it has paid for pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy

if TYPE_CHECKING:
    from countertop.sdk.cameras import Camera
    from countertop.sdk.cards import CardPrinter, CardSight
    from countertop.sdk.device import (
        Device,
        Evidence,
        IdReader,
        Options,
        ReceiptPrinter,
        Run,
        Settlement,
        Unsettled,
        internal_health,
    )
    from countertop.sdk.errors import (
        CountertopError,
        DeviceFault,
        InvalidRequest,
        LinkFault,
        NoAnswer,
        ProtocolFault,
        ReportRefused,
        reason_info,
    )
    from countertop.sdk.links import (
        ByteLink,
        HidInfo,
        HidLink,
        Link,
        LinkUrl,
        SerialLink,
        TcpLink,
        open_link,
        parse_link,
    )
    from countertop.sdk.plugins import (
        AnalyserSpec,
        DriverSpec,
        Emulator,
        EmulatorSpec,
        PluginHooks,
        hookimpl,
        hookspec,
    )
    from countertop.sdk.signing import PenSample, SignaturePad
    from countertop.sdk.vendor import BadVendorCommands, VendorCommand
    from countertop.sdk.vendor_call import vendor_result

__all__ = [
    "AnalyserSpec",
    "BadVendorCommands",
    "ByteLink",
    "Camera",
    "CardPrinter",
    "CardSight",
    "CountertopError",
    "Device",
    "DeviceFault",
    "DriverSpec",
    "Emulator",
    "EmulatorSpec",
    "Evidence",
    "HidInfo",
    "HidLink",
    "IdReader",
    "InvalidRequest",
    "Link",
    "LinkFault",
    "LinkUrl",
    "NoAnswer",
    "Options",
    "PenSample",
    "PluginHooks",
    "ProtocolFault",
    "ReceiptPrinter",
    "ReportRefused",
    "Run",
    "SerialLink",
    "Settlement",
    "SignaturePad",
    "TcpLink",
    "Unsettled",
    "VendorCommand",
    "hookimpl",
    "hookspec",
    "internal_health",
    "open_link",
    "parse_link",
    "reason_info",
    "vendor_result",
]

__getattr__ = lazy(
    __name__,
    {
        "cameras": "Camera",
        "cards": "CardPrinter CardSight",
        "device": "Device Evidence IdReader Options ReceiptPrinter Run Settlement Unsettled internal_health",
        "errors": "CountertopError DeviceFault InvalidRequest LinkFault NoAnswer ProtocolFault ReportRefused "
        "reason_info",
        "links": "ByteLink HidInfo HidLink Link LinkUrl SerialLink TcpLink open_link parse_link",
        "signing": "PenSample SignaturePad",
        "plugins": "AnalyserSpec DriverSpec Emulator EmulatorSpec PluginHooks hookimpl hookspec",
        "vendor": "BadVendorCommands VendorCommand",
        "vendor_call": "vendor_result",
    },
)
