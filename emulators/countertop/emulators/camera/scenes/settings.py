"""What is before the camera, as the bench says it."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from countertop.bench.v1 import bench_pb2 as bench
from countertop.bench.v1.bench_pb2 import Scene, SceneFlaw

__all__ = ["DEFAULT_TEXT", "SCENES", "SceneSettings", "check_picture"]

SCENES: dict[str, Scene] = {
    "person": bench.SCENE_PERSON,
    "other-person": bench.SCENE_OTHER_PERSON,
    "phone-replay": bench.SCENE_PHONE_REPLAY,
    "print": bench.SCENE_PRINT,
    "empty": bench.SCENE_EMPTY,
    "two-people": bench.SCENE_TWO_PEOPLE,
    "code": bench.SCENE_CODE,
    "document": bench.SCENE_DOCUMENT,
    "mat": bench.SCENE_MAT,
}
"""Scenes by the names that options use."""
DEFAULT_TEXT = "https://pay.example/t/20260101-000042?amount=12.50"
_FLAWS = (bench.SCENE_FLAW_UNSPECIFIED, bench.SCENE_FLAW_DARK, bench.SCENE_FLAW_BLUR, bench.SCENE_FLAW_GLARE)
_DEFAULT_SIZE = 0.45
_LEAST_SIZE, _MOST_SIZE = 0.05, 1.2
_MOST_PIXELS = 40_000_000
_MOST_QR_BYTES = 2328
"""What a QR code of the largest version holds at error correction M, beside the mark that it is UTF-8."""


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """A scene. Its repr tells nothing of the picture and the text."""

    scene: Scene = bench.SCENE_PERSON
    flaw: SceneFlaw = bench.SCENE_FLAW_UNSPECIFIED
    picture: bytes = field(default=b"", repr=False)
    """The file of the person or the document; empty for a drawn one."""
    text: str = field(default=DEFAULT_TEXT, repr=False)
    """What the code says."""
    turned: float = 0.0
    """Degrees clockwise, -180 to 180."""
    size: float = 0.0
    """The height of the face, the code or the document (as it lies unturned), as a part of the frame's, 0.05 to 1.2;
    0 for the scene's own.
    """

    @classmethod
    def of(cls, request: bench.SetSceneRequest) -> SceneSettings:
        """What a request asks for. Raises ValueError that names the field."""
        if request.scene not in (bench.SCENE_UNSPECIFIED, *SCENES.values()):
            raise ValueError(f"scene: expected one of the scenes, got {int(request.scene)}")
        if request.flaw not in _FLAWS:
            raise ValueError(f"flaw: expected one of the flaws, got {int(request.flaw)}")
        if not -180 <= request.turned <= 180:
            raise ValueError(f"turned: expected -180 to 180 degrees, got {request.turned:g}")
        if request.size and not _LEAST_SIZE <= request.size <= _MOST_SIZE:
            raise ValueError(
                f"size: expected {_LEAST_SIZE} to {_MOST_SIZE}, or 0 for the default, got {request.size:g}"
            )
        said = len(request.text.encode())
        if said > _MOST_QR_BYTES:
            raise ValueError(f"text: expected at most {_MOST_QR_BYTES} bytes of UTF-8, got {said}")
        return cls(
            scene=request.scene or bench.SCENE_PERSON,
            flaw=request.flaw,
            picture=check_picture(request.picture.data),
            text=request.text or DEFAULT_TEXT,
            turned=request.turned,
            size=request.size,
        )

    @property
    def face_size(self) -> float:
        """The height of a face or a code, as a part of the frame's."""
        return self.size or _DEFAULT_SIZE


def check_picture(data: bytes) -> bytes:
    """The file itself, or none. Raises ValueError that starts with `picture:` when it cannot be shown."""
    from PIL import Image, UnidentifiedImageError

    if not data:
        return b""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "BMP")) as picture:
            width, height = picture.size
            if width * height > _MOST_PIXELS:
                raise ValueError(f"picture: expected at most {_MOST_PIXELS} pixels, got {width} x {height}")
            picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("picture: expected a whole JPEG, PNG or BMP file") from None
    return data
