"""Virtual cards that listen: this side plays the reader of the vsmartcard project in its reversed mode."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from typing import ClassVar, Self
from urllib.parse import urlsplit

from countertop.sdk.cards.apdu import t0_apdus
from countertop.sdk.cards.atr import parse_atr
from countertop.sdk.cards.chip import vpcd_wire as wire
from countertop.sdk.cards.chip._base import ChipLink, checked, not_answering, run_exchange
from countertop.sdk.errors import InvalidRequest, ProtocolFault
from countertop.sdk.links._base import LinkUrl
from countertop.sdk.links._query import check_chip_url
from countertop.sdk.links._translate import link_fault, translating

__all__ = ["VpcdChipLink"]

CONNECT_SECONDS = 5.0
ATR_SECONDS = 5.0
"""How long a virtual card may take to give its ATR; a real one has 20,000 clock cycles (7816-3, 6.2.2)."""
ANSWER_SECONDS = 120.0
"""How long it may take to answer a command; making a key takes real ones a minute."""


class VpcdChipLink(ChipLink):
    """A virtual card: `vpcd://HOST:PORT`. A connection that was lost is made anew by `power_on`."""

    schemes: ClassVar[tuple[str, ...]] = ("vpcd",)

    def __init__(self, text: str, *, answer_seconds: float = ANSWER_SECONDS, atr_seconds: float = ATR_SECONDS) -> None:
        """Not connected yet. Raises ValueError for a URL that is not this link's."""
        check_chip_url(text)
        parts = urlsplit(text)
        if parts.scheme not in self.schemes:
            raise ValueError("expected vpcd://HOST:PORT")
        self.text = text
        self.url = LinkUrl(text, "vpcd", parts.hostname or "", parts.port or 0)
        self._answer_seconds, self._atr_seconds = answer_seconds, atr_seconds
        self._connection: _Connection | None = None
        self._closed = False
        self._protocol: int | None = None
        self._allowed: tuple[int, ...] = ()
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect. Raises LinkFault(DEVICE_OFFLINE)."""
        link = cls(url)
        await link._connect()
        return link

    async def _connect(self) -> None:
        with translating(self.url, "open chip", opening=True):
            async with asyncio.timeout(CONNECT_SECONDS):
                loop = asyncio.get_running_loop()
                _, self._connection = await loop.create_connection(_Connection, self.url.host, self.url.port)

    async def power_on(self, protocols: Sequence[int]) -> tuple[bytes, int]:
        """As ChipLink.power_on. The protocol is a name only: messages are whole APDUs in either."""
        self._allowed = tuple(protocols)
        async with self._one_at_a_time:
            if self._connection is None and not self._closed:
                await self._connect()
            return await self._answer_to(wire.Control.POWER_ON, "power on")

    async def reset(self) -> tuple[bytes, int]:
        """As ChipLink.reset."""
        async with self._one_at_a_time:
            return await self._answer_to(wire.Control.RESET, "reset")

    async def _answer_to(self, control: wire.Control, step: str) -> tuple[bytes, int]:
        self._protocol = None
        message = wire.encode_control(control) + wire.encode_control(wire.Control.GET_ATR)
        atr = await self._ask(message, self._atr_seconds, step)
        if not atr:
            raise not_answering(step, "There is no card at the contacts.", "no card", "an ATR")
        try:
            self._protocol = parse_atr(atr).choose(self._allowed)
        except ValueError as error:
            self._connected(step).write(wire.encode_control(wire.Control.POWER_OFF))
            raise not_answering(step, f"The card's chip cannot be used: {error}.", str(error), "an ATR") from None
        return atr, self._protocol

    async def transmit(self, apdu: bytes) -> bytes:
        """As ChipLink.transmit. Raises InvalidRequest for more than 65535 bytes too: no message is longer."""
        command = checked(apdu)
        if len(apdu) > wire.MAX_MESSAGE:
            raise InvalidRequest({"command": f"expected at most {wire.MAX_MESSAGE} bytes over {self.url.scheme}://"})
        async with self._one_at_a_time:
            if self._protocol is None:
                raise not_answering("transmit", "The card's chip is not powered.", "no power")
            if self._protocol == 0:
                return await run_exchange(t0_apdus(command.raw), self._command)
            return await self._command(command.raw)

    async def _command(self, message: bytes) -> bytes:
        response = await self._ask(wire.encode_message(message), self._answer_seconds, "transmit")
        if len(response) < 2:
            raise ProtocolFault("transmit", "a response of 2 bytes or more", f"{len(response)} bytes")
        return response

    async def power_off(self) -> None:
        """As ChipLink.power_off."""
        async with self._one_at_a_time:
            if self._protocol is None:
                return
            self._protocol = None
            self._connected("power off").write(wire.encode_control(wire.Control.POWER_OFF))

    async def close(self) -> None:
        """Power off and hang up."""
        self._closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._protocol is not None:
                connection.write(wire.encode_control(wire.Control.POWER_OFF))
            connection.close()
        self._protocol = None

    # -- messages --

    async def _ask(self, message: bytes, seconds: float, step: str) -> bytes:
        """Send, and wait for the one answer. When that does not come to its end, the connection is given up: the next
        answer would be taken for another one's.
        """
        connection = self._connected(step)
        try:
            async with asyncio.timeout(seconds):
                return await connection.ask(message)
        except TimeoutError:
            self._hang_up()
            raise not_answering(
                step,
                f"The card's chip did not answer within {seconds:g} s.",
                "nothing",
                f"an answer within {seconds:g} s",
            ) from None
        except ValueError as error:
            self._hang_up()
            raise ProtocolFault(step, "one answer to one message", str(error)) from None
        except OSError as error:
            self._hang_up()
            raise link_fault(self.url, step, error) from error
        except BaseException:
            self._hang_up()
            raise

    def _connected(self, step: str) -> _Connection:
        if self._connection is None:
            raise link_fault(self.url, step, None)
        return self._connection

    def _hang_up(self) -> None:
        self._protocol = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()


class _Connection(asyncio.Protocol):
    """Messages to and from one virtual card, which speaks only when it is asked."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._decoder = wire.MessageDecoder()
        self._answer: asyncio.Future[bytes] | None = None
        self._failed: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def ask(self, message: bytes) -> bytes:
        """The answer. Raises OSError when the connection is gone, ValueError for anything but one answer."""
        if self._failed is not None:
            raise self._failed
        self._answer = asyncio.get_running_loop().create_future()
        self.write(message)
        return await self._answer

    def write(self, message: bytes) -> None:
        """Send what is not answered."""
        if self._transport is not None:
            self._transport.write(message)

    def close(self) -> None:
        """Hang up when all that was written has gone."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._fail(ValueError("what nobody asked for"))
            return
        messages = list(self._decoder.feed(data))
        if len(messages) > 1 or (messages and self._decoder.held):
            self._fail(ValueError("more than one answer"))
        elif messages and not self._answer.done():
            self._answer.set_result(messages[0])
            self._answer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError(errno.ECONNRESET, "hung up"))

    def _fail(self, error: Exception) -> None:
        self._failed = self._failed or error
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(self._failed)
