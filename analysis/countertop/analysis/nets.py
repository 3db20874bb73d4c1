"""Models in cv2.dnn: loaded from bytes that were checked, asked one at a time."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from countertop.analysis.manifest import InputSpec, ModelSpec
from countertop.analysis.pictures import Picture
from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2

__all__ = ["Array", "Net", "blob"]

Array = np.ndarray[Any, np.dtype[np.float32]]


class Net:
    """One model. May be called by several threads; they wait for each other, since cv2's networks hold one input."""

    def __init__(self, spec: ModelSpec, data: bytes) -> None:
        """Raises CountertopError(NOT_CONFIGURED) when this OpenCV cannot load the model."""
        self.spec = spec
        self._lock = threading.Lock()
        self._net = _load(spec, data)

    def __call__(self, inputs: Array) -> list[Array]:
        """Ask it: float32 (1, 3, height, width) in, its outputs in the manifest's order out; they are the caller's."""
        with self._lock:
            self._net.setInput(inputs)
            return [np.array(output, np.float32) for output in self._net.forward(list(self.spec.outputs))]


def blob(picture: Picture, spec: InputSpec) -> Array:
    """A picture of the model's own size as its input: float32 (1, 3, height, width)."""
    values = picture.astype(np.float32)
    if spec.color == "RGB":
        values = values[:, :, ::-1]
    if any(spec.mean):
        values = values - np.array(spec.mean, np.float32)
    if spec.scale != 1.0:
        values = values * np.float32(spec.scale)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[np.newaxis], np.float32)


def _load(spec: ModelSpec, data: bytes) -> Any:
    try:
        net = _from_file(data) if spec.format == "tflite" else cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
        there = set(net.getUnconnectedOutLayersNames())
    except cv2.error:
        net, there = None, set[str]()
    if not set(spec.outputs) <= there:
        raise CountertopError(
            error_pb2.REASON_NOT_CONFIGURED,
            f"OpenCV {cv2.__version__} cannot load the model {spec.name} with its outputs {', '.join(spec.outputs)}; "
            "use a version that Countertop asks for.",
        )
    return net


def _from_file(data: bytes) -> Any:
    """OpenCV 5's new engine loses one of the TFLite model's two outputs, and its classic one is obeyed only when the
    model comes from a file. OpenCV 4 has one engine and no name for it.
    """
    engine = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    read: Any = cv2.dnn.readNetFromTFLite
    with tempfile.TemporaryDirectory(prefix="countertop-") as folder:
        file = Path(folder, "model.tflite")
        file.write_bytes(data)
        return read(str(file)) if engine is None else read(str(file), engine=engine)
