"""The models of one analyser, loaded, and what they say together of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from countertop.analysis.detectors import FaceDetector, aligned, make_detector
from countertop.analysis.geometry import Face
from countertop.analysis.liveness import Liveness
from countertop.analysis.manifest import FusionSpec, ModelSpec
from countertop.analysis.models import ModelStore
from countertop.analysis.nets import Array
from countertop.analysis.pictures import Picture, decode_photo
from countertop.analysis.recogniser import Recogniser

__all__ = ["Engine", "Used", "used"]

_LANDMARKS = "short-range"
"""The decoder of the model whose landmarks are good enough to cut a face out by."""
_SMALL_PHOTO = 400
"""Pixels of a photo's longer side: below, it is enlarged before a face is looked for."""
_ENLARGE = 3
_SAME_SIZE = 0.6
"""A photo with a second face of this part of the first one's width does not say who is meant."""


@dataclass(frozen=True, slots=True)
class Used:
    """Models by what they do."""

    finder: ModelSpec
    """Finds faces."""
    marker: ModelSpec
    """Finds eyes, nose and mouth of one."""
    recogniser: ModelSpec
    liveness: tuple[ModelSpec, ...]

    @property
    def distinct(self) -> tuple[ModelSpec, ...]:
        """All of them, each once."""
        return tuple({spec.name: spec for spec in (self.finder, self.marker, self.recogniser, *self.liveness)}.values())


class Engine:
    """All models, ready to be asked. May be used by several threads."""

    def __init__(self, store: ModelStore, detector: str = "") -> None:
        """Loads the models; `detector` names the one that finds faces, empty for the first that is there.

        Raises CountertopError(NOT_CONFIGURED) that names what is missing.
        """
        self.fusion: FusionSpec = store.manifest.fusion
        self.specs = specs = used(store, detector)
        missing = [spec for spec in specs.liveness if not store.has(spec)]
        if missing:  # first, and before anything is loaded: it is what most terminals lack
            raise store.refusal("liveness", missing)
        self.finder: FaceDetector = make_detector(specs.finder, store.read(specs.finder))
        self.marker: FaceDetector = make_detector(specs.marker, store.read(specs.marker))
        self.recogniser = Recogniser(specs.recogniser, store.read(specs.recogniser))
        self.liveness = Liveness([(spec, store.read(spec)) for spec in specs.liveness])

    def faces(self, picture: Picture) -> list[Face]:
        """The faces on a picture, the largest first and with good landmarks; those of the others are coarse."""
        found = sorted(self.finder.detect(picture), key=lambda face: -face.box.area)
        return [aligned(self.marker, picture, found[0]), *found[1:]] if found else []

    def fused(self, scores: Sequence[float]) -> float:
        """One score of the liveness models' scores of one box, 0 to 1."""
        return sum(scores) / len(scores)

    def descriptor(self, picture: Picture, face: Face) -> Array:
        """Who it is, as numbers."""
        return self.recogniser.descriptor(picture, face)

    def reference(self, photo: bytes) -> Array | None:
        """Who is on a photo; None when there is no face, or more than one that could be meant.

        Raises InvalidRequest for a file that cannot be decoded.
        """
        picture = decode_photo(photo)
        if max(picture.shape[:2]) < _SMALL_PHOTO:
            size = picture.shape[1] * _ENLARGE, picture.shape[0] * _ENLARGE
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).astype(picture.dtype, copy=False)
        faces = self.faces(picture)
        if not faces or any(other.box.width >= _SAME_SIZE * faces[0].box.width for other in faces[1:]):
            return None
        return self.descriptor(picture, faces[0])


def used(store: ModelStore, detector: str = "") -> Used:
    """The models that an engine uses, there or not; where several could do it, the first that is there."""
    manifest = store.manifest

    def first(role: str) -> ModelSpec:
        candidates = manifest.of_role(role)
        return next((spec for spec in candidates if store.has(spec)), candidates[0])

    finder = manifest.named(detector) if detector else first("face-detector")
    marker = next(spec for spec in manifest.of_role("face-detector") if spec.decoder == _LANDMARKS)
    return Used(finder, marker, first("face-recogniser"), tuple(map(manifest.named, manifest.fusion.models)))
