"""The receipt of the demo: a bank's fee voucher. Bank, branch, amounts and numbers are invented."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime

from countertop.v1.receipt_pb2 import (
    ALIGN_CENTER,
    ALIGN_LEFT,
    ALIGN_RIGHT,
    DITHER_THRESHOLD,
    RULE_STYLE_DASHED,
    RULE_STYLE_DOUBLE,
    SYMBOL_KIND_QR_CODE,
    Align,
    Block,
    Cut,
    Feed,
    Paragraph,
    Picture,
    Receipt,
    Rule,
    RuleStyle,
    SealField,
    Span,
    Symbol,
    Table,
    TableColumn,
    TableRow,
)

__all__ = ["sample_receipt"]

_FACTS = (
    ("网点", "示例支行（00001）"),
    ("柜员", "000123"),
    ("交易", "账户服务收费"),
    ("账号", "6200 **** **** 0000"),
)
_FEES = (
    ("账户管理费", "1", "10.00"),
    ("银行卡工本费", "1", "5.00"),
    ("跨行转账手续费", "2", "11.00"),
)
_TOTAL = ("合计（人民币）", "", "26.00")


def sample_receipt(moment: datetime, number: str) -> Receipt:
    """A voucher of `moment` with the running number `number`. Needs Pillow for its logo."""
    return Receipt(
        blocks=[
            Block(picture=Picture(data=_logo(), width_mm=16, align=ALIGN_CENTER, dither=DITHER_THRESHOLD)),
            Block(feed=Feed(mm=1.5)),
            _text("晨星银行", align=ALIGN_CENTER, bold=True, width=2, height=2),
            _text("业务回单", align=ALIGN_CENTER, bold=True),
            _rule(RULE_STYLE_DOUBLE),
            _facts((("日期", f"{moment:%Y-%m-%d %H:%M:%S}"), ("流水号", number), *_FACTS)),
            _rule(RULE_STYLE_DASHED),
            _fees(),
            _rule(RULE_STYLE_DASHED),
            _text("大写金额：贰拾陆元整"),
            _text("扫码可核对本回单", align=ALIGN_CENTER),
            Block(
                symbol=Symbol(
                    kind=SYMBOL_KIND_QR_CODE,
                    data=f"https://bank.example.invalid/receipts/{number}",
                    module_dots=5,
                    align=ALIGN_CENTER,
                )
            ),
            Block(seal_field=SealField(name="客户签名", width_mm=44, height_mm=16, align=ALIGN_RIGHT)),
            Block(feed=Feed(mm=3)),
            _text("示例回单，不作收付款凭证。", align=ALIGN_CENTER, small=True),
            Block(cut=Cut()),
        ]
    )


def _text(
    text: str,
    *,
    align: Align = ALIGN_LEFT,
    bold: bool = False,
    small: bool = False,
    width: int = 1,
    height: int = 1,
) -> Block:
    span = Span(text=text, bold=bold, small=small, width=width, height=height)
    return Block(paragraph=Paragraph(spans=[span], align=align))


def _rule(style: RuleStyle) -> Block:
    return Block(rule=Rule(style=style))


def _facts(facts: Sequence[tuple[str, str]]) -> Block:
    columns = [TableColumn(chars=8), TableColumn(weight=1, align=ALIGN_RIGHT)]
    return Block(table=Table(columns=columns, rows=[_row(fact) for fact in facts]))


def _fees() -> Block:
    columns = [TableColumn(weight=1), TableColumn(chars=4, align=ALIGN_RIGHT), TableColumn(chars=12, align=ALIGN_RIGHT)]
    rows = [_row(("收费项目", "笔数", "金额（元）"), bold=True), *map(_row, _FEES), _row(_TOTAL, bold=True)]
    return Block(table=Table(columns=columns, rows=rows))


def _row(cells: Sequence[str], *, bold: bool = False) -> TableRow:
    return TableRow(cells=[Paragraph(spans=[Span(text=cell, bold=bold)]) for cell in cells])


def _logo() -> bytes:
    """A star over a horizon in a ring, drawn here: a PNG."""
    from PIL import Image, ImageDraw

    size = 256
    picture = Image.new("L", (size, size), 255)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((6, 6, size - 6, size - 6), outline=0, width=14)
    draw.polygon([(128, 38), (146, 104), (212, 122), (146, 140), (128, 206), (110, 140), (44, 122), (110, 104)], fill=0)
    draw.rectangle((60, 196, 196, 206), fill=0)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()
