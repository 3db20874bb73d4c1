"""What the reader's frames mean. No I/O.

::

    command         answer
    H hello         ASCII: model;serial;firmware
    S status        one byte of StatusBit
    R read          the document's fields, each: tag (1), length (2), UTF-8 text
    P photo         the document's photo, a JPEG file; empty when it has none
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntFlag

from countertop.sdk import ProtocolFault
from countertop.v1 import error_pb2, identity_pb2
from countertop.v1.error_pb2 import Reason
from countertop.v1.identity_pb2 import IdentityDocument

__all__ = [
    "LONGEST",
    "REFUSALS",
    "Command",
    "Identity",
    "StatusBit",
    "parse_document",
    "parse_identity",
    "parse_status",
]

LONGEST = 70_000
"""Bytes of payload that the reader sends at most: a photo."""
REFUSALS: dict[int, Reason] = {
    1: error_pb2.REASON_PROTOCOL_ERROR,  # it does not know the command
    2: error_pb2.REASON_READER_SELF_TEST_FAILED,
    3: error_pb2.REASON_NO_DOCUMENT,
    4: error_pb2.REASON_DOCUMENT_UNREADABLE,
    5: error_pb2.REASON_DOCUMENT_REMOVED,
}


class Command(Enum):
    """What the reader can be asked."""

    HELLO = "H"
    STATUS = "S"
    READ = "R"
    PHOTO = "P"


class StatusBit(IntFlag):
    """How the reader is."""

    DOCUMENT = 0x01
    """One lies on it."""
    SELF_TEST_FAILED = 0x02


_TYPES = {
    "CN": identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD,
    "P17": identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017,
    "P23": identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023,
    "HMT": identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT,
}
_SEXES = {"M": identity_pb2.SEX_MALE, "F": identity_pb2.SEX_FEMALE, "X": identity_pb2.SEX_NOT_STATED}
_TYPE, _SEX, _LONG_TERM = 1, 4, 11
_TEXTS = {
    2: "person.name",
    3: "person.latin_name",
    5: "person.birth_date",
    6: "person.nationality",
    7: "person.address",
    8: "number",
    9: "issuing_authority",
    10: "valid_from",
    12: "valid_until",
    13: "additional_address",
    14: "resident_card.ethnicity_code",
    15: "hk_macao_taiwan_permit.pass_number",
    16: "hk_macao_taiwan_permit.issue_count",
}
"""Where a field's text goes, by its tag."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the reader is."""

    model: str
    serial: str
    firmware: str


def parse_identity(payload: bytes) -> Identity:
    """Raises ProtocolFault."""
    words = payload.decode("ascii", "replace").split(";")
    if len(words) != 3:
        raise ProtocolFault("hello", "model;serial;firmware", f"{len(words)} fields")
    return Identity(*words)


def parse_status(payload: bytes) -> StatusBit:
    """Raises ProtocolFault."""
    if len(payload) != 1:
        raise ProtocolFault("status", "1 byte", f"{len(payload)} bytes")
    return StatusBit(payload[0])


def parse_document(payload: bytes) -> IdentityDocument:
    """The document that was read; fields with tags of later firmware are left out. Raises ProtocolFault, which tells a
    field's tag and never what is in it.
    """
    document = IdentityDocument()
    for tag, text in _fields(payload):
        if tag == _TYPE:
            document.type = _TYPES.get(text, identity_pb2.DOCUMENT_TYPE_UNSPECIFIED)
        elif tag == _SEX:
            document.person.sex = _SEXES.get(text, identity_pb2.SEX_UNSPECIFIED)
        elif tag == _LONG_TERM:
            document.valid_long_term = text == "1"
        elif tag in _TEXTS:
            *parts, name = _TEXTS[tag].split(".")
            setattr(getattr(document, parts[0]) if parts else document, name, text)
    return document


def _fields(payload: bytes) -> Iterator[tuple[int, str]]:
    at = 0
    while at < len(payload):
        tag, end = payload[at], at + 3 + int.from_bytes(payload[at + 1 : at + 3])
        if at + 3 > len(payload) or end > len(payload):
            raise ProtocolFault("read", f"the whole of field {tag}", f"{len(payload) - at} bytes of it")
        try:
            text = payload[at + 3 : end].decode()
        except UnicodeDecodeError:
            raise ProtocolFault("read", f"UTF-8 in field {tag}", "other bytes") from None
        yield tag, text
        at = end
