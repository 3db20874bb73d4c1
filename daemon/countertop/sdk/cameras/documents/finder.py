"""Finds a document on a picture: by what differs from the empty stage where there is one, else by its edges.

Shapes are looked for on a shrunk picture, by several means at once; each is refined on the full one and judged by the
same evidence, and the best is the answer. How it was found does not count, only how well it fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from countertop.sdk.cameras.documents.evidence import Evidence, weigh
from countertop.sdk.cameras.documents.outline import Candidate, outlines, shrink
from countertop.sdk.cameras.documents.quad import Quad
from countertop.sdk.cameras.documents.refine import refine
from countertop.sdk.cameras.documents.sizes import check_size
from countertop.sdk.cameras.documents.stage import Difference
from countertop.sdk.errors import InvalidRequest
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import DocumentMethod, DocumentSize

if TYPE_CHECKING:
    from countertop.sdk.cameras.documents.calibration import Stage

__all__ = ["SURE", "Finding", "find"]

SURE = 0.6
"""Confidence from which on a finding is taken for a document, unless the caller says otherwise."""
_CANDIDATES = 6
_LEAST_SIDE = 48
_SETTLED, _WHOLE = 0.9, 0.97
"""Confidence, and part of what differs sharply that is explained, beyond which nothing better is looked for."""
_HINT = 0.22
"""Part of its confidence above which the hint of a quad around another one counts."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found."""

    quad: Quad | None = None
    """On the picture that was given, in its pixels; None when nothing has four corners."""
    confidence: float = 0.0
    """0 to 1."""
    method: DocumentMethod = camera_pb2.DOCUMENT_METHOD_UNSPECIFIED
    """How; UNSPECIFIED when nothing was found."""
    evidence: Evidence | None = field(default=None, repr=False)
    """What the confidence is made of."""


def find(picture: Any, stage: Stage | None = None, size: int = camera_pb2.DOCUMENT_SIZE_UNSPECIFIED) -> Finding:
    """The document on a picture (height, width, 3; BGR, uint8). Blocks for some ten milliseconds.

    `stage`: the empty stage; not used when its picture has another shape, or nothing of it is seen any more. `size`:
    what is expected; another aspect lowers the confidence. Raises InvalidRequest for another array, and for a size that
    is none.
    """
    kind = check_size(size)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InvalidRequest({"picture": "expected three channels of 8 bits"})
    if min(picture.shape[:2]) < _LEAST_SIDE:
        return Finding()
    small, scale = shrink(picture)
    empty = stage.matching(small) if stage is not None else None
    difference = Difference.of(small, empty) if empty is not None else None
    if difference is None or not difference.fits:
        return _Search(picture, scale, kind).run([list(_edge_masks(small))], camera_pb2.DOCUMENT_METHOD_EDGES)
    search = _Search(picture, scale, kind, empty, difference.sharp())
    found = search.run(([mask] for mask in difference.masks()), camera_pb2.DOCUMENT_METHOD_STAGE)
    if found.confidence >= SURE:
        return found
    # white on white: its edges are seen where its area is not; judged beside the empty stage all the same
    edges = search.run([list(_edge_masks(small))], camera_pb2.DOCUMENT_METHOD_EDGES)
    return max(found, edges, key=lambda one: one.confidence)


@dataclass(slots=True)
class _Search:
    """Candidates of masks, refined and judged."""

    picture: Any
    scale: int
    size: DocumentSize
    empty: Any | None = None
    sharp: Any | None = None

    def run(self, rounds: Iterable[list[Any]], method: DocumentMethod) -> Finding:
        """The best of all masks; later rounds are not begun when one is beyond doubt."""
        found: list[Finding] = []
        for masks in rounds:
            for candidate in sorted(outlines(masks, _CANDIDATES), key=lambda one: -one.quad.area):
                # of a page and of a box that is printed on it, both of which fit, the page
                if not any(_beyond_doubt(one) and _area(one) > candidate.quad.area * self.scale**2 for one in found):
                    found.extend(self._judged(candidate, method))
            if any(map(_beyond_doubt, found)):
                break
        best = max(found, key=lambda one: one.confidence * _area(one) ** 0.25, default=Finding())
        if best.evidence is None or (self.sharp is not None and best.evidence.explained > _WHOLE):
            return best
        # a photo on a card may fit better than the card: then that it was seen at all lowers the confidence
        around = [one for one in found if _hint(one) > _HINT * best.confidence and _contains(one, best)]
        return max(around, key=_hint, default=best)

    def _judged(self, candidate: Candidate, method: DocumentMethod) -> list[Finding]:
        height, width = self.picture.shape[:2]
        rough = candidate.quad.scaled(self.scale, self.scale)
        quad, edges = refine(self.picture, rough, self.scale, self.empty)
        if quad is None:
            return []
        explained = None if self.sharp is None else _explained(self.sharp, quad.scaled(1 / self.scale, 1 / self.scale))
        evidence = weigh(quad, edges, candidate.coverage, self.size, width, height, explained=explained)
        return [Finding(Quad.of(quad.corners), evidence.confidence, method, evidence)]


def _explained(sharp: Any, quad: Quad) -> float:
    """Part of what differs sharply that lies in the quad."""
    inside = np.zeros_like(sharp)
    corners = np.rint(quad.corners).astype(np.int32)
    cv2.fillConvexPoly(inside, corners, 255)
    cv2.polylines(inside, [corners], isClosed=True, color=255, thickness=9)
    whole = cv2.countNonZero(sharp)
    return cv2.countNonZero(cv2.bitwise_and(inside, sharp)) / whole if whole else 1.0


def _hint(found: Finding) -> float:
    return found.evidence.hint if found.evidence else 0.0


def _area(found: Finding) -> float:
    return found.quad.area if found.quad else 0.0


def _beyond_doubt(found: Finding) -> bool:
    return found.confidence > _SETTLED and found.evidence is not None and found.evidence.explained > _WHOLE


def _contains(outer: Finding, inner: Finding) -> bool:
    if outer.quad is None or inner.quad is None or outer.quad.area < 1.15 * inner.quad.area:
        return False
    shape = np.array(outer.quad.corners, np.float32)
    room = 0.02 * np.sqrt(outer.quad.area)
    return all(cv2.pointPolygonTest(shape, corner, measureDist=True) > -room for corner in inner.quad.corners)


def _edge_masks(small: Any) -> Iterator[Any]:
    """Light, red to green, and yellow to blue (CIE L*a*b*): parted where they part best, and their edges."""
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (5, 5), 0), cv2.COLOR_BGR2LAB)
    edges = np.zeros(small.shape[:2], np.uint8)
    for channel in cv2.split(lab):
        otsu, mask = cv2.threshold(channel, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        yield mask
        yield cv2.bitwise_not(mask)
        lower, upper = np.percentile(channel[::4, ::4], (5, 95))
        span = max(12.0, min(float(upper - lower), float(otsu)))
        edges |= cv2.Canny(channel, 0.25 * span, 0.6 * span)
    yield cv2.dilate(edges, np.ones((3, 3), np.uint8))
    yield cv2.dilate(edges, np.ones((7, 7), np.uint8))
