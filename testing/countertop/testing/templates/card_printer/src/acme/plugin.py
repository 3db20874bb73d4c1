"""Announces the driver and the emulator. Nothing heavy is imported here: factories are imported when they are used."""

from __future__ import annotations

from collections.abc import Sequence

from countertop.emulators.core.spec import EmulatorSpec
from countertop.sdk.plugins import DriverSpec, hookimpl
from countertop.v1 import device_pb2


@hookimpl
def countertop_drivers() -> Sequence[DriverSpec]:
    """The drivers of this distribution."""
    return (
        DriverSpec(
            name="acme",
            kind=device_pb2.DEVICE_KIND_CARD_PRINTER,
            factory="acme.driver:AcmeCardPrinter",
            description="Acme card printers",
        ),
    )


@hookimpl
def countertop_emulators() -> Sequence[EmulatorSpec]:
    """The emulators of this distribution."""
    return (
        EmulatorSpec(
            name="acme",
            kind=device_pb2.DEVICE_KIND_CARD_PRINTER,
            driver="acme",
            factory="acme.emulator.emulator:start",
            description="The Acme card printer on TCP or a pty",
        ),
    )
