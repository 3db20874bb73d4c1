"""Text in a box: broken into lines, made to fit, drawn with smooth edges."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from countertop.sdk.cards.faces import Face, Segment, cleaned, faces, segments
from countertop.sdk.cards.patch import Patch, Rect, color_of
from countertop.sdk.cards.planes import Canvas
from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt._needs import need
from countertop.sdk.receipt.cells import char_cells, clusters
from countertop.sdk.receipt.fonts import glyph
from countertop.sdk.receipt.wrap import NEVER_FIRST, NEVER_LAST
from countertop.v1 import card_design_pb2, receipt_pb2
from countertop.v1.card_design_pb2 import CardText

__all__ = ["text_patch"]

_SIZE_PT = 8
_LINE_HEIGHT = 1.2
_LEAST = 1 / 3
"""Of its size: how small text may be made."""
_STEP = 0.96
_SLACK = 0.5
"""Dots that a line may be wider than its box: what rounding makes of a line that fits."""
_FRAME_WIDTH = 0.6
"""Of the size: width of the frame for a narrow character that no font has."""
_STROKE_SHARE = 1 / 56
"""Of the size: what bold adds on every side of a stroke. More would fill dense ideographs."""


@cache
def _takes_fractions() -> bool:
    """Pillow draws strokes of fractions of a dot since 11.2."""
    return tuple(int(part) for part in need("PIL").__version__.split(".")[:2]) >= (11, 2)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Something to draw, so many dots from the beginning of its line."""

    x: float
    segment: Segment


@dataclass(frozen=True, slots=True)
class _Line:
    pieces: tuple[_Piece, ...]
    width: float


@dataclass(frozen=True, slots=True)
class _Setting:
    """How a text is set, at one size in dots."""

    mono: bool
    bold: bool
    size: float
    spacing: float
    leading: float

    @classmethod
    def of(cls, text: CardText, canvas: Canvas, scale: float = 1.0) -> _Setting:
        size = canvas.points(text.size_pt or _SIZE_PT) * scale
        return cls(
            mono=text.font == card_design_pb2.CARD_FONT_MONO,
            bold=text.bold,
            size=size,
            spacing=canvas.dots(text.spacing_mm) * scale,
            leading=(text.line_height or _LINE_HEIGHT) * size,
        )

    @property
    def metrics(self) -> tuple[int, int]:
        """Dots above and below the base line."""
        ascent, descent = faces(self.mono, self.bold)[0].font(self.size).getmetrics()
        return ascent, descent

    def height(self, lines: int) -> float:
        """Of so many lines."""
        ascent, descent = self.metrics
        return ascent + descent + (lines - 1) * self.leading

    def stroke(self, face: Face) -> float:
        """Dots around each character that make it bold."""
        if not self.bold or face.heavy:
            return 0
        width = self.size * _STROKE_SHARE
        return width if _takes_fractions() else max(1, round(width))

    def line(self, text: str) -> _Line:
        """A line, placed from its beginning."""
        x, pieces = 0.0, []
        for piece, advance in self._advances(segments(text, mono=self.mono, bold=self.bold)):
            pieces.append(_Piece(x + piece.x, piece.segment))
            x += advance + self.spacing
        return _Line(tuple(pieces), max(0.0, x - self.spacing) if pieces else 0.0)

    def _advances(self, parts: list[Segment]) -> Iterator[tuple[_Piece, float]]:
        """Pieces with their shift inside their own room, and that room."""
        cell = faces(self.mono, self.bold)[0].length("0", self.size) if self.mono else 0.0
        for part in parts:
            if part.face is None:
                wide = char_cells(part.text[0]) == 2
                yield _Piece(0.0, part), self.size if wide else cell or self.size * _FRAME_WIDTH
                continue
            if not (self.mono or self.spacing):
                yield _Piece(0.0, part), part.face.length(part.text, self.size)
                continue
            for cluster in clusters(part.text):
                own = part.face.length(cluster, self.size)
                room = cell if self.mono and char_cells(cluster[0]) < 2 else own
                yield _Piece((room - own) / 2, Segment(cluster, part.face)), room


def text_patch(text: CardText, content: str, rect: Rect, canvas: Canvas, path: str) -> tuple[Patch, list[str]]:
    """A text with its fields filled in, and what does not go as the design says.

    Raises InvalidRequest for text that does not fit, where its design does not say that it may be cut.
    """
    content = cleaned(content)
    setting, lines, cut = _fitted(text, content, rect, canvas, path)
    cover = _drawn(text, setting, lines, rect, clip=cut)
    warnings = []
    missing = sum(piece.segment.face is None for line in lines for piece in line.pieces)
    if missing:
        warnings.append(f"{missing} {'character' if missing == 1 else 'characters'} that no font has")
    if cut:
        warnings.append("text cut off at its box")
    pad = (cover.width - rect.width) // 2
    place = Rect(rect.left - pad, rect.top - pad, cover.width, cover.height)
    return Patch(place, color_of(text.color), cover), warnings


