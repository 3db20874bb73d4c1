"""The machine around the interpreter: receive buffer, sensors, paper, time, real-time commands, recovery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from countertop.emulators.core.clock import Clock, Timer
from countertop.emulators.core.faults import FaultBoard
from countertop.emulators.escpos.counters import Counters
from countertop.emulators.escpos.device_faults import DEVICE_FAULTS
from countertop.emulators.escpos.interpreter import CUT, Interpreter
from countertop.emulators.escpos.models import FULL_ROLL_MM, MachineSettings, identity
from countertop.emulators.escpos.paper import Receipt, Roll
from countertop.emulators.escpos.realtime import RealTimeScanner
from countertop.emulators.escpos.status import (
    OFFLINE_RESPONSE,
    Reports,
    State,
    automatic_status,
    realtime_status,
    transmitted_status,
)
from countertop.emulators.escpos.tokenizer import Tokenizer

__all__ = ["DEVICE_FAULTS", "FULL_ROLL_MM", "Machine", "MachineSettings"]

_NEAR_END_MM = 4_000.0
_XON, _XOFF = b"\x11", b"\x13"
_STEPS_A_TURN = 400
"""Steps of printing before other tasks of the event loop have their turn."""
_DRAWER_SECONDS = 3.0
"""After so long somebody pushes the drawer shut."""


class Machine:
    """A printer's insides; a Peer for its link. `link` pauses and resumes what the client sends."""

    def __init__(
        self,
        clock: Clock,
        board: FaultBoard,
        settings: MachineSettings,
        *,
        pause: Callable[[], None],
        resume: Callable[[], None],
        on_receipt: Callable[[Receipt], None],
    ) -> None:
        self.settings = settings
        self.counters = Counters(clock.now)
        self.roll = Roll(settings.width_dots, on_receipt, lambda rows: self.counters.count("head energised", rows))
        self.state = State()
        self.paper_mm = settings.paper_mm
        self.cover_open = False
        self._clock = clock
        self._board = board
        self._pause, self._resume = pause, resume
        self._write: Callable[[bytes], None] | None = None
        self._untold = b""
        self._tokenizer = Tokenizer()
        self._scanner = RealTimeScanner()
        self._job: Iterator[int] | None = None
        self._wanted: int | None = None
        self._timer: Timer | None = None
        self._turn: asyncio.Handle | None = None
        self._owed_seconds = 0.0
        self._paused = self._xoff = self._working = False
        self._reports = Reports()
        self._powered = True
        self._idle = asyncio.Event()
        self._idle.set()
        self._interpreter = self._new_interpreter()
        board.subscribe(self._fault_changed)
        self._sense()

    # The link

    def connected(self, write: Callable[[bytes], None]) -> None:
        """See Peer. The process id that nobody was there to hear is told now."""
        self._write = write
        untold, self._untold = self._untold, b""
        self.reply(untold)

    def disconnected(self) -> None:
        """See Peer. What was received is printed all the same."""
        self._write = None
        self._scanner.clear()

    def received(self, data: bytes) -> None:
        """See Peer."""
        if not self._powered:
            return
        fed = 0
        for end, command in self._scanner.locate(data):
            self._tokenizer.feed(data[fed:end])  # first: clearing must reach what came before it
            fed = end
            self._real_time(command)
            if not self._powered:
                return
        self._tokenizer.feed(data[fed:])
        self._work()

    async def wait_idle(self) -> None:
        """Wait until all that was received is printed, or held by a cause that somebody must mend."""
        await self._idle.wait()

    # Hands

    def set_cover(self, *, is_open: bool) -> None:
        """Open or close the cover."""
        self.cover_open = is_open
        self._sense()
        self._work()

    def load_paper(self, mm: float) -> None:
        """Put in a roll with so much paper on it; 0 for none."""
        self.paper_mm = mm
        self._sense()
        self._work()

    def power_off(self) -> None:
        """Lose buffers, settings and errors; the paper hangs where it is."""
        self.counters.power_off()
        self._powered = False
        self._untold = b""
        self._forget()
        for pending in (self._timer, self._turn):
            if pending is not None:
                pending.cancel()
        self._timer = self._turn = None
        self._xoff = False
        self._idle.set()

    def power_on(self) -> None:
        """Start anew; does nothing while the power is on. Pictures in NV memory are still there."""
        if self._powered:
            return
        self._powered = True
        self.counters.power_on()
        self._reports.clear()
        self.state = State()
        nv_images = self._interpreter.codes.nv_images
        self._interpreter = self._new_interpreter()
        self._interpreter.codes.nv_images = nv_images
        self._sense()
        self._flow()

    def power_cycle(self) -> None:
        """Off and on."""
        self.power_off()
        self.power_on()

    # Host of the interpreter

    def reply(self, data: bytes) -> None:
        """Send to the client, if there is one."""
        if self._write is not None and data:
            self._write(data)

    def command(self, name: str, raw: bytes) -> None:
        """Commands about status, counters, drawer and identity."""
        _COMMANDS[name](self, raw)

    # Printing

    def _work(self) -> None:
        if self._working or not self._powered:
            return
        self._working = True
        try:
            steps = 0
            while self._timer is None and self._step():
                steps += 1
                if steps >= _STEPS_A_TURN:
                    if self._turn is None:
                        self._turn = asyncio.get_running_loop().call_soon(self._next_turn)
                    break
        finally:
            self._working = False
        self._flow()
        if self._timer is None and self._turn is None:
            self._idle.set()
        else:
            self._idle.clear()

    def _next_turn(self) -> None:
        self._turn = None
        self._work()

    def _step(self) -> bool:
        """One step; False when nothing can go on now."""
        if self.state.offline or self.state.waits_for_recovery:
            return False
        if self._wanted is not None:
            if not self._may(self._wanted):
                return False
            self._wanted = None
        elif self._job is None:
            token = self._tokenizer.next()
            if token is None:
                return False
            self._job = self._interpreter.execute(token)
        assert self._job is not None
        self._wanted = next(self._job, None)
        if self._wanted is None:
            self._job = None
        return True

    def _may(self, dots: int) -> bool:
        """Move the paper, or the cutter; False when a sensor stops it first."""
        if dots == CUT:
            if self._board.take("cutter-error"):
                self.state.cutter_error = self.state.waits_for_recovery = True
                self._sense()
                return False
            self.counters.count("cuts", 1)
            return True
        mm = dots * 25.4 / self.settings.dpi
        if dots and self.paper_mm < mm:
            self.paper_mm = 0.0
            self._sense()
            return False
        self.paper_mm -= mm
        self.counters.count("dots fed", dots)
        if self.paper_mm <= _NEAR_END_MM < self.paper_mm + mm:
            self._sense()
        self._take_time(mm / self.settings.speed_mm_s)
        return True

    def _take_time(self, seconds: float) -> None:
        self._owed_seconds += seconds
        if self._owed_seconds >= 0.01:
            owed, self._owed_seconds = self._owed_seconds, 0.0
            self._timer = self._clock.call_later(owed, self._moved)

    def _moved(self) -> None:
        self._timer = None
        self._work()

    def _flow(self) -> None:
        """Hold the client while the buffer is full. A command that has not wholly come does not fill it."""
        working = self._job is not None or self._timer is not None or self._turn is not None
        held = working or self.state.offline or self.state.waits_for_recovery
        filled = self._tokenizer.waiting if held else 0
        room = self.settings.buffer_bytes - filled
        if self.settings.xon_xoff and not self._xoff and room <= 128:
            self._xoff = True
            self.reply(_XOFF)
        elif self._xoff and room >= 256:
            self._xoff = False
            self.reply(_XON)
        if not self._paused and room <= 0:
            self._paused = True
            self._pause()
        elif self._paused and room >= 256:
            self._paused = False
            self._resume()

    # Sensors and status

    def _sense(self) -> None:
        """Look at the sensors; tell the client if it asked to be told."""
        active, state = self._board.active, self.state
        state.cover_open = self.cover_open or active("cover-open")
        state.paper_end = self.paper_mm <= 0 or active("paper-out")
        state.paper_near_end = state.paper_end or self.paper_mm <= _NEAR_END_MM or active("paper-near-end")
        state.unrecoverable = state.unrecoverable or active("unrecoverable-error")
        state.overheated = active("overheat")
        state.switched_offline = active("offline")
        state.feeding = active("feed-button")
        for report in self._reports.changed(state) if self._powered else ():
            self.reply(report)

    def _fault_changed(self, name: str, began: bool) -> None:
        if name == "power-cycle":
            if began:
                self.power_cycle()
                self._board.clear(name)
            return
        if name == "feed-button" and began:
            self._press_feed()
        self._sense()
        self._work()

    def _press_feed(self) -> None:
        """One line of blank paper; the button does nothing while the printer prints or is offline."""
        dots = self._interpreter.settings.spacing
        if self._powered and self._job is None and self._timer is None and not self.state.offline and self._may(dots):
            self._interpreter.composer.end_picture()
            self.roll.feed(dots)

    def _real_time(self, command: bytes) -> None:
        code, n = command[1], command[2]
        if code == 0x04:
            self.reply(realtime_status(self.state, n))
        elif code == 0x05:
            self._enquire(n)
        elif n not in self._interpreter.realtime_off:
            handler = _REAL_TIME_FUNCTIONS.get(n)
            if handler is not None:
                handler(self, command)

    def _enquire(self, n: int) -> None:
        """DLE ENQ 1 goes on where the error stopped it, 2 clears the buffers first; only when the cause is gone."""
        if n in (1, 2) and self.state.waits_for_recovery and not self._board.active("cutter-error"):
            if n == 2:
                self._forget()
            self._recover()

    def _clear(self, command: bytes) -> None:
        """DLE DC4 8: what was not printed is gone, standard mode, errors recovered; then it says so."""
        if command[3:] != b"\x01\x03\x14\x01\x06\x02\x08":
            return
        self._forget()
        self._interpreter.composer.page = None
        if not self._board.active("cutter-error"):
            self._recover()
        self.reply(b"\x37\x25\x00")

    def _recover(self) -> None:
        self.state.cutter_error = self.state.waits_for_recovery = False
        self._sense()
        # what the interpreter still holds goes on in the next turn: this one may stand inside `received`
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)
            self._idle.clear()

    def _pulse(self, command: bytes) -> None:
        if self.state.drawer_closed:
            self.state.drawer_closed = False
            self._sense()
            self._clock.call_later(_DRAWER_SECONDS, self._shut_drawer)

    def _shut_drawer(self) -> None:
        self.state.drawer_closed = True
        self._sense()

    def _switch_off(self, command: bytes) -> None:
        self.reply(b"\x3b\x30\x00")
        self.power_off()

    def _tell(self, command: bytes) -> None:
        """DLE DC4 7 m: 1 basic, 2 extended automatic status, 4 offline response; whether they are enabled or not."""
        offline = OFFLINE_RESPONSE if self.settings.model.process_id else b""
        self.reply({1: automatic_status(self.state), 2: b"\x39\x00\x40\x00", 4: offline}.get(command[3], b""))

    # Commands in order

    def _respond(self, raw: bytes) -> None:
        """GS ( H fn 48: everything before it is printed; the latest id waits for a client. fn 49: tell when going
        offline.
        """
        if not self.settings.model.process_id:
            return
        if raw[5] == 0x30:
            answer = b"\x37\x22" + raw[7:11] + b"\x00"
            self.reply(answer)
            self._untold = answer if self._write is None else b""
        else:
            self._reports.offline_response = raw[7] in (1, 2, 0x31, 0x32)

    # Insides

    def _new_interpreter(self) -> Interpreter:
        settings = self.settings
        return Interpreter(
            self.roll,
            self,
            kanji=settings.kanji,
            four_bytes=settings.gb18030_4byte,
            cutter_distance=settings.cutter_distance,
        )

    def _forget(self) -> None:
        """What is not printed yet is gone."""
        self._tokenizer.clear()
        self._job = self._wanted = None
        self._interpreter.decoder.flush()
        self._interpreter.composer.clear()
        self._flow()


_COMMANDS: dict[str, Callable[[Machine, bytes], None]] = {
    "GS a": lambda self, raw: self.reply(self._reports.watch(raw[2], self.state)),
    "GS g": lambda self, raw: self.reply(self.counters.execute(raw) if self.settings.model.counters else b""),
    "GS r": lambda self, raw: self.reply(transmitted_status(self.state, raw[2])),
    "GS I": lambda self, raw: self.reply(identity(self.settings.model, raw[2])),
    "GS ( H": Machine._respond,
    "ESC @": lambda self, raw: self._reports.clear(),
    "ESC p": Machine._pulse,
    "ESC u": lambda self, raw: self.reply(transmitted_status(self.state, 2)),
    "ESC v": lambda self, raw: self.reply(transmitted_status(self.state, 1)),
}
_REAL_TIME_FUNCTIONS: dict[int, Callable[[Machine, bytes], None]] = {
    1: Machine._pulse,
    2: Machine._switch_off,
    7: Machine._tell,
    8: Machine._clear,
}
