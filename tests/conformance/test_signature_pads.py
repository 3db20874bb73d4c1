"""Every driver of a signature pad does what its contract says, on its emulator."""

from __future__ import annotations

from countertop.testing.conformance import SignaturePadConformance
from tests.conformance.chosen import only


class TestWacomStu(SignaturePadConformance):
    driver = "wacom-stu"


@only("D-07", "D-08", "D-13", "D-17", "D-19", "S-03", "S-04", "S-05", "S-06", "S-09", "S-11")
class TestWacomStuEncrypted(SignaturePadConformance):
    """Keys are made and agreed upon, samples opened: what is about connecting, the loop, secrets and ink."""

    driver = "wacom-stu"
    options = {"encryption": "on"}


@only("D-05", "D-06", "D-07", "D-08", "D-09", "D-10", "D-11", "D-12", "D-19", "S-03", "S-06", "S-09", "S-10")
class TestWacomStuSerial(SignaturePadConformance):
    """Reports in frames with CRCs on a stream of bytes: what is about the line, and what goes over it."""

    driver = "wacom-stu"
    emulator_options = {"model": "430V"}


class TestTopaz(SignaturePadConformance):
    driver = "topaz"


class TestHidDigitizer(SignaturePadConformance):
    driver = "hid-digitizer"
