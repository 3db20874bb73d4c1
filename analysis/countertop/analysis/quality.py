"""Whether a frame is good enough to judge a face by, and what the person could do for a better one.

Only numbers in, a guidance out. Directions are the picture's, as the protos say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np

from countertop.analysis.geometry import Box, Face
from countertop.analysis.pictures import Picture, cut, shrunk
from countertop.v1 import camera_pb2
from countertop.v1.camera_pb2 import PresenceGuidance

__all__ = [
    "LIMIT_NAMES",
    "Light",
    "Limits",
    "Pose",
    "guidance",
    "light_of",
    "lighting",
    "placement",
    "pose_of",
    "turning",
]

_SIDE = 112
"""Pixels to which a face is shrunk before its sharpness is measured, so that near and far faces compare."""
_GOOD = camera_pb2.PRESENCE_GUIDANCE_UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Limits:
    """What a good frame is. Each can be set among the analyser's options."""

    min_face: float = 96.0
    """Least side of the face's box, in pixels."""
    max_face: float = 0.75
    """Largest part of the picture's width or height that the face takes."""
    other_face: float = 0.4
    """A second face counts from this part of the first one's width on."""
    margin: float = 0.02
    """How much of its side the face's box may lie outside the picture."""
    min_light: float = 50.0
    """Least mean brightness of the face, 0 to 255."""
    max_light: float = 210.0
    """Largest mean brightness of the face."""
    max_glare: float = 0.15
    """Largest part of the face that is white."""
    min_sharpness: float = 0.16
    """Least sharpness: the Laplacian's deviation over the brightness's. Of faces in focus 0.18 to 0.7 was measured, of
    one blurred by 3 pixels of its 180 below 0.15."""
    max_yaw: float = 0.40
    """Farthest that the nose lies aside, in distances of the eyes."""
    min_pitch: float = 0.25
    """Where the nose lies between eyes (0) and mouth (1), at least."""
    max_pitch: float = 0.80
    max_roll: float = 35.0
    """Farthest tilt of the head, in degrees."""


LIMIT_NAMES = frozenset(field.name for field in fields(Limits))


@dataclass(frozen=True, slots=True)
class Light:
    """How a face is lit and how sharp it is."""

    mean: float
    """Brightness, 0 to 255."""
    glare: float
    """The part of it that is white, 0 to 1."""
    sharpness: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a face looks, from its landmarks alone: no angles, but monotonous in them."""

    yaw: float
    """How far the nose lies to the picture's right, in distances of the eyes; 0 is straight."""
    pitch: float
    """Where the nose lies between eyes (0) and mouth (1)."""
    roll: float
    """Tilt in degrees clockwise."""


def guidance(
    picture: Picture, faces: Sequence[Face], limits: Limits
) -> tuple[PresenceGuidance, Face | None, Light | None]:
    """What the person could do, the face that is meant (the largest), and its light once that was looked at.

    UNSPECIFIED: nothing, the frame is good.
    """
    if not faces:
        return camera_pb2.PRESENCE_GUIDANCE_STEP_IN, None, None
    face = max(faces, key=lambda one: one.box.area)
    others = [one for one in faces if one is not face]
    said = placement(face, others, (picture.shape[1], picture.shape[0]), limits)
    if said != _GOOD:
        return said, face, None
    light = light_of(picture, face.box)
    return lighting(light, limits) or turning(pose_of(face), limits), face, light


def placement(face: Face, others: Sequence[Face], size: tuple[int, int], limits: Limits) -> PresenceGuidance:
    """What of where the face is. `size` is the picture's width and height."""
    width, height = size
    box = face.box
    out = {
        camera_pb2.PRESENCE_GUIDANCE_MOVE_RIGHT: -box.x / box.width,
        camera_pb2.PRESENCE_GUIDANCE_MOVE_LEFT: (box.right - width) / box.width,
        camera_pb2.PRESENCE_GUIDANCE_MOVE_DOWN: -box.y / box.height,
        camera_pb2.PRESENCE_GUIDANCE_MOVE_UP: (box.bottom - height) / box.height,
    }
    farthest = max(out, key=lambda way: out[way])
    if any(other.box.width >= limits.other_face * box.width for other in others):
        return camera_pb2.PRESENCE_GUIDANCE_ONE_PERSON
    if min(box.width, box.height) < limits.min_face:
        return camera_pb2.PRESENCE_GUIDANCE_MOVE_CLOSER
    if max(box.width / width, box.height / height) > limits.max_face:
        return camera_pb2.PRESENCE_GUIDANCE_MOVE_AWAY
    return farthest if out[farthest] > limits.margin else _GOOD


def light_of(picture: Picture, box: Box) -> Light:
    """The light on a face. Outside the picture there is none: dark and without edges."""
    part = cut(picture, box)
    if part is None:
        return Light(0.0, 0.0, 0.0)
    grey = cv2.cvtColor(shrunk(part, _SIDE)[0], cv2.COLOR_BGR2GRAY).astype(np.float32)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    return Light(float(grey.mean()), float((grey > 245).mean()), float(edges.std() / max(float(grey.std()), 1.0)))


def lighting(light: Light, limits: Limits) -> PresenceGuidance:
    """What of the light, then of the sharpness: too little light also blurs."""
    if light.mean < limits.min_light:
        return camera_pb2.PRESENCE_GUIDANCE_MORE_LIGHT
    if light.mean > limits.max_light or light.glare > limits.max_glare:
        return camera_pb2.PRESENCE_GUIDANCE_LESS_LIGHT
    return camera_pb2.PRESENCE_GUIDANCE_HOLD_STILL if light.sharpness < limits.min_sharpness else _GOOD


def pose_of(face: Face) -> Pose:
    """Where a face looks."""
    turn = math.radians(-face.roll)

    def upright(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        return x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)

    left, right, nose, mouth = map(upright, (face.left_eye, face.right_eye, face.nose, face.mouth))
    eyes = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2
    yaw = (nose[0] - (eyes[0] + mouth[0]) / 2) / max(right[0] - left[0], 1.0)
    below = mouth[1] - eyes[1]
    pitch = (nose[1] - eyes[1]) / below if below >= 1.0 else math.inf
    return Pose(yaw, pitch, face.roll)


def turning(pose: Pose, limits: Limits) -> PresenceGuidance:
    """What of where it looks."""
    straight = (
        abs(pose.yaw) <= limits.max_yaw
        and limits.min_pitch <= pose.pitch <= limits.max_pitch
        and abs(pose.roll) <= limits.max_roll
    )
    return _GOOD if straight else camera_pb2.PRESENCE_GUIDANCE_FACE_CAMERA
