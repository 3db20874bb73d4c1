"""Tables: column widths, and rows whose cells wrap inside their column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt.cells import text_width
from countertop.sdk.receipt.ir import Paper, Style, TextLine, TextRun
from countertop.sdk.receipt.wrap import Piece, widest_character, wrap
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Table

__all__ = ["column_places", "lay_out_table"]

Cell = Sequence[tuple[str, Style]]


def column_places(table: Table, cells: Sequence[Sequence[Cell]], paper: Paper) -> list[tuple[int, int]]:
    """(x, width) of each column in dots, one cell apart. Raises InvalidRequest when the paper is too narrow.

    Fixed columns take what they ask for; automatic ones their widest cell, made narrower where that is too much;
    weighted ones share the rest. No column becomes narrower than its widest character; a fixed one that asks for less
    is refused.
    """
    gap = paper.cell[0]
    least = [_least(index, cells, paper) for index in range(len(table.columns))]
    _check_fixed(table, least, gap)
    room = paper.width_dots - gap * (len(table.columns) - 1)
    widths = [_wanted(index, table, cells, paper, least[index]) for index in range(len(table.columns))]
    weights = [column.weight if not column.chars else 0 for column in table.columns]
    fixed = sum(width for width, column in zip(widths, table.columns, strict=True) if column.chars)
    flexible = [index for index, column in enumerate(table.columns) if not column.chars]
    if fixed + sum(least[index] for index in flexible) > room:
        raise InvalidRequest({"table.columns": f"expected columns that fit {room // gap} characters of this paper"})
    automatic = [index for index in flexible if not weights[index]]
    left = (room - fixed - sum(least[index] for index in flexible if weights[index])) // gap * gap
    _shrink(widths, automatic, left, least, gap)
    left = room - fixed - sum(widths[index] for index in automatic)
    shares = sum(weights)
    for index in flexible:
        if weights[index]:
            widths[index] = max(least[index], left * weights[index] // shares // gap * gap)
    over = sum(widths) - room
    for index in sorted((i for i in flexible if weights[i]), key=lambda i: -widths[i]):
        take = min(max(over, 0), widths[index] - least[index])
        widths[index] -= take
        over -= take
    places, x = [], 0
    for width in widths:
        places.append((x, width))
        x += width + gap
    return places


def _least(index: int, cells: Sequence[Sequence[Cell]], paper: Paper) -> int:
    """Dots, in whole cells: two where the column has a wide character, otherwise one."""
    spans = [span for row in cells if index < len(row) for span in row[index]]
    return max((widest_character(text, Style(), paper) for text, _ in spans), default=paper.cell[0])


def _check_fixed(table: Table, least: Sequence[int], gap: int) -> None:
    narrow = {
        f"table.columns[{index}].chars": f"expected at least {least[index] // gap}: the column has wide characters"
        for index, column in enumerate(table.columns)
        if column.chars and column.chars * gap < least[index]
    }
    if narrow:
        raise InvalidRequest(narrow)


def _wanted(index: int, table: Table, cells: Sequence[Sequence[Cell]], paper: Paper, least: int) -> int:
    column = table.columns[index]
    if column.chars:
        return column.chars * paper.cell[0]
    widest = 0
    for row in cells:
        if index < len(row):
            for line in "".join(text for text, _ in row[index]).split("\n"):
                style = row[index][0][1] if row[index] else Style()
                widest = max(widest, text_width(line, style, paper))
    return max(widest, least)


def _shrink(widths: list[int], among: Sequence[int], room: int, least: Sequence[int], gap: int) -> None:
    """Cut the widest down to one common limit, so that all fit; narrow ones keep what they want."""
    if sum(widths[index] for index in among) <= room:
        return
    left, waiting = room, sorted(among, key=lambda index: widths[index])
    while waiting:
        share = left // len(waiting) // gap * gap
        index = waiting.pop(0)
        widths[index] = min(widths[index], max(least[index], share))
        left -= widths[index]


def lay_out_table(table: Table, cells: Sequence[Sequence[Cell]], block: int, paper: Paper) -> Iterator[TextLine]:
    """The lines of a table. Magnified text that is too wide for its column is magnified less, as `wrap` says. Raises
    InvalidRequest for a row with more cells than there are columns, and as `column_places` does.
    """
    for index, row in enumerate(cells):
        if len(row) > len(table.columns):
            raise InvalidRequest(
                {f"table.rows[{index}].cells": f"expected at most {len(table.columns)} cells, got {len(row)}"}
            )
    places = column_places(table, cells, paper)
    for row_index, row in enumerate(cells):
        wrapped = [wrap(cell, width, paper) for cell, (_, width) in zip(row, places, strict=False)]
        for number in range(max((len(lines) for lines in wrapped), default=1)):
            yield _row_line(number, wrapped, row_index, table, places, block, paper)


def _row_line(
    number: int,
    wrapped: Sequence[Sequence[Sequence[Piece]]],
    row: int,
    table: Table,
    places: Sequence[tuple[int, int]],
    block: int,
    paper: Paper,
) -> TextLine:
    runs: list[TextRun] = []
    height = paper.cell[1]
    for column, lines in enumerate(wrapped):
        if number >= len(lines):
            continue
        x, room = places[column]
        pieces = lines[number]
        align = table.rows[row].cells[column].align or table.columns[column].align
        width = sum(piece.width for piece in pieces)
        if align == receipt_pb2.ALIGN_CENTER:
            x += (room - width) // 2 // paper.cell[0] * paper.cell[0]
        elif align == receipt_pb2.ALIGN_RIGHT:
            x += room - width
        for piece in pieces:
            runs.append(TextRun(x, piece.text, piece.style))
            x += piece.width
            height = max(height, paper.cell[1] * piece.style.height)
    return TextLine(block, tuple(runs), height)
