"""Commands for barcodes, codes of two dimensions and stored graphics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from countertop.emulators.escpos.codes import OLD_BARCODES, barcode, symbol
from countertop.emulators.escpos.graphics import from_columns, from_rows, scaled
from countertop.emulators.escpos.settings import Graphic

if TYPE_CHECKING:
    from countertop.emulators.escpos.interpreter import Interpreter

__all__ = ["SYMBOL_COMMANDS"]

_QR_LEVELS = {0x30: "L", 0x31: "M", 0x32: "Q", 0x33: "H"}
_HRI_ABOVE, _HRI_BELOW = 1, 2


def _barcode(self: Interpreter, raw: bytes) -> Iterator[int]:
    """GS k."""
    if len(raw) <= 3:
        return
    m = OLD_BARCODES.get(raw[2], raw[2])
    drawn = barcode(m, raw[3:-1] if raw[2] <= 6 else raw[4:])
    if drawn is None:
        return
    import numpy as np

    bars, text, label = drawn
    row = bars.repeat(max(1, min(self.codes.module, 6)))
    if not self.composer.empty:
        yield from self.composer.line()
    if len(row) > self.composer.room:  # Epson: "the printer only feeds paper"
        yield from self.composer.feed(self.codes.height)
        return
    if self.codes.text_place & _HRI_ABOVE:
        yield from self.composer.label(text, len(row))
    yield from self.composer.raster(np.tile(row, (max(1, self.codes.height), 1)), f'[{label} "{text}"]')
    if self.codes.text_place & _HRI_BELOW:
        yield from self.composer.label(text, len(row))


def _symbol(self: Interpreter, raw: bytes) -> Iterator[int]:
    """GS ( k pL pH cn fn ...: QR Code (cn 49) and PDF417 (cn 48)."""
    if len(raw) < 7:
        return
    handler = _SYMBOL_FUNCTIONS.get((raw[5], raw[6]))
    if handler is not None:
        yield from handler(self, raw[7:]) or ()


def _store(field: str, skip: int = 0) -> Callable[[Interpreter, bytes], None]:
    return lambda self, data: setattr(self.codes, field, data[skip:])


def _number(field: str, least: int, most: int) -> Callable[[Interpreter, bytes], None]:
    return lambda self, data: setattr(self.codes, field, max(least, min(data[0], most)) if data else 3)


def _qr_level(self: Interpreter, data: bytes) -> None:
    self.codes.qr_level = _QR_LEVELS.get(data[0] if data else 0, "L")


Drawing = tuple[Any, str, str] | None


def _qr(self: Interpreter) -> tuple[Drawing, int, int]:
    """The code in store, and how many dots wide and high its modules are."""
    codes = self.codes
    drawn = symbol("QRCode", codes.qr_data, codes.qr_level) if codes.qr_data else None
    return drawn, codes.qr_module, codes.qr_module


def _pdf417(self: Interpreter) -> tuple[Drawing, int, int]:
    """As `_qr`."""
    codes = self.codes
    drawn = symbol("PDF417", codes.pdf_data) if codes.pdf_data else None
    return drawn, codes.pdf_module, codes.pdf_module * codes.pdf_row


def _print_symbol(draw: Callable[[Interpreter], tuple[Drawing, int, int]]) -> Callable[[Interpreter, bytes], Any]:
    """A code that is wider than the print area is not printed."""

    def handler(self: Interpreter, data: bytes) -> Iterator[int]:
        drawn, across, down = draw(self)
        if drawn is not None and drawn[0].shape[1] * across <= self.composer.room:
            yield from self.composer.raster(scaled(drawn[0], across, down), f'[{drawn[2]} "{drawn[1]}"]')

    return handler


def _tell_size(
    draw: Callable[[Interpreter], tuple[Drawing, int, int]], identifier: int
) -> Callable[[Interpreter, bytes], None]:
    """Epson APG: size in dots without quiet zones, and 30h where the code can be printed, 31h where it cannot."""

    def handler(self: Interpreter, data: bytes) -> None:
        drawn, across, down = draw(self)
        width, height = (0, 0) if drawn is None else (drawn[0].shape[1] * across, drawn[0].shape[0] * down)
        fits = 0 < width <= self.composer.room
        self.host.reply(b"\x37%c%d\x1f%d\x1f1\x1f%c\x00" % (identifier, width, height, 0x30 if fits else 0x31))

    return handler


_SYMBOL_FUNCTIONS: dict[tuple[int, int], Callable[[Interpreter, bytes], Any]] = {
    (49, 67): _number("qr_module", 1, 16),
    (49, 69): _qr_level,
    (49, 80): _store("qr_data", 1),
    (49, 81): _print_symbol(_qr),
    (49, 82): _tell_size(_qr, 0x36),
    (48, 67): _number("pdf_module", 2, 8),
    (48, 68): _number("pdf_row", 2, 8),
    (48, 80): _store("pdf_data", 1),
    (48, 81): _print_symbol(_pdf417),
    (48, 82): _tell_size(_pdf417, 0x2F),
}


def _graphics(self: Interpreter, raw: bytes) -> Iterator[int]:
    """GS ( L and GS 8 L: store a raster graphic (fn 112), print it (fn 2, 50), tell capacities (fn 0, 48, 3, 51)."""
    data = raw[7:] if raw[1] == 0x38 else raw[5:]
    function = data[1] if len(data) > 1 else 0
    if function == 112 and len(data) > 10:
        width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
        stride = (width + 7) // 8
        if width and height and len(data) >= 10 + stride * height:
            twice = (2 if data[3] == 2 else 1, 2 if data[4] == 2 else 1)
            self.codes.image = Graphic(width, height, *twice, data[10 : 10 + stride * height])
    elif function in (2, 50) and self.codes.image is not None:
        image, self.codes.image = self.codes.image, None
        if image.width * image.across <= self.composer.room:  # wider graphics are not printed at all
            black = from_rows(image.data, (image.width + 7) // 8, image.height, image.width)
            yield from self.composer.raster(scaled(black, image.across, image.down))
    elif function in (0, 48):
        self.host.reply(b"\x37\x30\x30\x00")
    elif function in (3, 51):
        self.host.reply(b"\x37\x31\x30\x00")


def _define_downloaded(self: Interpreter, raw: bytes) -> Iterator[int]:
    """GS *: x times 8 columns of y bytes."""
    if raw[2] and raw[3]:
        self.codes.downloaded = from_columns(raw[4:], raw[2] * 8, raw[3])
    return iter(())


def _print_downloaded(self: Interpreter, raw: bytes) -> Iterator[int]:
    """GS / m."""
    if self.codes.downloaded is not None:
        yield from self.composer.raster(scaled(self.codes.downloaded, 1 + (raw[2] & 1), 1 + (raw[2] >> 1 & 1)))


def _define_nv(self: Interpreter, raw: bytes) -> Iterator[int]:
    """FS q: pictures that stay when the power goes."""
    images, at = [], 3
    for _ in range(raw[2]):
        if at + 4 > len(raw):
            break
        x, y = int.from_bytes(raw[at : at + 2], "little"), int.from_bytes(raw[at + 2 : at + 4], "little")
        at += 4
        if x and y and at + x * y * 8 <= len(raw):
            images.append((x * 8, y, raw[at : at + x * y * 8]))
        at += x * y * 8
    self.codes.nv_images = images
    return iter(())


def _print_nv(self: Interpreter, raw: bytes) -> Iterator[int]:
    """FS p n m."""
    if 1 <= raw[2] <= len(self.codes.nv_images):
        columns, height, data = self.codes.nv_images[raw[2] - 1]
        black = from_columns(data, columns, height)
        yield from self.composer.raster(scaled(black, 1 + (raw[3] & 1), 1 + (raw[3] >> 1 & 1)))


def _parenthesis(self: Interpreter, raw: bytes) -> Iterator[int]:
    """GS ( x, by x."""
    kind = raw[2:3]
    if kind == b"k":
        yield from _symbol(self, raw)
    elif kind == b"L":
        yield from _graphics(self, raw)
    elif kind == b"D":
        self.set_up(raw)
    elif kind == b"H":
        self.respond(raw)


SYMBOL_COMMANDS: dict[str, Callable[[Interpreter, bytes], Iterator[int]]] = {
    "GS k": _barcode,
    "GS (": _parenthesis,
    "GS 8": _graphics,
    "GS *": _define_downloaded,
    "GS /": _print_downloaded,
    "FS q": _define_nv,
    "FS p": _print_nv,
}
