"""Packed dots of ESC/POS pictures as arrays of booleans."""

from __future__ import annotations

from typing import Any

__all__ = ["from_columns", "from_rows", "scaled"]


def from_rows(data: bytes, width_bytes: int, height: int, most: int) -> Any:
    """Rows from the top, eight dots a byte, most significant bit left (GS v 0, GS ( L); the first `most` dots of each.

    Raises ValueError when there is too little data.
    """
    import numpy as np

    packed = np.frombuffer(data, np.uint8, width_bytes * height).reshape(height, width_bytes)
    return np.unpackbits(packed[:, : (most + 7) // 8], axis=1).astype(bool)[:, :most]


def from_columns(data: bytes, columns: int, height_bytes: int) -> Any:
    """Columns from the left, eight dots a byte from the top (ESC *, GS *, FS q)."""
    import numpy as np

    packed = np.frombuffer(data, np.uint8, columns * height_bytes).reshape(columns, height_bytes)
    return np.unpackbits(packed, axis=1).astype(bool).T


def scaled(black: Any, across: int, down: int) -> Any:
    """Each dot so many times as wide and high."""
    return black.repeat(down, axis=0).repeat(across, axis=1)
