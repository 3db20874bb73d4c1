"""The layout engine: nothing is lost, nothing overlaps, nothing reaches beyond the paper."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import countertop.sdk.receipt.wrap as wrapping
from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt import Paper, lay_out, to_text
from countertop.sdk.receipt.cells import char_cells, clusters, text_cells, text_width
from countertop.sdk.receipt.ir import CutItem, FeedItem, PictureItem, RuleItem, Style, TextLine
from countertop.sdk.receipt.wrap import NEVER_FIRST, NEVER_LAST, wrap
from countertop.v1 import receipt_pb2
from countertop.v1.receipt_pb2 import Block, Paragraph, Receipt, Span, Table, TableColumn, TableRow

CHARS = "ab Z09.,!?()- éßЖя中文回单，。、（）《》“”…·\u0301𠮷😀"
texts = st.text(st.sampled_from(CHARS), max_size=80)
papers = st.sampled_from([Paper(), Paper(width_dots=384), Paper(width_dots=512, dpi=180), Paper(width_dots=200)])
spans = st.builds(
    Span, text=texts, bold=st.booleans(), width=st.integers(0, 3), height=st.integers(0, 3), small=st.booleans()
)
paragraphs = st.builds(Paragraph, spans=st.lists(spans, max_size=4), align=st.sampled_from([0, 1, 2, 3]))
tables = st.builds(
    lambda columns, rows: Table(columns=columns, rows=[TableRow(cells=row[: len(columns)]) for row in rows]),
    st.lists(
        st.builds(
            TableColumn, chars=st.sampled_from([0, 0, 4, 9]), weight=st.integers(0, 3), align=st.sampled_from([0, 2, 3])
        ),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.lists(st.builds(lambda text: Paragraph(spans=[Span(text=text)]), texts), max_size=4), max_size=4),
)


def of(*blocks: Block) -> Receipt:
    return Receipt(blocks=blocks)


def said(text: str, paper: Paper | None = None, **span) -> list[str]:
    layout = lay_out(of(Block(paragraph=Paragraph(spans=[Span(text=text, **span)]))), paper or Paper())
    return to_text(layout).splitlines()


def lines_of(layout) -> list[TextLine]:
    return [item for item in layout.items if isinstance(item, TextLine)]


def check_lines(layout) -> None:
    """Runs follow each other without overlap and end on the paper."""
    for line in lines_of(layout):
        edge = 0
        for run in line.runs:
            assert run.x >= edge, f"{run} overlaps what stands before {edge}"
            edge = run.x + text_width(run.text, run.style, layout.paper)
            assert line.height >= layout.paper.cell[1] * run.style.height or run.style.small
        assert edge <= layout.paper.width_dots, f"{line} ends at {edge}"


@settings(max_examples=150, deadline=None)
@given(paragraphs, papers)
def test_a_paragraph_loses_nothing_but_blanks_and_stays_on_the_paper(paragraph, paper):
    layout = lay_out(of(Block(paragraph=paragraph)), paper)
    check_lines(layout)
    laid_out = "".join(run.text for line in lines_of(layout) for run in line.runs)
    assert re.sub(r"\s", "", laid_out) == re.sub(r"\s", "", "".join(span.text for span in paragraph.spans))


@settings(max_examples=150, deadline=None)
@given(tables, papers)
def test_a_table_loses_nothing_and_its_columns_never_meet(table, paper):
    try:
        layout = lay_out(of(Block(table=table)), paper)
    except InvalidRequest as error:
        refused = list(error.violations)
    else:
        refused = []
    assert all(path.startswith("receipt.blocks[0].table.") for path in refused)
    if refused:
        return
    check_lines(layout)
    shown = sorted(char for line in lines_of(layout) for run in line.runs for char in run.text if not char.isspace())
    wanted = [char for row in table.rows for cell in row.cells for span in cell.spans for char in span.text]
    assert shown == sorted(char for char in wanted if not char.isspace())


@st.composite
def sentences(draw) -> str:
    """Chinese with words in between; whatever must not be torn apart is at most 10 cells wide."""
    tokens = []
    for _ in range(draw(st.integers(5, 40))):
        core = draw(st.sampled_from("中文回单") | st.sampled_from(["a", "Zb9", "éa", "12"]))
        opening = draw(st.sampled_from(["", "", *sorted(NEVER_LAST)]))
        closing = draw(st.sampled_from(["", "", *sorted(NEVER_FIRST), "。”"]))
        blank = " " if char_cells(core[0]) == 1 or (opening + closing).isascii() else ""
        tokens.append(blank + opening + core + closing + blank)
    return "".join(tokens)


def check_punctuation(text: str, columns: int, style: Style) -> None:
    """No line begins with what closes, none ends with what opens."""
    paper = Paper(width_dots=576)
    lines = ["".join(piece.text for piece in line) for line in wrap([(text, style)], columns * 12, paper)]
    for before, after in pairwise(lines):
        assert after[0] not in NEVER_FIRST, (before, after)
        assert before[-1] not in NEVER_LAST, (before, after)


ways = st.sampled_from([Style(), Style(small=True)])
"""The small style takes the general way, the other one the fast way."""


@settings(deadline=None)
@given(sentences(), st.integers(12, 40), ways)
def test_no_line_begins_with_closing_or_ends_with_opening_punctuation(text, columns, style):
    check_punctuation(text, columns, style)


@pytest.mark.parametrize("off", ["NEVER_FIRST", "NEVER_LAST"])
@pytest.mark.parametrize("style", [Style(), Style(small=True)])
def test_the_property_of_punctuation_fails_when_the_rule_is_off(monkeypatch, off, style):
    monkeypatch.setattr(wrapping, off, frozenset())

    @settings(deadline=None, database=None, derandomize=True, max_examples=300, phases=[Phase.generate])
    @given(sentences(), st.integers(12, 40))
    def wrapped(text, columns):
        check_punctuation(text, columns, style)

    with pytest.raises(AssertionError):
        wrapped()


@given(texts, st.integers(4, 60))
@example("a" * 70, 10)
def test_wrapping_what_is_wrapped_changes_nothing(text, columns):
    paper = Paper(width_dots=columns * 12)
    once = "\n".join("".join(piece.text for piece in line) for line in wrap([(text, Style())], paper.width_dots, paper))
    twice = "\n".join(
        "".join(piece.text for piece in line) for line in wrap([(once, Style())], paper.width_dots, paper)
    )
    assert twice == once


@given(st.text(max_size=40))
def test_clusters_are_the_text_and_never_begin_with_a_mark(text):
    pieces = list(clusters(text))
    assert "".join(pieces) == text
    assert all(char_cells(piece[0]) > 0 for piece in pieces[1:])


@given(st.text(max_size=60))
def test_the_width_of_a_text_is_the_sum_of_its_characters(text):
    assert text_cells(text) == (len(text) if text.isascii() else sum(map(char_cells, text)))


def test_every_character_that_is_measured_fast_is_measured_right():
    wrong = [
        char
        for char in map(chr, range(0x20, 0x10000))
        if char.isprintable() and text_cells("é" + char) - 1 != text_cells(char)
    ]
    assert wrong == []


def test_words_wrap_at_blanks_and_long_ones_are_cut():
    paper = Paper(width_dots=120)
    assert said("one two three four", paper) == ["one two", "three four"]
    assert said("abcdefghijklmno", paper) == ["abcdefghij", "klmno"]
    assert said("个人借记卡工本费，首次免收", paper) == ["个人借记卡", "工本费，首", "次免收"]
    assert said("一二三四五，六", paper) == ["一二三四", "五，六"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.builds(
            Span, text=texts, width=st.integers(0, 8), height=st.integers(0, 8), small=st.booleans(), bold=st.booleans()
        ),
        max_size=3,
    ),
    st.integers(128, 1024),
    st.lists(st.integers(1, 12), max_size=4),
)
def test_magnified_text_never_runs_past_the_edge_of_its_paper_or_column(spans, width, chars):
    paper = Paper(width_dots=width)
    paragraph = Paragraph(spans=spans)
    check_lines(lay_out(of(Block(paragraph=paragraph)), paper))
    row = TableRow(cells=[paragraph] * (len(chars) + 1))
    table = Table(columns=[TableColumn(chars=count) for count in [*chars, 0]], rows=[row])
    try:
        layout = lay_out(of(Block(table=table)), paper)
    except InvalidRequest as error:
        layout, refused = None, list(error.violations)
    else:
        refused = []
    assert all(path.startswith("receipt.blocks[0].table.columns") for path in refused)
    if layout is None:
        return
    check_lines(layout)
    edges, x = [], 0
    for count in chars:
        edges.append((x, x + count * 12))
        x += (count + 1) * 12
    edges.append((x, width))
    for line in lines_of(layout):
        for run in line.runs:
            ends = run.x + text_width(run.text, run.style, paper)
            assert any(left <= run.x and ends <= right for left, right in edges), (run, edges)


def test_text_too_wide_for_the_paper_is_magnified_less_and_as_high_as_before():
    block = Block(paragraph=Paragraph(spans=[Span(text="中a", width=8, height=8), Span(text="b", width=8)]))
    lines = lines_of(lay_out(of(block), Paper(width_dots=128)))
    styles = [(run.text, run.style.width, run.style.height) for line in lines for run in line.runs]
    assert styles == [("中", 5, 8), ("a", 5, 8), ("b", 8, 1)]


def test_text_too_wide_for_its_column_is_magnified_less():
    cells = [Paragraph(spans=[Span(text=text, width=4)]) for text in ("中", "ab")]
    table = Table(columns=[TableColumn(chars=4), TableColumn(chars=4)], rows=[TableRow(cells=cells)])
    runs = [run for line in lines_of(lay_out(of(Block(table=table)), Paper())) for run in line.runs]
    assert [(run.x, run.text, run.style.width) for run in runs] == [(0, "中", 2), (60, "a", 4), (60, "b", 4)]


def test_a_column_of_one_character_holds_one_character_a_line():
    cells = [Paragraph(spans=[Span(text=text)]) for text in ("12", "abc")]
    table = Table(columns=[TableColumn(chars=1), TableColumn(chars=3)], rows=[TableRow(cells=cells)])
    assert to_text(lay_out(of(Block(table=table)), Paper())).splitlines() == ["1 abc", "2"]


def test_a_column_too_narrow_for_its_wide_characters_is_named():
    cells = [Paragraph(spans=[Span(text=text)]) for text in ("1", "中")]
    table = Table(columns=[TableColumn(chars=1), TableColumn(chars=1)], rows=[TableRow(cells=cells)])
    with pytest.raises(InvalidRequest) as caught:
        lay_out(of(Block(table=table)), Paper())
    assert caught.value.violations == {
        "receipt.blocks[0].table.columns[1].chars": "expected at least 2: the column has wide characters"
    }


LONG = {
    "feeds": [Block(feed={"mm": 100})] * 51,
    "magnified text": [Block(paragraph=Paragraph(spans=[Span(text="a\n" * 250, height=8)]))],
    "seal fields": [Block(seal_field={"height_mm": 60})] * 90,
    "codes": [Block(barcode={"symbology": 1, "data": "1", "height_mm": 40})] * 130,
    "rules": [Block(rule={})] * 5100,
    "tables": [
        Block(
            table=Table(
                columns=[TableColumn(chars=4)], rows=[TableRow(cells=[Paragraph(spans=[Span(text="a")])])] * 500
            )
        )
    ]
    * 3,
    "symbols": [Block(symbol={"data": "x" * 200, "module_dots": 8})] * 140,
}


@pytest.mark.parametrize("kind", LONG)
def test_a_receipt_of_more_than_five_metres_is_refused(kind):
    with pytest.raises(InvalidRequest) as caught:
        lay_out(of(*LONG[kind]), Paper())
    assert caught.value.violations == {"receipt": "expected at most 5000 mm of paper, all blocks together"}


def test_a_receipt_of_five_metres_is_laid_out_and_the_bound_tells_of_other_mistakes_too():
    assert len(lay_out(of(*[Block(feed={"mm": 100})] * 50), Paper()).items) == 50
    bad = Block(paragraph=Paragraph(spans=[Span(text="\x00")]))
    with pytest.raises(InvalidRequest) as caught:
        lay_out(of(bad, *LONG["feeds"]), Paper())
    assert list(caught.value.violations) == ["receipt.blocks[0].paragraph.spans[0].text", "receipt"]


def test_newlines_break_and_an_empty_paragraph_is_an_empty_line():
    assert said("a\n\nb") == ["a", "", "b"]
    assert said("") == [""]


def test_alignment_is_exact():
    paper = Paper(width_dots=240)
    for align, x in ((receipt_pb2.ALIGN_LEFT, 0), (receipt_pb2.ALIGN_CENTER, 84), (receipt_pb2.ALIGN_RIGHT, 180)):
        block = Block(paragraph=Paragraph(spans=[Span(text="12.00")], align=align))
        assert lines_of(lay_out(of(block), paper))[0].runs[0].x == x


def test_a_tables_amounts_end_at_the_right_edge_and_long_cells_wrap():
    table = Table(
        columns=[TableColumn(weight=1), TableColumn(chars=8, align=receipt_pb2.ALIGN_RIGHT)],
        rows=[
            TableRow(cells=[Paragraph(spans=[Span(text=name)]), Paragraph(spans=[Span(text=amount)])])
            for name, amount in (("工本费", "12.00"), ("一个很长很长的收费项目名称", "1,234.50"))
        ],
    )
    shown = to_text(lay_out(of(Block(table=table)), Paper(width_dots=300))).splitlines()
    assert shown == ["工本费              12.00", "一个很长很长的收 1,234.50", "费项目名称"]


@pytest.mark.parametrize(
    ("block", "path"),
    [
        (Block(paragraph=Paragraph(spans=[Span(text="a\x1bb")])), "paragraph.spans[0].text"),
        (
            Block(table=Table(columns=[TableColumn()], rows=[TableRow(cells=[Paragraph(), Paragraph()])])),
            "table.rows[0].cells",
        ),
        (Block(table=Table(columns=[TableColumn(chars=100), TableColumn(chars=100)])), "table.columns"),
        (Block(barcode={"symbology": receipt_pb2.BARCODE_SYMBOLOGY_ITF, "data": "123"}), "barcode.data"),
        (Block(picture={"data": b"no picture"}), "picture.data"),
    ],
)
def test_a_block_that_cannot_be_placed_is_named_by_its_path(block, path):
    with pytest.raises(InvalidRequest) as caught:
        lay_out(of(Block(rule={}), block), Paper())
    assert list(caught.value.violations) == [f"receipt.blocks[1].{path}"]


def test_all_bad_blocks_are_named_at_once():
    bad = Block(paragraph=Paragraph(spans=[Span(text="\x00")]))
    with pytest.raises(InvalidRequest) as caught:
        lay_out(of(bad, Block(rule={}), bad), Paper())
    assert len(caught.value.violations) == 2
    assert "\x00" not in str(caught.value)


def test_items_name_their_block_and_come_in_order():
    layout = lay_out(
        of(
            Block(paragraph=Paragraph(spans=[Span(text="a")])),
            Block(rule={}),
            Block(feed={"mm": 5}),
            Block(seal_field={"name": "客户签名"}),
            Block(cut={"full": True}),
        ),
        Paper(),
    )
    assert [(type(item), item.block) for item in layout.items] == [
        (TextLine, 0),
        (RuleItem, 1),
        (FeedItem, 2),
        (TextLine, 3),
        (PictureItem, 3),
        (CutItem, 4),
    ]
    assert layout.blocks == 5
    assert layout.items[2].dots == 40
    assert layout.items[5].full
