"""What a device answers to an ioctl, and what may be asked of any node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from countertop.emulators.core.v4l2.structs import Ioctl

__all__ = ["Answer", "Endpoint", "Opener", "Refused"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`data` is the structure that goes back where the ioctl gives one; mostly empty with an error."""

    errno: int = 0
    data: bytes = b""


class Refused(Exception):
    """The ioctl fails with this errno. A few give fields back nevertheless."""

    def __init__(self, errno: int, fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(errno)
        self.errno = errno
        self.fields = fields


class Opener(Protocol):
    """One open file of a node."""

    def answer(self, answer: Answer) -> None:
        """End the ioctl that waits."""


class Endpoint(Protocol):
    """What a node is to those who have it open."""

    def call(self, opener: Opener, ioctl: Ioctl, data: bytes) -> Answer | None:
        """Carry an ioctl out. None: it waits, and `opener.answer` ends it later."""

    def unknown(self) -> int:
        """The errno of whatever a device does not understand."""
        ...

    def opened(self, opener: Opener) -> None:
        """Somebody opened the node."""

    def closed(self, opener: Opener) -> None:
        """The file is closed, or its process is gone."""
