"""What a daemon is made of. Files are read and checked in `config_file`."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

__all__ = [
    "AccessConfig",
    "AnalysisConfig",
    "AuditConfig",
    "BrowserConfig",
    "ClaimConfig",
    "Config",
    "ConfigError",
    "DeviceConfig",
    "GrantConfig",
    "ListenConfig",
    "ListenTlsConfig",
    "RoleConfig",
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
class ListenTlsConfig:
    """`[listen.tls]`: PEM files of mutual TLS; they are read anew when they change."""

    certificate: str = ""
    """The server's certificate, with the chain."""
    key: str = ""
    client_ca: str = ""
    """The authorities that clients' certificates must be signed by."""


@dataclass(slots=True)
class ListenConfig:
    """`[listen]`: where programs call."""

    addresses: list[str] = field(default_factory=lambda: [default_socket(), "127.0.0.1:7411"])
    """`unix:/PATH`, `HOST:PORT` (port 0 for a free one), `systemd:NAME` for an inherited socket. With `tls:` before it,
    and beyond loopback, mutual TLS is spoken there.
    """
    mode: str = "0600"
    """Of unix sockets, in octal digits."""
    group: str = ""
    """Of unix sockets; empty for the daemon's own."""
    tls: ListenTlsConfig = field(default_factory=lambda: ListenTlsConfig())


@dataclass(slots=True)
class BrowserConfig:
    """`[browser]`: the door for web pages; there is none without an address."""

    address: str = ""
    """HOST:PORT, port 0 for a free one; beyond loopback only with a certificate."""
    hosts: list[str] = field(default_factory=lambda: ["127.0.0.1", "localhost", "[::1]"])
    """Names that it answers to, without ports."""
    origins: list[str] = field(default_factory=list)
    """Pages that may call: `https://teller.bank.example`."""
    console: bool = False
    """Serve the web console at `/`."""
    certificate: str = ""
    """PEM file of the server's certificate, with the chain."""
    key: str = ""
    """PEM file of its key."""


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
class AuditConfig:
    """`[audit]`"""

    days: int = 400
    """How long its records are kept, 1 to 36500; files go whole, when all in them are older."""


@dataclass(slots=True)
class RoleConfig:
    """`[roles.NAME]`: what a role may do; beside the built-in roles, or instead of one of the same name."""

    allow: list[str] = field(default_factory=list)
    """Patterns of methods: `ReceiptPrinterService.*`."""
    deny: list[str] = field(default_factory=list)
    """Patterns of methods that `allow` does not mean."""
    devices: list[str] = field(default_factory=lambda: ["*"])
    """Patterns of devices' ids."""
    kinds: list[str] = field(default_factory=list)
    """Kinds of devices, `ID_READER`; empty for all."""
    claim: Literal["any", "held"] = "any"
    """"held": device verbs only with the token of a claim on the device."""
    customer_data: bool = False
    """Answers may hold what identifies a person."""


@dataclass(slots=True)
class GrantConfig:
    """`[[grants]]`: who gets which roles. Everything that is named must match."""

    door: Literal["unix", "tls"]
    roles: list[str]
    user: str = ""
    """Door unix: a user's name, or `uid` its number."""
    uid: int | None = None
    group: str = ""
    """Door unix: a group's name, or `gid` its number; as the user's own group or one that it is a member of."""
    gid: int | None = None
    spiffe: str = ""
    """Door tls: pattern of the certificate's SPIFFE URI, in which `*` does not cross a slash."""
    subject: str = ""
    """Door tls: parts that the certificate's subject must have: `OU=tellers,O=Bank`; `*` stands for any letters."""


@dataclass(slots=True)
class AccessConfig:
    """`[access]`: roles of callers that no grant names; empty for none."""

    owner: str = "admin"
    """Of root and of the daemon's own user, on a unix socket."""
    loopback: str = ""
    """Of whoever calls on loopback TCP without a token."""


@dataclass(slots=True)
class Config:
    """A whole configuration."""

    terminal: TerminalConfig = field(default_factory=TerminalConfig)
    listen: ListenConfig = field(default_factory=ListenConfig)
    claims: ClaimConfig = field(default_factory=ClaimConfig)
    analysis: AnalysisConfig = field(default_factory=AnalysisConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    browser: BrowserConfig = field(default_factory=BrowserConfig)
    access: AccessConfig = field(default_factory=AccessConfig)
    roles: dict[str, RoleConfig] = field(default_factory=dict)
    grants: list[GrantConfig] = field(default_factory=list)
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