def _fitted(text: CardText, content: str, rect: Rect, canvas: Canvas, path: str) -> tuple[_Setting, list[_Line], bool]:
    """The setting, the lines, and whether they are too much for the box."""
    setting = _Setting.of(text, canvas)
    wraps = text.fit == card_design_pb2.TEXT_FIT_WRAP
    units = [_units(line) for line in content.split("\n")] if wraps else []
    widths = {unit: setting.line(unit.rstrip(" ")).width for unit in {unit for line in units for unit in line}}
    scale = 1.0
    while True:
        if wraps:
            texts = [row for line in units for row in _rows(line, widths, rect.width / scale, setting)]
        else:
            texts = content.split("\n")
        setting = _Setting.of(text, canvas, scale)
        height = setting.height(len(texts))
        lines, widest = [], 0.0
        if not wraps or height <= rect.height + _SLACK:  # else there is no need to measure them
            lines = [setting.line(row) for row in texts]
            widest = max(line.width for line in lines)
            if widest <= rect.width + _SLACK and height <= rect.height + _SLACK:
                return setting, lines, False
        if text.fit == card_design_pb2.TEXT_FIT_CLIP:
            return setting, lines, True
        if text.fit == card_design_pb2.TEXT_FIT_REFUSE or scale <= _LEAST:
            raise InvalidRequest({f"{path}.text": "expected text that fits its box"})
        if wraps:
            scale = max(_LEAST, scale * _STEP)
        else:
            ratio = min(rect.width / max(widest, 1), rect.height / max(height, 1))
            scale = max(_LEAST, scale * min(ratio, 0.995))


def _units(line: str) -> list[str]:
    """What must stay on one line: words with the spaces behind them, ideographs with the punctuation that clings."""
    units: list[str] = []
    before = ""
    for cluster in clusters(line):
        if units and not _may_break(before, cluster[0]):
            units[-1] += cluster
        else:
            units.append(cluster)
        before = cluster[-1]
    return units


def _may_break(before: str, after: str) -> bool:
    if before == " " or after == " ":
        return after != " "
    if char_cells(before) < 2 and char_cells(after) < 2:
        return False
    return after not in NEVER_FIRST and before not in NEVER_LAST


def _rows(units: list[str], widths: dict[str, float], width: float, full: _Setting) -> Iterator[str]:
    """Units in rows of a width, both measured at full size; a unit that is wider than a row is cut."""
    row, used = "", 0.0
    for unit in units:
        own = widths[unit]
        blanks = len(unit) - len(unit.rstrip(" "))
        if row and used + own > width:
            yield row.rstrip(" ")
            row, used = "", 0.0
        if own > width:
            *whole, unit = _cut(unit, width, full)
            yield from whole
            own = full.line(unit.rstrip(" ")).width
        row += unit
        used += own + full.spacing + (full.line(" ").width + full.spacing) * blanks
    yield row.rstrip(" ")


def _cut(unit: str, width: float, full: _Setting) -> list[str]:
    parts, used = [""], 0.0
    for cluster in clusters(unit):
        own = full.line(cluster).width + full.spacing
        if parts[-1] and used + own - full.spacing > width and cluster != " ":
            parts.append("")
            used = 0.0
        parts[-1] += cluster
        used += own
    return parts


def _drawn(text: CardText, setting: _Setting, lines: list[_Line], rect: Rect, *, clip: bool) -> Any:
    """The cover of all lines: a Pillow image of mode L, as large as the box and the same room on every side."""
    pad = 0 if clip else math.ceil(setting.size / 2) + 2
    image = need("PIL.Image").new("L", (rect.width + 2 * pad, rect.height + 2 * pad), 0)
    pen = need("PIL.ImageDraw").Draw(image)
    ascent, _ = setting.metrics
    baseline = pad + ascent + _before(text.vertical, rect.height - setting.height(len(lines)))
    for line in lines:
        left = pad + _indent(text.align, rect.width - line.width)
        for piece in line.pieces:
            _draw_piece(image, pen, setting, piece, (left + piece.x, baseline))
        baseline += setting.leading
    return image


def _draw_piece(image: Any, pen: Any, setting: _Setting, piece: _Piece, place: tuple[float, float]) -> None:
    x, y = round(place[0]), round(place[1])
    segment = piece.segment
    if segment.face is None:
        size = max(4, round(setting.size))
        width = size if char_cells(segment.text[0]) == 2 else max(4, round(size * _FRAME_WIDTH))
        frame, _ = glyph(segment.text, width, size)
        mask = need("PIL.Image").fromarray(frame.astype("uint8") * 255)
        image.paste(255, (x, y - round(size * 0.85)), mask)
        return
    face = segment.face
    pen.text(
        (x, y), segment.text, fill=255, font=face.font(setting.size), anchor="ls", stroke_width=setting.stroke(face)
    )


def _before(vertical: int, room: float) -> float:
    if vertical == card_design_pb2.VERTICAL_ALIGN_MIDDLE:
        return room / 2
    return room if vertical == card_design_pb2.VERTICAL_ALIGN_BOTTOM else 0.0


def _indent(align: int, room: float) -> float:
    if align == receipt_pb2.ALIGN_CENTER:
        return room / 2
    return room if align == receipt_pb2.ALIGN_RIGHT else 0.0
