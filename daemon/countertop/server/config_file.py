"""Reads a configuration file and finds every mistake in it at once."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from countertop.sdk.links import parse_link
from countertop.server.config import (
    AnalysisConfig,
    ClaimConfig,
    Config,
    ConfigError,
    DeviceConfig,
    ListenConfig,
    TerminalConfig,
)
from countertop.server.plugins import Plugins

__all__ = ["check_addresses", "load_config"]

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
_ADDRESS = re.compile(r"unix:/.{1,100}|(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|localhost|\[::1\]):\d{1,5}")


def check_addresses(addresses: list[str]) -> list[str]:
    """Raises ValueError for an address that is no unix socket and not on loopback."""
    for address in addresses:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(f"expected unix:/PATH or a loopback HOST:PORT, got {address!r}")
    return addresses


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    def given(self) -> dict[str, Any]:
        """What the file says; the rest is left to the defaults."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class _Terminal(_Strict):
    id: Id = ""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    state_dir: Annotated[str, Field(pattern=r"^/")] = ""


class _Listen(_Strict):
    addresses: Annotated[list[str], Field(min_length=1)] = []

    _loopback = field_validator("addresses")(check_addresses)


class _Claims(_Strict):
    grace_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    handover_seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    revoke_without_answer: bool = False


class _Analysis(_Strict):
    analyser: Annotated[str, Field(max_length=64)] = ""
    models_dir: Annotated[str, Field(pattern=r"^(/.*)?$")] = ""
    options: dict[str, Any] = {}


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


class _File(_Strict):
    terminal: _Terminal = Field(default_factory=_Terminal)
    listen: _Listen = Field(default_factory=_Listen)
    claims: _Claims = Field(default_factory=_Claims)
    analysis: _Analysis = Field(default_factory=_Analysis)
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
        raise ConfigError(str(path), _places(error, text) + _plugin_problems(raw, plugins)) from error
    problems = _plugin_problems(raw, plugins)
    if problems:
        raise ConfigError(str(path), problems)
    return Config(
        terminal=TerminalConfig(**file.terminal.given()),
        listen=ListenConfig(**file.listen.given()),
        claims=ClaimConfig(**file.claims.given()),
        analysis=AnalysisConfig(**file.analysis.given()),
        devices=[DeviceConfig(**device.given()) for device in file.devices],
    )


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
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
        message = item["msg"].removeprefix("Value error, ")
        line = _line_of(text, item["loc"])
        where = f"line {line}, " if line else ""
        lines.append(f"{where}{place}: {message}" if place else f"{where}{message}")
    return lines


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
            pattern = re.compile(rf"\s*(\[{re.escape(part)}\]|{re.escape(part)}\s*=)")
            at = next((number for number in range(at, len(lines)) if pattern.match(lines[number])), at)
    return at + 1 if text and at else 0
