"""The outline font that emulated devices draw with."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["load_font"]

_PLACES = ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")


def _font_file() -> Path:
    package = find_spec("paperang_p2_fonts_cjk")
    folders = list(package.submodule_search_locations or ()) if package else []
    candidates = [Path(os.environ.get("COUNTERTOP_FONT") or "/nonexistent")]
    candidates += [Path(folder, "fonts", "wqy-microhei.ttc") for folder in folders]
    for candidate in (*candidates, *map(Path, _PLACES)):
        if candidate.is_file():
            return candidate
    raise OSError("the emulated device has no font: run `pip install 'countertop[receipt]'` or set COUNTERTOP_FONT")


@cache
def load_font(size: int) -> Any:
    """The outline font at a size. Raises OSError that says how to get one."""
    from PIL import ImageFont

    path = _font_file()
    return ImageFont.truetype(str(path), size, index=1 if path.name == "wqy-microhei.ttc" else 0)
