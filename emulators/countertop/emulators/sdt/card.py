"""What lies in a card's chip, made from an IdentityDocument.

The text area is 256 bytes of UTF-16LE, filled up with spaces, in one of four layouts that the character at offset 248
tells apart (GA/T 490 for residents; the others as vendors' SDKs read them). Nothing here checks that the content makes
sense, only that it fits: cards with mistakes are wanted on a test bench.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from functools import reduce
from random import Random
from typing import Any, cast

from countertop.emulators.sdt.photo import PHOTO_SIZE, make_test_photo
from countertop.v1 import identity_pb2
from countertop.v1.identity_pb2 import DocumentType, Fingerprint, IdentityDocument

__all__ = ["Card", "default_resident", "encode_card", "number_check_digit"]

TEXT_SIZE = 256
ADDRESS_SIZE = 70
TEMPLATE_SIZE = 512
LONG_TERM = "长期"


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the reader's module sees it. Its repr tells nothing of the content."""

    text: bytes = field(repr=False)
    """256 bytes."""
    photo: bytes = field(repr=False)
    """1024 bytes."""
    fingerprints: bytes = field(repr=False)
    """1024 bytes, or none on a card without fingerprints."""
    additional_address: bytes | None = field(repr=False)
    """70 bytes; None when the card holds no such item."""
    management_number: bytes = field(default=bytes(range(0x10, 0x2C)), repr=False)
    """28 bytes that answer command 30 05: IIN, card serial number, GA/T 490's own number."""


def encode_card(document: IdentityDocument) -> Card:
    """The chip of a card. An unset type means what the details say, else a resident's card. Without a photo it gets
    the test photo that belongs to its number.

    Raises ValueError that names the field, never its content, when something does not fit.
    """
    address = document.additional_address
    return Card(
        text=_encode_text(document),
        photo=_encode_photo(document),
        fingerprints=_encode_fingerprints(document),
        additional_address=_fit("additional_address", address, ADDRESS_SIZE) if address else None,
    )


def default_resident() -> IdentityDocument:
    """An invented resident. The number's check digit is right, and its sequence number is 000."""
    number = "11010119900307000"
    document = IdentityDocument(
        type=identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD,
        number=number + number_check_digit(number),
        issuing_authority="样例市公安局示范分局",
        valid_from="2020-01-15",
        valid_until="2040-01-15",
        additional_address="样例省样例市演示区测试路88号2单元301室",
        person=identity_pb2.Person(
            name="李小样",
            sex=identity_pb2.SEX_FEMALE,
            birth_date="1990-03-07",
            address="样例省样例市示范区模拟街道虚构小区1号楼101室",
        ),
        resident_card=identity_pb2.ResidentCard(ethnicity_code="01"),
    )
    for position in (11, 16):
        document.fingerprints.add(position=position, registration=1, quality=80)
    return document


def number_check_digit(first_17: str) -> str:
    """The last character of an 18-character number (GB 11643, ISO 7064 MOD 11-2)."""
    total = sum(int(digit) * pow(2, 17 - index, 11) for index, digit in enumerate(first_17))
    return "10X98765432"[total % 11]


