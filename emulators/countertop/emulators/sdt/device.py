"""A SAM_V module's insides: power, commands one after the other, the card above the antenna.

Sources: SAM_V protocol sheet for commands and statuses; what integrators observed for the rest: no answer for about
2 s after power-on, one successful read per card until it is lifted, the newest additional address (30 03) readable
while the card lies there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard, FaultSpec
from countertop.emulators.sdt.card import Card
from countertop.emulators.sdt.field import CardField, State, Step
from countertop.emulators.sdt.wire import BrokenFrame, Command, HostFrames, Status, encode_reply, encode_sam_id

__all__ = ["DEFAULT_BAUD", "DEVICE_FAULTS", "DeviceSettings", "SdtDevice"]

DEFAULT_BAUD = 115200

DEVICE_FAULTS = (
    FaultSpec("wrong-checksum", "The reply's checksum is wrong."),
    FaultSpec("wrong-length", "The reply's length says one byte more than there is."),
    FaultSpec("read-fails", "Reading a card's data fails with 41, as when the card moves."),
    FaultSpec("card-rejects-sam", "The card does not accept the module: reading fails with 31."),
    FaultSpec("sam-rejects-card", "The module does not accept the card: reading fails with 32."),
    FaultSpec("unknown-card", "The card is of a kind that the module does not know: reading fails with 40."),
    FaultSpec("remove-while-reading", "The card is pulled away when reading begins."),
    FaultSpec("self-test-failed", "The module's self test failed: it answers 60 to everything."),
    FaultSpec("not-authorised", "The module may not be used: it answers 66 to everything but reset and read SAM id."),
)
"""What can go wrong with the module and its cards."""

_READ_FAULTS = {  # SW3 and what the card said, SW1 SW2 (invented, but such as a card would say)
    "read-fails": (Status.READ_FAILED, 0x6F00),
    "card-rejects-sam": (Status.CARD_REJECTS_SAM, 0x6988),
    "sam-rejects-card": (Status.SAM_REJECTS_CARD, 0x0000),
    "unknown-card": (Status.UNKNOWN_CARD, 0x0000),
}
_WORKS_UNAUTHORISED = (0x10FF, 0x12FF)
_RATES = {0x6000: 115200, 0x6001: 57600, 0x6002: 38400, 0x6003: 19200, 0x6004: 9600}
_QUEUE_LIMIT = 16
_TEXT_AND_PHOTO, _TEXT_PHOTO_FINGERPRINTS = 0x3001, 0x3010


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """How a module behaves where modules differ. Times in seconds on the emulator's clock."""

    boot_seconds: float = 2.0
    """From power-on until it answers."""
    read_seconds: float = 1.0
    """To read the text, photo and fingerprints of a card."""
    gap_seconds: float = 1.0
    """A frame that stops for longer than this is forgotten."""
    sam_id: bytes = encode_sam_id("05.03-20260101-0000123456-1234567890")
    lift_after_error: bool = False
    """After a failed read the card is not found again until it was lifted, as some models want."""


