"""What a daemon is made of. Files are read and checked in `config_file`."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

__all__ = [
    "AnalysisConfig",
    "ClaimConfig",
    "Config",
    "ConfigError",
    "DeviceConfig",
    "ListenConfig",
    "TerminalConfig",
    "default_socket",
    "default_state_dir",
]


class ConfigError(Exception):
    """The configuration has mistakes; `problems` has one line for each, with its place."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = problems
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        super().__init__(f"{source} has {count}:\n" + "\n".join(f"  {problem}" for problem in problems))


def _terminal_id() -> str:
    return re.sub(r"[^a-z0-9._-]", "-", socket.gethostname().lower())[:64].lstrip("._-") or "terminal"


def default_socket() -> str:
    """The socket's address: in the user's run-time directory, else in a private directory of /tmp."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return f"unix:{runtime}/countertop/countertop.sock"
    if os.geteuid() == 0:
        return "unix:/run/countertop/countertop.sock"
    return f"unix:/tmp/countertop-{os.geteuid()}/countertop.sock"


def default_state_dir() -> str:
    """What systemd gives (StateDirectory=), else the user's state directory."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return given
    if os.geteuid() == 0 and "XDG_STATE_HOME" not in os.environ:
        return "/var/lib/countertop"
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return f"{home}/countertop"


CARD_SPEED = 4
"""How much faster than a real one the emulated terminal's card printer is: a colour card takes 35 s else."""


@dataclass(slots=True)
class TerminalConfig:
    """`[terminal]`"""

    id: str = field(default_factory=_terminal_id)
    drain_seconds: float = 5.0
    """How long running operations may take to end when the daemon stops, 0 to 60."""
    state_dir: str = field(default_factory=lambda: default_state_dir())
    """Where the journal lies; one daemon each."""


@dataclass(slots=True)
class ListenConfig:
    """`[listen]`: `unix:/PATH`, or HOST:PORT on loopback (port 0 for a free one)."""

    addresses: list[str] = field(default_factory=lambda: [default_socket(), "127.0.0.1:7411"])


@dataclass(slots=True)
class DeviceConfig:
    """`[[devices]]`: a driver with the link to a real device, or an emulator."""

    id: str
    driver: str = ""
    link: str = ""
    emulator: str = ""
    enabled: bool = True
    serial: str = ""
    """Serial number that must answer on the link; empty for any."""
    isolation: Literal["none", "process"] = "none"
    """"process" runs the driver in a process of its own."""
    memory_mb: int = 0
    """Most memory of that process, in MiB beyond what it starts with, 16 to 65536; 0 for no limit."""
    hang_seconds: float = 5.0
    """How long that process may fail to answer before it is ended, 0.5 to 600."""
    options: dict[str, Any] = field(default_factory=dict)
    emulator_options: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    unit: str = ""
    """The physical box that holds the device; by default it stands alone."""
    safe_state: Literal["retain", "leave"] = "retain"
    """What becomes of a card that is inside when a claim ends."""


@dataclass(slots=True)
class ClaimConfig:
    """`[claims]`"""

    grace_seconds: float = 5.0
    """How long a claim waits for its holder when the stream breaks, 0 to 60."""
    handover_seconds: float = 10.0
    """How long a holder may take to answer when somebody waits, 0 to 600."""
    revoke_without_answer: bool = False
    """Take the devices from a holder that does not answer."""


@dataclass(slots=True)
class AnalysisConfig:
    """`[analysis]`: who says whether a face is alive, and whose it is."""

    analyser: str = ""
    """Its name; empty for the one that comes with Countertop."""
    models_dir: str = ""
    """Looked into for models before the system's folder."""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Config:
    """A whole configuration."""

    terminal: TerminalConfig = field(default_factory=TerminalConfig)
    listen: ListenConfig = field(default_factory=ListenConfig)
    claims: ClaimConfig = field(default_factory=ClaimConfig)
    analysis: AnalysisConfig = field(default_factory=AnalysisConfig)
    devices: list[DeviceConfig] = field(default_factory=list)
    serve_first: ClassVar[bool] = False
    """Answer before the emulators are there, since nothing in their options can be wrong."""

    @classmethod
    def emulated(cls) -> Config:
        """The terminal that comes up with nothing configured: one emulated device of each kind."""
        return _Emulated(
            devices=[
                DeviceConfig(id="id-reader", emulator="sdt"),
                DeviceConfig(id="receipt-printer", emulator="escpos"),
                DeviceConfig(id="signature-pad", emulator="wacom-stu"),
                DeviceConfig(id="card-printer", emulator="evolis", emulator_options={"speed": CARD_SPEED}),
                DeviceConfig(id="camera", emulator="camera"),
            ]
        )


class _Emulated(Config):
    serve_first = True
