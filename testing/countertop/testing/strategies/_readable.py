"""How examples are printed: a message as the call that makes it, long bytes as their size, ink as its outline.

Hypothesis prints falsifying examples with its pretty printer; protobuf's own repr has several lines and escapes every
Chinese character.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis.vendor.pretty import for_type_by_name

__all__ = ["Labelled", "readable"]

_LONGEST = 40
"""Bytes that are printed whole."""


class Labelled:
    """Printed by hypothesis as its own repr says, and not field by field."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def readable(value: object) -> str:
    """One line: `Person(name='王伟', sex=SEX_MALE)`, `<67 bytes>`, `<ink: 2 strokes, 84 points, 31 x 14 mm>`."""
    if isinstance(value, bytes):
        return repr(value) if len(value) <= _LONGEST else f"<{len(value)} bytes>"
    if not isinstance(value, Message):
        return repr(value)
    name = value.DESCRIPTOR.name
    if name == "Ink":
        return _ink(value)
    parts = (f"{field.name}={_field(field, content)}" for field, content in value.ListFields())
    return f"{name}({', '.join(parts)})"


def _field(field: FieldDescriptor, content: Any) -> str:
    if _is_map(field):
        return "{" + ", ".join(f"{key!r}: {readable(content[key])}" for key in sorted(content)) + "}"
    if field.is_repeated:
        return "[" + ", ".join(_single(field, item) for item in content) + "]"
    return _single(field, content)


def _single(field: FieldDescriptor, content: Any) -> str:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(content)
        return known.name if known is not None else repr(content)
    return readable(content)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _ink(ink: Any) -> str:
    points = [point for stroke in ink.strokes for point in stroke.points]
    if not points:
        return "<ink: empty>"
    xs, ys = [point.x_mm for point in points], [point.y_mm for point in points]
    size = f"{max(xs) - min(xs):.0f} x {max(ys) - min(ys):.0f} mm"
    return f"<ink: {len(ink.strokes)} strokes, {len(points)} points, {size}>"


def _print(message: Message, printer: Any, cycle: bool) -> None:
    ours = message.DESCRIPTOR.full_name.startswith("countertop.")
    printer.text(readable(message) if ours else repr(message))


for_type_by_name("google.protobuf.message", "Message", _print)
