"""Where models lie, and whether they are what they should be.

A model is a file of a known size and digest. It is looked for in the configured folder, then in the system's, then in
this package; what does not fit is never loaded.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from countertop.analysis.manifest import Manifest, ModelSpec, package_manifest
from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2
from countertop.v1.camera_pb2 import ModelInfo

__all__ = ["PACKAGE_FOLDER", "SYSTEM_FOLDER", "Located", "ModelState", "ModelStore", "model_info"]

SYSTEM_FOLDER = Path("/usr/share/countertop/models")
PACKAGE_FOLDER = Path(__file__).parent / "weights"


class ModelState(enum.Enum):
    """How a model is."""

    FOUND = "found"
    MISSING = "missing"
    DAMAGED = "damaged"
    """A file of its name is there, but it is not the model."""


@dataclass(frozen=True, slots=True)
class Located:
    """What came of looking for a model."""

    spec: ModelSpec
    state: ModelState
    path: Path | None
    """The model's file, or the first damaged one."""
    problem: str = ""
    """What is wrong with a damaged one."""


class ModelStore:
    """The models on this machine."""

    def __init__(
        self,
        models_dir: Path | None = None,
        *,
        system: Path | None = None,
        package: Path = PACKAGE_FOLDER,
        manifest: Manifest | None = None,
    ) -> None:
        self.folders = tuple(folder for folder in (models_dir, system or SYSTEM_FOLDER, package) if folder is not None)
        self.manifest = manifest or package_manifest()

    def locate(self, spec: ModelSpec) -> Located:
        """Look for a model and check it: reads all of the file."""
        damaged: Located | None = None
        for folder in self.folders:
            path = folder / spec.file
            if not path.is_file():
                continue
            try:
                problem = _problem(spec, path.read_bytes())
            except OSError as error:
                problem = f"cannot be read: {error.strerror or type(error).__name__}"
            if not problem:
                return Located(spec, ModelState.FOUND, path)
            damaged = damaged or Located(spec, ModelState.DAMAGED, path, problem)
        return damaged or Located(spec, ModelState.MISSING, None)

    def has(self, spec: ModelSpec) -> bool:
        """The model is here and whole."""
        return self.locate(spec).state is ModelState.FOUND

    def read(self, spec: ModelSpec) -> bytes:
        """A model's bytes, checked after they were read. Raises CountertopError(NOT_CONFIGURED) that names the file."""
        for folder in self.folders:
            try:
                data = (folder / spec.file).read_bytes()
            except OSError:
                continue  # another folder may have it; `refusal` tells when none has
            if not _problem(spec, data):
                return data
        raise self.refusal(spec.role, (spec,))

    def refusal(self, role: str, needed: Sequence[ModelSpec]) -> CountertopError:
        """NOT_CONFIGURED that names the files which are missing or damaged, and says how to add them."""
        told = []
        for spec in needed:
            located = self.locate(spec)
            if located.state is ModelState.DAMAGED:
                told.append(f"{spec.file} ({located.path} is damaged: {located.problem})")
            elif located.state is ModelState.MISSING:
                told.append(spec.file)
        return CountertopError(
            error_pb2.REASON_NOT_CONFIGURED,
            f"There is no {role} model on this terminal. Missing: {', '.join(told or [spec.file for spec in needed])}. "
            "Get the file and run: countertop models add FILE",
        )

    def add(self, file: Path, into: Path) -> ModelSpec:
        """Copy a file that is one of the models into a folder, under its own name, whole or not at all.

        Raises ValueError when it is none of them, OSError when it cannot be read or written.
        """
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        for spec in self.manifest.models:
            if spec.sha256 == digest:
                _write(into / spec.file, data)
                return spec
        named = next((spec for spec in self.manifest.models if spec.file == file.name), None)
        if named is not None:
            raise ValueError(f"{file} has the name of {named.name}, but {_problem(named, data)}")
        raise ValueError(f"{file} is none of the known models (its sha256 is {digest})")


def model_info(spec: ModelSpec) -> ModelInfo:
    """A model as verdicts name it."""
    return ModelInfo(
        role=spec.role,
        name=spec.name,
        sha256=bytes.fromhex(spec.sha256),
        licence=f"{spec.licence}; {spec.source}",
    )


def _problem(spec: ModelSpec, data: bytes) -> str:
    if len(data) != spec.bytes:
        return f"expected {spec.bytes} bytes, got {len(data)}"
    digest = hashlib.sha256(data).hexdigest()
    return "" if digest == spec.sha256 else f"expected sha256 {spec.sha256[:12]}…, got {digest[:12]}…"


def _write(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
