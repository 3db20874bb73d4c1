"""A scene at one size: what stands still, what moves before it, what is wrong with the picture, and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from countertop.bench.v1 import bench_pb2 as bench
from countertop.emulators.camera.scenes import code, document, flaws, held, people, rooms
from countertop.emulators.camera.scenes.layers import Placed, place
from countertop.emulators.camera.scenes.motion import HAND, LOOP, STANDING, Motion
from countertop.emulators.camera.scenes.settings import SceneSettings

__all__ = ["Rendered", "render"]

_NOISE = 1.8
_NOISE_IN_THE_DARK = 3.5
_GRAIN = 0.9
"""Standard deviation, in pixels, of the blur of the noise: cameras smooth theirs."""
_ROAM = 64
"""Pixels by which the tile of noise may be shifted."""


@dataclass(slots=True)
class Rendered:
    """A scene at one size, ready to draw frame after frame."""

    background: Any
    parts: list[tuple[Placed, Motion]] = field(default_factory=list)
    flaw: Callable[[Any], Any] | None = None
    noise: Any = None
    offsets: Any = None

    def frame(self, index: int) -> Any:
        """Frame `index`, BGR bytes (height, width, 3); the same again after LOOP frames."""
        picture = self.background.copy()
        height, width = picture.shape[:2]
        for part, motion in self.parts:
            part.lay(picture, motion.at(index, width, height))
        if self.flaw is not None:
            picture = self.flaw(picture)
        y, x = self.offsets[index % LOOP]
        tile = self.noise[y : y + height, x : x + width]
        return cv2.addWeighted(picture, 1.0, tile, 1.0, -128.0)


def render(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    """Draw all that stands still. The same for the same arguments."""
    rendered = _BUILDERS[settings.scene](settings, width, height, seed)
    rendered.flaw = flaws.make_flaw(settings.flaw, width, height)
    strength = _NOISE_IN_THE_DARK if settings.flaw == bench.SCENE_FLAW_DARK else _NOISE
    random = np.random.default_rng((seed, 3))
    grain: Any = random.standard_normal((height + _ROAM, width + _ROAM), dtype=np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), _GRAIN)
    grain *= strength / float(grain.std())
    rendered.noise = cv2.merge([np.clip(grain + 128.5, 0, 255).astype(np.uint8)] * 3)
    rendered.offsets = random.integers(0, _ROAM, (LOOP, 2))
    return rendered


def _standing(person: people.Person, across: float, settings: SceneSettings, width: int, height: int) -> Placed:
    return place(person.layer, person.corners(across, settings.face_size * height, height), width, height)


def _the_person(settings: SceneSettings, seed: int, *, other: bool = False) -> people.Person:
    return people.photographed(settings.picture) if settings.picture else people.drawn(other=other, seed=seed)


def _person(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    other = settings.scene == bench.SCENE_OTHER_PERSON
    placed = _standing(_the_person(settings, seed, other=other), width / 2, settings, width, height)
    return Rendered(rooms.draw_room(width, height, seed), [(placed, STANDING)])


def _two_people(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    size = min(settings.size or 0.3, 0.45 * width / height)  # both faces are in the frame
    settings = SceneSettings(settings.scene, picture=settings.picture, size=size)
    aside = max(0.21 * width, 0.5 * size * height)
    left = _standing(_the_person(settings, seed), width / 2 - aside, settings, width, height)
    right = _standing(people.drawn(other=True, seed=seed), width / 2 + aside, settings, width, height)
    other_way = Motion(STANDING.sway, STANDING.breath, STANDING.roll, phase=2.0)
    return Rendered(rooms.draw_room(width, height, seed), [(right, other_way), (left, STANDING)])


def _empty(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    return Rendered(rooms.draw_room(width, height, seed))


def _phone_replay(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    phone = held.phone_with_person(_the_person(settings, seed), seed)
    corners = held.phone_corners(settings.face_size, width, height)
    return Rendered(rooms.draw_room(width, height, seed), [(place(phone, corners, width, height), HAND)])


def _print(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    sheet = held.print_of_person(_the_person(settings, seed), seed)
    corners = held.print_corners(settings.face_size, width, height)
    return Rendered(rooms.draw_room(width, height, seed), [(place(sheet, corners, width, height), HAND)])


def _code(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    phone = code.phone_with_code(settings.text)
    corners = code.code_phone_corners(settings.face_size, settings.turned, width, height)
    return Rendered(rooms.draw_room(width, height, seed), [(place(phone, corners, width, height), HAND)])


def _document(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    page = document.draw_document(settings.picture, seed)
    corners = document.document_corners(settings, width, height)
    mat = rooms.draw_mat(width, height, seed)
    document.cast_shadow(mat, corners)
    placed = place(page, corners, width, height)
    placed.lay(mat, np.array(((1.0, 0, 0), (0, 1.0, 0))))
    return Rendered(mat)


def _mat(settings: SceneSettings, width: int, height: int, seed: int) -> Rendered:
    return Rendered(rooms.draw_mat(width, height, seed))


_BUILDERS: dict[int, Callable[[SceneSettings, int, int, int], Rendered]] = {
    bench.SCENE_PERSON: _person,
    bench.SCENE_OTHER_PERSON: _person,
    bench.SCENE_PHONE_REPLAY: _phone_replay,
    bench.SCENE_PRINT: _print,
    bench.SCENE_EMPTY: _empty,
    bench.SCENE_TWO_PEOPLE: _two_people,
    bench.SCENE_CODE: _code,
    bench.SCENE_DOCUMENT: _document,
    bench.SCENE_MAT: _mat,
}
