"""What a pad's screen shows while somebody signs: the document, a line to sign on, three buttons.

The buttons lie side by side in a bar along the lower edge: an eighth of the screen high but at least 28 pixels, each a
third of its width: cancel, clear, accept.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.sdk.receipt.fonts import font_files
from countertop.sdk.signing.capture import Area
from countertop.v1 import error_pb2, signature_pad_pb2
from countertop.v1.image_pb2 import Image
from countertop.v1.ink_pb2 import InkSpace
from countertop.v1.signature_pad_pb2 import CaptureSignatureRequest, PadButton

__all__ = ["DEFAULT_PROMPT", "SignScreen", "compose"]

DEFAULT_PROMPT = "Please sign here / 请在此签名"
LABELS: dict[PadButton, str] = {
    signature_pad_pb2.PAD_BUTTON_CANCEL: "Cancel 取消",
    signature_pad_pb2.PAD_BUTTON_CLEAR: "Clear 重写",
    signature_pad_pb2.PAD_BUTTON_ACCEPT: "OK 确认",
}
"""From left to right."""
SMALLEST = 12
"""Pixels; Chinese is not legible below."""
_BLACK, _GREY, _PALE, _WHITE = (0, 0, 0), (110, 110, 110), (228, 232, 238), (255, 255, 255)


@dataclass(frozen=True, slots=True)
class SignScreen:
    """A picture for a pad, and where its buttons are."""

    width: int
    height: int
    pixels: bytes
    """RGB, 3 bytes a pixel, rows from the top."""
    bar: int
    """Height of the bar of buttons in pixels."""

    def buttons(self, space: InkSpace) -> dict[PadButton, Area]:
        """Where the buttons are, in device units."""
        top = (self.height - self.bar) * space.height / self.height
        third = space.width / len(LABELS)
        return {
            button: Area(index * third, top, (index + 1) * third, space.height) for index, button in enumerate(LABELS)
        }

    def png(self) -> Image:
        """As a PNG picture."""
        file = io.BytesIO()
        _pillow("Image").frombytes("RGB", (self.width, self.height), self.pixels).save(file, "PNG")
        return Image(media_type="image/png", width=self.width, height=self.height, data=file.getvalue())


def compose(request: CaptureSignatureRequest, width: int, height: int, bits: int) -> SignScreen:
    """Draw what is to be signed for a screen of `width` by `height` pixels of 1, 16 or 24 bits.

    Raises InvalidRequest for a text that does not fit or a picture that cannot be read, CountertopError(NOT_SUPPORTED)
    when there is no Pillow or no font.
    """
    canvas = _pillow("Image").new("RGB", (width, height), _WHITE)
    draw = _pillow("ImageDraw").Draw(canvas)
    if bits == 1:
        draw.fontmode = "1"
    bar = max(28, height // 8)
    _buttons(draw, width, height, bar, bits)
    line = height - bar - max(6, height // 30)
    room = _Box(max(4, width // 50), max(2, height // 60), width - max(4, width // 50), (height - bar) * 11 // 20)
    _sign_line(draw, request.prompt or DEFAULT_PROMPT, room, line)
    _document(canvas, draw, request.document, room, bits)
    return SignScreen(width, height, canvas.tobytes(), bar)


@dataclass(frozen=True, slots=True)
class _Box:
    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


def _pillow(module: str) -> Any:
    try:
        return import_module(f"PIL.{module}")
    except ImportError as error:
        raise CountertopError(
            error_pb2.REASON_NOT_SUPPORTED,
            "Showing a document on a signature pad needs Pillow: run `pip install 'countertop[signature]'`.",
        ) from error


def _font(size: int) -> Any:
    return _pillow("ImageFont").truetype(str(font_files()[0]), size)


def _buttons(draw: Any, width: int, height: int, bar: int, bits: int) -> None:
    top, fill = height - bar, _WHITE if bits == 1 else _PALE
    font = _font(max(SMALLEST, min(bar // 2, width // 24)))
    for index, label in enumerate(LABELS.values()):
        left, right = index * width // 3, (index + 1) * width // 3
        draw.rectangle((left + 2, top + 1, right - 3, height - 3), fill=fill, outline=_BLACK)
        draw.text(((left + right) // 2, top + bar // 2), label, fill=_BLACK, font=font, anchor="mm")


def _sign_line(draw: Any, prompt: str, room: _Box, line: int) -> None:
    """The line to sign on, with the prompt in small letters right above the place for ink."""
    draw.line((room.left, line, room.right, line), fill=_BLACK, width=1)
    size = max(SMALLEST, (line - room.bottom) // 8)
    if line - room.bottom >= 3 * size:
        fill = _BLACK if draw.fontmode == "1" else _GREY
        draw.text((room.left, room.bottom + 2), prompt, fill=fill, font=_font(size))


def _document(canvas: Any, draw: Any, document: signature_pad_pb2.SignDocument, room: _Box, bits: int) -> None:
    top = room.top
    if document.title:
        size = max(SMALLEST, room.height // 7)
        draw.text((room.left, top), document.title, fill=_BLACK, font=_font(size))
        top += size * 5 // 4
    rest = _Box(room.left, top, room.right, room.bottom)
    if document.WhichOneof("content") == "picture":
        _picture(canvas, document.picture.data, rest, bits)
    elif document.text:
        _text(draw, document.text, rest)


def _picture(canvas: Any, data: bytes, box: _Box, bits: int) -> None:
    image_module = _pillow("Image")
    try:
        picture = image_module.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        if picture.width * picture.height > 16_000_000:
            raise InvalidRequest({"document.picture.data": "expected a picture of at most 16 million pixels"})
        picture = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidRequest({"document.picture.data": "expected a PNG or JPEG file"}) from error
    scale = min(box.width / picture.width, box.height / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    fitted = image_module.new("RGBA", size, (*_WHITE, 255))
    fitted.alpha_composite(picture.resize(size))
    shown = fitted.convert("1") if bits == 1 else fitted
    canvas.paste(shown.convert("RGB"), (box.left + (box.width - size[0]) // 2, box.top))


def _text(draw: Any, text: str, box: _Box) -> None:
    """As large as it fits. Raises InvalidRequest when it does not fit at all."""
    for size in range(max(SMALLEST, box.height // 5), SMALLEST - 1, -1):
        font = _font(size)
        lines = _wrap(text, font, box.width)
        step = size * 5 // 4
        if len(lines) * step <= box.height:
            for index, line in enumerate(lines):
                draw.text((box.left, box.top + index * step), line, fill=_BLACK, font=font)
            return
    fits = box.height // (SMALLEST * 5 // 4)
    raise InvalidRequest(
        {
            "document.text": f"expected text that fits the pad's screen: {fits} lines of about "
            f"{box.width // SMALLEST} Chinese or {box.width * 2 // SMALLEST} Latin characters; "
            "give a summary, and the whole document's digest in document.sha256"
        }
    )


def _wrap(text: str, font: Any, width: int) -> list[str]:
    """Break lines between words, and anywhere in a word that is wider than a line, as Chinese text is."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for character in paragraph:
            if font.getlength(line + character) <= width:
                line += character
                continue
            space = line.rfind(" ")
            breaks_word = space > 0 and character.isascii() and not character.isspace()
            lines.append(line[:space] if breaks_word else line.rstrip())
            line = line[space + 1 :] + character if breaks_word else character.lstrip()
        lines.append(line)
    return lines
