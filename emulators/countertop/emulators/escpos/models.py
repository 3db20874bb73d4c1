"""What tells one printer model from another."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MODELS", "Model"]


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
