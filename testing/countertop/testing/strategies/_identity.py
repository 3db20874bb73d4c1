"""Identity documents of every layout, of invented people, as a driver reads them from a card that is in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cache

from hypothesis import strategies as st

from countertop.testing.strategies._numbers import citizen_check, icao_check
from countertop.testing.strategies._people import (
    REGIONS,
    addresses,
    authorities,
    chinese_names,
    foreign_names,
)
from countertop.testing.strategies._validity import birth_dates, validities
from countertop.v1 import identity_pb2
from countertop.v1.identity_pb2 import DocumentType, IdentityDocument, Person

__all__ = [
    "DOCUMENT_TYPES",
    "ETHNIC_GROUPS",
    "citizen_numbers",
    "foreign_residents_2017",
    "foreign_residents_2023",
    "hk_macao_taiwan_permits",
    "identity_documents",
    "resident_cards",
]

_IN_ORDER = (
    "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳",
    "佤 畲 高山 拉祜 水 东乡 纳西 景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米",
    "塔吉克 怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺",
)
ETHNIC_GROUPS = tuple(" ".join(_IN_ORDER).split())
"""The 56 names in the order of their codes 01 to 56 (GB/T 3304)."""

_COUNTRIES = (("GBR", "826"), ("USA", "840"), ("DEU", "276"), ("JPN", "392"), ("XXA", "000"), ("UTO", "999"))
"""ISO 3166-1 alpha-3 and numeric; and stateless people and ICAO's Utopia, as machines know them."""
_SEX_NAMES = {identity_pb2.SEX_MALE: "男", identity_pb2.SEX_FEMALE: "女"}
_SEXES = st.sampled_from((identity_pb2.SEX_FEMALE, identity_pb2.SEX_MALE))
_HAVE_NONE = st.booleans()
_REGIONS = st.sampled_from(REGIONS)
_OF_COUNTRIES = st.sampled_from(_COUNTRIES)
_PASSES = st.sampled_from((("810000", "H"), ("820000", "M"), ("830000", "")))
_OPTIONAL_ADDRESSES = st.just("") | addresses()
_LINKS = st.just("") | st.integers(0, 999).map(lambda number: f"{number:03d}")


@st.composite
def citizen_numbers(
    draw: st.DrawFn,
    born: date | None = None,
    sex: identity_pb2.Sex = identity_pb2.SEX_UNSPECIFIED,
    begin: str = "",
) -> str:
    """18 characters: a division of GB/T 2260 (or `begin`, six digits), the birth date, three digits of which the last
    is odd for men and even for women, and the check character (GB 11643).
    """
    born = born if born is not None else draw(birth_dates(date.today()))  # noqa: DTZ011 - a document knows no zone
    return _number(draw, born, sex or draw(_SEXES), begin or draw(_REGIONS).code)


def _number(draw: st.DrawFn, born: date, sex: identity_pb2.Sex, begin: str) -> str:
    sequence = draw(st.integers(0, 499)) * 2 + (sex == identity_pb2.SEX_MALE)
    digits = f"{begin}{born:%Y%m%d}{sequence:03d}"
    return digits + citizen_check(digits)


@cache
def resident_cards(today: date | None = None) -> st.SearchStrategy[IdentityDocument]:
    """居民身份证: a citizen of one of the 56 ethnic groups. The layout is that of GA/T 490."""
    return _resident_cards(today)


@cache
def hk_macao_taiwan_permits(today: date | None = None) -> st.SearchStrategy[IdentityDocument]:
    """港澳台居民居住证: the number begins with 81, 82 or 83, the pass number with H, M or a digit."""
    return _permits(today)


@cache
def foreign_residents_2017(today: date | None = None) -> st.SearchStrategy[IdentityDocument]:
    """外国人永久居留身份证 of 2017: a Latin name of up to 60 units, a 15-character number with the ICAO check digit."""
    return _foreigners_2017(today)


@cache
def foreign_residents_2023(today: date | None = None) -> st.SearchStrategy[IdentityDocument]:
    """外国人永久居留身份证 of 2023: a Latin name of up to 46 units in two places, an 18-character number, and with some
    the link from which the old 15-character number follows.
    """
    return _foreigners_2023(today)


def identity_documents(
    types: Sequence[DocumentType] = (), today: date | None = None
) -> st.SearchStrategy[IdentityDocument]:
    """Documents of `types` (all four when empty) that are in order on `today` (by default, the day of the run).

    Filled as a driver fills them: `sex_name`, `ethnicity_name`, `nationality` and `old_number` are there, `checks`,
    `photo` and `fingerprints` are not, `additional_address` is with some. The bench lays them on a reader as they are.
    """
    wanted = [kind for kind in DOCUMENT_TYPES if not types or kind in types]
    return st.one_of([DOCUMENT_TYPES[kind](today) for kind in wanted])


