"""The texts of the four cards, and what is checked on them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.drivers.sdt import checks
from countertop.drivers.sdt.layouts import LAYOUTS, decode_additional_address, decode_fingerprints, decode_text
from countertop.drivers.sdt.nation import NATIONS
from countertop.sdk import DeviceFault, ProtocolFault
from countertop.v1 import error_pb2, identity_pb2
from countertop.v1.identity_pb2 import DocumentCheckKind, IdentityDocument
from tests.shared_data import shared_file

TODAY = date(2026, 11, 23)

# (offset, text) of invented people. The numbers are the samples of GB 11643 and of the authorities' own leaflets, or
# follow from the rule by hand.
RESIDENT = {
    0: "王小明",
    30: "2",
    32: "01",
    36: "19491231",
    52: "北京市朝阳区样本路１２号 3 单元",
    122: "11010519491231002X",
    158: "样本市公安局",
    188: "20200101",
    204: "长期",
}
PERMIT = {
    0: "陈大文",
    30: "2",
    36: "19940823",
    52: "广东省深圳市样本街 1 号",
    122: "810000199408230021",
    158: "深圳市公安局",
    188: "20190901",
    204: "20290901",
    220: "H12345678",
    238: "01",
    248: "J",
}
FOREIGN_2017 = {
    0: "DOE, JANE ANNE",
    120: "2",
    122: "GBR110190030762",
    152: "GBR",
    158: "窦简",
    188: "20180315",
    204: "20280314",
    220: "19900307",
    236: "02",
    240: "1100",
    248: "I",
}
FOREIGN_2023 = {
    0: "窦简",
    30: "2",
    32: "01",
    36: "19900307",
    52: "DOE, JANE ANNE",
    122: "911826199003070041",
    188: "20231201",
    204: "20331130",
    242: "GBR",
    248: "Y",
    250: "016",
}
CARDS = {"resident": RESIDENT, "permit": PERMIT, "2017": FOREIGN_2017, "2023": FOREIGN_2023}


def text(fields: dict[int, str], **changes: str) -> bytes:
    data = bytearray(" ".encode("utf-16-le") * 128)
    for offset, value in (fields | {int(name[1:]): value for name, value in changes.items()}).items():
        encoded = value.encode("utf-16-le")
        data[offset : offset + len(encoded)] = encoded
    assert len(data) == 256
    return bytes(data)


def passed(document: IdentityDocument) -> dict[str, bool]:
    prefix = "DOCUMENT_CHECK_KIND_"
    return {DocumentCheckKind.Name(check.kind).removeprefix(prefix): check.passed for check in document.checks}


def detail(document: IdentityDocument, kind: str) -> str:
    return next(check.detail for check in document.checks if DocumentCheckKind.Name(check.kind).endswith(kind))


def test_a_resident_card_is_read_field_by_field() -> None:
    document = decode_text(text(RESIDENT), TODAY)
    person = document.person
    assert document.type == identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD
    assert (person.name, person.sex, person.sex_name) == ("王小明", identity_pb2.SEX_FEMALE, "女")
    assert (person.birth_date, person.nationality) == ("1949-12-31", "CHN")
    assert person.address == "北京市朝阳区样本路１２号 3 单元"
    assert (document.number, document.issuing_authority) == ("11010519491231002X", "样本市公安局")
    assert (document.valid_from, document.valid_until, document.valid_long_term) == ("2020-01-01", "", True)
    assert (document.resident_card.ethnicity_code, document.resident_card.ethnicity_name) == ("01", "汉")
    assert passed(document) == dict.fromkeys(
        (
            "NUMBER_CHECK_DIGIT",
            "NUMBER_MATCHES_BIRTH_DATE",
            "NUMBER_MATCHES_SEX",
            "WITHIN_VALIDITY",
            "FIELDS_WELL_FORMED",
        ),
        True,
    )


def test_a_residence_permit_is_read_field_by_field() -> None:
    document = decode_text(text(PERMIT), TODAY)
    assert document.type == identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT
    assert document.person.name == "陈大文"
    assert document.person.nationality == "", "the permit does not say it"
    assert document.number == "810000199408230021"
    assert document.valid_until == "2029-09-01"
    permit = document.hk_macao_taiwan_permit
    assert (permit.pass_number, permit.issue_count) == ("H12345678", "01")
    assert all(passed(document).values())


def test_a_foreign_permanent_residents_card_of_2017_is_read_field_by_field() -> None:
    document = decode_text(text(FOREIGN_2017), TODAY)
    assert document.type == identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017
    person = document.person
    assert (person.latin_name, person.name, person.nationality) == ("DOE, JANE ANNE", "窦简", "GBR")
    assert (person.sex, person.birth_date) == (identity_pb2.SEX_FEMALE, "1990-03-07")
    assert document.number == "GBR110190030762"
    details = document.foreign_permanent_resident_2017
    assert (details.card_version, details.authority_code) == ("02", "1100")
    checked = passed(document)
    assert all(checked.values())
    assert "NUMBER_MATCHES_SEX" not in checked, "this number does not hold the sex"


def test_a_foreign_permanent_residents_card_of_2023_is_read_and_tells_its_old_number() -> None:
    document = decode_text(text(FOREIGN_2023), TODAY)
    assert document.type == identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023
    assert document.person.latin_name == "DOE, JANE ANNE"
    details = document.foreign_permanent_resident_2023
    assert (details.renewals, details.old_number_link, details.old_number) == ("01", "016", "GBR110190030762")
    assert all(passed(document).values())


def test_a_card_of_2023_without_an_old_one_has_no_old_number() -> None:
    document = decode_text(text(FOREIGN_2023, _250="   "), TODAY)
    assert document.foreign_permanent_resident_2023.old_number == ""
    assert document.WhichOneof("details") == "foreign_permanent_resident_2023"
    assert all(passed(document).values())


def test_a_long_foreign_name_goes_on_in_its_second_place_with_its_inner_space() -> None:
    first, second = "ABCDEFGHIJ KLMNOPQRST UVWXYZABCDEF ", "GHIJK LM"
    assert len(first) == 35
    document = decode_text(text(FOREIGN_2023, _52=first, _220=second), TODAY)
    assert document.person.latin_name == first + second


def test_padding_with_zeros_is_padding_too() -> None:
    document = decode_text(text(RESIDENT, _0="王小明" + "\0" * 12, _248="\0"), TODAY)
    assert document.person.name == "王小明"
    assert all(passed(document).values())


def test_a_rare_name_outside_the_basic_plane_is_kept() -> None:
    document = decode_text(text(RESIDENT, _0="王𠮷"), TODAY)
    assert document.person.name == "王𠮷"
    assert all(passed(document).values())


@pytest.mark.parametrize(
    ("card", "changes", "failing"),
    [
        ("resident", {"_122": "110105194912310021"}, {"NUMBER_CHECK_DIGIT"}),
        ("resident", {"_36": "19491230"}, {"NUMBER_MATCHES_BIRTH_DATE"}),
        ("resident", {"_30": "1"}, {"NUMBER_MATCHES_SEX"}),
        ("resident", {"_30": "3"}, {"NUMBER_MATCHES_SEX", "FIELDS_WELL_FORMED"}),
        ("resident", {"_30": "9"}, set()),
        ("resident", {"_32": "57"}, {"FIELDS_WELL_FORMED"}),
        ("resident", {"_36": "19490231"}, {"NUMBER_MATCHES_BIRTH_DATE", "FIELDS_WELL_FORMED"}),
        ("resident", {"_0": "   "}, {"FIELDS_WELL_FORMED"}),
        ("resident", {"_0": "王\ud800明"}, {"FIELDS_WELL_FORMED"}),
        ("resident", {"_52": "北京\x07"}, {"FIELDS_WELL_FORMED"}),
        ("resident", {"_188": "20270101"}, {"WITHIN_VALIDITY"}),
        ("resident", {"_188": "20261123"}, set()),
        ("resident", {"_188": "        "}, {"WITHIN_VALIDITY", "FIELDS_WELL_FORMED"}),
        ("resident", {"_204": "20261122"}, {"WITHIN_VALIDITY"}),
        ("resident", {"_204": "20261123"}, set()),
        ("resident", {"_204": "长长"}, {"WITHIN_VALIDITY", "FIELDS_WELL_FORMED"}),
        (
            "resident",
            {"_122": "1101051949123100X2"},
            {"NUMBER_CHECK_DIGIT", "NUMBER_MATCHES_BIRTH_DATE", "NUMBER_MATCHES_SEX", "FIELDS_WELL_FORMED"},
        ),
        ("2017", {"_122": "GBR110190030763"}, {"NUMBER_CHECK_DIGIT"}),
        ("2017", {"_220": "19900308"}, {"NUMBER_MATCHES_BIRTH_DATE"}),
        ("2017", {"_152": "G1R"}, {"FIELDS_WELL_FORMED"}),
        ("2023", {"_250": "0X6"}, {"FIELDS_WELL_FORMED"}),
        ("2023", {"_250": "01 "}, {"FIELDS_WELL_FORMED"}),
    ],
)
def test_what_does_not_fit_fails_its_check_and_no_other(card: str, changes: dict[str, str], failing: set[str]) -> None:
    fields = {int(name[1:]): value for name, value in changes.items()}
    data = bytearray(text({offset: value for offset, value in CARDS[card].items() if offset not in fields}))
    for offset, value in fields.items():
        encoded = value.encode("utf-16-le", "surrogatepass")
        data[offset : offset + len(encoded)] = encoded
    document = decode_text(bytes(data), TODAY)
    assert {kind for kind, fine in passed(document).items() if not fine} == failing
    assert all(bool(check.detail) == (not check.passed) for check in document.checks)


def test_a_failed_check_names_the_field_and_never_its_content() -> None:
    document = decode_text(text(RESIDENT, _36="19491330", _32="77", _122="110105X94912310020"), TODAY)
    assert detail(document, "FIELDS_WELL_FORMED") == (
        "birth_date: no date; ethnicity_code: not a code of GB/T 3304; number: not 17 digits and a digit or X"
    )
    for check in document.checks:
        assert not {"19491330", "77", "110105X94912310020", "王小明"} & set(check.detail.split())


def test_an_unknown_type_character_is_an_unsupported_document() -> None:
    with pytest.raises(DeviceFault) as caught:
        decode_text(text(RESIDENT, _248="Q"), TODAY)
    assert caught.value.reason == error_pb2.REASON_DOCUMENT_UNSUPPORTED


@pytest.mark.parametrize("size", [0, 255, 257])
def test_text_of_another_size_breaks_the_protocol(size: int) -> None:
    with pytest.raises(ProtocolFault):
        decode_text(bytes(size), TODAY)


@given(st.binary(min_size=256, max_size=256), st.sampled_from([*LAYOUTS, None]))
def test_any_256_bytes_make_a_document_or_an_unsupported_one(data: bytes, kind: str | None) -> None:
    if kind is not None:
        data = data[:248] + kind.encode("utf-16-le") + data[250:]
    known = data[248:250].decode("utf-16-le", "replace").replace("\0", " ") in LAYOUTS
    if not known:
        with pytest.raises(DeviceFault) as caught:
            decode_text(data, TODAY)
        assert caught.value.reason == error_pb2.REASON_DOCUMENT_UNSUPPORTED
        return
    document = decode_text(data, TODAY)
    assert IdentityDocument.FromString(document.SerializeToString()) == document
    assert "FIELDS_WELL_FORMED" in passed(document)
    assert not passed(document)["NUMBER_CHECK_DIGIT"] or document.number


def readable(count: int) -> st.SearchStrategy[str]:
    characters = st.characters(codec="utf-8", categories=["Lo", "Lu", "Nd"], max_codepoint=0xFFFF)
    return st.text(characters, min_size=1, max_size=count)


@given(readable(15), readable(35), readable(15))
def test_fields_stay_in_their_places_whatever_they_hold(name: str, address: str, authority: str) -> None:
    document = decode_text(text(RESIDENT, _0=name, _52=address, _158=authority), TODAY)
    assert (document.person.name, document.person.address, document.issuing_authority) == (name, address, authority)
    assert document.number == "11010519491231002X"
    assert all(passed(document).values())


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014", "810000199408230021"])
def test_published_sample_numbers_have_the_right_check_digit(number: str) -> None:
    assert checks.gb11643_digit(number) == number[-1]


@given(st.integers(0, 10**17 - 1), st.integers(0, 16), st.integers(1, 9))
def test_a_wrong_digit_in_a_number_is_always_noticed(value: int, position: int, change: int) -> None:
    number = f"{value:017d}"
    digit = str((int(number[position]) + change) % 10)
    changed = number[:position] + digit + number[position + 1 :]
    assert checks.gb11643_digit(changed) != checks.gb11643_digit(number)


@pytest.mark.parametrize(
    ("characters", "digit"),
    [("D23145890734", "9"), ("L898902C3", "6"), ("740812", "2"), ("520727", "3"), ("AB2134<<<".replace("<", "0"), "5")],
)
def test_the_icao_check_digit_is_that_of_the_published_samples(characters: str, digit: str) -> None:
    assert checks.icao_digit(characters) == digit


@pytest.mark.parametrize(
    ("digits", "iso"),
    [
        ("20240229", "2024-02-29"),
        ("20230229", ""),
        ("00000101", ""),
        ("2024022", ""),
        ("２０２４０２２９", ""),
        ("", ""),
    ],
)
def test_dates_are_real_days_or_nothing(digits: str, iso: str) -> None:
    assert checks.iso_date(digits) == iso


def test_the_additional_address_is_the_first_70_bytes() -> None:
    address = "样本市样本区新街 7 号"
    padded = address.ljust(35).encode("utf-16-le")
    assert decode_additional_address(padded + b"more") == address
    assert decode_additional_address(b"") == ""


def test_fingerprints_are_taken_as_they_are() -> None:
    right = bytes([0x43, 0, 0, 0, 1, 11, 80]) + bytes(505)
    left = bytes([0x43, 0, 0, 0, 3, 16, 0]) + bytes(505)
    first, second = decode_fingerprints(right + left)
    assert (first.template, first.registration, first.position, first.quality) == (right, 1, 11, 80)
    assert (second.template, second.registration, second.position, second.quality) == (left, 3, 16, 0)
    assert decode_fingerprints(b"") == []
    assert decode_fingerprints(bytes(512) + left) == [second]


def test_the_table_of_nations_is_that_of_the_standard() -> None:
    table = shared_file("gbt3304_nation.tsv")
    rows = dict(line.split("\t") for line in table.read_text(encoding="utf-8").splitlines()[1:])
    printed = {code: name if code in ("97", "98") else f"{name}族" for code, name in NATIONS.items()}
    assert printed == rows


def test_often_misspelt_nations_are_spelt_right() -> None:
    assert (NATIONS["29"], NATIONS["31"], NATIONS["43"]) == ("柯尔克孜", "达斡尔", "乌孜别克")
    assert (NATIONS["56"], NATIONS["97"], NATIONS["98"]) == ("基诺", "其他", "外国血统中国籍人士")
    assert len(NATIONS) == 58
