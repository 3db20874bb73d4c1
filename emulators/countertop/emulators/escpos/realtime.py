"""The reception stage: real-time commands act when they arrive, even inside the data of another command.

Epson: "If parameter of a normal command contains the data string same as a real-time command, the data will be also
processed as the real-time command."
"""

from __future__ import annotations

from countertop.emulators.escpos.framing import DLE, MORE, command_length

__all__ = ["RealTimeScanner"]

_CODES = (0x04, 0x05, 0x14)


class RealTimeScanner:
    """Finds DLE EOT, DLE ENQ and DLE DC4 in a stream, however it is split; keeps at most nine bytes."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The whole commands that end in `data`."""
        return [command for _, command in self.locate(data)]

    def locate(self, data: bytes) -> list[tuple[int, bytes]]:
        """The whole commands that end in `data`, each with the place in `data` behind its last byte."""
        before, stream, at = len(self._tail), self._tail + data, 0
        found: list[tuple[int, bytes]] = []
        while True:
            at = stream.find(DLE, at)
            if at < 0:
                self._tail = b""
                return found
            rest = stream[at : at + 10]
            if len(rest) > 1 and rest[1] not in _CODES:
                at += 1
                continue
            length = command_length(rest)
            if length == MORE or length > len(rest):
                self._tail = stream[at:]
                return found
            at += length
            found.append((at - before, rest[:length]))

    def clear(self) -> None:
        """Forget the beginning of a command."""
        self._tail = b""
