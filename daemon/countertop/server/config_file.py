"""Reads a configuration file and finds every mistake in it at once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from countertop.sdk.links import parse_link
from countertop.server.access.checks import access_problems
from countertop.server.config import (
    AccessConfig,
    AnalysisConfig,
    AuditConfig,
    BrowserConfig,
    ClaimConfig,
    Config,
    ConfigError,
    DeviceConfig,
    GrantConfig,
    ListenConfig,
    ListenTlsConfig,
    RoleConfig,
    TerminalConfig,
)
from countertop.server.doors.addresses import address_problems
from countertop.server.plugins import Plugins

__all__ = ["check_browser_address", "load_config"]

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
_LOOPBACK = re.compile(r"(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):\d{1,5}")


def check_browser_address(address: str, *, certified: bool) -> None:
    """Raises ValueError for an address beyond loopback without a certificate."""
    if not certified and not _LOOPBACK.fullmatch(address):
        raise ValueError(
            f"expected a certificate and a key beside {address!r}: beyond loopback pages are served with TLS only"
        )


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """What the file says; the rest is left to the defaults."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class _Terminal(_Strict):
    id: Id = ""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    state_dir: Annotated[str, Field(pattern=r"^/")] = ""


class _ListenTls(_Strict):
    certificate: Annotated[str, Field(pattern=r"^/")]
    key: Annotated[str, Field(pattern=r"^/")]
    client_ca: Annotated[str, Field(pattern=r"^/")]


class _Listen(_Strict):
    tls: _ListenTls | None = None
    addresses: Annotated[list[str], Field(min_length=1)] = []
    mode: Annotated[str, Field(pattern=r"^0?[0-7]{3}$")] = ""
    group: Annotated[str, Field(max_length=32)] = ""

    @field_validator("addresses")
    @classmethod
    def _reachable(cls, addresses: list[str], info: ValidationInfo) -> list[str]:
        problems = address_problems(addresses, tls=info.data.get("tls") is not None)
        if problems:
            raise ValueError("; ".join(problems))
        return addresses

    def given(self) -> dict[str, Any]:
        tls = {"tls": ListenTlsConfig(**self.tls.given())} if self.tls is not None else {}
        return {**super().given(), **tls}


class _Claims(_Strict):
    grace_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    handover_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    revoke_without_answer: bool = False


class _Analysis(_Strict):
    analyser: Annotated[str, Field(max_length=64)] = ""
    models_dir: Annotated[str, Field(pattern=r"^(/.*)?$")] = ""
    options: dict[str, Any] = {}


class _Browser(_Strict):
    address: Annotated[str, Field(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+):\d{1,5}$")]
    hosts: Annotated[list[Annotated[str, Field(pattern=r"^(\[[0-9a-f:]+\]|[a-z0-9.-]+)$")]], Field(min_length=1)] = []
    origins: list[Annotated[str, Field(pattern=r"^https?://[a-z0-9.\-]+(:\d{1,5})?$")]] = []
    console: bool = False
    certificate: str = ""
    key: str = ""

    @model_validator(mode="after")
    def _safe(self) -> _Browser:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("expected a certificate and a key, or neither")
        check_browser_address(self.address, certified=bool(self.certificate))
        return self


class _Audit(_Strict):
    days: Annotated[int, Field(ge=1, le=36500)] = 1


class _Device(_Strict):
    id: Id
    driver: str = ""
    link: str = ""
    emulator: str = ""
    enabled: bool = True
    serial: Annotated[str, Field(max_length=64)] = ""
    isolation: Literal["none", "process"] = "none"
    memory_mb: Annotated[int, Field(ge=0, le=65536)] = 0
    hang_seconds: Annotated[float, Field(ge=0.5, le=600)] = 0.5
    options: dict[str, Any] = {}
    emulator_options: dict[str, Any] = {}
    labels: dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=256)]] = {}
    unit: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9._-]{0,63})?$")] = ""
    safe_state: Literal["retain", "leave"] = "retain"

    @model_validator(mode="after")
    def _one_end(self) -> _Device:
        if bool(self.link) == bool(self.emulator):
            raise ValueError("expected either a link or an emulator")
        if self.link and not self.driver:
            raise ValueError("expected a driver beside the link")
        if self.link:
            parse_link(self.link)
        return self


class _Role(_Strict):
    allow: Annotated[list[str], Field(min_length=1)]
    deny: list[str] = []
    devices: Annotated[list[str], Field(min_length=1)] = []
    kinds: list[str] = []
    claim: Literal["any", "held"] = "any"
    customer_data: bool = False


class _Grant(_Strict):
    door: Literal["unix", "tls"]
    roles: Annotated[list[str], Field(min_length=1)]
    user: str = ""
    uid: Annotated[int | None, Field(ge=0, lt=2**32 - 1)] = None
    group: str = ""
    gid: Annotated[int | None, Field(ge=0, lt=2**32 - 1)] = None
    spiffe: Annotated[str, Field(pattern=r"^(spiffe://.+)?$")] = ""
    subject: Annotated[str, Field(pattern=r"^([^=,+]+=[^=,+]+([,+][^=,+]+=[^=,+]+)*)?$")] = ""


class _Access(_Strict):
    owner: str = ""
    loopback: str = ""


