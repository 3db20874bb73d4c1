"""The four layouts of a card's 256 bytes of text, and the document that each makes.

UTF-16LE, padded with spaces; the character at offset 248 tells the layout. Layouts after GA/T 490 and vendors' sample
clients.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from countertop.drivers.sdt.checks import (
    GB_NUMBER,
    ICAO_NUMBER,
    gb11643_digit,
    icao_digit,
    iso_date,
    old_number,
)
from countertop.drivers.sdt.nation import NATIONS
from countertop.drivers.sdt.protocol import ADDRESS_SIZE, TEMPLATE_SIZE, TEXT_SIZE
from countertop.sdk import DeviceFault, ProtocolFault
from countertop.v1 import error_pb2, identity_pb2
from countertop.v1.identity_pb2 import DocumentCheckKind, DocumentType, Fingerprint, IdentityDocument

__all__ = ["LAYOUTS", "decode_additional_address", "decode_fingerprints", "decode_text"]

TYPE_AT = 248
LONG_TERM = "长期"

_RESIDENT = identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD
_FOREIGN_2017 = identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017
_FOREIGN_2023 = identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023
_PERMIT = identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT

Place = tuple[int, int]
"""Offset and length in bytes."""

_COMMON: dict[str, tuple[Place, ...]] = {
    "name": ((0, 30),),
    "sex": ((30, 2),),
    "birth_date": ((36, 16),),
    "address": ((52, 70),),
    "number": ((122, 36),),
    "issuing_authority": ((158, 30),),
    "valid_from": ((188, 16),),
    "valid_until": ((204, 16),),
}
# Type character: document type, and where each field stands; a field in two places goes on in the second.
LAYOUTS: dict[str, tuple[DocumentType, dict[str, tuple[Place, ...]]]] = {
    " ": (_RESIDENT, _COMMON | {"ethnicity_code": ((32, 4),)}),
    "J": (_PERMIT, _COMMON | {"pass_number": ((220, 18),), "issue_count": ((238, 4),)}),
    "I": (
        _FOREIGN_2017,
        {
            "latin_name": ((0, 120),),
            "sex": ((120, 2),),
            "number": ((122, 30),),
            "nationality": ((152, 6),),
            "name": ((158, 30),),
            "valid_from": ((188, 16),),
            "valid_until": ((204, 16),),
            "birth_date": ((220, 16),),
            "card_version": ((236, 4),),
            "authority_code": ((240, 8),),
        },
    ),
    "Y": (
        _FOREIGN_2023,
        {
            "name": ((0, 30),),
            "sex": ((30, 2),),
            "renewals": ((32, 4),),
            "birth_date": ((36, 16),),
            "latin_name": ((52, 70), (220, 22)),
            "number": ((122, 36),),
            "valid_from": ((188, 16),),
            "valid_until": ((204, 16),),
            "nationality": ((242, 6),),
            "old_number_link": ((250, 6),),
        },
    ),
}

# GB/T 2261.1
_SEXES = {
    "0": (identity_pb2.SEX_UNSPECIFIED, ""),
    "1": (identity_pb2.SEX_MALE, "男"),
    "2": (identity_pb2.SEX_FEMALE, "女"),
    "9": (identity_pb2.SEX_NOT_STATED, "未说明"),
}


@dataclass
class _Reading:
    """A document in the making: the fields' text, and what is wrong with them."""

    document: IdentityDocument
    fields: dict[str, str] = field(repr=False)
    wrong: list[str] = field(default_factory=list)

    def expect(self, held: bool, complaint: str) -> None:
        if not held:
            self.wrong.append(complaint)

    def check(self, kind: DocumentCheckKind, passed: bool, detail: str) -> None:
        self.document.checks.add(kind=kind, passed=passed, detail="" if passed else detail)


def decode_text(data: bytes, today: date) -> IdentityDocument:
    """The document in a card's 256 bytes of text, with its checks; what cannot be decoded is left empty and fails
    FIELDS_WELL_FORMED.

    Raises ProtocolFault for another size, DeviceFault(DOCUMENT_UNSUPPORTED) for an unknown type character.
    """
    if len(data) != TEXT_SIZE:
        raise ProtocolFault("decode text", f"{TEXT_SIZE} bytes", f"{len(data)} bytes")
    kind = _decode(data[TYPE_AT : TYPE_AT + 2]) or " "
    if kind not in LAYOUTS:
        raise DeviceFault(
            error_pb2.REASON_DOCUMENT_UNSUPPORTED,
            "The card is of a type that this driver does not know.",
            step="decode text",
            expected=f"a type character of {', '.join(map(repr, LAYOUTS))}",
            got="another one",
        )
    document_type, places = LAYOUTS[kind]
    fields = {name: _decode(b"".join(data[at : at + size] for at, size in where)) for name, where in places.items()}
    reading = _Reading(IdentityDocument(type=document_type), fields)
    for name, text in fields.items():
        reading.expect(_readable(text), f"{name}: characters that cannot be decoded")
    _fill_common(reading)
    _PARTICULARS[document_type](reading)
    _check_number(reading)
    _check_validity(reading, today)
    reading.check(
        identity_pb2.DOCUMENT_CHECK_KIND_FIELDS_WELL_FORMED, not reading.wrong, "; ".join(sorted(reading.wrong))
    )
    return reading.document


def decode_additional_address(data: bytes) -> str:
    """The newest additional address, from its 70 bytes."""
    return _decode(data[:ADDRESS_SIZE])


