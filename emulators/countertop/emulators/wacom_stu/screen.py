"""A pad's screen: what images and pens leave on it."""

from __future__ import annotations

import struct
import zlib

__all__ = ["BadImage", "Screen", "decode"]

ONE_BIT, ONE_BIT_ZLIB, SIXTEEN_BIT, TWENTY_FOUR_BIT, BULK = 0x00, 0x01, 0x02, 0x04, 0x10
WHITE, BLACK = b"\xff\xff\xff", b"\0\0\0"


class BadImage(Exception):
    """An image that cannot be shown; `result` is what the pad says of it."""

    def __init__(self, result: int) -> None:
        super().__init__(f"result {result:02X}")
        self.result = result


def image_bytes(encoding: int, width: int, height: int) -> int:
    """How long an image is, before compression."""
    row = {ONE_BIT: (width + 7) // 8, SIXTEEN_BIT: width * 2, TWENTY_FOUR_BIT: width * 3}
    return row[encoding & ~BULK & ~ONE_BIT_ZLIB if encoding & ONE_BIT_ZLIB else encoding & ~BULK] * height


def decode(encoding: int, data: bytes, width: int, height: int) -> bytes:
    """RGB, 3 bytes a pixel; what is missing at the end is white. Raises BadImage."""
    whole = image_bytes(encoding, width, height)
    kind = encoding & ~BULK
    if kind == ONE_BIT_ZLIB:
        data, kind = _inflate(data, whole), ONE_BIT
    if len(data) > whole:
        raise BadImage(0x11)
    data = data.ljust(whole, b"\xff")
    if kind == ONE_BIT:
        stride = (width + 7) // 8
        table = [b"".join(WHITE if byte >> (7 - bit) & 1 else BLACK for bit in range(8)) for byte in range(256)]
        rows = (b"".join(table[byte] for byte in data[y * stride : (y + 1) * stride]) for y in range(height))
        return b"".join(row[: width * 3] for row in rows)
    if kind == SIXTEEN_BIT:  # big-endian RGB565
        pixels = struct.unpack(f">{width * height}H", data)
        return b"".join(_rgb565(pixel) for pixel in pixels)
    swapped = bytearray(data)  # blue, green, red
    swapped[0::3], swapped[2::3] = data[2::3], data[0::3]
    return bytes(swapped)


def _inflate(data: bytes, limit: int) -> bytes:
    try:
        inflater = zlib.decompressobj()
        found = inflater.decompress(data, limit + 1)
    except zlib.error:
        raise BadImage(0x12) from None
    if not inflater.eof and len(found) <= limit:
        raise BadImage(0x12)
    return found


def _rgb565(pixel: int) -> bytes:
    red, green, blue = pixel >> 11, pixel >> 5 & 0x3F, pixel & 0x1F
    return bytes((red * 255 // 31, green * 255 // 63, blue * 255 // 31))


class Screen:
    """RGB pixels, and ink drawn over them."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._pixels = bytearray(WHITE * (width * height))
        self._last: tuple[int, int] | None = None

    def clear(self, left: int = 0, top: int = 0, right: int = -1, bottom: int = -1) -> None:
        """Make a rectangle white; without one, all of it. The edges are part of it."""
        right, bottom = (self.width - 1 if right < 0 else right), (self.height - 1 if bottom < 0 else bottom)
        self.paste(WHITE * ((right - left + 1) * (bottom - top + 1)), left, top, right, bottom)

    def paste(self, pixels: bytes, left: int, top: int, right: int, bottom: int) -> None:
        """Put RGB pixels into a rectangle."""
        row = (right - left + 1) * 3
        for y in range(top, bottom + 1):
            start = (y * self.width + left) * 3
            self._pixels[start : start + row] = pixels[(y - top) * row : (y - top + 1) * row]

    def pen(self, x: int, y: int, touching: bool) -> None:
        """Draw to here, in pixels, if the pen was down before."""
        if not touching:
            self._last = None
            return
        x0, y0 = self._last or (x, y)
        steps = max(abs(x - x0), abs(y - y0), 1)
        for step in range(steps + 1):
            self._dot(x0 + (x - x0) * step // steps, y0 + (y - y0) * step // steps)
        self._last = x, y

    def _dot(self, x: int, y: int) -> None:
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            if 0 <= x + dx < self.width and 0 <= y + dy < self.height:
                start = ((y + dy) * self.width + x + dx) * 3
                self._pixels[start : start + 3] = BLACK

    @property
    def pixels(self) -> bytes:
        """RGB, rows from the top."""
        return bytes(self._pixels)

    def png(self) -> bytes:
        """As a PNG file."""
        row = self.width * 3
        lines = b"".join(b"\0" + self._pixels[y * row : (y + 1) * row] for y in range(self.height))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
            for name, body in chunks
        )
