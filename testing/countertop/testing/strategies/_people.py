"""Invented people: names in every shape that documents hold, and where they live.

Every public strategy here takes the room that a field has, in UTF-16 units, as cards count it. They are made once: to
make a strategy takes hypothesis longer than to draw from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

__all__ = ["REGIONS", "Region", "addresses", "authorities", "chinese_names", "foreign_names", "utf16_units"]


@dataclass(frozen=True, slots=True)
class Region:
    """A division of GB/T 2260; the places are real, what lies in them is invented."""

    code: str
    """Six digits, as ID numbers begin."""
    city: str
    district: str


REGIONS = (
    Region("110101", "北京市", "东城区"),
    Region("110103", "北京市", "崇文区"),  # abolished in 2010: numbers keep it
    Region("310115", "上海市", "浦东新区"),
    Region("440305", "深圳市", "南山区"),
    Region("510104", "成都市", "锦江区"),
    Region("540102", "拉萨市", "城关区"),
    Region("650102", "乌鲁木齐市", "天山区"),
    Region("522601", "黔东南苗族侗族自治州", "凯里市"),
    Region("230103", "哈尔滨市", "南岗区"),
    Region("460106", "海口市", "龙华区"),
)

_SURNAMES = ("王", "李", "张", "陈", "欧阳", "司马", "万俟", "仝", "覃")
_GIVEN = ("伟", "芳", "小", "明", "样", "静", "淼", "囍", "一", "〇")
# Extensions A, B, C, E, F and G of CJK (beyond the BMP but for A): such as rare names have, in no real order.
_RARE = ("㛃", "𠮷", "𡘙", "𫟹", "𪚥", "𬎆", "𬱖", "𮧵", "𰻞")
_PRIVATE = ("\ue0a1", "\uf8ff")
"""Private use area: what old registers wrote for characters that had no code yet."""
_PARTS = ("阿依", "古丽", "买买提", "吐尔逊", "卓玛", "扎西", "巴特尔", "艾合买提江", "努尔兰")

_WORDS = ("LEE", "ANNE", "DE", "O'SAMPLE", "VAN DER EXEMPEL", "PEREZ-MODELO", "WOLFESCHLEGELSTEINHAUSENBERGER")

_ROADS = ("样本路", "虚构大街", "示范西里", "模拟巷", "解放路（旧）")
_PLACES = ("1号", "１２号", "3单元502室", "甲5号楼", " 乙栋 2-1", "B座１７０１")


def utf16_units(text: str) -> int:
    """How much room a text takes on a card: a character beyond the BMP takes two units."""
    return len(text.encode("utf-16-le")) // 2


@cache
def chinese_names(units: int = 15) -> st.SearchStrategy[str]:
    """Names of 1 to `units` UTF-16 units: surname and given name; with rare characters (beyond the BMP, or of the
    private use area); of several parts joined by `·`, as Uyghurs, Tibetans and others have them, up to the limit.

    15 units are what GA/T 490 leaves a name.
    """
    given = st.lists(st.sampled_from(_GIVEN), min_size=1, max_size=2).map("".join)
    rare = st.builds(_joined, st.sampled_from(_GIVEN + _RARE + _PRIVATE), st.sampled_from(_RARE + _PRIVATE))
    han = st.builds(_joined, st.sampled_from(_SURNAMES), given | rare)
    parts = st.lists(st.sampled_from(_PARTS), min_size=2, max_size=4).map("·".join)
    return (han | parts).map(lambda name: _cut(name, units))


@cache
def foreign_names(units: int) -> st.SearchStrategy[str]:
    """`SURNAME, GIVEN NAMES` in capital letters, of 5 to `units` units; one in a few fills the field to its last unit.

    Never ends in a blank: padding and blank cannot be told apart on a card.
    """
    names = st.builds(
        lambda surname, given: f"{surname}, {' '.join(given)}",
        st.sampled_from(_WORDS),
        st.lists(st.sampled_from(_WORDS), min_size=1, max_size=4),
    ).map(lambda name: name[:units].rstrip(" ,"))
    return names | names.map(lambda name: name.ljust(units, "X"))


@cache
def addresses(units: int = 35) -> st.SearchStrategy[str]:
    """An invented address in a real district, of 4 to `units` units; full-width digits and inner blanks occur, and one
    in a few fills the field to its last unit.
    """
    plain = st.builds(
        lambda region, road, place: f"{region.city}{region.district}{road}{place}",
        st.sampled_from(REGIONS),
        st.sampled_from(_ROADS),
        st.sampled_from(_PLACES),
    ).map(lambda text: _cut(text, units))
    return plain | plain.map(lambda text: text + "样" * (units - utf16_units(text)))


@cache
def authorities(units: int = 15) -> st.SearchStrategy[str]:
    """An authority of public security, of at most `units` units."""
    return st.sampled_from(REGIONS).map(lambda region: _cut(f"{region.city}公安局{region.district}分局", units))


def _joined(first: str, second: str) -> str:
    return first + second


def _cut(text: str, units: int) -> str:
    """The longest beginning that fits; never half a character, and no blank at its end."""
    return text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore").rstrip()
