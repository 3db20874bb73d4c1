"""What models there are: `models.toml`, read and checked. Nothing is loaded here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["ROLES", "FusionSpec", "InputSpec", "Manifest", "ModelSpec", "package_manifest", "parse"]

ROLES = ("face-detector", "face-recogniser", "liveness")
_FORMATS = ("onnx", "tflite")
_COLORS = ("BGR", "RGB")
_DIGEST_DIGITS = 64


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a model wants its picture: `(pixel - mean) * scale`, channels in this order."""

    width: int
    """In pixels; of detectors that take any size, the longer side."""
    height: int
    color: str
    """BGR or RGB."""
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of each channel, in the model's order, 0 to 255."""
    crop: float = 1.0
    """Sides of the face's box that the picture shows."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model of the manifest."""

    name: str
    role: str
    """One of ROLES."""
    file: str
    """Name of its file, without a folder."""
    bytes: int
    sha256: str
    """64 hexadecimal digits."""
    licence: str
    source: str
    format: str
    """onnx or tflite."""
    decoder: str
    """What its outputs mean."""
    outputs: tuple[str, ...]
    input: InputSpec
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def threshold(self, name: str) -> float:
        """One of its thresholds. Raises ValueError when the manifest has none of this name."""
        if name not in self.thresholds:
            raise ValueError(f"models.toml: {self.name} has no threshold {name!r}")
        return self.thresholds[name]


@dataclass(frozen=True, slots=True)
class FusionSpec:
    """Models of liveness that are asked together, and where the mean of their scores speaks."""

    name: str
    models: tuple[str, ...]
    """Their names; all are needed."""
    confirm: float
    """From here on it speaks for a living face, 0 to 1."""
    deny: float
    """Up to here it speaks against one; between the two it says nothing."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """All of a `models.toml`."""

    models: tuple[ModelSpec, ...]
    """Those of one role in the order of preference."""
    fusion: FusionSpec

    def of_role(self, role: str) -> tuple[ModelSpec, ...]:
        """The models for a task, the preferred one first."""
        return tuple(model for model in self.models if model.role == role)

    def named(self, name: str) -> ModelSpec:
        """A model by its name. Raises ValueError for one that is not there."""
        for model in self.models:
            if model.name == name:
                return model
        raise ValueError(f"models.toml: there is no model {name!r}")


def parse(text: str) -> Manifest:
    """A manifest. Raises ValueError that names the model and what is wrong."""
    document = tomllib.loads(text)
    models = tuple(_model(entry) for entry in document.get("model", []))
    for key in ("name", "file", "sha256"):
        values = [getattr(model, key) for model in models]
        if len(set(values)) < len(values):
            raise ValueError(f"models.toml: two models have the same {key}")
    fusions = document.get("fusion", [])
    if len(fusions) != 1:
        raise ValueError(f"models.toml: expected one fusion, got {len(fusions)}")
    fusion = FusionSpec(**fusions[0] | {"models": tuple(fusions[0]["models"])})
    manifest = Manifest(models, fusion)
    for name in fusion.models:
        if manifest.named(name).role != "liveness":
            raise ValueError(f"models.toml: fusion {fusion.name}: {name} is no model of liveness")
    if not 0 <= fusion.deny < fusion.confirm <= 1:
        raise ValueError(f"models.toml: fusion {fusion.name}: expected 0 <= deny < confirm <= 1")
    return manifest


@cache
def package_manifest() -> Manifest:
    """This package's manifest."""
    return parse(Path(__file__).with_name("models.toml").read_text(encoding="utf-8"))


def _model(entry: dict[str, Any]) -> ModelSpec:
    name = entry.get("name", "?")
    try:
        spec = ModelSpec(
            **entry
            | {
                "outputs": tuple(entry["outputs"]),
                "input": _input(entry["input"]),
                "thresholds": {key: float(value) for key, value in entry.get("thresholds", {}).items()},
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"models.toml: model {name}: {error}") from error
    problems = (
        (spec.role not in ROLES, f"role is one of {', '.join(ROLES)}"),
        (spec.format not in _FORMATS, f"format is one of {', '.join(_FORMATS)}"),
        (spec.input.color not in _COLORS, f"color is one of {', '.join(_COLORS)}"),
        (not _is_digest(spec.sha256), "sha256 has 64 lower-case hexadecimal digits"),
        (spec.bytes <= 0, "bytes is a size"),
        (Path(spec.file).name != spec.file, "file has no folder"),
    )
    for wrong, sentence in problems:
        if wrong:
            raise ValueError(f"models.toml: model {name}: {sentence}")
    return spec


def _input(entry: dict[str, Any]) -> InputSpec:
    first, second, third = (float(value) for value in entry.get("mean", (0.0, 0.0, 0.0)))
    values: dict[str, Any] = entry | {"mean": (first, second, third)}
    return InputSpec(**values)


def _is_digest(text: str) -> bool:
    return len(text) == _DIGEST_DIGITS and set(text) <= set("0123456789abcdef")
