"""What every way to a chip has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, Self

from countertop.sdk.cards.apdu import CommandApdu, Exchange, parse_command
from countertop.sdk.errors import DeviceFault, InvalidRequest, ProtocolFault
from countertop.v1 import error_pb2

__all__ = ["ChipLink", "checked", "not_answering", "run_exchange"]


class ChipLink(ABC):
    """A powered chip, or the station where one will be. Its class names the `schemes` of the URLs that it opens.

    One call at a time. Who cancels `transmit` does not know what the chip did: power it off, or reset it.
    """

    schemes: ClassVar[tuple[str, ...]] = ()
    text: str

    @classmethod
    @abstractmethod
    async def open(cls, url: str) -> Self:
        """Open the way; no card is needed for it. Raises ValueError for a URL that is not this link's,
        LinkFault(DEVICE_OFFLINE), CountertopError(NOT_SUPPORTED) when a package is missing.
        """

    @abstractmethod
    async def power_on(self, protocols: Sequence[int]) -> tuple[bytes, int]:
        """Power the chip (cold reset): its ATR, and the protocol that is spoken, 0 or 1.

        `protocols` are those that may be chosen; none for whatever the chip offers first. Raises
        DeviceFault(CHIP_NOT_ANSWERING) when there is no card, no answer or no such protocol, LinkFault.
        """

    @abstractmethod
    async def reset(self) -> tuple[bytes, int]:
        """Reset a powered chip (warm) under the protocols of `power_on`. Returns and raises as `power_on` does."""

    @abstractmethod
    async def transmit(self, apdu: bytes) -> bytes:
        """Send a command APDU; its response APDU. With T=0, 61xx and 6Cxx are taken care of.

        Raises InvalidRequest (`command`) for what is no command, DeviceFault(CHIP_NOT_ANSWERING), LinkFault(LINK_LOST),
        ProtocolFault for an answer that is none.
        """

    @abstractmethod
    async def power_off(self) -> None:
        """Take the power off; safe to call twice. Raises LinkFault(LINK_LOST)."""

    @abstractmethod
    async def close(self) -> None:
        """Take the power off where that is possible, and close the way; safe to call twice. Never raises."""


def checked(apdu: bytes) -> CommandApdu:
    """A command that may go out. Raises InvalidRequest (`command`)."""
    try:
        return parse_command(apdu)
    except ValueError as error:
        raise InvalidRequest({"command": str(error)}) from None


async def run_exchange(exchange: Exchange, send: Callable[[bytes], Awaitable[bytes]]) -> bytes:
    """Carry an exchange out. Raises ProtocolFault for a chip that breaks it, and what `send` raises."""
    message = next(exchange)
    while True:
        answer = await send(message)
        try:
            message = exchange.send(answer)
        except StopIteration as end:
            response: bytes = end.value
            return response
        except ValueError as error:
            expected, _, got = str(error).removeprefix("expected ").partition(", got ")
            raise ProtocolFault("chip", expected, got or "something else") from None


def not_answering(step: str, message: str, got: str, expected: str = "an answer of the chip") -> DeviceFault:
    """CHIP_NOT_ANSWERING."""
    return DeviceFault(error_pb2.REASON_CHIP_NOT_ANSWERING, message, step=step, expected=expected, got=got)
