"""Text, lines and bar codes that the printer itself draws into a bitmap: W.

Coordinates are dots of the card as people look at it, from its upper left corner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from countertop.emulators.core.fonts import load_font
from countertop.emulators.evolis.framing import HEIGHT, WIDTH, Command
from countertop.emulators.evolis.state import Failure, State

__all__ = ["DRAWINGS", "draw"]


def draw(state: State, command: Command) -> str:
    """Carry out one of DRAWINGS. Raises Failure."""
    try:
        DRAWINGS[command.name](state, command.parameters)
    except (ValueError, IndexError):
        raise Failure("ERROR PARAMETRES") from None
    return "OK"


def bank(state: State, panel: str) -> Any:
    """The bitmap of a panel. Raises ValueError for a panel that has none."""
    from PIL import Image

    if panel not in ("k", "o"):
        raise ValueError("panel: expected k or o")
    return state.memory.banks.setdefault(panel, Image.new("1", (HEIGHT, WIDTH)))


def _number(text: str, most: int = HEIGHT) -> int:
    value = int(text)
    if not 0 <= value <= most:
        raise ValueError(f"expected 0 to {most}")
    return value


def _target(state: State) -> Any:
    return bank(state, state.memory.first("Pwb", "k"))


def _clear(state: State, parameters: tuple[str, ...]) -> None:
    """`Wcb;panel[;value]`."""
    picture = bank(state, parameters[0])
    ink = _number(parameters[1], 255) if len(parameters) > 1 else 0
    picture.paste(int(ink > 127), (0, 0, HEIGHT, WIDTH))


def _text(state: State, parameters: tuple[str, ...]) -> None:
    """`Wt;x;y;font;height;text`, turned as `Pwr` says; font 0 is plain, 1 bold. White on black with `Pwm;n`."""
    from PIL import Image, ImageDraw

    x, y, font, height = (_number(text) for text in parameters[:4])
    text = ";".join(parameters[4:])
    if font > 1 or height < 4:
        raise ValueError("font: expected 0 or 1; height: expected 4 or more")
    face = load_font(height)
    left, top, right, bottom = (round(edge) for edge in face.getbbox(text, stroke_width=font))
    label = Image.new("1", (max(1, right - left), max(1, bottom - top)))
    ImageDraw.Draw(label).text((-left, -top), text, 1, face, stroke_width=font)
    if state.memory.first("Pwm", "s") == "n":
        label = label.point(lambda dot: not dot, "1")
    label = label.rotate(int(state.memory.first("Pwr", "0")), expand=True)
    shift = {"r": label.width, "c": label.width // 2}.get(state.memory.first("Pwj", "l"), 0)
    _target(state).paste(1, (x - shift, y), label)


def _line(state: State, parameters: tuple[str, ...]) -> None:
    """`Wl;x;y;length;width;ink`."""
    x, y, length, width, ink = (_number(text) for text in parameters)
    _target(state).paste(int(bool(ink)), (x, y, min(HEIGHT, x + length), min(WIDTH, y + width)))


def _barcode(state: State, parameters: tuple[str, ...]) -> None:
    """`Wb;x;y;type;ratio;module;height;show;data`, of Code 39 or Interleaved 2 of 5."""
    from PIL import Image

    x, y = _number(parameters[0]), _number(parameters[1])
    kind, module, height = parameters[2], _number(parameters[4], 20), _number(parameters[5])
    bars = _bars(kind, ";".join(parameters[7:]))
    if not module:
        raise ValueError("module: expected 1 or more")
    picture = Image.frombytes("L", (len(bars), 1), bytes(255 * bar for bar in bars)).resize(
        (len(bars) * module, max(1, height)), Image.Resampling.NEAREST
    )
    _target(state).paste(1, (x, y), picture.convert("1"))


def _bars(kind: str, data: str) -> list[int]:
    """Modules of a bar code, 1 is black."""
    import numpy as np
    import zxingcpp

    formats = {"c39": zxingcpp.BarcodeFormat.Code39, "2/5": zxingcpp.BarcodeFormat.ITF}
    if kind not in formats or not data:
        raise ValueError("type: expected c39 or 2/5")
    image = zxingcpp.create_barcode(data, formats[kind]).to_image(scale=1, add_quiet_zones=False)
    return [int(dot < 128) for dot in np.asarray(image)[0]]


DRAWINGS: dict[str, Callable[[State, tuple[str, ...]], None]] = {
    "Wcb": _clear,
    "Wt": _text,
    "Wl": _line,
    "Wb": _barcode,
}
