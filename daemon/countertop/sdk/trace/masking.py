"""What may be kept of a link's traffic: everything but what tells of a person."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["Masker"]


class Masker(ABC):
    """Turns what went over a link into what may be kept: same lengths, same frames, checksums right, no person's data.

    Sans-IO; one per recording, from the link's opening on. Total on any bytes, in bounded memory: a frame longer than
    the masker's stated limit is blanked as it passes.

    Byte links: any split of the bytes gives the same, and each direction comes out as long as it went in once `end` was
    called. HID links: each call is one report (of feature reports, its id first), and the answer is one report of
    the same length, nothing is held back. Set feature and output reports go through `sent`; input reports and what a
    get feature answers go through `received`; report descriptors are not masked.

    What is masked already comes out the same: a replay shows the masker the masked bytes, so that it can mask what the
    driver sends and compare.
    """

    @abstractmethod
    def sent(self, data: bytes) -> bytes:
        """What of the bytes that the driver sent may be kept; may hold back what it cannot judge yet."""

    @abstractmethod
    def received(self, data: bytes) -> bytes:
        """What of the bytes that came may be kept; may hold back what it cannot judge yet."""

    @abstractmethod
    def end(self) -> tuple[bytes, bytes]:
        """The link is closed: what was held back as (sent, received), masked. What could not be judged is blanked."""
