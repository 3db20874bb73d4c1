"""The structures and ioctls of linux/videodev2.h that a camera has, as data, for 64-bit Linux."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["BY_NAME", "IOCTLS", "Fields", "Ioctl", "Layout"]

Fields = dict[str, Any]


class Layout:
    """A C structure. `fields` is "name:format ..." with formats of the struct module; padding is written out as
    names that begin with an underscore.
    """

    def __init__(self, fields: str) -> None:
        names, formats = zip(*(field.split(":") for field in fields.split()), strict=True)
        self._names: tuple[str, ...] = tuple(name for name in names if not name.startswith("_"))
        self._struct = struct.Struct("=" + "".join(formats))
        self._zero = dict(zip(self._names, self._struct.unpack(bytes(self._struct.size)), strict=True))

    @property
    def size(self) -> int:
        """In bytes."""
        return self._struct.size

    def unpack(self, data: bytes) -> Fields:
        """The fields by name. Raises struct.error unless `data` has exactly `size` bytes."""
        return dict(zip(self._names, self._struct.unpack(data), strict=True))

    def pack(self, fields: Mapping[str, Any]) -> bytes:
        """Fields that are not named are zero; byte strings are cut and filled to their length. Raises KeyError for a
        field that the structure lacks, struct.error for a number out of range.
        """
        unknown = fields.keys() - self._zero.keys()
        if unknown:
            raise KeyError(f"expected fields of {', '.join(self._names)}; got {', '.join(sorted(unknown))}")
        return self._struct.pack(*({**self._zero, **fields}[name] for name in self._names))


@dataclass(frozen=True, slots=True)
class Ioctl:
    """One request. The number holds its directions and the size of its structure (asm-generic/ioctl.h)."""

    name: str
    number: int
    layout: Layout

    def __post_init__(self) -> None:
        if self.number >> 16 & 0x3FFF != self.layout.size:
            raise ValueError(f"{self.name}: expected {self.number >> 16 & 0x3FFF} bytes, got {self.layout.size}")

    @property
    def takes(self) -> bool:
        """The structure goes from the client to the device."""
        return bool(self.number >> 30 & 1)

    @property
    def gives(self) -> bool:
        """The structure goes back from the device to the client."""
        return bool(self.number >> 30 & 2)


_INT = Layout("value:i")
_CAPABILITY = Layout("driver:16s card:32s bus_info:32s version:I capabilities:I device_caps:I _reserved:12x")
_FMTDESC = Layout("index:I type:I flags:I description:32s pixelformat:I mbus_code:I _reserved:12x")
_FORMAT = Layout(  # the union's picture form; a metadata format is its first two words
    "type:I _pad:4x width:I height:I pixelformat:I field:I bytesperline:I sizeimage:I colorspace:I priv:I flags:I"
    " ycbcr_enc:I quantization:I xfer_func:I _rest:152x"
)
_REQUESTBUFFERS = Layout("count:I type:I memory:I capabilities:I flags:B _reserved:3x")
_BUFFER = Layout(
    "index:I type:I bytesused:I flags:I field:I _pad:4x seconds:q microseconds:q _timecode:16x sequence:I memory:I"
    " offset:Q length:I _reserved2:4x request_fd:i _end:4x"
)
_STREAMPARM = Layout(
    "type:I capability:I capturemode:I numerator:I denominator:I extendedmode:I readbuffers:I _rest:176x"
)
_INPUT = Layout("index:I name:32s type:I audioset:I tuner:I std:Q status:I capabilities:I _reserved:12x _end:4x")
_FRMSIZE = Layout("index:I pixel_format:I type:I width:I height:I _stepwise:16x _reserved:8x")
_FRMIVAL = Layout("index:I pixel_format:I width:I height:I type:I numerator:I denominator:I _stepwise:16x _reserved:8x")
_QUERYCTRL = Layout("id:I type:I name:32s minimum:i maximum:i step:i default:i flags:I _reserved:8x")
_QUERY_EXT_CTRL = Layout(
    "id:I type:I name:32s minimum:q maximum:q step:Q default:q flags:I elem_size:I elems:I nr_of_dims:I dims:16s"
    " _reserved:128x"
)
_QUERYMENU = Layout("id:I index:I name:32s _reserved:4x")
_CONTROL = Layout("id:I value:i")
_EXT_CONTROLS = Layout("which:I count:I error_idx:I request_fd:i _reserved:4x _pad:4x controls:Q")

_ALL = (
    Ioctl("QUERYCAP", 0x80685600, _CAPABILITY),
    Ioctl("ENUM_FMT", 0xC0405602, _FMTDESC),
    Ioctl("G_FMT", 0xC0D05604, _FORMAT),
    Ioctl("S_FMT", 0xC0D05605, _FORMAT),
    Ioctl("REQBUFS", 0xC0145608, _REQUESTBUFFERS),
    Ioctl("QUERYBUF", 0xC0585609, _BUFFER),
    Ioctl("QBUF", 0xC058560F, _BUFFER),
    Ioctl("DQBUF", 0xC0585611, _BUFFER),
    Ioctl("STREAMON", 0x40045612, _INT),
    Ioctl("STREAMOFF", 0x40045613, _INT),
    Ioctl("G_PARM", 0xC0CC5615, _STREAMPARM),
    Ioctl("S_PARM", 0xC0CC5616, _STREAMPARM),
    Ioctl("ENUMINPUT", 0xC050561A, _INPUT),
    Ioctl("G_CTRL", 0xC008561B, _CONTROL),
    Ioctl("S_CTRL", 0xC008561C, _CONTROL),
    Ioctl("QUERYCTRL", 0xC0445624, _QUERYCTRL),
    Ioctl("QUERYMENU", 0xC02C5625, _QUERYMENU),
    Ioctl("G_INPUT", 0x80045626, _INT),
    Ioctl("S_INPUT", 0xC0045627, _INT),
    Ioctl("TRY_FMT", 0xC0D05640, _FORMAT),
    Ioctl("G_PRIORITY", 0x80045643, _INT),
    Ioctl("S_PRIORITY", 0x40045644, _INT),
    Ioctl("G_EXT_CTRLS", 0xC0205647, _EXT_CONTROLS),
    Ioctl("S_EXT_CTRLS", 0xC0205648, _EXT_CONTROLS),
    Ioctl("TRY_EXT_CTRLS", 0xC0205649, _EXT_CONTROLS),
    Ioctl("ENUM_FRAMESIZES", 0xC02C564A, _FRMSIZE),
    Ioctl("ENUM_FRAMEINTERVALS", 0xC034564B, _FRMIVAL),
    Ioctl("QUERY_EXT_CTRL", 0xC0E85667, _QUERY_EXT_CTRL),
)

IOCTLS = {ioctl.number: ioctl for ioctl in _ALL}
BY_NAME = {ioctl.name: ioctl for ioctl in _ALL}
