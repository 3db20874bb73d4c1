"""The course of a presence check, with a made-up analyser; what ours says of faces is tested where it lies."""

from __future__ import annotations

import asyncio
import hashlib
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from countertop.client import CountertopError, InvalidRequest, OperationFailed
from countertop.sdk.cameras import AnalysisSettings, Observation
from countertop.sdk.cameras import presence as host
from countertop.sdk.errors import CountertopError as OurError
from countertop.sdk.errors import InvalidRequest as OurInvalidRequest
from countertop.sdk.plugins import AnalyserSpec, hookimpl
from countertop.server.config import AnalysisConfig
from countertop.v1 import camera_pb2, error_pb2, operation_pb2
from countertop.v1.camera_pb2 import Frame, ModelInfo, PictureBox, PresenceFrame, VerifyPresenceResult
from countertop.v1.image_pb2 import Image

GOOD = camera_pb2.PRESENCE_GUIDANCE_UNSPECIFIED
CLOSER, MORE_LIGHT = camera_pb2.PRESENCE_GUIDANCE_MOVE_CLOSER, camera_pb2.PRESENCE_GUIDANCE_MORE_LIGHT
LIVE, INCONCLUSIVE = camera_pb2.PRESENCE_VERDICT_LIVE, camera_pb2.PRESENCE_VERDICT_INCONCLUSIVE


@pytest.fixture(autouse=True)
async def in_time() -> Any:
    async with asyncio.timeout(60):
        yield


class Session:
    """Finds on frame after frame what the test says; the last of it for ever."""

    def __init__(self, script: list[Any], frames: int) -> None:
        self._script = script
        self._frames = frames
        self.seen: list[Frame] = []

    @property
    def taken(self) -> int:
        return len(self.seen)

    @property
    def best(self) -> Frame | None:
        return self.seen[0] if self.seen else None

    def add(self, frame: Frame) -> Observation:
        step = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(step, Exception):
            raise step
        if step == GOOD:
            self.seen.append(frame)
        return Observation(step, PictureBox(x=1, y=2, width=3, height=4))

    def verdict(self) -> VerifyPresenceResult:
        enough = self.taken >= self._frames
        return VerifyPresenceResult(
            verdict=LIVE if enough else INCONCLUSIVE,
            frames=[
                PresenceFrame(sequence=f.sequence, time=f.time, sha256=hashlib.sha256(f.data).digest())
                for f in self.seen
            ],
            analyser="made-up",
        )


class Analyser:
    def __init__(self) -> None:
        self.settings: list[AnalysisSettings] = []
        self.script: list[Any] = [GOOD]
        self.refusal: Exception | None = None
        self.begun: list[tuple[bytes, int]] = []

    def make(self, settings: AnalysisSettings) -> Analyser:
        self.settings.append(settings)
        return self

    def models(self) -> list[ModelInfo]:
        return []

    def begin(self, reference: bytes, frames: int) -> Session:
        self.begun.append((reference, frames))
        if self.refusal is not None:
            raise self.refusal
        return Session(list(self.script), frames)


@pytest.fixture
def analyser(monkeypatch: pytest.MonkeyPatch) -> Analyser:
    import sys

    made = Analyser()
    module: Any = ModuleType("made_up_analyser")
    module.make = made.make
    monkeypatch.setitem(sys.modules, "made_up_analyser", module)
    monkeypatch.setattr(host, "_analysers", {})
    return made


@pytest.fixture
async def terminal(start: Any, analyser: Analyser) -> Any:
    plugin: Any = ModuleType("made_up_plugin")

    @hookimpl
    def countertop_analysers() -> list[AnalyserSpec]:
        return [AnalyserSpec("made-up", "made_up_analyser:make", "for tests")]

    plugin.countertop_analysers = countertop_analysers
    analysis = AnalysisConfig(analyser="made-up", models_dir="/nowhere", options={"strictness": 3})
    async with start(plugins=(plugin,), analysis=analysis) as found:
        yield found


