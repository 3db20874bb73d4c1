"""What the reader's frames mean."""

from __future__ import annotations

from contextlib import suppress

import pytest
from countertop.sdk import ProtocolFault
from countertop.v1 import identity_pb2
from countertop.v1.identity_pb2 import IdentityDocument, Person
from hypothesis import given
from hypothesis import strategies as st

from acme.emulator.documents import encode_document, invented_resident
from acme.protocol import Identity, StatusBit, parse_document, parse_identity, parse_status

texts = st.text(max_size=40)
people = st.builds(
    Person,
    name=texts,
    latin_name=texts,
    sex=st.sampled_from([identity_pb2.SEX_MALE, identity_pb2.SEX_FEMALE, identity_pb2.SEX_NOT_STATED]),
    birth_date=texts,
    nationality=texts,
    address=texts,
)
documents = st.builds(
    IdentityDocument,
    type=st.just(identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD),
    person=people,
    number=texts,
    issuing_authority=texts,
    valid_from=texts,
    valid_until=texts,
    valid_long_term=st.booleans(),
    additional_address=texts,
)


@given(documents)
def test_a_document_is_understood_as_the_device_sends_it(document: IdentityDocument) -> None:
    assert parse_document(encode_document(document)) == document


def test_the_invented_resident_comes_through_whole() -> None:
    assert parse_document(encode_document(invented_resident())) == invented_resident()


def test_a_tag_that_nobody_knows_is_left_out() -> None:
    assert parse_document(b"\xee\x00\x02zz" + b"\x08\x00\x03123").number == "123"


@pytest.mark.parametrize("record", [b"\x02\x00\x05Mo", b"\x02\x00", b"\x02\x00\x01\xff"])
def test_a_damaged_record_is_refused_and_not_told(record: bytes) -> None:
    with pytest.raises(ProtocolFault) as raised:
        parse_document(record)
    assert "Mo" not in str(raised.value)


@given(st.binary(max_size=200))
def test_answers_of_any_bytes_are_understood_or_refused(payload: bytes) -> None:
    with suppress(ProtocolFault):
        assert isinstance(parse_document(payload), IdentityDocument)
    with suppress(ProtocolFault):
        assert isinstance(parse_identity(payload), Identity)
    with suppress(ProtocolFault):
        assert isinstance(parse_status(payload), StatusBit)
