"""Recordings of printers that were made on the emulators: nothing of the customer is in them, and they play again."""

from __future__ import annotations

import dataclasses
import io
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from countertop.bench.v1 import bench_pb2 as bench
from countertop.drivers.escpos.driver import EscPosPrinter
from countertop.drivers.escpos.masking import EscPosMasker
from countertop.drivers.escpos.options import EscPosOptions
from countertop.drivers.evolis.driver import EvolisPrinter
from countertop.drivers.evolis.options import EvolisOptions
from countertop.drivers.magicard.driver import MagicardPrinter
from countertop.drivers.magicard.options import MagicardOptions
from countertop.emulators.escpos.emulator import start as start_escpos
from countertop.emulators.evolis.bitmaps import expand_resin
from countertop.emulators.evolis.emulator import start as start_evolis
from countertop.emulators.evolis.framing import Tokenizer as EvolisTokenizer
from countertop.emulators.magicard.emulator import start as start_magicard
from countertop.emulators.magicard.framing import Page
from countertop.emulators.magicard.framing import Tokenizer as MagicardTokenizer
from countertop.sdk.cards.planes import CardImage, Planes
from countertop.sdk.cards.printer import OnePassCard
from countertop.sdk.links import TcpLink, parse_link
from countertop.v1 import card_pb2, receipt_pb2
from countertop.v1.card_pb2 import StripeData
from countertop.v1.receipt_pb2 import Barcode, Block, Cut, Paragraph, Picture, Receipt, Span, Symbol
from countertop.v1.receipt_printer_pb2 import PrintRequest
from tests.unit.masked_links import Piece, run
from tests.wire.taped import masked_tape, play, tape
from tests.wire.test_escpos_driver_emulated import StubRun as ReceiptRun

ENCODINGS = ("utf-8", "gb18030", "gbk", "utf-16-le", "utf-16-be", "cp437", "cp1252", "cp850")
WINDOW = 4


@dataclasses.dataclass(frozen=True)
class Customer:
    """Marks that stand nowhere else; those of two customers are alike in length and script."""

    latin: str
    chinese: str
    four_byte: str
    accents: str
    account: str
    seed: int


ONE = Customer("QZXJVKWQ", "龘靐齉爩", "㐀㐁㐂㐃", "éàüö", "6222021479308653", 1)
OTHER = Customer("WVKJQXZW", "麤鱻飝龖", "㐔㐅㐈㐉", "üéöà", "6217851043926608", 2)


def marks(*texts: str) -> set[bytes]:
    """Every stretch of four characters, in every encoding that has them."""
    found = set()
    for text in texts:
        for start in range(len(text) - WINDOW + 1):
            for encoding in ENCODINGS:
                mark = text[start : start + WINDOW].encode(encoding, "ignore")
                if len(mark) >= WINDOW:
                    found.add(mark)
    return found


def found_in(pieces: Iterable[Piece], wanted: set[bytes]) -> set[bytes]:
    streams = [b"".join(data for is_sent, data in pieces if is_sent is side) for side in (True, False)]
    return {mark for mark in wanted if any(mark in stream for stream in streams)}


# --- receipts ---------------------------------------------------------------------------------------------------------


def photo(seed: int) -> bytes:
    noise = random.Random(seed).randbytes(320 * 100)
    data = io.BytesIO()
    Image.frombytes("L", (320, 100), noise).save(data, "PNG")
    return data.getvalue()


def receipt(customer: Customer) -> Receipt:
    def line(*texts: str, **style: Any) -> Block:
        return Block(paragraph=Paragraph(spans=[Span(text=text, **style) for text in texts]))

    code128 = receipt_pb2.BARCODE_SYMBOLOGY_CODE128
    return Receipt(
        blocks=[
            line(customer.latin, bold=True, width=2, height=2),
            line(customer.chinese, " ", customer.latin, underline=True),
            line(customer.accents),
            line(customer.four_byte),
            line(customer.account, small=True),
            Block(symbol=Symbol(data=f"https://example.com/{customer.account}")),
            Block(barcode=Barcode(symbology=code128, data=customer.latin)),
            Block(picture=Picture(data=photo(customer.seed))),
            Block(cut=Cut()),
        ]
    )


async def printed(
    customer: Customer, model: str, blocks: Iterable[int] = range(9), **options: Any
) -> tuple[list[Piece], Any]:
    chosen = Receipt(blocks=[receipt(customer).blocks[number] for number in blocks])
    emulator = await start_escpos({"speed": 0, "model": model})
    driver = EscPosPrinter(parse_link(emulator.link_url), EscPosOptions(first_process_id="!abc", **options))
    tapes = tape(driver)
    try:
        await driver.connect()
        result = await driver.print(PrintRequest(receipt=chosen), ReceiptRun())
        return tapes[0].pieces, result
    finally:
        await driver.disconnect()
        await emulator.close()


MODELS = ("TM-T88VI", "TM-T70II-CH", "TM-T88III")


