"""The invented person who stands in recordings for whoever was read."""

from __future__ import annotations

from countertop.drivers.sdt.layouts import LAYOUTS, TYPE_AT
from countertop.drivers.sdt.protocol import (
    ADDRESS_SIZE,
    PHOTO_SIZE,
    TEMPLATE_SIZE,
    TEXT_SIZE,
    CardContent,
    Command,
    split_content,
)
from countertop.sdk import ProtocolFault

__all__ = ["INVENTED", "masked_address", "masked_content"]

INVENTED = {
    "name": "样本人",
    "latin_name": "SPECIMEN, PERSON",
    "sex": "2",
    "ethnicity_code": "01",
    "birth_date": "19491231",
    "address": "样本路 1 号",
    "number": "11010519491231002X",
    "issuing_authority": "样本公安局",
    "valid_from": "20200101",
    "valid_until": "长期",
    "pass_number": "000000000",
    "issue_count": "01",
    "nationality": "UTO",
    "card_version": "01",
    "authority_code": "1500",
    "renewals": "00",
    "old_number_link": "",
}
"""By the layouts' names of fields. The number is the example of GB 11643."""
_OF_LAYOUT = {"I": {"number": "UTO110149123102"}}
_ADDRESS = "样本新街 2 号"
_PHOTO = b"WLf\0~\0".ljust(PHOTO_SIZE, b"\0")
_TEMPLATE = bytes([0x43, 0, 0, 0, 1, 11, 80]).ljust(TEMPLATE_SIZE, b"\0")
_UNKNOWN = "?"


def masked_content(command: Command, data: bytes) -> bytes:
    """The answer to a read command with the invented person in it: as many parts of the same sizes, and the same
    layout. Zeros where the parts do not agree with their lengths.
    """
    try:
        content = split_content(command, data)
    except ProtocolFault:
        return bytes(len(data))
    lengths = data[: len(data) - len(content.text) - len(content.photo) - len(content.fingerprints)]
    return lengths + _masked_text(content) + _PHOTO[: len(content.photo)] + _masked_prints(content)


def masked_address(size: int) -> bytes:
    """An answer of that size with an invented additional address."""
    return _text(_ADDRESS, ADDRESS_SIZE)[:size].ljust(size, b"\0")


def _masked_text(content: CardContent) -> bytes:
    kind = content.text[TYPE_AT : TYPE_AT + 2].decode("utf-16-le", "replace").rstrip(" \0") or " "
    masked = bytearray(_text("", TEXT_SIZE))
    if kind not in LAYOUTS:
        masked[TYPE_AT : TYPE_AT + 2] = _text(_UNKNOWN, 2)
        return bytes(masked)
    for name, places in LAYOUTS[kind][1].items():
        value = _text(_OF_LAYOUT.get(kind, {}).get(name, INVENTED[name]), sum(size for _, size in places))
        for at, size in places:
            masked[at : at + size], value = value[:size], value[size:]
    masked[TYPE_AT : TYPE_AT + 2] = _text(kind, 2)
    return bytes(masked)


def _masked_prints(content: CardContent) -> bytes:
    """A half that held no template holds none."""
    halves = (
        content.fingerprints[at : at + TEMPLATE_SIZE] for at in range(0, len(content.fingerprints), TEMPLATE_SIZE)
    )
    return b"".join(_TEMPLATE if half.startswith(b"C") else bytes(TEMPLATE_SIZE) for half in halves)


def _text(value: str, size: int) -> bytes:
    """UTF-16LE, padded with spaces to `size` bytes, which is even."""
    return value.ljust(size // 2)[: size // 2].encode("utf-16-le")
