"""Commands that ask: R."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from countertop.emulators.core.cards.machine import Station
from countertop.emulators.evolis.framing import Command
from countertop.emulators.evolis.state import Failure, State

__all__ = ["QUERIES", "ask"]

T = TypeVar("T")
_PLACES = {
    Station.JAMMED: "CARD JAM",
    Station.CONTACT: "SMART CARD",
    Station.CONTACTLESS: "CONTACTLESS CARD",
    Station.PRINT: "CARD",
    Station.TRANSPORT: "CARD",
}
"""Of `Rlr;p`; what it says of a card between stations is not known."""
_ZONE = "1"
"""Of printer and ribbon, which must fit; the real values are not known."""


def ask(state: State, command: Command) -> str:
    """The answer to one of QUERIES. Raises Failure."""
    return QUERIES[command.name](state, command.parameters)


def _volts(value: float) -> str:
    return f"{value:.2f} Volts".replace(".", ",")


def _sensor(state: State, parameters: tuple[str, ...]) -> str:
    machine = state.machine
    supply = machine.counts.supply
    sensors = {
        "f": 5.0 if supply else 0.0,
        "n": 3.92 if supply <= machine.near_empty else 0.17,
        "o": 0.0 if machine.cover_open else 5.0,
    }
    if state.model.exit:
        sensors["b"] = 4.93 if machine.station is Station.EXIT else 0.21
    return _volts(_pick(sensors, parameters))


def _pick(table: Mapping[str, T], parameters: tuple[str, ...]) -> T:
    if len(parameters) != 1 or parameters[0] not in table:
        raise Failure("ERROR PARAMETRES")
    return table[parameters[0]]


def _last(state: State, parameters: tuple[str, ...]) -> str:
    machine = state.machine
    if parameters == ("p",):
        return _PLACES.get(machine.station, "OK")
    if parameters == ("h",):
        return "CARD" if machine.in_bin >= machine.bin_capacity else "NO CARD"
    return state.memory.last_answer


def _ribbon(state: State, parameters: tuple[str, ...]) -> str:
    ribbon = state.ribbon
    if ribbon is None:
        raise Failure("ERR RIB DETECTION")
    answer = _pick({"count": str(ribbon.left), "qty": str(ribbon.capacity), "zone": _ZONE}, parameters)
    return "OK" if state.board.take("number-quirk") else answer


def _letters(state: State, parameters: tuple[str, ...]) -> str:
    if state.ribbon is None:
        raise Failure("ERR RIB DETECTION")
    return state.ribbon.panels


def _counter(state: State, parameters: tuple[str, ...]) -> str:
    """`c` counts cards that were fed, `p` those that were printed; the guide does not explain the letters."""
    counters = {
        "c": state.machine.fed,
        "a": state.machine.fed,
        "p": state.printed,
        "m": state.written,
        "n": state.uncleaned,
        "l": 0,
    }
    return str(_pick(counters, parameters))


def _track(state: State, parameters: tuple[str, ...]) -> str:
    return state.memory.tracks_read.get(_pick({"1": 1, "2": 2, "3": 3}, parameters), "")


def _black_mark(state: State, parameters: tuple[str, ...]) -> str:
    return _volts(2.5 if state.ribbon is None else 4.8)


_Query = Callable[[State, tuple[str, ...]], str]
QUERIES: dict[str, _Query] = {
    "Rfv": lambda state, _: state.model.firmware,
    "Rsn": lambda state, _: state.serial,
    "Rtp": lambda state, _: state.model.name,
    "Rkn": lambda state, _: state.model.head_kit,
    "Rck": lambda state, _: f"{sum(state.model.firmware.encode()):04X}",
    "Rmac": lambda state, _: state.model.mac,
    "Rip": lambda state, _: "127.0.0.1",
    "Rr": _letters,
    "Rem": lambda state, _: f"{state.memory.error_mode};0",
    "Rmi": lambda state, _: state.memory.first("Pmi", "F"),
    "Rco": _counter,
    "Rse": _sensor,
    "Rlr": _last,
    "Rcr": _black_mark,
    "Rrt": _ribbon,
    "Rzp": lambda state, _: _ZONE,
    "Rmb": _track,
}
