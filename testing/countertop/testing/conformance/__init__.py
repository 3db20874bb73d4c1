"""Conformance suites: what a driver must do, requirement by requirement.

::

    from countertop.testing.conformance import SignaturePadConformance

    class TestAcme(SignaturePadConformance):
        driver = "acme"
"""

from __future__ import annotations

from countertop.testing.conformance._camera import CameraConformance
from countertop.testing.conformance._card_printer import CardPrinterConformance
from countertop.testing.conformance._device import DeviceConformance
from countertop.testing.conformance._hands import ConsolePerson, Person
from countertop.testing.conformance._id_reader import IdReaderConformance
from countertop.testing.conformance._receipt_printer import ReceiptPrinterConformance
from countertop.testing.conformance._requirement import (
    Requirement,
    RequirementBroken,
    expect,
    requirement,
    requirements_of,
)
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.testing.conformance._signature_pad import SignaturePadConformance

__all__ = [
    "CameraConformance",
    "CardPrinterConformance",
    "ConsolePerson",
    "DeviceConformance",
    "IdReaderConformance",
    "Person",
    "ReceiptPrinterConformance",
    "RecordingRun",
    "Requirement",
    "RequirementBroken",
    "Rig",
    "SignaturePadConformance",
    "expect",
    "requirement",
    "requirements_of",
]
