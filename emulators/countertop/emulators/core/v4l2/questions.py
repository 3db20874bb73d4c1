"""What a camera answers from its table of formats alone, and the checks that many ioctls share.

All raise `Refused` as the kernel does.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any, TypeVar

from countertop.emulators.core.v4l2 import constants as v4l2
from countertop.emulators.core.v4l2.answers import Refused
from countertop.emulators.core.v4l2.modes import PixelFormat
from countertop.emulators.core.v4l2.structs import Fields

__all__ = [
    "enum_format",
    "enum_input",
    "enum_intervals",
    "enum_sizes",
    "expect_capture",
    "expect_mmap",
    "no_controls",
]

_T = TypeVar("_T")


def enum_format(formats: tuple[PixelFormat, ...], fields: Fields) -> Mapping[str, Any]:
    """v4l2_fmtdesc of the format `index`."""
    expect_capture(fields)
    chosen = _entry(formats, fields["index"])
    return {
        "index": fields["index"],
        "type": v4l2.BUF_TYPE_VIDEO_CAPTURE,
        "flags": v4l2.FMT_FLAG_COMPRESSED if chosen.compressed else 0,
        "description": chosen.description,
        "pixelformat": chosen.code,
    }


def enum_sizes(formats: tuple[PixelFormat, ...], fields: Fields) -> Mapping[str, Any]:
    """v4l2_frmsizeenum of the size `index` of a format."""
    size = _entry(_format(formats, fields).sizes, fields["index"])
    given = {name: fields[name] for name in ("index", "pixel_format")}
    return {**given, "type": v4l2.FRMSIZE_TYPE_DISCRETE, "width": size.width, "height": size.height}


def enum_intervals(formats: tuple[PixelFormat, ...], fields: Fields) -> Mapping[str, Any]:
    """v4l2_frmivalenum of the frame rate `index` of a size."""
    wanted = (fields["width"], fields["height"])
    size = next((size for size in _format(formats, fields).sizes if (size.width, size.height) == wanted), None)
    if size is None:
        raise Refused(errno.EINVAL)
    given = {name: fields[name] for name in ("index", "pixel_format", "width", "height")}
    rate = _entry(size.rates, fields["index"])
    return {**given, "type": v4l2.FRMIVAL_TYPE_DISCRETE, "numerator": 1, "denominator": rate}


def enum_input(fields: Fields) -> Mapping[str, Any]:
    """v4l2_input of the one input."""
    if fields["index"]:
        raise Refused(errno.EINVAL)
    return {"name": b"Input 1", "type": v4l2.INPUT_TYPE_CAMERA}


def no_controls(fields: Fields, error_index: int) -> Mapping[str, Any]:
    """None can be read or set; to ask for none of them works. The kernel tells which one failed."""
    if fields["count"]:
        raise Refused(errno.EINVAL, {**fields, "error_idx": error_index})
    return fields


def expect_capture(fields: Fields) -> None:
    """The client speaks of pictures."""
    if fields["type"] != v4l2.BUF_TYPE_VIDEO_CAPTURE:
        raise Refused(errno.EINVAL)


def expect_mmap(fields: Fields) -> None:
    """The client maps the buffers; other kinds of memory are not there."""
    if fields["memory"] != v4l2.MEMORY_MMAP:
        raise Refused(errno.EINVAL)


def _format(formats: tuple[PixelFormat, ...], fields: Fields) -> PixelFormat:
    found = next((known for known in formats if known.code == fields["pixel_format"]), None)
    if found is None:
        raise Refused(errno.EINVAL)
    return found


def _entry(table: tuple[_T, ...], index: int) -> _T:
    if index >= len(table):
        raise Refused(errno.EINVAL)
    return table[index]
