"""Every driver of a signature pad does what its contract says, on its emulator."""

from __future__ import annotations

from countertop.testing.conformance import SignaturePadConformance


class TestWacomStu(SignaturePadConformance):
    driver = "wacom-stu"


class TestWacomStuEncrypted(SignaturePadConformance):
    driver = "wacom-stu"
    options = {"encryption": "on"}


class TestWacomStuSerial(SignaturePadConformance):
    driver = "wacom-stu"
    emulator_options = {"model": "430V"}


class TestTopaz(SignaturePadConformance):
    driver = "topaz"


class TestHidDigitizer(SignaturePadConformance):
    driver = "hid-digitizer"