async def test_the_banks_own_analyser_takes_the_place_of_ours(terminal: SimpleNamespace, analyser: Analyser) -> None:
    reference = Image(data=b"photo")
    result = await terminal.camera.verify_presence(reference, frames=4, over=0.2, best_frame=True)
    assert (result.verdict, result.analyser) == (LIVE, "made-up")
    assert analyser.begun == [(b"photo", 4)]
    assert len(result.frames) == 4
    assert result.best.sequence == result.frames[0].sequence
    assert result.frames[0].sha256 == hashlib.sha256(result.best.data).digest()
    assert result.took.ToNanoseconds() > 0
    (settings,) = analyser.settings
    assert (str(settings.models_dir), settings.options) == ("/nowhere", {"strictness": 3})


async def test_it_is_made_once(terminal: SimpleNamespace, analyser: Analyser) -> None:
    for _ in range(2):
        await terminal.camera.verify_presence(frames=3, over=0)
    assert len(analyser.settings) == 1
    assert len(analyser.begun) == 2


async def test_the_frames_are_spread_over_the_time(terminal: SimpleNamespace) -> None:
    result = await terminal.camera.verify_presence(frames=3, over=0.6)
    times = [frame.time.ToNanoseconds() for frame in result.frames]
    assert all(b - a >= 0.29e9 for a, b in pairwise(times))


async def test_guidance_is_told_when_it_changes(terminal: SimpleNamespace, analyser: Analyser) -> None:
    analyser.script = [CLOSER, CLOSER, MORE_LIGHT, GOOD]
    handle = terminal.camera.start_verify_presence(frames=3, over=0)
    told, prompts = [], set()
    async for update in handle:
        prompts.add(update.operation.prompt)
        if update.HasField("guidance"):
            told.append(update.guidance.guidance)
            assert update.guidance.face.width == 3
    assert told == [CLOSER, MORE_LIGHT, GOOD]
    assert operation_pb2.PROMPT_KIND_LOOK_AT_CAMERA in prompts


async def test_a_person_who_never_looks_right_gets_a_verdict_in_time(
    terminal: SimpleNamespace, analyser: Analyser
) -> None:
    analyser.script = [CLOSER]
    result = await terminal.camera.verify_presence(frames=3, timeout=1.0)
    assert result.verdict == INCONCLUSIVE
    assert not result.frames


async def test_a_frame_that_is_damaged_is_passed_over(terminal: SimpleNamespace, analyser: Analyser) -> None:
    analyser.script = [OurError(error_pb2.REASON_CAMERA_PICTURE_DAMAGED, "cut"), GOOD]
    assert (await terminal.camera.verify_presence(frames=3, over=0)).verdict == LIVE


@pytest.mark.parametrize(
    ("refusal", "kind", "reason"),
    [
        (OurError(error_pb2.REASON_NOT_CONFIGURED, "no model"), OperationFailed, error_pb2.REASON_NOT_CONFIGURED),
        (OurInvalidRequest({"reference.data": "expected a photo"}), CountertopError, error_pb2.REASON_INVALID_REQUEST),
        (RuntimeError("a licence has run out"), OperationFailed, error_pb2.REASON_DRIVER_FAILED),
    ],
)
async def test_what_the_analyser_refuses_is_told(
    terminal: SimpleNamespace, analyser: Analyser, refusal: Exception, kind: type[CountertopError], reason: int
) -> None:
    analyser.refusal = refusal
    with pytest.raises(kind) as caught:
        await terminal.camera.verify_presence(frames=3, over=0)
    assert caught.value.reason == reason
    assert "licence" not in str(caught.value), "a foreign error's text may hold anything"


async def test_bounds_are_named(terminal: SimpleNamespace) -> None:
    for frames, over, field in ((2, 1.0, "frames"), (17, 1.0, "frames"), (5, 10.1, "over")):
        with pytest.raises(InvalidRequest) as caught:
            await terminal.camera.verify_presence(frames=frames, over=over)
        assert field in caught.value.violations


async def test_an_analyser_that_is_not_installed_is_no_verdict(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_analysers", {})
    plugin: Any = ModuleType("made_up_plugin")

    @hookimpl
    def countertop_analysers() -> list[AnalyserSpec]:
        return [AnalyserSpec("made-up", "no_such_module:make", "for tests")]

    plugin.countertop_analysers = countertop_analysers
    for analysis in (AnalysisConfig(analyser="made-up"), AnalysisConfig(analyser="another")):
        async with start(plugins=(plugin,), analysis=analysis) as terminal:
            with pytest.raises(OperationFailed) as caught:
                await terminal.camera.verify_presence()
            assert caught.value.reason == error_pb2.REASON_NOT_CONFIGURED
