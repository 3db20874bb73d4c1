"""What may be kept of the wire's traffic: frames with a person's data in them are kept as blank frames."""

from __future__ import annotations

from countertop.sdk.trace import Masker

from acme.framing import Frame, FrameDecoder, encode

__all__ = ["FrameMasker"]


class FrameMasker(Masker):
    """Blanks the payload of frames with the letters that are given for each direction, and whatever is no frame."""

    def __init__(self, longest: int, *, sent: str = "", received: str = "") -> None:
        self._sent = _Direction(longest, sent)
        self._received = _Direction(longest, received)

    def sent(self, data: bytes) -> bytes:
        """What of the bytes that the driver sent may be kept."""
        return self._sent.mask(data)

    def received(self, data: bytes) -> bytes:
        """What of the bytes that came may be kept."""
        return self._received.mask(data)

    def end(self) -> tuple[bytes, bytes]:
        """What was held back: the beginnings of frames, blank."""
        return self._sent.rest(), self._received.rest()


class _Direction:
    def __init__(self, longest: int, personal: str) -> None:
        self._decoder = FrameDecoder(longest)
        self._personal = personal

    def mask(self, data: bytes) -> bytes:
        return b"".join(self._kept(found) for found in self._decoder.scan(data))

    def rest(self) -> bytes:
        count = self._decoder.pending
        self._decoder.reset()
        return bytes(count)

    def _kept(self, found: Frame | int) -> bytes:
        if isinstance(found, int):
            return bytes(found)
        blank = found.letter in self._personal
        return encode(Frame(found.number, found.letter, bytes(len(found.payload))) if blank else found)
