"""What can go wrong with the pictures of a camera that stays plugged in."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["IoError", "OtherSize", "Slow", "Stall", "StreamFault", "Truncated"]


@dataclass(frozen=True, slots=True)
class IoError:
    """DQBUF and STREAMON fail with EIO. A stream that met it stays broken until STREAMOFF."""


@dataclass(frozen=True, slots=True)
class Stall:
    """No more frames come: once those that are done are taken, DQBUF never returns."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """Only this part of each frame, above 0 and below 1, arrives. JPEGs are handed on so; raw frames are dropped."""

    keep: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.keep < 1:
            raise ValueError(f"keep: expected more than 0 and less than 1, got {self.keep}")


@dataclass(frozen=True, slots=True)
class Slow:
    """So many frames a second come, above 0, whatever was agreed upon."""

    rate: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.rate < float("inf"):
            raise ValueError(f"rate: expected a number above 0, got {self.rate}")


@dataclass(frozen=True, slots=True)
class OtherSize:
    """JPEGs of another size than was agreed upon; raw frames of another size are dropped. In pixels."""

    width: int = 640
    height: int = 480

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"expected a size from 1x1 up, got {self.width}x{self.height}")


StreamFault = IoError | Stall | Truncated | Slow | OtherSize
