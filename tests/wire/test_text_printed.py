"""Text printed is text laid out is text that the emulated printer shows, for any receipt that its fonts can print."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.drivers.escpos.encode import encode, preamble
from countertop.drivers.escpos.profiles import load_profile
from countertop.emulators.escpos.interpreter import Interpreter
from countertop.emulators.escpos.paper import Roll
from countertop.emulators.escpos.tokenizer import Tokenizer
from countertop.sdk.receipt import lay_out, to_text
from countertop.v1.receipt_pb2 import Block, Cut, Paragraph, Receipt, Span, Table, TableColumn, TableRow

PROFILES = ("generic-80mm", "generic-58mm")
CHARS = "abcXYZ 0189.,:;!?()-+*/%$#@ éÄßçЖяЩ中文打印机回单金额元，。、（）：《》“”…业务￥①"
texts = st.text(st.sampled_from(CHARS), max_size=90)
spans = st.builds(
    Span,
    text=texts,
    bold=st.booleans(),
    underline=st.booleans(),
    inverted=st.booleans(),
    width=st.sampled_from([0, 0, 1, 2]),
    height=st.sampled_from([0, 0, 1, 2]),
)
paragraphs = st.builds(Paragraph, spans=st.lists(spans, max_size=4), align=st.sampled_from([0, 1, 2, 3]))
plain = st.builds(lambda text: Paragraph(spans=[Span(text=text)]), st.text(st.sampled_from(CHARS), max_size=30))
tables = st.builds(
    lambda rows, aligns: Table(
        columns=[TableColumn(weight=2, align=aligns[0]), TableColumn(align=aligns[1]), TableColumn(chars=8)],
        rows=[TableRow(cells=cells) for cells in rows],
    ),
    st.lists(st.lists(plain, max_size=3), min_size=1, max_size=4),
    st.tuples(st.sampled_from([0, 1, 2, 3]), st.sampled_from([0, 1, 2, 3])),
)
blocks = st.one_of(
    st.builds(lambda paragraph: Block(paragraph=paragraph), paragraphs),
    st.builds(lambda table: Block(table=table), tables),
)


class Host:
    """Whoever asks for status is not answered."""

    def reply(self, data: bytes) -> None:
        pass

    def command(self, name: str, raw: bytes) -> None:
        pass


def shown(data: bytes, width: int) -> list[str]:
    """What the emulated printer shows of some bytes, line by line."""
    roll, tokenizer = Roll(width), Tokenizer()
    interpreter = Interpreter(roll, Host(), kanji=True, four_bytes=True, cutter_distance=0)
    tokenizer.feed(data)
    while (token := tokenizer.next()) is not None:
        for _ in interpreter.execute(token):
            pass
    return [line for receipt in (*roll.receipts, roll.current) for line in receipt.text.splitlines()]


@settings(max_examples=150, deadline=None)
@given(st.lists(blocks, min_size=1, max_size=5), st.sampled_from(PROFILES))
def test_text_printed_is_text_laid_out_is_text_shown(parts, name):
    profile = load_profile(name)
    layout = lay_out(Receipt(blocks=[*parts, Block(cut=Cut())]), profile.paper)
    encoded = encode(layout, profile)
    assert encoded.rasterised_lines == 0
    data = preamble(profile) + b"".join(chunk.data for chunk in encoded.chunks)
    assert shown(data, profile.paper.width_dots) == to_text(layout).splitlines()
