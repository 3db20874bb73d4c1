"""Values of linux/videodev2.h, and the structures that are made of little else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from countertop.emulators.core.v4l2.modes import Mode

CAP_VIDEO_CAPTURE = 0x0000_0001
CAP_EXT_PIX_FORMAT = 0x0020_0000
CAP_META_CAPTURE = 0x0080_0000
CAP_STREAMING = 0x0400_0000
CAP_DEVICE_CAPS = 0x8000_0000

BUF_TYPE_VIDEO_CAPTURE = 1
BUF_TYPE_META_CAPTURE = 13
MEMORY_MMAP = 1
BUF_CAP_SUPPORTS_MMAP = 0x01

BUF_FLAG_QUEUED = 0x0002
BUF_FLAG_DONE = 0x0004
BUF_FLAG_TIMESTAMP_MONOTONIC = 0x2000
BUF_FLAG_TSTAMP_SRC_SOE = 0x10000  # taken as the exposure began
BUF_FLAGS = BUF_FLAG_TIMESTAMP_MONOTONIC | BUF_FLAG_TSTAMP_SRC_SOE

FMT_FLAG_COMPRESSED = 0x0001
FIELD_NONE = 1
COLORSPACE_SRGB = 8
PIX_FMT_PRIV_MAGIC = 0xFEED_CAFE  # the fields after `priv` count
META_FMT_UVC = int.from_bytes(b"UVCH", "little")

FRMSIZE_TYPE_DISCRETE = 1
FRMIVAL_TYPE_DISCRETE = 1
PARM_TIMEPERFRAME = 0x1000
INPUT_TYPE_CAMERA = 2
PRIORITY_DEFAULT = 2
PRIORITIES = (1, 2, 3)

KERNEL_VERSION = 6 << 16 | 1 << 8


def capability(driver: str, card: str, bus_info: str, node: int) -> Mapping[str, Any]:
    """v4l2_capability of a node of a USB camera: `capabilities` are those of all its nodes together."""
    own = node | CAP_STREAMING | CAP_EXT_PIX_FORMAT
    return {
        "driver": _text(driver, 16),
        "card": _text(card, 32),
        "bus_info": _text(bus_info, 32),
        "version": KERNEL_VERSION,
        "capabilities": own | CAP_VIDEO_CAPTURE | CAP_META_CAPTURE | CAP_DEVICE_CAPS,
        "device_caps": own,
    }


def picture(mode: Mode) -> Mapping[str, Any]:
    """v4l2_format of a picture."""
    return {
        "type": BUF_TYPE_VIDEO_CAPTURE,
        "width": mode.size.width,
        "height": mode.size.height,
        "pixelformat": mode.format.code,
        "field": FIELD_NONE,
        "bytesperline": mode.line_bytes,
        "sizeimage": mode.image_bytes,
        "colorspace": COLORSPACE_SRGB,
        "priv": PIX_FMT_PRIV_MAGIC,
    }


def parameters(rate: int) -> Mapping[str, Any]:
    """v4l2_streamparm for so many frames a second."""
    return {
        "type": BUF_TYPE_VIDEO_CAPTURE,
        "capability": PARM_TIMEPERFRAME,
        "numerator": 1,
        "denominator": rate,
    }


def _text(text: str, size: int) -> bytes:
    return text.encode()[: size - 1]
