"""Options of the emulated camera: how each is checked, its default."""

from __future__ import annotations

from typing import Any

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.camera.scenes.settings import SCENES
from countertop.emulators.camera.server import BOUNDARIES
from countertop.emulators.core.options import Table, address, check_options, flag, number, one_of, text, whole

__all__ = ["FLAWS", "camera_options"]

FLAWS = {
    "none": bench.SCENE_FLAW_UNSPECIFIED,
    "dark": bench.SCENE_FLAW_DARK,
    "blur": bench.SCENE_FLAW_BLUR,
    "glare": bench.SCENE_FLAW_GLARE,
}


def _http(value: Any) -> tuple[str, int] | None:
    return None if value is False else address(value)


_OPTIONS: Table = {
    "http": (_http, ()),
    "v4l2": (text, None),
    "product": (text, "Counter Cam"),
    "serial": (text, "EMU0001"),
    "width": (whole(160, 1920), 1280),
    "height": (whole(120, 1080), 720),
    "fps": (number(0.1, 60), 30.0),
    "still_width": (whole(160, 4096), 1920),
    "still_height": (whole(120, 4096), 1080),
    "scene": (one_of(SCENES), "person"),
    "flaw": (one_of(FLAWS), "none"),
    "picture": (text, None),
    "text": (text, None),
    "turned": (number(-180, 180), 0.0),
    "size": (number(0, 1.2), 0.0),
    "boundary": (one_of(BOUNDARIES), "standard"),
    "content_length": (flag, True),
    "speed": (number(0.01, 1000), 1.0),
    "seed": (whole(0, 2**32), 0),
}


def camera_options(options: dict[str, Any]) -> dict[str, Any]:
    """All options with their values. Raises ValueError that names the option and what was expected."""
    values = check_options(_OPTIONS, options)
    if values["http"] == ():  # a camera has one cable, unless one asks for more
        values["http"] = None if values["v4l2"] else ("127.0.0.1", 0)
    return values
