"""Who the drawn people are: faces as numbers, in the units of an ID card's photo (102 wide, 126 high)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FACE_HEIGHT", "OTHER", "RESIDENT", "Face"]

FACE_HEIGHT = 0.45
"""The part of a portrait's height that a face takes, from hair to chin: 55 of 126 units on the drawn card."""


@dataclass(frozen=True, slots=True)
class Face:
    """A face seen from the front, and what is around it. Colours are RRGGBB, lengths are units of the card's photo."""

    skin: str
    hair: str
    coat: str
    lips: str
    centre: float
    """From the upper edge to the middle of the head."""
    half_width: float
    half_height: float
    hair_over: float
    """How far the hair goes over the top of the head."""
    long_hair: bool
    shoulders: float
    """Half the width of the shoulders."""
    eye_apart: float
    """From the middle of the face to an eye."""
    eye_line: float
    """From the upper edge to the eyes."""
    brow_over: float
    """How far the brows are over the eyes."""
    brow_thick: float
    mouth_half: float
    mouth_thick: float
    nose_half: float
    nose_deep: float
    """How much the nose stands out, 0 to 1."""
    lids: float
    """How dark the lids' edges are, 0 to 1."""
    beard: float = 0.0
    """How thick the beard is, 0 to 1."""
    moustache: float = 0.0
    """The same for a moustache."""
    glasses: bool = False


RESIDENT = Face(
    skin="c68f63",
    hair="2e2320",
    coat="5b2434",
    lips="b5545a",
    centre=56.4,
    half_width=21.6,
    half_height=33.1,
    hair_over=7.2,
    long_hair=True,
    shoulders=44.3,
    eye_apart=12.1,
    eye_line=52.0,
    brow_over=6.5,
    brow_thick=1.1,
    mouth_half=7.7,
    mouth_thick=1.25,
    nose_half=2.85,
    nose_deep=0.0,
    lids=1.0,
)
"""The invented resident whose photo is on the emulated ID card."""

OTHER = Face(
    skin="8d5a3a",
    hair="7a5228",
    coat="27405f",
    lips="b8766c",
    centre=56.5,
    half_width=24.0,
    half_height=29.2,
    hair_over=5.0,
    long_hair=False,
    shoulders=48.0,
    eye_apart=10.5,
    eye_line=57.9,
    brow_over=7.6,
    brow_thick=1.2,
    mouth_half=8.5,
    mouth_thick=1.0,
    nose_half=5.0,
    nose_deep=1.0,
    lids=1.0,
    beard=0.7,
    moustache=1.0,
    glasses=True,
)
"""Somebody else."""