# The text area


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the fields lie: offset and size in bytes, path in the message. A path that comes again goes on where the
    first place was full.
    """

    marker: str
    details: str
    fields: tuple[tuple[int, int, str], ...]


_DATES = (
    (188, 16, "valid_from"),
    (204, 16, "valid_until"),
)
_CHINESE_CARD = (
    (0, 30, "person.name"),
    (30, 2, "person.sex"),
    (36, 16, "person.birth_date"),
    (52, 70, "person.address"),
    (122, 36, "number"),
    (158, 30, "issuing_authority"),
    *_DATES,
)
_LAYOUTS: dict[DocumentType, _Layout] = {
    identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD: _Layout(
        " ", "resident_card", (*_CHINESE_CARD, (32, 4, "resident_card.ethnicity_code"))
    ),
    identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT: _Layout(
        "J",
        "hk_macao_taiwan_permit",
        (
            *_CHINESE_CARD,
            (220, 18, "hk_macao_taiwan_permit.pass_number"),
            (238, 4, "hk_macao_taiwan_permit.issue_count"),
        ),
    ),
    identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017: _Layout(
        "I",
        "foreign_permanent_resident_2017",
        (
            (0, 120, "person.latin_name"),
            (120, 2, "person.sex"),
            (122, 30, "number"),
            (152, 6, "person.nationality"),
            (158, 30, "person.name"),
            *_DATES,
            (220, 16, "person.birth_date"),
            (236, 4, "foreign_permanent_resident_2017.card_version"),
            (240, 8, "foreign_permanent_resident_2017.authority_code"),
        ),
    ),
    identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023: _Layout(
        "Y",
        "foreign_permanent_resident_2023",
        (
            (0, 30, "person.name"),
            (30, 2, "person.sex"),
            (32, 4, "foreign_permanent_resident_2023.renewals"),
            (36, 16, "person.birth_date"),
            (52, 70, "person.latin_name"),
            (122, 36, "number"),
            *_DATES,
            (220, 22, "person.latin_name"),
            (242, 6, "person.nationality"),
            (250, 6, "foreign_permanent_resident_2023.old_number_link"),
        ),
    ),
}
_MARKER_OFFSET = 248


def _encode_text(document: IdentityDocument) -> bytes:
    layout = _LAYOUTS[_type_of(document)]
    if document.WhichOneof("details") not in (None, layout.details):
        raise ValueError(f"details: expected {layout.details}, or none")
    text = bytearray(" ".encode("utf-16-le") * (TEXT_SIZE // 2))
    rest = {path: _content(document, path) for _, _, path in layout.fields}
    for offset, size, path in layout.fields:
        here, rest[path] = rest[path][:size], rest[path][size:]
        text[offset : offset + len(here)] = here
    for path, left in rest.items():
        if left:
            room = sum(size for _, size, other in layout.fields if other == path)
            raise _too_long(path, room, room + len(left))
    text[_MARKER_OFFSET : _MARKER_OFFSET + 2] = layout.marker.encode("utf-16-le")
    return bytes(text)


def _type_of(document: IdentityDocument) -> DocumentType:
    if document.type in _LAYOUTS:
        return document.type
    if document.type != identity_pb2.DOCUMENT_TYPE_UNSPECIFIED:
        raise ValueError(f"type: expected a document type that has a card, got {int(document.type)}")
    told = document.WhichOneof("details") or "resident_card"
    return next(kind for kind, layout in _LAYOUTS.items() if layout.details == told)


def _content(document: IdentityDocument, path: str) -> bytes:
    """A field as the chip writes it, not filled up."""
    value = reduce(getattr, path.split("."), cast("Any", document))
    if path == "valid_until" and document.valid_long_term:
        value = LONG_TERM
    elif path in ("person.birth_date", "valid_from", "valid_until"):
        if value and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
            raise ValueError(f"{path}: expected a date YYYY-MM-DD")
        value = value.replace("-", "")
    return str(value).encode("utf-16-le")  # a sex is its GB/T 2261.1 digit


def _fit(name: str, value: str, size: int) -> bytes:
    encoded = value.encode("utf-16-le")
    if len(encoded) > size:
        raise _too_long(name, size, len(encoded))
    return encoded + " ".encode("utf-16-le") * ((size - len(encoded)) // 2)


def _too_long(name: str, room: int, size: int) -> ValueError:
    return ValueError(f"{name}: expected at most {room // 2} UTF-16 units, got {size // 2}")


# Photo and fingerprints


def _encode_photo(document: IdentityDocument) -> bytes:
    raw = document.photo.raw
    if not raw:
        return make_test_photo(zlib.crc32(document.number.encode()))
    if len(raw) != PHOTO_SIZE:
        raise ValueError(f"photo.raw: expected {PHOTO_SIZE} bytes, got {len(raw)}")
    return raw


def _encode_fingerprints(document: IdentityDocument) -> bytes:
    fingers = list(document.fingerprints)
    if not fingers:
        return b""
    if len(fingers) > 2:
        raise ValueError(f"fingerprints: expected at most 2, got {len(fingers)}")
    not_enrolled = Fingerprint(position=99, registration=3)
    return b"".join(map(_encode_finger, (*fingers, not_enrolled)[:2]))


def _encode_finger(finger: Fingerprint) -> bytes:
    """The given template, or an invented one: 'C', three bytes, result, position, quality, …, CRC-8 (GA/T 490)."""
    if finger.template:
        if len(finger.template) != TEMPLATE_SIZE:
            raise ValueError(f"fingerprints.template: expected {TEMPLATE_SIZE} bytes, got {len(finger.template)}")
        return finger.template
    codes = {"registration": finger.registration, "position": finger.position, "quality": finger.quality}
    for name, value in codes.items():
        if value > 0xFF:
            raise ValueError(f"fingerprints.{name}: expected 0 to 255")
    filler = Random(finger.position).randbytes(TEMPLATE_SIZE - 8) if finger.registration == 1 else bytes(504)
    body = b"C\x01\x12\x01" + bytes(codes.values()) + filler
    return body + bytes((_crc8(body),))


def _crc8(data: bytes) -> int:
    """Polynomial 07h; the real one is not published, and templates are opaque to everybody but a matcher."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ (0x07 if crc & 0x80 else 0)) & 0xFF
    return crc
