"""Who of those that have a node open may change it: VIDIOC_S_PRIORITY."""

from __future__ import annotations

from countertop.emulators.core.v4l2.answers import Opener
from countertop.emulators.core.v4l2.constants import PRIORITIES, PRIORITY_DEFAULT

__all__ = ["PriorityBoard"]

_CHANGING = frozenset(  # INFO_FL_PRIO in the kernel's v4l2-ioctl.c
    ("S_FMT", "REQBUFS", "STREAMON", "STREAMOFF", "S_PARM", "S_INPUT", "S_CTRL", "S_EXT_CTRLS", "S_PRIORITY")
)


class PriorityBoard:
    """Everybody begins at the default. One that is lower than the highest may look, and not touch."""

    def __init__(self) -> None:
        self._raised: dict[Opener, int] = {}

    @property
    def highest(self) -> int:
        """Of all."""
        return max(self._raised.values(), default=PRIORITY_DEFAULT)

    def allows(self, opener: Opener, ioctl: str) -> bool:
        """False where another's priority is higher, and the ioctl changes something."""
        return ioctl not in _CHANGING or self._raised.get(opener, PRIORITY_DEFAULT) >= self.highest

    def set(self, opener: Opener, priority: int) -> bool:
        """False, and nothing changes, for a priority that there is not."""
        if priority not in PRIORITIES:
            return False
        self._raised[opener] = priority
        return True

    def forget(self, opener: Opener) -> None:
        """The file was closed."""
        self._raised.pop(opener, None)
