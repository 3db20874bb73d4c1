"""The Python client for apps::

    async with countertop.client.connect() as counter:
        result = await counter.id_reader().read(photo=True)
        await counter.receipt_printer().print(receipt)

`countertop.client.sync` has the same names without `await`. Messages are those of `countertop.v1`.
"""

from __future__ import annotations

from countertop.client._access import Tls
from countertop.client._bench import Bench
from countertop.client._cameras import Camera
from countertop.client._card_printers import CardPrinter
from countertop.client._chip import ChipSession
from countertop.client._claim import Claim
from countertop.client._counter import Counter, Operations, connect
from countertop.client._devices import IdReader, ReceiptPrinter, SignaturePad
from countertop.client._operation import CallOptions, OperationHandle
from countertop.client._vendor import Vendor, VendorHandle
from countertop.client.errors import (
    ConnectionLost,
    CountertopError,
    DeviceUnavailable,
    InvalidRequest,
    NotFound,
    OperationCancelled,
    OperationFailed,
    OutcomeUncertain,
)

__all__ = [  # noqa: RUF022 - in the order in which a reader needs them
    "connect",
    "Tls",
    "Counter",
    "IdReader",
    "ReceiptPrinter",
    "SignaturePad",
    "CardPrinter",
    "ChipSession",
    "Camera",
    "Vendor",
    "VendorHandle",
    "OperationHandle",
    "CallOptions",
    "Operations",
    "Claim",
    "Bench",
    "CountertopError",
    "InvalidRequest",
    "NotFound",
    "DeviceUnavailable",
    "OperationFailed",
    "OperationCancelled",
    "OutcomeUncertain",
    "ConnectionLost",
]
