"""The analyser that comes with Countertop. cv2, numpy and the models are loaded when the first check begins."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

from countertop.analysis.manifest import package_manifest
from countertop.analysis.models import ModelStore, model_info
from countertop.analysis.options import Options, read_options
from countertop.sdk.cameras.analysis import AnalysisSettings, PresenceSession
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import error_pb2
from countertop.v1.camera_pb2 import ModelInfo

if TYPE_CHECKING:
    from countertop.analysis.engine import Engine

__all__ = ["NAME", "CountertopAnalyser", "make"]

NAME = "countertop"


def make(settings: AnalysisSettings) -> CountertopAnalyser:
    """The analyser's factory. Raises InvalidRequest that names each option which is wrong, and
    CountertopError(NOT_CONFIGURED) where OpenCV is not installed.
    """
    _needs_opencv()
    from countertop.analysis.quality import LIMIT_NAMES

    options = read_options(settings.options, package_manifest(), LIMIT_NAMES)
    return CountertopAnalyser(ModelStore(settings.models_dir, manifest=options.manifest), options)


class CountertopAnalyser:
    """Finds faces, and says whether they are alive and whose they are. May be used by several threads."""

    def __init__(self, store: ModelStore, options: Options) -> None:
        self._store, self._options = store, options
        self._loading = threading.Lock()
        self._engine: Engine | None = None

    def models(self) -> list[ModelInfo]:
        """The models that it uses, loaded or not. Reads their files as long as none were loaded."""
        from countertop.analysis.engine import used

        with self._loading:
            specs = used(self._store, self._options.detector) if self._engine is None else self._engine.specs
        return [model_info(spec) for spec in specs.distinct]

    def begin(self, reference: bytes, frames: int) -> PresenceSession:
        """Begin a check that rests on so many frames, 1 or more; `reference` is the photo's file, empty for none.

        Blocks: loads the models at the first call. Raises CountertopError(NOT_CONFIGURED) that names the missing
        files, and InvalidRequest for a photo that cannot be decoded.
        """
        from countertop.analysis.quality import Limits
        from countertop.analysis.session import Reference, Session

        if frames < 1:
            raise InvalidRequest({"frames": f"expected 1 or more, got {frames}"})
        engine = self._loaded()
        photo = None
        if reference:
            photo = Reference(hashlib.sha256(reference).digest(), engine.reference(reference))
        return Session(
            engine,
            [model_info(spec) for spec in engine.specs.distinct],
            name=NAME,
            limits=Limits(**self._options.limits),
            jitter=self._options.jitter,
            frames=frames,
            reference=photo,
        )

    def _loaded(self) -> Engine:
        from countertop.analysis.engine import Engine

        with self._loading:
            if self._engine is None:
                self._engine = Engine(self._store, self._options.detector)
            return self._engine


def _needs_opencv() -> None:
    try:
        import cv2  # noqa: F401
        import simplejpeg  # noqa: F401
    except ImportError as error:
        raise CountertopError(
            error_pb2.REASON_NOT_CONFIGURED,
            f"Looking at faces needs the package {error.name}: pip install 'countertop[camera]'",
        ) from error
