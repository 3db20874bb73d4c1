"""Documents under a camera: found, straightened, put together.

Pure functions of pictures; they block, and know no device.

::

    stage = Stage.of(decode(empty), empty)
    found = find(picture, stage, size)
    if found.quad and found.confidence >= SURE:
        document = straighten(picture, found.quad, size=size, stage_dpi=stage.dpi_at(picture.shape[1]))

`straighten` and `compose` are in the modules of their names. All of it needs numpy, OpenCV, simplejpeg and Pillow,
which are imported with the first name that is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from countertop.sdk._lazy import lazy

if TYPE_CHECKING:
    from countertop.sdk.cameras.documents.calibration import Stage
    from countertop.sdk.cameras.documents.finder import SURE, Finding, find
    from countertop.sdk.cameras.documents.quad import Quad

__all__ = ["SURE", "Finding", "Quad", "Stage", "find"]

__getattr__ = lazy(
    __name__,
    {
        "calibration": "Stage",
        "finder": "SURE Finding find",
        "quad": "Quad",
    },
)
