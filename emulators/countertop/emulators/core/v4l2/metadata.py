"""The second node of a UVC camera: payload headers instead of pictures. A client that looks for cameras skips it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any

from countertop.emulators.core.v4l2 import constants as v4l2
from countertop.emulators.core.v4l2.answers import Answer, Opener, Refused
from countertop.emulators.core.v4l2.device import Naming
from countertop.emulators.core.v4l2.priority import PriorityBoard
from countertop.emulators.core.v4l2.structs import Fields, Ioctl

__all__ = ["MetadataDevice"]

_PAYLOAD_BYTES = 10240  # uvcvideo's UVC_METADATA_BUF_SIZE
_FORMAT_CALLS = ("G_FMT", "S_FMT", "TRY_FMT")
_KNOWN = {"ENUM_FMT", *_FORMAT_CALLS, "REQBUFS", "QUERYBUF", "QBUF", "DQBUF", "STREAMON", "STREAMOFF", "S_PRIORITY"}


class MetadataDevice:
    """Says what it is, and has one format. It streams nothing: its buffers are refused."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._priorities = PriorityBoard()

    def call(self, opener: Opener, ioctl: Ioctl, data: bytes) -> Answer:
        """Answer at once. `data` has the structure's size."""
        if not self._priorities.allows(opener, ioctl.name):
            return Answer(errno.EBUSY)
        try:
            return Answer(0, ioctl.layout.pack(self._fields(opener, ioctl.name, ioctl.layout.unpack(data))))
        except Refused as refused:
            return Answer(refused.errno)

    def release(self, opener: Opener) -> None:
        """The file was closed."""
        self._priorities.forget(opener)

    def _fields(self, opener: Opener, name: str, fields: Fields) -> Mapping[str, Any]:
        if name == "QUERYCAP":
            naming = self._naming
            return v4l2.capability(naming.driver, naming.card, naming.bus_info, v4l2.CAP_META_CAPTURE)
        if name == "G_PRIORITY":
            return {"value": self._priorities.highest}
        if name == "S_PRIORITY" and self._priorities.set(opener, fields["value"]):
            return fields
        if name not in _KNOWN:
            raise Refused(errno.ENOTTY)
        if name not in ("ENUM_FMT", *_FORMAT_CALLS) or fields["type"] != v4l2.BUF_TYPE_META_CAPTURE:
            raise Refused(errno.EINVAL)
        if name in _FORMAT_CALLS:  # the union's first two words: dataformat, buffersize
            return {"type": v4l2.BUF_TYPE_META_CAPTURE, "width": v4l2.META_FMT_UVC, "height": _PAYLOAD_BYTES}
        if fields["index"]:
            raise Refused(errno.EINVAL)
        return {
            "type": v4l2.BUF_TYPE_META_CAPTURE,
            "description": b"UVC Payload Header Metadata",
            "pixelformat": v4l2.META_FMT_UVC,
        }