class _File(_Strict):
    terminal: _Terminal = Field(default_factory=_Terminal)
    listen: _Listen = Field(default_factory=_Listen)
    claims: _Claims = Field(default_factory=_Claims)
    analysis: _Analysis = Field(default_factory=_Analysis)
    audit: _Audit = Field(default_factory=_Audit)
    browser: _Browser | None = None
    access: _Access = Field(default_factory=_Access)
    roles: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")], _Role] = {}
    grants: list[_Grant] = []
    devices: Annotated[list[_Device], Field(max_length=64)] = []

    @model_validator(mode="after")
    def _distinct(self) -> _File:
        ids = [device.id for device in self.devices]
        twice = sorted({device_id for device_id in ids if ids.count(device_id) > 1})
        if twice:
            raise ValueError(f"devices: expected distinct ids, got {', '.join(twice)} more than once")
        for device in self.devices:
            if device.unit in ids and device.unit != device.id:
                raise ValueError(f"devices: expected a unit that is not another device's id, got {device.unit}")
        return self


for _model, _plain in (
    (_Terminal, TerminalConfig),
    (_Listen, ListenConfig),
    (_Claims, ClaimConfig),
    (_Analysis, AnalysisConfig),
    (_Audit, AuditConfig),
    (_Browser, BrowserConfig),
    (_Role, RoleConfig),
    (_Grant, GrantConfig),
    (_Access, AccessConfig),
    (_Device, DeviceConfig),
    (_File, Config),
):
    assert set(_model.model_fields) == {item.name for item in fields(_plain)}, f"{_model} and {_plain} differ"


def load_config(path: Path, plugins: Plugins) -> Config:
    """Read and check a file, drivers' options included. Raises ConfigError with every mistake at once."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"is not TOML: {error}"]) from error
    try:
        file = _File.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(str(path), _places(error, text) + _other_problems(raw, text, plugins)) from error
    problems = _other_problems(raw, text, plugins)
    if problems:
        raise ConfigError(str(path), problems)
    return Config(
        terminal=TerminalConfig(**file.terminal.given()),
        listen=ListenConfig(**file.listen.given()),
        claims=ClaimConfig(**file.claims.given()),
        analysis=AnalysisConfig(**file.analysis.given()),
        audit=AuditConfig(**file.audit.given()),
        browser=BrowserConfig(**file.browser.given()) if file.browser else BrowserConfig(),
        access=AccessConfig(**file.access.given()),
        roles={name: RoleConfig(**role.given()) for name, role in file.roles.items()},
        grants=[GrantConfig(**grant.given()) for grant in file.grants],
        devices=[DeviceConfig(**device.given()) for device in file.devices],
    )


def _other_problems(raw: dict[str, Any], text: str, plugins: Plugins) -> list[str]:
    """Mistakes that one table alone does not show: of roles and grants, and those that only the plugins can tell."""
    problems = [_placed(text, place, message) for place, message in access_problems(raw)]
    return problems + _plugin_problems(raw, plugins)


def _plugin_problems(raw: dict[str, Any], plugins: Plugins) -> list[str]:
    """Mistakes that only the plugins can tell: unknown drivers and emulators, drivers' options."""
    problems = _analysis_problems(raw.get("analysis"), plugins)
    devices = raw.get("devices")
    for index, device in enumerate(devices if isinstance(devices, list) else []):
        if isinstance(device, dict):
            problems += [f"devices[{index}].{problem}" for problem in _device_problems(device, plugins)]
    return problems


def _analysis_problems(analysis: Any, plugins: Plugins) -> list[str]:
    name = analysis.get("analyser") if isinstance(analysis, dict) else None
    if not isinstance(name, str) or not name or name in plugins.analysers:
        return []
    known = ", ".join(sorted(plugins.analysers)) or "no analyser is installed"
    return [f"analysis.analyser: expected one of {known}, got {name!r}"]


def _device_problems(device: dict[str, Any], plugins: Plugins) -> list[str]:
    problems: list[str] = []
    driver, emulator = device.get("driver"), device.get("emulator")
    if isinstance(emulator, str) and emulator:
        try:
            driver = driver or plugins.emulator(emulator).driver
        except LookupError as error:
            problems.append(f"emulator: {error.args[0]}, got {emulator!r}")
    if not isinstance(driver, str) or not driver:
        return problems
    try:
        options = plugins.driver_class(driver).options_type
    except LookupError as error:
        return [*problems, f"driver: {error.args[0]}, got {driver!r}"]
    except Exception as error:  # the driver's module itself is broken
        return [*problems, f"driver: {driver!r} cannot be loaded: {type(error).__name__}: {error}"]
    try:
        options.model_validate(device.get("options", {}))
    except ValidationError as error:
        problems += [f"options.{problem}" for problem in _places(error, "")]
    return problems


def _places(error: ValidationError, text: str) -> list[str]:
    return [
        _placed(text, item["loc"], item["msg"].removeprefix("Value error, "))
        for item in error.errors(include_url=False, include_input=False)
    ]


def _placed(text: str, location: tuple[int | str, ...], message: str) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    line = _line_of(text, location)
    where = f"line {line}, " if line else ""
    return f"{where}{place}: {message}" if place else f"{where}{message}"


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """The line of a key, found by its name behind the right table header; 0 when it has none of its own."""
    lines = text.splitlines()
    at = 0
    for index, part in enumerate(location):
        if isinstance(part, int):
            header = f"[[{location[index - 1]}]]"
            found = [number for number, line in enumerate(lines) if line.strip() == header]
            at = found[part] if part < len(found) else at
        else:
            path = ".".join(str(item) for item in location[: index + 1])
            head, key = re.compile(rf"\s*\[{re.escape(path)}\]"), re.compile(rf"\s*{re.escape(part)}\s*=")
            rest = range(at, len(lines))
            table = next((number for number in rest if head.match(lines[number])), at)
            at = table if table != at or not index else next((n for n in rest if key.match(lines[n])), at)
    return at + 1 if text and at else 0