@pytest.mark.parametrize("model", MODELS)
async def test_nothing_of_a_receipt_is_kept(model: str) -> None:
    pieces, _ = await printed(ONE, model)
    wanted = marks(ONE.latin, ONE.chinese, ONE.four_byte, ONE.accents, ONE.account)
    assert ONE.latin[:4].encode() in found_in(pieces, wanted), "the marks go over the link"
    if model == "TM-T70II-CH":
        assert ONE.four_byte.encode("gb18030") in found_in(pieces, {ONE.four_byte.encode("gb18030")})
    assert not found_in(masked_tape(EscPosMasker(), pieces), wanted)


@pytest.mark.parametrize("model", MODELS)
async def test_two_customers_receipts_look_alike(model: str) -> None:
    kept = [run(EscPosMasker(), (await printed(customer, model))[0])[0] for customer in (ONE, OTHER)]
    assert kept[0] == kept[1]


async def shown(model: str, sent: bytes) -> bench.Output:
    """What comes out of a printer that is sent these bytes."""
    emulator = await start_escpos({"speed": 0, "model": model})
    link = await TcpLink.open(parse_link(emulator.link_url))
    try:
        await link.send(sent + b"\x1dr\x01")
        answer = b""
        while not answer.endswith((b"\x00", b"\x0c")):
            answer += await link.receive()
        return (await emulator.get_output(bench.GetOutputRequest(limit=1))).outputs[0]
    finally:
        await link.close()
        await emulator.close()


def ink(output: bench.Output) -> int:
    return int((np.asarray(Image.open(io.BytesIO(output.image.data)).convert("L")) < 128).sum())


@pytest.mark.parametrize("model", MODELS)
async def test_a_masked_receipt_that_was_all_pictures_comes_out_white(model: str) -> None:
    pieces, _ = await printed(ONE, model, blocks=(0, 1, 2, 3, 4, 7, 8), text="raster")
    assert ink(await shown(model, b"".join(data for is_sent, data in pieces if is_sent))) > 5000
    output = await shown(model, run(EscPosMasker(), pieces)[0])
    assert ink(output) == 0


@pytest.mark.parametrize("model", MODELS)
async def test_a_masked_receipt_is_a_receipt_of_crosses(model: str) -> None:
    pieces, _ = await printed(ONE, model)
    output = await shown(model, run(EscPosMasker(), pieces)[0])
    text = [line for line in output.text.splitlines() if line and not line.startswith("[")]
    assert text
    assert set("".join(text)) <= {"x", " ", "0"}, output.text


@pytest.mark.parametrize("model", MODELS)
async def test_a_masked_recording_of_a_print_plays_again(model: str) -> None:
    pieces, before = await printed(ONE, model)
    kept = masked_tape(EscPosMasker(), pieces)
    driver = EscPosPrinter(parse_link("tcp://127.0.0.1:9100"), EscPosOptions(first_process_id="!abc"))
    player = play(driver, kept)
    await driver.connect()
    again = await driver.print(PrintRequest(receipt=receipt(OTHER)), ReceiptRun())
    await driver.disconnect()
    assert again == before
    assert run(EscPosMasker(), player.pieces)[0] == b"".join(data for is_sent, data in kept if is_sent)


async def test_the_serial_number_of_a_printer_is_not_kept() -> None:
    pieces, _ = await printed(ONE, "TM-T88VI")
    kept = masked_tape(EscPosMasker(), pieces)
    driver = EscPosPrinter(parse_link("tcp://127.0.0.1:9100"), EscPosOptions())
    play(driver, kept)
    info = await driver.connect()
    await driver.disconnect()
    assert info.model == "TM-T88VI"
    assert set(info.serial) == {"0"}


# --- cards ------------------------------------------------------------------------------------------------------------


def stripe(customer: Customer) -> StripeData:
    return StripeData(
        track1=f"B{customer.account}^{customer.latin}^2512", track2=f"{customer.account}=2512", track3=customer.account
    )


def face(customer: Customer, height: int, width: int) -> Planes:
    """Noise; the black along the edges has each line sent whole, so that two faces are equally long."""
    rng = np.random.default_rng(customer.seed)
    rgb = rng.integers(0, 256, (height, width, 3), np.uint8)
    black = rng.integers(0, 2, (height, width)).astype(bool)
    black[0] = black[-1] = True
    return Planes(rgb, black, None, None)


CARD_MARKS = marks(ONE.latin, ONE.account)


async def evolis(customer: Customer, **options: Any) -> list[Piece]:
    emulator = await start_evolis({"speed": 0, "customer": "leaves", "ribbon": "YMCK"})
    driver = EvolisPrinter(parse_link(emulator.link_url), EvolisOptions(**options))
    tapes = tape(driver)
    try:
        await driver.connect()
        await made_by_evolis(driver, customer)
        return tapes[0].pieces
    finally:
        await driver.disconnect()
        await emulator.close()


