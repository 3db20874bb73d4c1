"""A letter of the bank on A4, drawn at 150 dots an inch."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from countertop.emulators.core.fonts import load_font

__all__ = ["A4", "draw_letter"]

A4 = (210.0, 297.0)
"""Millimetres."""
_DOTS = 150 / 25.4
_LINES = (
    "尊敬的客户：",
    "",
    "    您于二〇二六年一月一日申请的业务已受理，编号 0000-0042。",
    "请核对以下内容，确认无误后在下方签名。本文件为演示样张，",
    "不具法律效力。",
    "",
    "Dear customer,",
    "",
    "    your request of 1 January 2026 was received under",
    "number 0000-0042. Please check what follows and sign",
    "below. This letter is a specimen without legal effect.",
    "",
    "户名 Name        李小样（虚构）",
    "账号 Account     6200 0000 0000 0000",
    "金额 Amount      CNY 12,345.67",
    "用途 Purpose     演示 Demonstration",
)


@lru_cache(maxsize=2)
def draw_letter(seed: int) -> Any:
    """The page as BGR, 1754 by 1240. Where no font is installed the text is bars."""
    wide, high = round(A4[0] * _DOTS), round(A4[1] * _DOTS)
    page = Image.new("RGB", (wide, high), (246, 247, 245))
    draw = ImageDraw.Draw(page)
    left = round(25 * _DOTS)
    draw.rectangle((left, 95, left + 70, 165), fill=(150, 30, 40))
    draw.rectangle((left + 22, 117, left + 48, 143), fill=(246, 247, 245))
    _write(draw, (left + 95, 98), "样例银行  SPECIMEN BANK", 50, (60, 40, 40))
    draw.line((left, 195, wide - left, 195), fill=(150, 30, 40), width=3)
    for row, line in enumerate(_LINES):
        _write(draw, (left, 300 + row * 52), line, 28, (30, 30, 34))
    draw.line((left, 1360, left + 420, 1360), fill=(40, 40, 40), width=2)
    _write(draw, (left, 1372), "签名 Signature", 24, (70, 70, 70))
    stamp = (wide - left - 250, 1220, wide - left, 1470)
    draw.ellipse(stamp, outline=(196, 40, 44), width=8)
    _write(draw, (stamp[0] + 52, 1322), "演示专用", 38, (196, 40, 44))
    paper = np.random.default_rng((seed, 4)).standard_normal((high, wide, 1)).astype(np.float32) * 1.5
    return np.clip(np.asarray(page)[..., ::-1] + paper, 0, 255).astype(np.uint8)


def _write(draw: Any, at: tuple[int, int], text: str, size: int, colour: tuple[int, int, int]) -> None:
    try:
        font = load_font(size)
    except OSError:
        indent = len(text) - len(text.lstrip())
        if text.strip():
            left = at[0] + indent * size // 3
            draw.rectangle((left, at[1] + size // 4, left + len(text.strip()) * size // 2, at[1] + size), fill=colour)
    else:
        draw.text(at, text, font=font, fill=colour)
