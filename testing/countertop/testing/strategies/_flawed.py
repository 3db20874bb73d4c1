"""Identity documents with one mistake each, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import strategies as st

from countertop.testing.strategies._identity import identity_documents
from countertop.testing.strategies._numbers import citizen_check
from countertop.testing.strategies._readable import Labelled
from countertop.v1 import identity_pb2
from countertop.v1.identity_pb2 import DocumentCheckKind, DocumentType, IdentityDocument

__all__ = ["FLAWS", "DocumentFlaw", "invalid_identity_documents"]

_DIGIT = identity_pb2.DOCUMENT_CHECK_KIND_NUMBER_CHECK_DIGIT
_BIRTH = identity_pb2.DOCUMENT_CHECK_KIND_NUMBER_MATCHES_BIRTH_DATE
_SEX = identity_pb2.DOCUMENT_CHECK_KIND_NUMBER_MATCHES_SEX
_VALID = identity_pb2.DOCUMENT_CHECK_KIND_WITHIN_VALIDITY
_FORMED = identity_pb2.DOCUMENT_CHECK_KIND_FIELDS_WELL_FORMED

_RESIDENT = identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD
_PERMIT = identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT
_OLD = identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017
_NEW = identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023
_ALL = (_RESIDENT, _PERMIT, _OLD, _NEW)
_WITH_SEX = (_RESIDENT, _PERMIT, _NEW)
_CHINESE = (_RESIDENT, _PERMIT)
"""Of the others the old number would have to change too."""

Spoil = Callable[[st.DrawFn, IdentityDocument, date], None]


@dataclass(frozen=True, slots=True, repr=False)
class DocumentFlaw(Labelled):
    """What is wrong with a document."""

    name: str
    """In words: "wrong check digit"."""
    fails: frozenset[DocumentCheckKind]
    """The checks that do not hold, and no others."""

    def __repr__(self) -> str:
        return f"<{self.name}>"


def invalid_identity_documents(
    types: Sequence[DocumentType] = (), flaws: Sequence[str] = (), today: date | None = None
) -> st.SearchStrategy[tuple[IdentityDocument, DocumentFlaw]]:
    """(document, flaw): a document that would be in order on `today` but for one mistake. `flaws` are names among
    FLAWS; all that `types` can have when empty. The checks are those of DocumentCheckKind (identity.proto).

    Raises ValueError for a flaw that does not exist, or that no document of `types` can have.
    """
    for name in flaws:
        if name not in FLAWS:
            raise ValueError(f"flaws: expected among {', '.join(FLAWS)}; got {name!r}")
    chosen = [
        _spoilt(flaw, tuple(kind for kind in kinds if not types or kind in types), spoil, today)
        for name, (flaw, kinds, spoil) in FLAWS.items()
        if (not flaws or name in flaws) and (not types or set(kinds) & set(types))
    ]
    if not chosen:
        raise ValueError("flaws: expected one that a document of these types can have")
    return st.one_of(chosen)


@st.composite
def _spoilt(
    draw: st.DrawFn, flaw: DocumentFlaw, kinds: Sequence[DocumentType], spoil: Spoil, today: date | None
) -> tuple[IdentityDocument, DocumentFlaw]:
    day = today or date.today()  # noqa: DTZ011 - a document knows no zone
    document = draw(identity_documents(kinds, day))
    spoil(draw, document, day)
    return document, flaw


# -- the number --


def _wrong_check_digit(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    alphabet = "0123456789" if document.type == _OLD else "0123456789X"
    last = document.number[-1]
    document.number = document.number[:-1] + draw(st.sampled_from([char for char in alphabet if char != last]))


def _digits_swapped(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    """Two neighbours of the division's digits, where they differ; that of a number's beginning alone, so that birth
    date and sex stay what they are. Every division in use has such a pair.
    """
    number = document.number
    places = [place for place in range(5) if number[place] != number[place + 1]]
    at = draw(st.sampled_from(places))
    document.number = number[:at] + number[at + 1] + number[at] + number[at + 2 :]


def _letter_for_a_digit(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    at = draw(st.sampled_from([place for place, char in enumerate(document.number[:17]) if char in "01"] or [0]))
    document.number = document.number[:at] + {"1": "I"}.get(document.number[at], "O") + document.number[at + 1 :]


def _other_birth_date(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    born = date.fromisoformat(document.person.birth_date)
    other = draw(st.sampled_from((1, -1, 31, 366)))
    document.person.birth_date = (born - timedelta(days=other)).isoformat()


def _other_sex(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    male = document.person.sex == identity_pb2.SEX_MALE
    document.person.sex = identity_pb2.SEX_FEMALE if male else identity_pb2.SEX_MALE
    document.person.sex_name = "女" if male else "男"


# -- dates --


def _born_on_no_day(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    """On 30 February, and the number agrees, check digit and all."""
    year = document.person.birth_date[:4]
    document.person.birth_date = f"{year}-02-30"
    digits = f"{document.number[:6]}{year}0230{document.number[14:17]}"
    document.number = digits + citizen_check(digits)


def _expired(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    ended = today - timedelta(days=draw(st.integers(1, 3000)))
    document.valid_from = (ended - timedelta(days=5 * 365)).isoformat()
    document.valid_until, document.valid_long_term = ended.isoformat(), False


def _not_yet_valid(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    begins = today + timedelta(days=draw(st.integers(1, 1000)))
    document.valid_from = begins.isoformat()
    if not document.valid_long_term:
        document.valid_until = (begins + timedelta(days=5 * 365)).isoformat()


def _dates_swapped(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    if document.valid_long_term:
        document.valid_until, document.valid_long_term = (today + timedelta(days=365)).isoformat(), False
    if document.valid_from == today.isoformat():
        document.valid_from = (today - timedelta(days=1)).isoformat()
    document.valid_from, document.valid_until = document.valid_until, document.valid_from


# -- other fields --


def _no_name(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    document.person.name = document.person.latin_name = ""


def _control_character(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    name = document.person.name or "样"
    document.person.name = name[:1] + draw(st.sampled_from("\x07\n\x1b")) + name[2:]


def _unknown_ethnicity(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    document.resident_card.ethnicity_code = draw(st.sampled_from(("57", "00", "99", "1")))
    document.resident_card.ethnicity_name = ""


def _small_letters(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    document.person.nationality = document.person.nationality.lower()
    if document.type == _NEW:  # else the old number, which begins with it, would be a second mistake
        document.foreign_permanent_resident_2023.old_number_link = ""
        document.foreign_permanent_resident_2023.old_number = ""


def _letter_in_the_link(draw: st.DrawFn, document: IdentityDocument, today: date) -> None:
    document.foreign_permanent_resident_2023.old_number_link = draw(st.sampled_from(("0X6", "01", "O16")))
    document.foreign_permanent_resident_2023.old_number = ""


def _flaw(name: str, *fails: DocumentCheckKind) -> DocumentFlaw:
    return DocumentFlaw(name, frozenset(fails))


FLAWS: dict[str, tuple[DocumentFlaw, tuple[DocumentType, ...], Spoil]] = {
    flaw.name: (flaw, kinds, spoil)
    for flaw, kinds, spoil in (
        (_flaw("wrong check digit", _DIGIT), _ALL, _wrong_check_digit),
        (_flaw("two digits of the number swapped", _DIGIT), _CHINESE, _digits_swapped),
        (_flaw("letter for a digit", _DIGIT, _BIRTH, _SEX, _FORMED), _CHINESE, _letter_for_a_digit),
        (_flaw("another birth date than in the number", _BIRTH), _ALL, _other_birth_date),
        (_flaw("another sex than in the number", _SEX), _WITH_SEX, _other_sex),
        (_flaw("born on a day that does not exist", _FORMED), _CHINESE, _born_on_no_day),
        (_flaw("expired", _VALID), _ALL, _expired),
        (_flaw("not yet valid", _VALID), _ALL, _not_yet_valid),
        (_flaw("dates of validity swapped", _VALID), _ALL, _dates_swapped),
        (_flaw("no name", _FORMED), _ALL, _no_name),
        (_flaw("control character in the name", _FORMED), _ALL, _control_character),
        (_flaw("ethnic group that does not exist", _FORMED), (_RESIDENT,), _unknown_ethnicity),
        (_flaw("nationality in small letters", _FORMED), (_OLD, _NEW), _small_letters),
        (_flaw("link to no old number", _FORMED), (_NEW,), _letter_in_the_link),
    )
}
"""Every mistake by its name: what it is, the documents that can have it, and what makes it."""
