"""The analyser's own options, checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from countertop.analysis.manifest import Manifest
from countertop.sdk.errors import InvalidRequest

__all__ = ["Options", "read_options"]

_FIELD = "analysis.options"
_MAX_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Options:
    """What the configuration says beside the folder of models."""

    manifest: Manifest
    """The package's, with the thresholds of the configuration."""
    limits: Mapping[str, float]
    """Fields of quality.Limits that are set."""
    jitter: float = 0.05
    """How far boxes are moved and scaled, in parts of their sides, 0 to 0.2."""
    detector: str = ""
    """The model that finds faces; empty for the first one that is there."""


def read_options(options: Mapping[str, Any], manifest: Manifest, limit_names: frozenset[str]) -> Options:
    """The options `jitter`, `detector`, `thresholds` (by model or fusion, then by name), and those of quality.Limits.

    Raises InvalidRequest that names each one that is unknown or out of range.
    """
    problems: dict[str, str] = {}
    limits: dict[str, float] = {}
    jitter, detector = 0.05, ""
    for name, value in options.items():
        path = f"{_FIELD}.{name}"
        if name == "thresholds":
            manifest = _with_thresholds(manifest, value, problems)
        elif name == "detector":
            names = [model.name for model in manifest.of_role("face-detector")]
            detector = _one_of(value, names, path, problems)
        elif name == "jitter":
            jitter = _number(value, 0.0, _MAX_JITTER, path, problems)
        elif name in limit_names:
            limits[name] = _number(value, 0.0, 10_000.0, path, problems)
        else:
            known = sorted({"thresholds", "detector", "jitter"} | limit_names)
            problems[path] = f"expected one of {', '.join(known)}, got an option that is not known"
    if problems:
        raise InvalidRequest(problems)
    return Options(manifest, limits, jitter, detector)


def _with_thresholds(manifest: Manifest, value: Any, problems: dict[str, str]) -> Manifest:
    models = {model.name: model for model in manifest.models}
    fusion = manifest.fusion
    tables = value if isinstance(value, Mapping) else {}
    if not isinstance(value, Mapping):
        problems[f"{_FIELD}.thresholds"] = f"expected a table by models' names, got {type(value).__name__}"
    for owner, table in tables.items():
        path = f"{_FIELD}.thresholds.{owner}"
        known = _threshold_names(manifest, owner)
        if known is None or not isinstance(table, Mapping):
            names = ", ".join((*models, fusion.name))
            problems[path] = f"expected a table of numbers for one of {names}"
            continue
        for name in table.keys() - known:
            problems[f"{path}.{name}"] = f"expected one of {', '.join(sorted(known))}"
        numbers = {name: _number(table[name], 0.0, 10.0, f"{path}.{name}", problems) for name in table.keys() & known}
        if owner == fusion.name:
            fusion = replace(
                fusion, confirm=numbers.get("confirm", fusion.confirm), deny=numbers.get("deny", fusion.deny)
            )
        else:
            models[owner] = replace(models[owner], thresholds={**models[owner].thresholds, **numbers})
    if not 0 <= fusion.deny < fusion.confirm <= 1:
        problems[f"{_FIELD}.thresholds.{fusion.name}"] = "expected 0 <= deny < confirm <= 1"
    return Manifest(tuple(models.values()), fusion)


def _threshold_names(manifest: Manifest, owner: str) -> frozenset[str] | None:
    if owner == manifest.fusion.name:
        return frozenset(field.name for field in fields(manifest.fusion)) & {"confirm", "deny"}
    return next((frozenset(model.thresholds) for model in manifest.models if model.name == owner), None)


def _number(value: Any, least: float, most: float, path: str, problems: dict[str, str]) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most:
        return float(value)
    problems[path] = f"expected a number, {least:g} to {most:g}"
    return least


def _one_of(value: Any, names: list[str], path: str, problems: dict[str, str]) -> str:
    if isinstance(value, str) and value in names:
        return value
    problems[path] = f"expected one of {', '.join(names)}"
    return ""
