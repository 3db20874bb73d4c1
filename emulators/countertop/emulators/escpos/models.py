"""What tells one printer model from another."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FONT_A", "FULL_ROLL_MM", "MODELS", "MachineSettings", "Model", "identity"]

FULL_ROLL_MM = 80_000.0
FONT_A = (12, 24)
"""Width and height of a character in dots."""


@dataclass(frozen=True, slots=True)
class Model:
    """Identity and abilities. `model_byte` and `type_byte` answer GS I 1 and 2; type bit 0 is multi-byte characters,
    bit 1 the cutter.
    """

    name: str
    maker: str = "EPSON"
    model_byte: int = 0x20
    type_byte: int = 0x03
    firmware: str = "1.00 ESC/POS"
    serial: str = "EMU0000001"
    language: str = "CHINA GB18030"
    process_id: bool = True
    counters: bool = True
    """It tells its maintenance counters (GS g)."""
    width_dots: int = 576
    dpi: int = 203


MODELS = {
    model.name: model
    for model in (
        Model("TM-T88VI", width_dots=512, dpi=180),
        Model("TM-T20II", model_byte=0x63),
        Model("TM-T88III", process_id=False, width_dots=512, dpi=180, language="CHINA GB2312"),
        Model("TM-T70II-CH", width_dots=576),
    )
}
"""TM-T20II's model byte was captured from hardware; TM-T88III has no process id (Epson's specification)."""


@dataclass(frozen=True, slots=True)
class MachineSettings:
    """The physical machine."""

    model: Model
    width_dots: int = 576
    dpi: int = 203
    speed_mm_s: float = 150.0
    kanji: bool = True
    gb18030_4byte: bool = True
    paper_mm: float = FULL_ROLL_MM
    cutter_distance: int = 80
    buffer_bytes: int = 4096
    xon_xoff: bool = False


def identity(model: Model, n: int) -> bytes:
    """The answer to GS I n; empty for n that the printer does not know."""
    texts = {65: model.firmware, 66: model.maker, 67: model.name, 68: model.serial, 69: model.language}
    bytes_of = {1: model.model_byte, 2: model.type_byte, 3: 0x01}
    if n in texts:
        return b"\x5f" + texts[n].encode("ascii") + b"\x00"
    if n in (33, 35, 96, 110):
        return b"\x3d" + bytes([n]) + b"\x00"
    value = bytes_of.get(n - 48 if n in (49, 50, 51) else n)
    return b"" if value is None else bytes([value])
