"""Documents are found on mats, in shadow too; an empty stage has none; and the confidence says which is which."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countertop.sdk.cameras.documents import SURE, Finding, Quad, Stage, find
from countertop.sdk.errors import CountertopError, InvalidRequest
from countertop.v1 import camera_pb2, error_pb2
from tests.unit.drawn_documents import MATS, Scene, document_scene, empty_scene

WIDTH, HEIGHT = 1920, 1080
CLOSE = 0.012 * WIDTH
SEEDS = (0, 3, 4, 7)
"""Of scenes; odd ones are in shadow, and 3 and 7 are the hardest of the first eight."""
A4, CARD = camera_pb2.DOCUMENT_SIZE_A4, camera_pb2.DOCUMENT_SIZE_ID_1
STAGE, EDGES = camera_pb2.DOCUMENT_METHOD_STAGE, camera_pb2.DOCUMENT_METHOD_EDGES


@cache
def empty(kind: str) -> Stage:
    return Stage.of(empty_scene(900, kind).picture, b"empty")


@cache
def scenes(kind: str, a4: bool) -> list[Scene]:
    """Every other one in shadow."""
    return [document_scene(seed, kind, a4=a4, shade=seed % 2 == 1) for seed in SEEDS]


def miss(found: Finding, scene: Scene) -> float:
    """Of the corner that is farthest off, in pixels, in their order."""
    if found.quad is None:
        return float("inf")
    true = Quad.of(scene.corners).corners
    return max(float(np.hypot(*np.subtract(a, b))) for a, b in zip(found.quad.corners, true, strict=True))


@cache
def outcomes(kind: str, a4: bool, staged: bool) -> list[tuple[float, float]]:
    """Miss and confidence of each scene."""
    found = [find(scene.picture, empty(kind) if staged else None) for scene in scenes(kind, a4)]
    return [(miss(one, scene), one.confidence) for one, scene in zip(found, scenes(kind, a4), strict=True)]


LEAST = {("dark", True): 4, ("green", True): 4, ("wood", True): 4, ("white", True): 3,
         ("dark", False): 4, ("green", False): 4, ("wood", False): 3, ("white", False): 2}  # fmt: skip
"""Of 4 scenes, by mat, and whether the empty stage is known."""


@pytest.mark.parametrize("staged", [True, False], ids=["stage", "edges"])
@pytest.mark.parametrize("kind", MATS)
@pytest.mark.parametrize("a4", [True, False], ids=["A4", "card"])
def test_documents_are_found_and_the_confidence_tells_which(kind, a4, staged):
    results = outcomes(kind, a4, staged)
    right = [confidence for off, confidence in results if off < CLOSE]
    wrong = [confidence for off, confidence in results if off >= CLOSE]
    listed = " ".join(f"{off:.1f}px/{confidence:.2f}" for off, confidence in results)
    print(f"{kind} {'A4' if a4 else 'card'} {'stage' if staged else 'edges'}: {len(right)}/{len(SEEDS)}: {listed}")
    assert len(right) >= LEAST[kind, staged], listed
    assert all(confidence < SURE for confidence in wrong), listed
    if kind != "white":  # a white card on white has sides that nobody sees
        assert all(confidence > SURE for confidence in right), listed


@pytest.mark.parametrize("kind", MATS)
@pytest.mark.parametrize("shade", [False, True], ids=["light", "shadow"])
def test_on_an_empty_stage_nothing_is_found(kind, shade):
    picture = empty_scene(100 + shade, kind, shade=shade).picture
    assert find(picture, empty(kind)).confidence < 0.3
    assert find(picture).confidence < 0.3


def test_the_method_is_told():
    scene = scenes("dark", True)[0].picture
    assert find(scene, empty("dark")).method == STAGE
    assert find(scene).method == EDGES
    assert find(np.full((400, 600, 3), 90, np.uint8)) == Finding()


def test_the_same_picture_gives_the_same_answer():
    scene = scenes("wood", False)[1].picture
    assert find(scene, empty("wood")) == find(scene.copy(), empty("wood"))


def test_another_aspect_than_the_expected_one_lowers_the_confidence():
    scene = scenes("dark", False)[2].picture
    alike, other = find(scene, empty("dark"), CARD), find(scene, empty("dark"), A4)
    assert alike.confidence > 0.9
    assert other.confidence < alike.confidence - 0.2


def test_confidence_falls_as_a_document_leaves_the_picture():
    picture, stage = scenes("dark", True)[0].picture, empty_scene(900, "dark").picture
    left = int(min(x for x, _ in scenes("dark", True)[0].corners))
    confidences = []
    for cut in (0, left + 20, left + 160):
        window = np.ascontiguousarray(picture[:, cut:])
        confidences.append(find(window, Stage.of(np.ascontiguousarray(stage[:, cut:]), b"")).confidence)
    assert confidences[0] > SURE
    assert all(confidence < SURE for confidence in confidences[1:])


def test_confidence_falls_with_contrast():
    """Never much better for a fainter sheet, and none is left when it has gone."""
    scene, bare = scenes("dark", True)[0].picture.astype(float), empty_scene(901, "dark").picture.astype(float)
    parts = (1.0, 0.3, 0.1, 0.03, 0.0)
    confidences = [
        find(np.rint(bare + part * (scene - bare)).astype(np.uint8), empty("dark")).confidence for part in parts
    ]
    assert all(later < earlier + 0.05 for earlier, later in pairwise(confidences))
    assert confidences[0] > 0.9
    assert confidences[-1] < 0.3


def test_a_hand_at_the_edge_does_not_pull_the_corners_along():
    scene = scenes("green", True)[0]
    picture = scene.picture.copy()
    x, y = np.mean(scene.corners[:2], axis=0)
    cv2.ellipse(picture, (int(x), int(y) - 60), (55, 130), 0, 0, 360, (120, 150, 205), -1)
    found = find(picture, empty("green"))
    assert miss(found, scene) < CLOSE
    assert found.confidence > 0.4


def test_a_stage_that_was_moved_is_not_held_against_the_document():
    scene = scenes("wood", True)[0]
    elsewhere = cv2.flip(empty_scene(900, "wood").picture, -1)
    found, alone = find(scene.picture, Stage.of(elsewhere, b"")), find(scene.picture)
    assert miss(found, scene) < CLOSE
    assert found.confidence > alone.confidence - 0.4


@pytest.mark.parametrize("size", [(640, 480), (1280, 720), (2592, 1944)])
def test_any_size_of_picture_will_do_and_that_of_the_stage_may_differ(size):
    width, height = size
    scene = document_scene(4, "green", width=width, height=height)
    stage = Stage.of(empty_scene(900, "green", width=width // 2, height=height // 2).picture, b"")
    for found in (find(scene.picture, stage), find(scene.picture)):
        assert miss(found, scene) < 0.012 * width
        assert found.confidence > SURE


def test_a_stage_of_another_shape_is_not_used():
    scene = scenes("dark", True)[0].picture
    other = Stage.of(empty_scene(1, "dark", width=640, height=480).picture, b"")
    assert find(scene, other).method == EDGES


@pytest.mark.parametrize(
    "picture", [np.zeros((90, 90), np.uint8), np.zeros((90, 90, 4), np.uint8), np.zeros((90, 90, 3))]
)
def test_other_arrays_and_sizes_are_refused(picture):
    with pytest.raises(InvalidRequest):
        find(picture)
    with pytest.raises(InvalidRequest):
        Stage.of(picture, b"")
    with pytest.raises(InvalidRequest):
        find(np.zeros((90, 90, 3), np.uint8), None, 9)


@settings(max_examples=30)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(0, 2**32 - 1), st.integers(1, 40), st.booleans())
def test_any_picture_has_an_answer(width, height, seed, grain, staged):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(1, height // grain), max(1, width // grain), 3), dtype=np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    stage = Stage.of(np.full_like(picture, int(rng.integers(0, 256))), b"") if staged else None
    found = find(picture, stage)
    assert 0 <= found.confidence <= 1
    assert (found.quad is None) == (found.method == camera_pb2.DOCUMENT_METHOD_UNSPECIFIED)
    assert found.quad is None or found.quad.convex


# --- calibration -----------------------------------------------------------------------------------------------------


def test_a_stage_knows_its_picture_and_keeps_little_of_it():
    stage = Stage.of(np.zeros((3000, 4000, 3), np.uint8), b"file")
    assert (stage.width, stage.height, stage.dpi) == (4000, 3000, 0)
    assert stage.sha256.hex().startswith("3b9c358f")
    assert stage.shrunk.nbytes < 2_000_000
    assert stage.shrunk.base is None or stage.shrunk.base.nbytes < 2_000_000
    assert "shrunk" not in repr(stage)


@pytest.mark.parametrize(("a4", "size", "long"), [(True, A4, 297.0), (False, CARD, 85.6)])
def test_a_sheet_of_known_size_tells_the_dots_of_an_inch(a4, size, long):
    scene = scenes("dark", a4)[2]
    quad = Quad.of(scene.corners)
    stage = empty("dark").measured(scene.picture, size)
    assert stage.dpi == pytest.approx(max(quad.width, quad.height) / long * 25.4, rel=0.03)
    assert stage.dpi_at(WIDTH // 2) == pytest.approx(stage.dpi / 2)
    assert empty("dark").dpi == 0


def test_without_the_sheet_nothing_is_measured():
    for picture, size in ((empty_scene(3, "dark").picture, A4), (scenes("dark", False)[0].picture, A4)):
        with pytest.raises(CountertopError) as caught:
            empty("dark").measured(picture, size)
        assert caught.value.reason == error_pb2.REASON_STAGE_NOT_CALIBRATED
    with pytest.raises(InvalidRequest) as refused:
        empty("dark").measured(empty_scene(3, "dark").picture, 0)
    assert list(refused.value.violations) == ["sheet"]
