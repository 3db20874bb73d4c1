"""The printer's modes: each is switched only where it must change."""

from __future__ import annotations

import struct

from countertop.sdk.receipt.ir import Style

__all__ = ["PLAIN", "Modes"]

PLAIN = Style()


class Modes:
    """Knows the modes that the printer is in after what was encoded so far, beginning with the preamble. What switches
    them is appended to `out`.
    """

    def __init__(self, out: bytearray):
        self._out = out
        self.current = PLAIN
        """The style that text is printed in now."""
        self._kanji_underline = False
        self._spacing = -1
        self._margin = 0

    def margin(self, x: int) -> None:
        """GS L, in dots; takes effect at the beginning of a line."""
        if x != self._margin:
            self._margin = x
            self._out += struct.pack("<2sH", b"\x1dL", x)

    def spacing(self, dots: int) -> None:
        """ESC 3: from line to line, 255 dots at most."""
        if dots != self._spacing:
            self._spacing = dots
            self._out += bytes((0x1B, 0x33, min(dots, 255)))

    def style(self, style: Style) -> None:
        """GS !, ESC E, ESC -, GS B, ESC M: size, weight, line below, white on black, font."""
        old, out = self.current, self._out
        if (style.width, style.height) != (old.width, old.height):
            out += bytes((0x1D, 0x21, (style.width - 1) << 4 | (style.height - 1)))
        if style.bold != old.bold:
            out += bytes((0x1B, 0x45, style.bold))
        if style.underline != old.underline:
            out += bytes((0x1B, 0x2D, style.underline))
        if style.inverted != old.inverted:
            out += bytes((0x1D, 0x42, style.inverted))
        if style.small != old.small:
            out += bytes((0x1B, 0x4D, style.small))
        self.current = style

    def kanji_underline(self, underline: bool) -> None:
        """FS -: ESC - does not underline Chinese characters. Their size and weight follow GS ! and ESC E."""
        if underline != self._kanji_underline:
            self._kanji_underline = underline
            self._out += bytes((0x1C, 0x2D, underline))
