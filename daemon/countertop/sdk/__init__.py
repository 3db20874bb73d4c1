"""What a driver author imports.

::

    from countertop.sdk import IdReader, Options, Run, DeviceFault, hookimpl, DriverSpec

Names are imported when they are first used: the daemon answers before it has paid for pydantic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy

if TYPE_CHECKING:
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
        reason_info,
    )
    from countertop.sdk.links import Link, LinkUrl, SerialLink, TcpLink, open_link, parse_link
    from countertop.sdk.plugins import DriverSpec, Emulator, EmulatorSpec, PluginHooks, hookimpl, hookspec

__all__ = [
    "CountertopError",
    "Device",
    "DeviceFault",
    "DriverSpec",
    "Emulator",
    "EmulatorSpec",
    "Evidence",
    "IdReader",
    "InvalidRequest",
    "Link",
    "LinkFault",
    "LinkUrl",
    "NoAnswer",
    "Options",
    "PluginHooks",
    "ProtocolFault",
    "ReceiptPrinter",
    "Run",
    "SerialLink",
    "Settlement",
    "TcpLink",
    "Unsettled",
    "hookimpl",
    "hookspec",
    "internal_health",
    "open_link",
    "parse_link",
    "reason_info",
]

__getattr__ = lazy(
    __name__,
    {
        "device": "Device Evidence IdReader Options ReceiptPrinter Run Settlement Unsettled internal_health",
        "errors": "CountertopError DeviceFault InvalidRequest LinkFault NoAnswer ProtocolFault reason_info",
        "links": "Link LinkUrl SerialLink TcpLink open_link parse_link",
        "plugins": "DriverSpec Emulator EmulatorSpec PluginHooks hookimpl hookspec",
    },
)
