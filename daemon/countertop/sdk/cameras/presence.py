"""Lets an analyser look at frames until it has seen enough of a person."""

from __future__ import annotations

import asyncio
import threading
from importlib import import_module
from typing import TYPE_CHECKING

from countertop.sdk.cameras.analysis import AnalysisSettings, Observation, PresenceAnalyser, PresenceSession
from countertop.sdk.cameras.camera import frame_of
from countertop.sdk.device import Run, Surroundings
from countertop.sdk.errors import CountertopError
from countertop.v1 import error_pb2, operation_pb2
from countertop.v1.camera_pb2 import GuidanceChanged, VerifyPresenceRequest, VerifyPresenceResult

if TYPE_CHECKING:
    from countertop.sdk.cameras.camera import Camera

__all__ = ["analyser_of", "verify_presence"]

DEFAULT_FRAMES = 5
DEFAULT_OVER = 1.5
LAST_SECONDS = 0.3
"""For the verdict itself, when too few frames were good."""

_analysers: dict[str, PresenceAnalyser] = {}
_making = threading.Lock()


def analyser_of(surroundings: Surroundings) -> PresenceAnalyser:
    """The analyser that the configuration names; one for the process, since models are large. Blocks.

    Raises CountertopError(NOT_CONFIGURED) when there is none.
    """
    factory = surroundings.analyser
    if not factory:
        raise CountertopError(
            error_pb2.REASON_NOT_CONFIGURED, "No analyser of faces is installed: pip install 'countertop[camera]'."
        )
    with _making:
        settings = AnalysisSettings(surroundings.models_dir, surroundings.analysis_options)
        made = _analysers.get(key := f"{factory} {settings!r}")
        if made is None:
            module, _, name = factory.partition(":")
            try:
                make = getattr(import_module(module), name)
            except ImportError as error:
                raise CountertopError(
                    error_pb2.REASON_NOT_CONFIGURED,
                    f"The analyser {factory} cannot be imported ({error.name or 'a module'} is missing): "
                    "pip install 'countertop[camera]'.",
                ) from None
            made = _analysers[key] = make(settings)
    return made


async def verify_presence(camera: Camera, request: VerifyPresenceRequest, run: Run) -> VerifyPresenceResult:
    """One check. It ends with enough good frames, or INCONCLUSIVE when the time is up."""
    frames = request.frames or DEFAULT_FRAMES
    over = request.over.ToNanoseconds() / 1e9 if request.HasField("over") else DEFAULT_OVER
    analyser = await asyncio.to_thread(analyser_of, camera.surroundings)
    session = await asyncio.to_thread(analyser.begin, request.reference.data, frames)
    loop = asyncio.get_running_loop()
    began = loop.time()
    run.prompt(operation_pb2.PROMPT_KIND_LOOK_AT_CAMERA)
    try:
        async with asyncio.timeout(max(0.0, run.time_left - LAST_SECONDS)):
            await _look_on(camera, session, run, frames, over / (frames - 1))
    except TimeoutError:
        pass  # the verdict says what was missing
    run.working()
    result = await asyncio.to_thread(session.verdict)
    result.took.FromNanoseconds(round((loop.time() - began) * 1e9))
    if request.best_frame and session.best is not None:
        result.best.CopyFrom(session.best)
    return result


async def _look_on(camera: Camera, session: PresenceSession, run: Run, frames: int, apart: float) -> None:
    """Until enough frames are taken, each `apart` seconds or more from the one before."""
    told: int | None = None
    sequence = taken = 0
    due_ns = 0
    while session.taken < frames:
        shot = await camera.shot(sequence)
        sequence = shot.sequence
        if shot.monotonic_ns < due_ns:
            continue
        frame = await frame_of(shot)
        try:
            seen: Observation = await asyncio.to_thread(session.add, frame)
        except CountertopError as error:
            if error.reason != error_pb2.REASON_CAMERA_PICTURE_DAMAGED:
                raise
            continue
        if session.taken > taken:
            due_ns = shot.monotonic_ns + round(apart * 1e9)
            run.progress(session.taken, frames, "frames")
        taken = session.taken
        if seen.guidance != told:
            told = seen.guidance
            run.emit(GuidanceChanged(guidance=seen.guidance, face=seen.face, sequence=sequence))
