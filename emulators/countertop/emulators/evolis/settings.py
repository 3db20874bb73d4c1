"""Commands that set something: P, and the few others that only take note."""

from __future__ import annotations

import re

from countertop.emulators.evolis.framing import Command, separators
from countertop.emulators.evolis.state import Failure, State

__all__ = ["SETTINGS", "take_note"]

_ANY = re.compile(r".*", re.DOTALL)
_NUMBER = r"\d{1,9}"
SETTINGS = {
    "Pr": re.compile(r"ymcko[sk]?|ymck|k(b|w|r|bl|gr|go|si|sc|o|tc|tp|a)?|ho?"),
    "Pmi": re.compile(r"[FMB](;s)?"),
    "Pmk": re.compile(r"[sf](;[si])?"),
    "Pc": re.compile(r"[ymckos];[=+-];\d{1,2}"),
    "Pl": re.compile(r"[ymckos];[=+-];\d{1,2}"),
    "Ps": re.compile(r"[ymckos];[=+-];\d{1,2}"),
    "Px": re.compile(r"[=+-];\d{1,4}"),
    "Py": re.compile(r"[=+-];\d{1,4}"),
    "Pwr": re.compile(r"0|90|180|270"),
    "Pwm": re.compile(r"[sn]"),
    "Pwb": re.compile(r"[ko]"),
    "Pwj": re.compile(r"[rlc]"),
    "Pem": re.compile(r"[0-5](;\d)?"),
    "Psmgr": re.compile(r"[0-3]"),
    "Pcim": re.compile(r"[FBMI](;[SC])?"),
    "Pcem": re.compile(r"[IMk]"),
    "Pneab": re.compile(r"E|A;1|D"),
    "Pcrm": re.compile(r"[DFR]"),
    "Pbc": re.compile(r"[AD](;[AD])*"),
    "Pkey": re.compile(r"[ED];.*"),
    "Pmc": re.compile(r"[hl]"),
    "Pmt": re.compile(r"[123];[1-6]"),
    "Pmd": re.compile(r"([123];)?(75|210)"),
    "Pmtc": re.compile(r"[123];.;.;(ON|OFF)"),
    "Pmbs": re.compile(_NUMBER),
    "Pml": re.compile(_NUMBER),
    "Pmts": re.compile(_NUMBER),
    "Pos": re.compile(_NUMBER),
    "Pro": re.compile(_NUMBER),
    "Pcom": _ANY,
    "Pdt": _ANY,
    "Mr": _ANY,
    "Ppws": _ANY,
    "Sdm": re.compile(_NUMBER),
    "Sdu": re.compile(_NUMBER),
}
"""What each may be set to. `Pdt`, `Mr` and `Ppws` are sent by the Windows driver and not documented."""


def take_note(state: State, command: Command) -> str:
    """Carry out one of SETTINGS, or `Psc`. Raises Failure."""
    memory = state.memory
    if command.name == "Psc":
        if separators(command.parameters) is None:
            raise Failure("ERROR PARAMETRES")
        return "OK"
    if not SETTINGS[command.name].fullmatch(";".join(command.parameters)):
        raise Failure("ERROR PARAMETRES")
    if command.name == "Pem":
        memory.error_mode = int(command.parameters[0])
    elif command.name in ("Pcem", "Pbc") and not state.model.exit:
        raise Failure("OPT NOT AVAILABLE")
    memory.settings[command.name] = command.parameters
    return "OK"