async def made_by_evolis(driver: EvolisPrinter, customer: Customer) -> StripeData:
    await driver.feed("")
    await driver.write_stripe(stripe(customer), card_pb2.COERCIVITY_HIGH)
    found = await driver.read_stripe_tracks({1, 2, 3})
    await driver.print_card(CardImage(face(customer, 648, 1016), None))
    return found.stripe


@pytest.mark.parametrize("sentinels", [False, True])
async def test_nothing_of_a_card_is_kept_of_an_evolis(sentinels: bool) -> None:
    options = {"sentinels": sentinels}
    pieces = await evolis(ONE, **options)
    driver = EvolisPrinter(parse_link("tcp://127.0.0.1:9100"), EvolisOptions(**options))
    kept = masked_tape(driver.masker(), pieces)
    assert {ONE.latin[:4].encode(), ONE.account[:4].encode()} <= found_in(pieces, CARD_MARKS)
    assert {b"10000001"} == found_in(pieces, {b"10000001"}), "the serial number goes over the link"
    assert not found_in(kept, CARD_MARKS | {b"10000001"})
    raw, masked = (
        list(EvolisTokenizer().feed(b"".join(data for is_sent, data in stream if is_sent))) for stream in (pieces, kept)
    )
    assert [command.name for command in raw] == [command.name for command in masked]
    assert [command.name for command in masked if command.data] == ["Db", "Db", "Db", "Dbc"]
    for command in masked:
        assert not any(command.data if command.name == "Db" else np.asarray(expand_resin(command.data)).ravel())
    other = await evolis(OTHER, **options)
    assert run(driver.masker(), other)[0] == b"".join(data for is_sent, data in kept if is_sent)


async def test_a_masked_recording_of_an_evolis_plays_again() -> None:
    pieces = await evolis(ONE)
    driver = EvolisPrinter(parse_link("tcp://127.0.0.1:9100"), EvolisOptions())
    kept = masked_tape(driver.masker(), pieces)
    player = play(driver, kept)
    assert (await driver.connect()).model == "KC200B"
    found = await made_by_evolis(driver, OTHER)
    await driver.disconnect()
    assert player.ended
    assert set(found.track1) == set(found.track2) == set(found.track3) == {"0"}
    assert len(found.track1) == len(stripe(ONE).track1)
    assert run(driver.masker(), player.pieces) == tuple(
        b"".join(data for is_sent, data in kept if is_sent is side) for side in (True, False)
    )


async def magicard(customer: Customer) -> list[Piece]:
    emulator = await start_magicard({"speed": 0})
    driver = MagicardPrinter(parse_link(emulator.link_url), MagicardOptions(card_seconds=0))
    tapes = tape(driver)
    try:
        await driver.connect()
        await driver.make_in_one_pass(one_card(customer))
        return tapes[0].pieces
    finally:
        await driver.disconnect()
        await emulator.close()


def one_card(customer: Customer) -> OnePassCard:
    image = CardImage(face(customer, 642, 1016), face(customer, 642, 1016))
    return OnePassCard(image, stripe(customer), card_pb2.COERCIVITY_HIGH)


async def test_nothing_of_a_card_is_kept_of_a_magicard() -> None:
    pieces = await magicard(ONE)
    driver = MagicardPrinter(parse_link("tcp://127.0.0.1:9100"), MagicardOptions(card_seconds=0))
    kept = masked_tape(driver.masker(), pieces)
    assert {ONE.latin[:4].encode(), ONE.account[:4].encode()} <= found_in(pieces, CARD_MARKS)
    assert not found_in(kept, CARD_MARKS)
    sent = b"".join(data for is_sent, data in kept if is_sent)
    pages = [event for event in MagicardTokenizer().feed(sent) if isinstance(event, Page)]
    assert ["".join(page.planes) for page in pages] == ["BGRK", "BGRK"]
    assert not any(any(plane) for page in pages for plane in page.planes.values())
    jobs = [
        run(driver.masker(), [piece for piece in stream if piece[0]])[0] for stream in (pieces, await magicard(OTHER))
    ]
    assert without_queries(jobs[0]) == without_queries(jobs[1])


def without_queries(sent: bytes) -> list[Page]:
    """How often it asks depends on the time that the card takes."""
    return [event for event in MagicardTokenizer().feed(sent) if isinstance(event, Page)]


async def test_a_masked_recording_of_a_magicard_plays_again() -> None:
    kept = masked_tape(
        MagicardPrinter(parse_link("tcp://127.0.0.1:9100"), MagicardOptions()).masker(), await magicard(ONE)
    )
    driver = MagicardPrinter(parse_link("tcp://127.0.0.1:9100"), MagicardOptions(card_seconds=0))
    player = play(driver, kept)
    await driver.connect()
    await driver.make_in_one_pass(one_card(OTHER))
    await driver.disconnect()
    assert player.ended
    assert run(driver.masker(), player.pieces)[0] == b"".join(data for is_sent, data in kept if is_sent)