def decode_fingerprints(data: bytes) -> list[Fingerprint]:
    """The templates in 0, 512 or 1024 bytes; a half that holds none is left out. Header after GA/T 490."""
    halves = (data[at : at + TEMPLATE_SIZE] for at in range(0, len(data), TEMPLATE_SIZE))
    return [
        Fingerprint(template=half, registration=half[4], position=half[5], quality=half[6])
        for half in halves
        if len(half) == TEMPLATE_SIZE and half.startswith(b"C")
    ]


def _decode(data: bytes) -> str:
    """Text without its padding. What is no UTF-16 becomes U+FFFD; inner spaces belong to foreign names."""
    return data.decode("utf-16-le", "replace").rstrip(" \0")


def _readable(text: str) -> bool:
    return not any(char == "\ufffd" or unicodedata.category(char) == "Cc" for char in text)


def _fill_common(reading: _Reading) -> None:
    """Fill in what all documents have."""
    document, fields = reading.document, reading.fields
    person = document.person
    person.name = fields["name"]
    person.latin_name = fields.get("latin_name", "")
    reading.expect(bool(person.name or person.latin_name), "name: empty")
    reading.expect(fields["sex"] in _SEXES, "sex: not a code of GB/T 2261.1")
    person.sex, person.sex_name = _SEXES.get(fields["sex"], _SEXES["0"])
    person.birth_date = _date(reading, "birth_date")
    person.address = fields.get("address", "")
    if "nationality" in fields:
        code = fields["nationality"]
        known = len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()
        reading.expect(known, "nationality: not three capital letters")
        person.nationality = code if known else ""
    document.number = fields["number"]
    document.issuing_authority = fields.get("issuing_authority", "")
    document.valid_from = _date(reading, "valid_from")
    document.valid_long_term = fields["valid_until"] == LONG_TERM
    if not document.valid_long_term:
        document.valid_until = _date(reading, "valid_until")


def _date(reading: _Reading, name: str) -> str:
    text = iso_date(reading.fields[name])
    reading.expect(bool(text), f"{name}: no date")
    return text


def _resident(reading: _Reading) -> None:
    code = reading.fields["ethnicity_code"]
    reading.expect(code in NATIONS, "ethnicity_code: not a code of GB/T 3304")
    reading.document.person.nationality = "CHN"  # the card is for citizens alone
    reading.document.resident_card.ethnicity_code = code
    reading.document.resident_card.ethnicity_name = NATIONS.get(code, "")


def _permit(reading: _Reading) -> None:
    details = reading.document.hk_macao_taiwan_permit
    details.pass_number = reading.fields["pass_number"]
    details.issue_count = reading.fields["issue_count"]
    details.SetInParent()


def _foreign_2017(reading: _Reading) -> None:
    details = reading.document.foreign_permanent_resident_2017
    details.card_version = reading.fields["card_version"]
    details.authority_code = reading.fields["authority_code"]
    details.SetInParent()


def _foreign_2023(reading: _Reading) -> None:
    fields, details = reading.fields, reading.document.foreign_permanent_resident_2023
    details.renewals = fields["renewals"]
    details.old_number_link = fields["old_number_link"]
    if details.old_number_link:
        details.old_number = old_number(fields["nationality"], fields["number"], details.old_number_link)
        reading.expect(bool(details.old_number), "old_number_link: makes no old number")
    details.SetInParent()


_PARTICULARS: dict[DocumentType, Callable[[_Reading], None]] = {
    _RESIDENT: _resident,
    _PERMIT: _permit,
    _FOREIGN_2017: _foreign_2017,
    _FOREIGN_2023: _foreign_2023,
}


def _check_number(reading: _Reading) -> None:
    """Check the number by itself and against birth date and sex, as far as its kind holds them."""
    number = reading.document.number
    gb = reading.document.type != _FOREIGN_2017
    formed = bool((GB_NUMBER if gb else ICAO_NUMBER).fullmatch(number))
    shape = "number: not 17 digits and a digit or X" if gb else "number: not three letters and 12 digits"
    reading.expect(formed, shape)
    digit = identity_pb2.DOCUMENT_CHECK_KIND_NUMBER_CHECK_DIGIT
    birth = identity_pb2.DOCUMENT_CHECK_KIND_NUMBER_MATCHES_BIRTH_DATE
    if not formed:
        reading.check(digit, False, shape)
        reading.check(birth, False, shape)
    else:
        expected = gb11643_digit(number) if gb else icao_digit(number[:-1])
        reading.check(digit, number[-1] == expected, "number: wrong check digit")
        born = reading.fields["birth_date"]
        agrees = number[6:14] == born if gb else number[7:13] == born[2:]
        reading.check(birth, agrees, "number: another birth date than birth_date")
    if gb and reading.fields["sex"] not in ("0", "9"):  # unknown and not stated agree with any number
        sex = ("2", "1")[int(number[16]) % 2] if formed else ""
        reading.check(
            identity_pb2.DOCUMENT_CHECK_KIND_NUMBER_MATCHES_SEX,
            reading.fields["sex"] == sex,
            "number: another sex than sex" if formed else shape,
        )


def _check_validity(reading: _Reading, today: date) -> None:
    document = reading.document
    day = today.isoformat()
    begun = "" < document.valid_from <= day
    going_on = document.valid_long_term or day <= document.valid_until
    detail = "valid_from: not begun or no date" if not begun else "valid_until: over or no date"
    reading.check(identity_pb2.DOCUMENT_CHECK_KIND_WITHIN_VALIDITY, begun and going_on, detail)
