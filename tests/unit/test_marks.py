"""Every field in which a person's data could be is marked, or somebody has decided that it need not be."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor

import countertop.bench.v1
import countertop.v1

TEXTS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)

# a name that means the same wherever it stands
IDS = [
    "device_id",
    "device_ids",
    "unit_ids",
    "unit",
    "operation_id",
    "issue_operation_id",
    "running_operation_id",
    "visit_id",
    "copy_of",
    "epoch",
    "supply",
    "claim_id",
    "terminal_id",
]
"""Of devices and of pieces of work; `visit_id` and operation ids are the app's own numbers, as their comments say."""
PLACES_IN_LISTS = ["bookmark", "page_token", "next_page_token"]
HASHES = ["sha256", "document_sha256", "reference_sha256", "ink_sha256", "key_sha256", "stage_sha256"]
STAFF = ["by", "reason", "maintenance_reason", "label", "holders"]
"""What staff and apps say of themselves and of machines: "never customer data"."""
COLOURS = ["color", "fill", "fill_to", "stroke", "background"]
OWN_SENTENCES = [
    "message",
    "action",
    "expected",
    "got",
    "step",
    "detail",
    "description",
    "warnings",
    "error",
    "expect",
    "en",
    "zh",
    "app",
]
"""Written by Countertop itself, which quotes nothing; `expect` are status words of a chip."""
OF_DEVICES = [
    "vendor",
    "model",
    "serial",
    "firmware",
    "driver",
    "link",
    "media_type",
    "algorithm",
    "verb",
    "vendor_command",
    "atr",
]
"""`atr` is the same for all cards of a kind."""
KEYS = ["public_key", "pem", "encrypt_to"]
BY_NAME = {*IDS, *PLACES_IN_LISTS, *HASHES, *STAFF, *COLOURS, *OWN_SENTENCES, *OF_DEVICES, *KEYS}

DECIDED = {
    # parts of designs and of lists, as who made them named them
    "CardField.name": "what differs from card to card; its value is marked",
    "CardField.sample": "invented, for previews",
    "CardPicture.field": "the name of such a field",
    "CardElement.name": "for messages",
    "CardElement.only_with": "the name of a field",
    "CardDesign.name": "for people who make designs",
    "CardArtwork.DataEntry.key": "the name of a field; the whole map is marked",
    "SealField.name": "which field of a seal",
    "SignatureCheck.name": "what was looked at",
    # of the machine
    "CardUnit.name": "a bin",
    "Consumable.name": "a ribbon, a roll",
    "Consumable.type": "which ribbon",
    "ReceiptPrinterCapabilities.profile": "which printer",
    "CameraCapabilities.format": "of frames",
    "VendorCommand.command": "the name of a message type",
    "VendorCommand.result": "the name of a message type",
    "VendorCommand.events": "names of message types",
    "Device.id": "as configured",
    "Device.LabelsEntry.key": "as configured: the counter, the branch",
    "Device.LabelsEntry.value": "as configured: the counter, the branch",
    "Driver.name": "of a plugin",
    "Driver.distribution": "of a plugin",
    "Journal.path": "of a file",
    "Terminal.id": "as configured",
    "Terminal.version": "of Countertop",
    "Unit.id": "as configured",
    "HealthFinding.item": "what was looked at",
    "MediumUsed.name": "paper, ribbon",
    "FirmwareSeen.version": "of a device",
    "ClaimInfo.id": "counted by the daemon",
    "ClaimGranted.FencesEntry.key": "a device",
    "Operation.id": "the app's own number",
    "Progress.unit": "blocks, bytes",
    "Bounds.pattern": "of the protos themselves",
    # of checks of a face: scores and models, no picture
    "PresenceScore.name": "which score",
    "ModelInfo.role": "of a model",
    "ModelInfo.name": "of a model",
    "ModelInfo.licence": "of a model",
    "VerifyPresenceResult.analyser": "of a plugin",
    # of documents: the same on the documents of many
    "ForeignPermanentResident2017.card_version": "of the form",
    "ForeignPermanentResident2017.authority_code": "an office",
    "ForeignPermanentResident2023.renewals": "a small number",
    "HkMacaoTaiwanPermit.issue_count": "a small number",
    "DocumentPhoto.raw_format": "wlt",
    # of the bench
    "Fault.name": "as the emulator lists it",
    "InjectFaultRequest.fault": "as the emulator lists it",
    "ClearFaultRequest.fault": "as the emulator lists it",
    "LoadRibbonRequest.type": "which ribbon",
}

MARKED_WHEREVER_THEY_STAND = ("countertop.v1.Ink", "countertop.v1.Stroke", "countertop.v1.InkPoint")
"""Messages of numbers alone that are a person's all the same."""


def messages() -> Iterator[Descriptor]:
    for package in (countertop.v1, countertop.bench.v1):
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                file = importlib.import_module(f"{package.__name__}.{module.name}").DESCRIPTOR
                waiting = list(file.message_types_by_name.values())
                while waiting:
                    waiting += (found := waiting.pop()).nested_types
                    yield found


def fields() -> list[FieldDescriptor]:
    found = [field for message in messages() for field in message.fields]
    assert len(found) > 500
    return found


def name(field: FieldDescriptor) -> str:
    return field.full_name.removeprefix(f"{field.file.package}.")


def test_every_text_is_marked_or_has_been_decided_about():
    unmarked = [field for field in fields() if field.type in TEXTS and not field.GetOptions().debug_redact]
    undecided = {name(field) for field in unmarked if field.name not in BY_NAME} - set(DECIDED)
    assert not undecided, "mark them `debug_redact`, or say here why they hold nothing of a person"


def test_nothing_has_been_decided_about_fields_that_are_not_there_or_are_marked():
    unmarked = {name(field) for field in fields() if field.type in TEXTS and not field.GetOptions().debug_redact}
    assert set(DECIDED) <= unmarked
    assert {field.rpartition(".")[2] for field in unmarked} >= BY_NAME


def test_what_is_packed_is_marked_where_it_stands():
    for field in fields():
        if field.message_type is not None and field.message_type.full_name == "google.protobuf.Any":
            assert field.GetOptions().debug_redact, name(field)


def test_ink_is_marked_wherever_it_stands():
    for field in fields():
        if field.message_type is None or field.message_type.full_name not in MARKED_WHEREVER_THEY_STAND:
            continue
        inside = field.containing_type.full_name in MARKED_WHEREVER_THEY_STAND
        assert inside or field.GetOptions().debug_redact, name(field)


def test_sex_is_marked_wherever_it_stands():
    for field in fields():
        if field.enum_type is not None and field.enum_type.full_name == "countertop.v1.Sex":
            assert field.GetOptions().debug_redact, name(field)