@st.composite
def _resident_cards(draw: st.DrawFn, today: date | None) -> IdentityDocument:
    document, born = _common(draw, identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD, today, for_citizens=True)
    document.number = _number(draw, born, document.person.sex, draw(_REGIONS).code)
    document.person.nationality = "CHN"
    code = draw(st.integers(1, len(ETHNIC_GROUPS)))
    document.resident_card.ethnicity_code = f"{code:02d}"
    document.resident_card.ethnicity_name = ETHNIC_GROUPS[code - 1]
    return _with_chinese_parts(draw, document)


@st.composite
def _permits(draw: st.DrawFn, today: date | None) -> IdentityDocument:
    document, born = _common(draw, identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT, today)
    begin, letter = draw(_PASSES)
    document.number = _number(draw, born, document.person.sex, begin)
    digits = draw(st.integers(0, 99_999_999))
    document.hk_macao_taiwan_permit.pass_number = f"{letter}{digits:08d}"
    document.hk_macao_taiwan_permit.issue_count = f"{draw(st.integers(1, 9)):02d}"
    return _with_chinese_parts(draw, document)


@st.composite
def _foreigners_2017(draw: st.DrawFn, today: date | None) -> IdentityDocument:
    document, born = _common(draw, identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017, today)
    if draw(_HAVE_NONE):
        document.person.name = ""
    country, _ = draw(_OF_COUNTRIES)
    region = draw(_REGIONS).code[:4]
    document.person.nationality = country
    document.person.latin_name = draw(foreign_names(60))
    digits = f"{country}{region}{born:%y%m%d}{draw(st.integers(0, 9))}"
    document.number = digits + icao_check(digits)
    details = document.foreign_permanent_resident_2017
    details.card_version, details.authority_code = "02", region
    return document


@st.composite
def _foreigners_2023(draw: st.DrawFn, today: date | None) -> IdentityDocument:
    document, born = _common(draw, identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023, today)
    if draw(_HAVE_NONE):
        document.person.name = ""
    country, numeric = draw(_OF_COUNTRIES)
    begin = f"9{draw(_REGIONS).code[:2]}{numeric}"
    document.person.nationality = country
    document.person.latin_name = draw(foreign_names(46))
    document.number = _number(draw, born, document.person.sex, begin)
    details = document.foreign_permanent_resident_2023
    details.renewals = f"{draw(st.integers(0, 9)):02d}"
    link = draw(_LINKS)
    if link:
        old = f"{country}{document.number[1:3]}{link[:2]}{document.number[8:14]}{link[2]}"
        details.old_number_link, details.old_number = link, old + icao_check(old)
    return document


def _common(
    draw: st.DrawFn, kind: DocumentType, today: date | None, *, for_citizens: bool = False
) -> tuple[IdentityDocument, date]:
    """What all documents have, and the birth date."""
    day = today or date.today()  # noqa: DTZ011 - a document knows no zone
    born, sex, name = draw(birth_dates(day)), draw(_SEXES), draw(chinese_names())
    valid = draw(validities(born, day, for_citizens=for_citizens))
    person = Person(name=name, sex=sex, sex_name=_SEX_NAMES[sex], birth_date=born.isoformat())
    document = IdentityDocument(type=kind, person=person, valid_from=valid.since.isoformat())
    document.valid_long_term = valid.until is None
    document.valid_until = valid.until.isoformat() if valid.until is not None else ""
    return document, born


def _with_chinese_parts(draw: st.DrawFn, document: IdentityDocument) -> IdentityDocument:
    document.person.address = draw(addresses())
    document.issuing_authority = draw(authorities())
    document.additional_address = draw(_OPTIONAL_ADDRESSES)
    return document


DOCUMENT_TYPES: dict[DocumentType, Callable[[date | None], st.SearchStrategy[IdentityDocument]]] = {
    identity_pb2.DOCUMENT_TYPE_RESIDENT_CARD: resident_cards,
    identity_pb2.DOCUMENT_TYPE_HK_MACAO_TAIWAN_PERMIT: hk_macao_taiwan_permits,
    identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2017: foreign_residents_2017,
    identity_pb2.DOCUMENT_TYPE_FOREIGN_PERMANENT_RESIDENT_2023: foreign_residents_2023,
}
