"""What pictures a camera can make: formats, sizes and frame rates."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MJPG", "YUYV", "FrameSize", "Mode", "PixelFormat", "default_formats", "fourcc", "nearest_mode"]


def fourcc(name: str) -> int:
    """The number of a four-letter format name. Raises ValueError unless it has four ASCII letters."""
    encoded = name.encode("ascii", "replace")
    if len(encoded) != 4:
        raise ValueError(f"expected four letters, got {len(encoded)}")
    return int.from_bytes(encoded, "little")


MJPG = fourcc("MJPG")
YUYV = fourcc("YUYV")


@dataclass(frozen=True, slots=True)
class FrameSize:
    """In pixels, with the whole frame rates per second that it can have, the default first."""

    width: int
    height: int
    rates: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (0 < self.width <= 8192 and 0 < self.height <= 8192 and not self.width % 2):
            raise ValueError(f"expected an even width and a height up to 8192, got {self.width}x{self.height}")
        if not self.rates or min(self.rates) < 1:
            raise ValueError(f"expected frame rates from 1 up, got {self.rates}")


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """MJPG or YUYV, and the sizes, the default first."""

    code: int
    sizes: tuple[FrameSize, ...]

    def __post_init__(self) -> None:
        if self.code not in (MJPG, YUYV) or not self.sizes:
            raise ValueError(f"expected MJPG or YUYV in some size, got {self.code:#010x} in {len(self.sizes)} sizes")

    @property
    def compressed(self) -> bool:
        """Frames differ in length."""
        return self.code == MJPG

    @property
    def description(self) -> bytes:
        """The kernel's own words for it (v4l2-ioctl.c, v4l_fill_fmtdesc)."""
        return b"Motion-JPEG" if self.compressed else b"YUYV 4:2:2"


@dataclass(frozen=True, slots=True)
class Mode:
    """A format in one size."""

    format: PixelFormat
    size: FrameSize

    @property
    def line_bytes(self) -> int:
        """0 for a compressed format."""
        return 0 if self.format.compressed else 2 * self.size.width

    @property
    def image_bytes(self) -> int:
        """The most that a frame takes."""
        return 2 * self.size.width * self.size.height


def nearest_mode(formats: tuple[PixelFormat, ...], code: int, width: int, height: int) -> Mode:
    """What a camera that was asked for this gives: an unknown format becomes the first, an unknown size the one that
    overlaps best, as in uvcvideo (uvc_v4l2.c, uvc_v4l2_try_format).
    """
    chosen = next((known for known in formats if known.code == code), formats[0])
    return Mode(chosen, min(chosen.sizes, key=lambda size: _mismatch(size, width, height)))


def _mismatch(size: FrameSize, width: int, height: int) -> int:
    common = min(size.width, width) * min(size.height, height)
    return size.width * size.height + width * height - 2 * common


def default_formats() -> tuple[PixelFormat, ...]:
    """Those of a usual USB 2 webcam: full HD at 30 frames a second as JPEG; raw frames only as the cable allows."""
    return (
        PixelFormat(
            MJPG,
            (
                FrameSize(1920, 1080, (30, 15, 5)),
                FrameSize(1280, 720, (30, 15, 5)),
                FrameSize(640, 480, (30, 15, 5)),
                FrameSize(320, 240, (30, 15, 5)),
            ),
        ),
        PixelFormat(
            YUYV,
            (
                FrameSize(640, 480, (30, 15, 5)),
                FrameSize(320, 240, (30, 15, 5)),
                FrameSize(1280, 720, (10, 5)),
                FrameSize(1920, 1080, (5,)),
            ),
        ),
    )
