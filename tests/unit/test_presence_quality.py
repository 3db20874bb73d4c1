"""What a person is told to do, and in which order."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countertop.analysis.geometry import Box, Face
from countertop.analysis.quality import Light, Limits, Pose, light_of, lighting, placement, pose_of, turning
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import PresenceGuidance

LIMITS = Limits()
SIZE = (640, 480)


def says(name: str) -> PresenceGuidance:
    return PresenceGuidance.Value(f"PRESENCE_GUIDANCE_{name}")


def at(x: float, y: float, width: float = 150, height: float = 190) -> Face:
    def point(right: float, down: float) -> tuple[float, float]:
        return x + right * width, y + down * height

    return Face(Box(x, y, width, height), point(0.3, 0.4), point(0.7, 0.4), point(0.5, 0.58), point(0.5, 0.8), 0.9)


MIDDLE = at(245, 140)


@pytest.mark.parametrize(
    ("face", "others", "told"),
    [
        (MIDDLE, [], "UNSPECIFIED"),
        (MIDDLE, [at(20, 140, 60, 76)], "ONE_PERSON"),
        (MIDDLE, [at(20, 140, 59, 70)], "UNSPECIFIED"),  # somebody far behind
        (at(20, 20, 95, 120), [], "MOVE_CLOSER"),
        (at(90, 40, 360, 430), [], "MOVE_AWAY"),
        (at(-40, 140), [], "MOVE_RIGHT"),  # it goes out of the picture on its left
        (at(530, 140), [], "MOVE_LEFT"),
        (at(245, -60), [], "MOVE_DOWN"),
        (at(245, 340), [], "MOVE_UP"),
        (at(-2, 140), [], "UNSPECIFIED"),
        (at(-40, -100), [], "MOVE_DOWN"),  # the worse of two first
    ],
)
def test_where_a_face_is(face: Face, others: list[Face], told: str) -> None:
    assert placement(face, others, SIZE, LIMITS) == says(told)


@pytest.mark.parametrize(
    ("light", "told"),
    [
        (Light(120, 0.0, 0.4), "UNSPECIFIED"),
        (Light(30, 0.0, 0.4), "MORE_LIGHT"),
        (Light(30, 0.0, 0.1), "MORE_LIGHT"),  # before it is blamed for the blur
        (Light(225, 0.0, 0.4), "LESS_LIGHT"),
        (Light(140, 0.3, 0.4), "LESS_LIGHT"),
        (Light(120, 0.0, 0.1), "HOLD_STILL"),
    ],
)
def test_how_it_is_lit(light: Light, told: str) -> None:
    assert lighting(light, LIMITS) == says(told)


def test_blur_and_light_are_measured_alike_near_and_far() -> None:
    near = np.full((400, 320, 3), 70, np.uint8)
    for n in range(12):  # shapes of all sizes, as a face has them
        cv2.circle(near, (40 + 83 * n % 260, 30 + 131 * n % 350), 8 + 5 * n, (50 + 17 * n,) * 3, -1)
    near = cv2.GaussianBlur(near, (0, 0), 1).astype(np.uint8)
    far = cv2.resize(near, (160, 200), interpolation=cv2.INTER_AREA)
    one, other = light_of(near, Box(0, 0, 320, 400)), light_of(far, Box(0, 0, 160, 200))
    assert one.sharpness == pytest.approx(other.sharpness, rel=0.15)
    assert one.mean == pytest.approx(other.mean, abs=2)
    blurred = light_of(cv2.GaussianBlur(near, (0, 0), 12).astype(np.uint8), Box(0, 0, 320, 400))
    assert blurred.sharpness < one.sharpness / 2
    assert light_of(np.full((50, 50, 3), 255, np.uint8), Box(0, 0, 50, 50)).glare == 1.0
    assert light_of(near, Box(900, 900, 10, 10)) == Light(0.0, 0.0, 0.0)


@given(st.floats(-180, 180), st.floats(-0.9, 0.9), st.floats(0.05, 0.95))
def test_tilting_the_head_changes_nothing_but_the_tilt(roll: float, yaw: float, pitch: float) -> None:
    turn = math.radians(roll)

    def point(x: float, y: float) -> tuple[float, float]:
        return 300 + x * math.cos(turn) - y * math.sin(turn), 200 + x * math.sin(turn) + y * math.cos(turn)

    face = replace(
        MIDDLE, left_eye=point(-30, 0), right_eye=point(30, 0), nose=point(yaw * 60, pitch * 70), mouth=point(0, 70)
    )
    pose = pose_of(face)
    assert pose.yaw == pytest.approx(yaw, abs=1e-6)
    assert pose.pitch == pytest.approx(pitch, abs=1e-6)
    assert math.cos(math.radians(pose.roll - roll)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("pose", "told"),
    [
        (Pose(0.1, 0.55, 5), "UNSPECIFIED"),
        (Pose(0.5, 0.55, 5), "FACE_CAMERA"),
        (Pose(-0.5, 0.55, 5), "FACE_CAMERA"),
        (Pose(0.1, 0.95, 5), "FACE_CAMERA"),
        (Pose(0.1, 0.1, 5), "FACE_CAMERA"),
        (Pose(0.1, 0.55, -40), "FACE_CAMERA"),
        (Pose(0.1, math.inf, 0), "FACE_CAMERA"),  # the mouth above the eyes
    ],
)
def test_where_it_looks(pose: Pose, told: str) -> None:
    assert turning(pose, LIMITS) == says(told)


def test_no_guidance_is_zero() -> None:
    assert camera_pb2.PRESENCE_GUIDANCE_UNSPECIFIED == 0  # `lighting(...) or turning(...)` rests on it
