"""Chips in readers of the PC/SC service: the contact and contactless stations of card printers are such readers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, ClassVar, NoReturn, Self, TypeVar
from urllib.parse import unquote

from countertop.sdk.cards.apdu import t0_tpdus
from countertop.sdk.cards.atr import parse_atr
from countertop.sdk.cards.chip._base import ChipLink, checked, not_answering, run_exchange
from countertop.sdk.errors import CountertopError, LinkFault, ProtocolFault
from countertop.sdk.links._query import check_chip_url
from countertop.v1 import error_pb2

__all__ = ["PcscChipLink", "pick_reader"]

T = TypeVar("T")
CARD_SECONDS = 3.0
"""How long `power_on` waits for a card: the service notices one that a printer moved in a moment later."""
_WAIT_MS = 200

_START = "Start the service (systemctl enable --now pcscd.socket)"
_CABLE = "Check the reader's cable and power, and the setting `chip` of the link"

# name of the code: (the link is broken, what is the case, what to do)
_CAUSES: dict[str, tuple[bool, str, str]] = {
    "SCARD_E_NO_SERVICE": (True, "the PC/SC service does not run", _START),
    "SCARD_E_SERVICE_STOPPED": (True, "the PC/SC service has stopped", _START),
    "SCARD_E_INVALID_HANDLE": (True, "the PC/SC service has forgotten this program", _START),
    "SCARD_F_INTERNAL_ERROR": (True, "the PC/SC service failed", _START),
    "SCARD_E_NO_READERS_AVAILABLE": (True, "there is no reader", _CABLE),
    "SCARD_E_UNKNOWN_READER": (True, "the reader is gone", _CABLE),
    "SCARD_E_READER_UNAVAILABLE": (True, "the reader is gone", _CABLE),
    "SCARD_E_SHARING_VIOLATION": (True, "another program has the card open", "End the program that holds it"),
    "SCARD_W_SECURITY_VIOLATION": (
        True,
        "the daemon has no right to use the PC/SC service",
        "Grant its user org.debian.pcsc-lite.access_pcsc and access_card in polkit",
    ),
    "SCARD_E_NO_SMARTCARD": (False, "there is no card at the contacts", ""),
    "SCARD_W_REMOVED_CARD": (False, "the card was taken away", ""),
    "SCARD_W_RESET_CARD": (False, "another program has reset the chip", ""),
    "SCARD_W_UNPOWERED_CARD": (False, "the chip has no power", ""),
    "SCARD_W_UNRESPONSIVE_CARD": (False, "the chip does not answer its reset", ""),
    "SCARD_W_UNSUPPORTED_CARD": (False, "the reader cannot make sense of the chip's ATR", ""),
    "SCARD_E_CARD_UNSUPPORTED": (False, "the reader cannot work with the chip", ""),
    "SCARD_E_PROTO_MISMATCH": (False, "the chip does not speak the protocol that was asked for", ""),
    "SCARD_E_NOT_TRANSACTED": (False, "the chip does not answer", ""),
    "SCARD_F_COMM_ERROR": (False, "the reader and the chip do not understand each other", ""),
}


class PcscChipLink(ChipLink):
    """A reader by its name or a beginning that no other has: `pcsc://Reader%20Name`. The card is taken exclusively.

    The service's calls block, so they run one after another in a thread of this link's own.
    """

    schemes: ClassVar[tuple[str, ...]] = ("pcsc",)

    def __init__(self, text: str, scard: Any, *, card_seconds: float = CARD_SECONDS) -> None:
        """`scard` is `smartcard.scard`, or what stands for it in a test. Raises ValueError for another URL."""
        check_chip_url(text)
        scheme, _, name = text.partition("://")
        if scheme not in self.schemes:
            raise ValueError("expected pcsc://READER")
        self.text = text
        self.reader = ""
        """The reader's whole name, once it is open."""
        self._wanted = unquote(name)
        self._scard = scard
        self.card_seconds = card_seconds
        self._names = {getattr(scard, name): name for name in _CAUSES if hasattr(scard, name)}
        self._masks = {0: int(scard.SCARD_PROTOCOL_T0), 1: int(scard.SCARD_PROTOCOL_T1)}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pcsc")
        self._context: Any = None
        self._card: Any = None
        self._protocol = 0
        self._mask = 0
        self._closed = False

    @classmethod
    async def open(cls, url: str) -> Self:
        """Find the reader. Raises LinkFault(DEVICE_OFFLINE): no service, no such reader (with those that there are)."""
        try:
            scard = import_module("smartcard.scard")
        except ImportError as error:
            raise CountertopError(
                error_pb2.REASON_NOT_SUPPORTED, "PC/SC readers need pyscard: run `pip install 'countertop[pcsc]'`."
            ) from error
        link = cls(url, scard)
        try:
            await link._do(link._establish)
        except BaseException:
            await link.close()
            raise
        return link

    async def power_on(self, protocols: Sequence[int]) -> tuple[bytes, int]:
        """As ChipLink.power_on; waits up to 3 s for the card. Raises LinkFault(DEVICE_OFFLINE) when others hold it."""
        self._mask = sum(mask for number, mask in self._masks.items() if not protocols or number in protocols)
        return await self._do(self._connect)

    async def reset(self) -> tuple[bytes, int]:
        """As ChipLink.reset."""
        return await self._do(self._reconnect)

    async def transmit(self, apdu: bytes) -> bytes:
        """As ChipLink.transmit."""
        command = checked(apdu)
        if self._protocol == self._scard.SCARD_PROTOCOL_T0:
            return await run_exchange(t0_tpdus(command.raw, bare_case_1=True), self._send)
        return await self._send(command.raw)

    async def power_off(self) -> None:
        """As ChipLink.power_off."""
        await self._do(self._disconnect)

    async def close(self) -> None:
        """Power off, and leave the service. Waits for a call that is on its way."""
        if self._closed:
            return
        self._closed = True
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        finally:
            self._thread.shutdown(wait=False)

    async def _do(self, call: Callable[..., T], *arguments: Any) -> T:
        if self._closed:
            raise self._broken("use", "the link was closed", _CABLE)
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def _send(self, message: bytes) -> bytes:
        response = await self._do(self._transmit, message)
        if len(response) < 2:
            raise ProtocolFault("transmit", "a response of 2 bytes or more", f"{len(response)} bytes")
        return response

    # -- in the thread --

    def _establish(self) -> None:
        code, context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_USER)
        self._check("open chip", code, opening=True)
        self._context = context
        code, names = self._scard.SCardListReaders(context, [])
        if code != self._scard.SCARD_E_NO_READERS_AVAILABLE:
            self._check("open chip", code, opening=True)
        self.reader = pick_reader(self._wanted, [str(name) for name in names])

    def _connect(self) -> tuple[bytes, int]:
        scard = self._scard
        self._disconnect()
        until = time.monotonic() + self.card_seconds
        while True:
            state, atr = self._look(0, scard.SCARD_STATE_UNAWARE)
            mask = self._preferred(atr)
            code, card, protocol = self._try(mask)
            if code == scard.SCARD_E_PROTO_MISMATCH:  # contactless readers make an ATR up that offers T=0 too
                code, card, protocol = self._try(self._mask)
            absent = code in (scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_REMOVED_CARD)
            if not absent or self._closed or time.monotonic() >= until:
                break
            self._look(_WAIT_MS, state)
        self._check("power on", code, opening=code == scard.SCARD_E_SHARING_VIOLATION)
        self._card, self._protocol = card, protocol
        found, number = self._status("power on")
        if self._preferred(found) == mask or found == atr:
            return found, number
        # the service had not noticed yet that the card is another one
        return self._restart("power on", self._preferred(found), scard.SCARD_UNPOWER_CARD)

    def _look(self, wait_ms: int, state: int) -> tuple[int, bytes]:
        """The reader's state and its card's ATR, when the state is another than `state` or the time is over."""
        scard = self._scard
        code, states = scard.SCardGetStatusChange(self._context, wait_ms, [(self.reader, state)])
        if code != scard.SCARD_E_TIMEOUT:
            self._check("power on", code)
        _, event, atr = states[0]
        return event & ~scard.SCARD_STATE_CHANGED, bytes(atr)

    def _try(self, mask: int) -> tuple[int, Any, int]:
        code, card, protocol = self._scard.SCardConnect(
            self._context, self.reader, self._scard.SCARD_SHARE_EXCLUSIVE, mask
        )
        return code, card, protocol

    def _preferred(self, atr: bytes) -> int:
        """The protocol that the chip offers first of those that may be chosen; the service alone would take T=1."""
        allowed = tuple(number for number, mask in self._masks.items() if mask & self._mask)
        try:
            return self._masks[parse_atr(atr).choose(allowed)]
        except ValueError:  # no card, or an ATR that only the reader understands
            return self._mask

    def _reconnect(self) -> tuple[bytes, int]:
        self._need_power("reset")
        return self._restart("reset", self._protocol, self._scard.SCARD_RESET_CARD)

    def _restart(self, step: str, mask: int, how: int) -> tuple[bytes, int]:
        code, protocol = self._scard.SCardReconnect(self._card, self._scard.SCARD_SHARE_EXCLUSIVE, mask, how)
        self._check(step, code)
        self._protocol = protocol
        return self._status(step)

    def _status(self, step: str) -> tuple[bytes, int]:
        code, _, _, _, atr = self._scard.SCardStatus(self._card)
        self._check(step, code)
        if not atr:
            raise not_answering(step, "The card's chip gives no ATR.", "no ATR", "an ATR")
        return bytes(atr), 0 if self._protocol == self._scard.SCARD_PROTOCOL_T0 else 1

    def _transmit(self, message: bytes) -> bytes:
        self._need_power("transmit")
        code, response = self._scard.SCardTransmit(self._card, self._protocol, list(message))
        self._check("transmit", code)
        return bytes(byte & 0xFF for byte in response)

    def _need_power(self, step: str) -> None:
        if self._card is None:
            raise not_answering(step, "The card's chip is not powered.", "no power")

    def _disconnect(self) -> None:
        card, self._card = self._card, None
        if card is not None:
            # whatever it answers, the chip is not ours any more
            self._scard.SCardDisconnect(card, self._scard.SCARD_UNPOWER_CARD)

    def _release(self) -> None:
        self._disconnect()
        context, self._context = self._context, None
        if context is not None:
            self._scard.SCardReleaseContext(context)

    # -- faults --

    def _check(self, step: str, code: int, *, opening: bool = False) -> None:
        if code != self._scard.SCARD_S_SUCCESS:
            self._fail(step, code, opening)

    def _fail(self, step: str, code: int, opening: bool) -> NoReturn:
        unknown = (opening, f"the PC/SC service says 0x{code & 0xFFFFFFFF:08X}", _CABLE)
        broken, cause, action = _CAUSES.get(self._names.get(code, ""), unknown)
        if broken:
            raise self._broken(step, cause, action, opening=opening)
        raise not_answering(step, f"The card's chip cannot be used: {cause}.", cause)

    def _broken(self, step: str, cause: str, action: str, *, opening: bool = False) -> LinkFault:
        verb = "cannot be opened" if opening else "broke"
        return LinkFault(
            error_pb2.REASON_DEVICE_OFFLINE if opening else error_pb2.REASON_LINK_LOST,
            f"The reader {self.reader or self._wanted} {verb}: {cause}. {action}.",
            step=step,
            expected="a PC/SC reader",
            got=cause,
            action=f"{action}.",
        )


def pick_reader(wanted: str, names: Sequence[str]) -> str:
    """The reader with this name, else the only one whose name begins so. Raises LinkFault(DEVICE_OFFLINE)."""
    fitting = [name for name in names if name == wanted] or [name for name in names if name.startswith(wanted)]
    if len(fitting) == 1:
        return fitting[0]
    there = f"there are: {'; '.join(fitting or names)}" if names else "there is none"
    many = "several readers begin so" if fitting else "there is no such reader"
    raise LinkFault(
        error_pb2.REASON_DEVICE_OFFLINE,
        f"The reader {wanted} cannot be opened: {many}; {there}. {_CABLE}.",
        step="open chip",
        expected="one PC/SC reader",
        got=f"{len(fitting)} of {len(names)}",
        action=f"{_CABLE}.",
    )
