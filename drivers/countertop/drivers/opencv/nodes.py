"""Finds the node of a V4L2 camera (linux/videodev2.h): one that captures video, under a name that stays the same."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

from countertop.sdk import DeviceFault, LinkFault
from countertop.v1 import error_pb2

__all__ = ["Card", "find_node", "maker_and_serial", "query"]

_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("16s32s32sIII12x")
_VIDEO_CAPTURE = 0x00000001
_VIDEO_M2M = 0x00004000 | 0x00008000
_INDEX = "-video-index"
_MOST_NODES = 8
"""Nodes that one camera has: pictures, metadata, another sensor."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a node says of itself."""

    driver: str
    card: str
    bus: str
    captures: bool
    """It gives pictures; a camera has other nodes too, for metadata."""


def query(node: Path) -> Card:
    """Ask a node what it is (VIDIOC_QUERYCAP). Raises LinkFault(DEVICE_OFFLINE) when it cannot be asked."""
    try:
        descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            answer = fcntl.ioctl(descriptor, _QUERYCAP, bytes(_CAPABILITY.size))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _fault(node, error) from None
    driver, card, bus, _, _, capabilities = _CAPABILITY.unpack(answer)
    captures = bool(capabilities & _VIDEO_CAPTURE) and not capabilities & _VIDEO_M2M
    words = [raw.split(b"\0")[0].decode("utf-8", "replace") for raw in (driver, card, bus)]
    return Card(words[0], words[1], words[2], captures)


def find_node(path: str) -> tuple[Path, Card]:
    """The node that captures video at a path: `/dev/video0`, a name of udev's in `/dev/v4l/by-id` or
    `/dev/v4l/by-path`, or such a name without its `-video-indexN`, for whichever of the camera's nodes captures.

    Raises LinkFault(DEVICE_OFFLINE) when it is not there, DeviceFault(WRONG_DEVICE) when it gives no pictures.
    """
    given = Path(path)
    if given.exists():
        card = query(given)
        if card.captures:
            return given, card
        others = [node for node in _siblings(path.rpartition(_INDEX)[0]) if _captures(node)]
        hint = f" Use {others[0]}." if others else ""
        raise DeviceFault(
            error_pb2.REASON_WRONG_DEVICE,
            f"{path} gives no pictures: a camera has other nodes too, for metadata.{hint}",
            step="open",
            expected="a node that captures video",
            got=card.driver[:16],
        )
    for node in _siblings(path):
        card = query(node)
        if card.captures:
            return node, card
    raise _fault(given, FileNotFoundError(errno.ENOENT, "no such node"))


def maker_and_serial(node: Path) -> tuple[str, str]:
    """What the descriptors of a USB camera say, by /sys/class/video4linux; empty where they say nothing."""
    usb = (Path("/sys/class/video4linux") / node.resolve().name / "device").resolve().parent
    found = []
    for name in ("manufacturer", "serial"):
        try:
            found.append((usb / name).read_text(encoding="utf-8", errors="replace").strip()[:64])
        except OSError:
            found.append("")
    return found[0], found[1]


def _siblings(stem: str) -> list[Path]:
    """The nodes of one camera, by udev's name of it."""
    if not stem:
        return []
    return [node for index in range(_MOST_NODES) if (node := Path(f"{stem}{_INDEX}{index}")).exists()]


def _captures(node: Path) -> bool:
    with contextlib.suppress(LinkFault):
        return query(node).captures
    return False


def _fault(node: Path, error: OSError) -> LinkFault:
    actions = {
        errno.ENOENT: "Plug the camera in; `ls /dev/v4l/by-id` names those that are there.",
        errno.EACCES: "Add the daemon's user to the group `video`.",
        errno.EBUSY: "End the program that uses the camera (`fuser -v` names it).",
        errno.ENOTTY: "The link must name a camera, such as v4l2:///dev/v4l/by-id/…",
    }
    return LinkFault(
        error_pb2.REASON_DEVICE_OFFLINE,
        f"The camera at {node} cannot be opened.",
        step="open",
        got=errno.errorcode.get(error.errno or 0, type(error).__name__),
        action=actions.get(error.errno or 0, "Plug the camera in again."),
    )