class SdtDevice:
    """The module, as a Peer of its link. It has power while the link is up.

    `line_rate` says at which rate the host drives the line, 0 when that is not known: at another rate than the
    module's own, bytes arrive as rubbish and are lost.
    """

    def __init__(
        self,
        clock: Clock,
        board: FaultBoard,
        settings: DeviceSettings | None = None,
        line_rate: Callable[[], int] = lambda: 0,
    ) -> None:
        self._clock = clock
        self._board = board
        self._settings = settings or DeviceSettings()
        self._line_rate = line_rate
        self._field = CardField()
        self._frames = HostFrames()
        self._queue: list[Command | BrokenFrame] = []
        self._powered = False
        self._booting: Timer | None = None
        self._reading: Timer | None = None
        self._read_code = 0
        self._write: Callable[[bytes], None] = _nowhere
        self._heard_at = 0.0
        self.baud = DEFAULT_BAUD
        """The rate of the serial line, bit/s."""

    # What people do

    def lay_card(self, card: Card) -> None:
        """Lay a card on the reader; one that lies there is taken away first."""
        self.lift_card()
        self._field.lay(card)

    def lift_card(self) -> bool:
        """Take the card away; False when there was none. Reading that goes on fails."""
        there = self._field.lift()
        if self._reading is not None:
            self._end_reading()
        return there

    def power_cycle(self) -> None:
        """Switch off and on: everything is forgotten, and booting begins. Nothing happens without power."""
        if self._powered:
            self._switch_off()
            self._switch_on()

    # What the link tells

    def connected(self, write: Callable[[bytes], None]) -> None:
        """See Peer."""
        self._write = write
        self._switch_on()

    def disconnected(self) -> None:
        """See Peer."""
        self._write = _nowhere
        self._switch_off()

    def received(self, data: bytes) -> None:
        """See Peer."""
        now = self._clock.now()
        if now - self._heard_at > self._settings.gap_seconds:
            self._frames.reset()
        self._heard_at = now
        if self._booting is not None or self._line_rate() not in (0, self.baud):
            self._frames.reset()
            return
        for frame in self._frames.feed(data):
            if len(self._queue) < _QUEUE_LIMIT:  # its memory is small; what the host sends beyond is lost
                self._queue.append(frame)
            self._work()

    # Power

    def _switch_on(self) -> None:
        self._powered = True
        if self._settings.boot_seconds > 0:
            self._booting = self._clock.call_later(self._settings.boot_seconds, self._booted)

    def _booted(self) -> None:
        self._booting = None

    def _switch_off(self) -> None:
        self._powered = False
        for timer in (self._booting, self._reading):
            if timer is not None:
                timer.cancel()
        self._booting = self._reading = None
        self._queue.clear()
        self._frames.reset()
        self._field.forget()
        self.baud = DEFAULT_BAUD

    # Commands

    def _work(self) -> None:
        while self._queue and self._reading is None:
            frame = self._queue.pop(0)
            if isinstance(frame, BrokenFrame):
                self._reply(frame.status)
            else:
                self._execute(frame)

    def _execute(self, command: Command) -> None:
        refusal = self._refusal(command)
        if refusal is not None:
            self._reply(refusal)
        else:
            _COMMANDS[command.code](self, command.code)

    def _refusal(self, command: Command) -> Status | None:
        if self._board.take("self-test-failed"):
            return Status.SELF_TEST_FAILED
        if command.code not in _COMMANDS:
            return Status.BAD_COMMAND
        if command.data:
            return Status.BAD_LENGTH
        if command.code not in _WORKS_UNAUTHORISED and self._board.take("not-authorised"):
            return Status.NOT_AUTHORISED
        return None

    def _reset(self, code: int) -> None:
        self._reply(self._field.step(Step.RESET))

    def _status(self, code: int) -> None:
        self._reply(Status.OK)

    def _sam_id(self, code: int) -> None:
        self._reply(Status.OK, self._settings.sam_id)

    def _find(self, code: int) -> None:
        status = self._field.step(Step.FIND)
        self._reply(status, bytes(4) if status is Status.CARD_FOUND else b"")

    def _select(self, code: int) -> None:
        status = self._field.step(Step.SELECT)
        self._reply(status, bytes(8) if status is Status.OK else b"")

    def _additional_address(self, code: int) -> None:
        status, card = self._field.step(Step.READ_ITEM), self._field.card
        if status is not Status.OK or card is None:
            self._reply(status)
        elif card.additional_address is None:
            self._reply(Status.NO_CONTENT)
        else:
            self._reply(status, card.additional_address)

    def _management_number(self, code: int) -> None:
        status, card = self._field.step(Step.READ_ITEM), self._field.card
        self._reply(status, card.management_number if status is Status.OK and card is not None else b"")

    def _set_rate(self, code: int) -> None:
        self._reply(Status.OK)  # still at the old rate
        self.baud = _RATES[code]

    # Reading takes time

    def _begin_reading(self, code: int) -> None:
        if self._field.state is not State.SELECTED:
            self._reply(Status.READ_FAILED)
            return
        self._read_code = code
        self._reading = self._clock.call_later(self._settings.read_seconds, self._end_reading)
        if self._board.take("remove-while-reading"):
            self.lift_card()

    def _end_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None
        card = self._field.card
        fault = next((name for name in _READ_FAULTS if card is not None and self._board.take(name)), None)
        if fault is not None:
            self._field.step(Step.FAIL_FOR_GOOD if self._settings.lift_after_error else Step.FAIL)
            status, card_status = _READ_FAULTS[fault]
            self._reply(status, card_status=card_status)
        else:
            status = self._field.step(Step.READ)
            self._reply(status, _contents(card, self._read_code) if status is Status.OK and card is not None else b"")
        self._work()

    def _reply(self, status: Status, data: bytes = b"", card_status: int = 0) -> None:
        reply = bytearray(encode_reply(status, data, card_status))
        if self._board.take("wrong-checksum"):
            reply[-1] ^= 0xFF
        if self._board.take("wrong-length"):
            reply[5:7] = (int.from_bytes(reply[5:7], "big") + 1).to_bytes(2, "big")
        self._write(bytes(reply))


_COMMANDS: dict[int, Callable[[SdtDevice, int], None]] = {
    0x10FF: SdtDevice._reset,
    0x11FF: SdtDevice._status,
    0x12FF: SdtDevice._sam_id,
    0x2001: SdtDevice._find,
    0x2002: SdtDevice._select,
    _TEXT_AND_PHOTO: SdtDevice._begin_reading,
    _TEXT_PHOTO_FINGERPRINTS: SdtDevice._begin_reading,
    0x3003: SdtDevice._additional_address,
    0x3005: SdtDevice._management_number,
    **dict.fromkeys(_RATES, SdtDevice._set_rate),
}


def _contents(card: Card, code: int) -> bytes:
    parts = [card.text, card.photo]
    if code == _TEXT_PHOTO_FINGERPRINTS:
        parts.append(card.fingerprints)
    return b"".join(len(part).to_bytes(2, "big") for part in parts) + b"".join(parts)


def _nowhere(data: bytes) -> None:
    """Where a module without a link writes."""
