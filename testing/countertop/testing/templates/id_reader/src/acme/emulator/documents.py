"""What the chip of a document holds, as the emulated reader sends it; and the document of an invented person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from countertop.v1 import identity_pb2
from countertop.v1.identity_pb2 import IdentityDocument

__all__ = ["LONGEST_FIELD", "Chip", "encode_document", "invented_resident"]

LONGEST_FIELD = 1024
TYPE_CODES = {
    identity_pb2.DOCUMENT_TYPE_UNSPECIFIED: "CN",
    identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD: "CN",
    identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT: "HMT",
}
SEX_CODES = {identity_pb2.SEX_MALE: "M", identity_pb2.SEX_FEMALE: "F", identity_pb2.SEX_NOT_STATED: "X"}


@dataclass(frozen=True, slots=True)
class Chip:
    """A document's chip; its repr tells nothing of its content."""

    record: bytes = field(repr=False)
    photo: bytes = field(repr=False)


def encode_document(document: IdentityDocument) -> bytes:
    """Raises ValueError that names a field that the reader does not know, or that is too long; never its content."""
    if document.type not in TYPE_CODES:
        raise ValueError("card.type: expected RESIDENT_CARD or HK_MACAO_TAIWAN_PERMIT")
    record = b""
    for tag, text in _fields(document):
        data = text.encode()
        if len(data) > LONGEST_FIELD:
            raise ValueError(f"card: expected at most {LONGEST_FIELD} bytes in the field of tag {tag}")
        if data:
            record += bytes([tag]) + len(data).to_bytes(2) + data
    return record


def _fields(document: IdentityDocument) -> Iterator[tuple[int, str]]:
    person = document.person
    yield 1, TYPE_CODES[document.type]
    yield 2, person.name
    yield 3, person.latin_name
    yield 4, SEX_CODES.get(person.sex, "")
    yield 5, person.birth_date
    yield 6, person.nationality
    yield 7, person.address
    yield 8, document.number
    yield 9, document.issuing_authority
    yield 10, document.valid_from
    yield 11, "1" if document.valid_long_term else ""
    yield 12, document.valid_until
    yield 13, document.additional_address
    yield 14, document.resident_card.ethnicity_code
    yield 15, document.hk_macao_taiwan_permit.pass_number
    yield 16, document.hk_macao_taiwan_permit.issue_count


def invented_resident() -> IdentityDocument:
    """Nobody: the sequence number is 000, the place does not exist."""
    return IdentityDocument(
        type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD,
        number="110101199204060004",
        issuing_authority="样例市公安局",
        valid_from="2020-01-15",
        valid_until="2040-01-15",
        person=identity_pb2.Person(
            name="张小样",
            sex=identity_pb2.SEX_FEMALE,
            birth_date="1992-04-06",
            address="样例省样例市示范区虚构路1号",
        ),
        resident_card=identity_pb2.ResidentCard(ethnicity_code="01"),
    )
