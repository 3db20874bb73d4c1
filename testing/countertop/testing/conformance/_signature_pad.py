"""What every driver of a signature pad must do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from countertop.bench.v1 import bench_pb2
from countertop.sdk.signing import SignaturePad
from countertop.testing.conformance._device import DeviceConformance
from countertop.testing.conformance._requirement import expect, requirement
from countertop.testing.conformance._rig import Rig
from countertop.testing.conformance._run import RecordingRun
from countertop.v1 import device_pb2, error_pb2, signature_pad_pb2
from countertop.v1.ink_pb2 import Ink, InkPoint, InkSpace
from countertop.v1.signature_pad_pb2 import (
    CaptureSignatureRequest,
    CaptureSignatureResult,
    PadButton,
    PressButtonRequest,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["SignaturePadConformance"]

ACCEPT, CLEAR, CANCEL = (
    signature_pad_pb2.PAD_BUTTON_ACCEPT,
    signature_pad_pb2.PAD_BUTTON_CLEAR,
    signature_pad_pb2.PAD_BUTTON_CANCEL,
)
WAIT_SECONDS = 1.0
LATE_SECONDS = 3.0
NEAR_UNITS = 1
"""How far a point may be from where it was written: what rounding makes of it."""


class SignaturePadConformance(DeviceConformance):
    """The suite for signature pads."""

    kind = device_pb2.DEVICE_KIND_SIGNATURE_PAD
    base = SignaturePad
    capabilities = "signature_pad"
    canaries = ("Kanarienvogel 4711",)

    async def use(self, rig: Rig, driver: Any, run: RecordingRun) -> CaptureSignatureResult:
        """Take a signature: it is written when the pad asks for it, and accepted by the app."""
        async with self._capture(driver, run) as capture:
            await self._write(rig, run, capture)
            press(run, ACCEPT)
            return await capture

    @staticmethod
    async def _write(rig: Rig, run: RecordingRun, capture: asyncio.Future[Any], **fields: Any) -> Ink:
        """Write, and wait until the driver has told of every point, for 5 s at most after the last one; what was
        written, of an emulator.
        """
        before = _points(run)
        written = await rig.hands.do("sign", **{"speed": 0, **fields})
        if rig.emulator is None:
            return Ink()
        ink: Ink = written.ink
        wanted, seen, loop = (
            before + sum(len(stroke.points) for stroke in ink.strokes),
            before,
            asyncio.get_running_loop(),
        )
        patient = loop.time() + 5
        while _points(run) < wanted and loop.time() < patient and not capture.done():
            await asyncio.wait({capture}, timeout=0.01)
            if _points(run) > seen:
                seen, patient = _points(run), loop.time() + 5
        return ink

    @asynccontextmanager
    async def _capture(
        self, driver: Any, run: RecordingRun, **fields: Any
    ) -> AsyncIterator[asyncio.Future[CaptureSignatureResult]]:
        """A capture that asks to sign, when the block is entered; or that has failed already."""
        asked = asyncio.Event()
        run.on_prompt = lambda kind: asked.set()
        request = CaptureSignatureRequest(live_ink=True, **fields)
        request.document.text = self.canaries[0]
        capture = asyncio.ensure_future(driver.capture_signature(request, run))
        prompt = asyncio.ensure_future(asked.wait())
        try:
            await asyncio.wait({capture, prompt}, return_when=asyncio.FIRST_COMPLETED)
            if capture.done():
                capture.result()
            yield capture
        finally:
            for task in (capture, prompt):
                task.cancel()
            await asyncio.gather(capture, prompt, return_exceptions=True)

    @requirement("S-01", "What it says of its size and its space agree, and are those of a pad.")
    async def test_s01_space(self, rig: Rig) -> None:
        """Width and height are known, units and millimetres agree, and the screen is as large as the capabilities say:
        apps draw by these figures.
        """
        async with rig.connected() as driver:
            space, said, screen = driver.space, rig.info.signature_pad, driver.screen
        expect(space.width > 0 and space.height > 0, "The space must have a width and a height.")
        expect(space.units_per_mm > 0, "The space must say how many units a millimetre has.")
        for name, units, millimetres in (
            ("width", space.width, said.width_mm),
            ("height", space.height, said.height_mm),
        ):
            wide = units / space.units_per_mm
            expect(abs(wide - millimetres) < 1, f"{name}: the space has {wide:.1f} mm, the capabilities say otherwise.")
        expect(space.pressure_levels == said.pressure_levels, "Steps of pressure must agree.")
        size = (screen.width, screen.height) if screen is not None else (0, 0)
        expect(size == (said.screen_width, said.screen_height), "The screen's size must agree with the capabilities.")

    @requirement("S-02", "It asks to sign when it is ready for the pen.")
    async def test_s02_asks(self, rig: Rig) -> None:
        """CaptureStarted comes first, with the space in which points will lie; then the person is asked."""
        async with rig.connected() as driver:
            run = rig.run()
            await rig.perform("the capture", self.use(rig, driver, run))
            expect(run.events, "CaptureStarted must be emitted.")
            started = run.events[0]
            expect(isinstance(started, signature_pad_pb2.CaptureStarted), "CaptureStarted must come first.")
            same = isinstance(started, signature_pad_pb2.CaptureStarted) and started.space == driver.space
            expect(same, "CaptureStarted must tell the space.")

    @requirement("S-03", "The ink is what was written.", given=lambda suite: suite.handwriting())
    async def test_s03_ink(self, rig: Rig, drawn: Any) -> None:
        """Handwriting of every sort: as many strokes, as many points, each where the pen was (to a unit), whatever the
        pieces in which the line brings them.
        """
        rig.needs_emulator()
        async with rig.connected() as driver:
            wanted = drawn.draw(self.inks(driver.space))
            run = rig.run()
            async with self._capture(driver, run) as capture:
                written = await self._write(rig, run, capture, ink=wanted)
                press(run, ACCEPT)
                result = await rig.perform("the capture", capture)
        self._same(written, result.ink)

    @staticmethod
    def handwriting() -> SearchStrategy[Any]:
        """Drawn when the pad's space is known."""
        from hypothesis import strategies as st

        return st.data()

    @staticmethod
    def inks(space: InkSpace) -> SearchStrategy[Ink]:
        """What S-03 writes."""
        from countertop.testing.strategies import inks

        return inks(space, max_strokes=3)

    @staticmethod
    def _same(written: Ink, got: Ink) -> None:
        expect(
            len(got.strokes) == len(written.strokes),
            f"{len(written.strokes)} strokes were written, {len(got.strokes)} came.",
        )
        for wrote, came in zip(written.strokes, got.strokes, strict=True):
            expect(
                len(came.points) == len(wrote.points),
                f"{len(wrote.points)} points were written, {len(came.points)} came.",
            )
            far = max((_apart(a, b) for a, b in zip(wrote.points, came.points, strict=True)), default=0)
            expect(far <= NEAR_UNITS, f"A point must be where the pen was; one is {far} units off.")

    @requirement("S-04", "Points lie in the space, in the order of time, with pressure where it is measured.")
    async def test_s04_points(self, rig: Rig) -> None:
        """0 to width - 1 and 0 to height - 1; time never falls and begins at 0; pressure is 0 to 1, or absent where the
        pad has no steps of it.
        """
        async with rig.connected() as driver:
            result = await rig.perform("the capture", self.use(rig, driver, rig.run()))
            space = driver.space
        points = [point for stroke in result.ink.strokes for point in stroke.points]
        expect(points, "Something was written, so there must be points.")
        expect(all(0 <= p.x < space.width and 0 <= p.y < space.height for p in points), "Points must lie in the space.")
        times = [point.time_us for point in points]
        expect(times == sorted(times) and times[0] == 0, "Time must begin at 0 and never fall.")
        if space.pressure_levels:
            expect(all(0 <= p.pressure <= 1 for p in points), "Pressure must be 0 to 1.")
            expect(any(point.pressure > 0 for point in points), "A pad that measures pressure must give it.")
        else:
            absent = not any(point.HasField("pressure") for point in points)
            expect(absent, "A pad without steps of pressure must give none.")

    @requirement("S-05", "The ink that comes live is the ink of the result.")
    async def test_s05_live(self, rig: Rig) -> None:
        """InkWritten events, put together, are the strokes of the result: none left out, none twice."""
        async with rig.connected() as driver:
            run = rig.run()
            result = await rig.perform("the capture", self.use(rig, driver, run))
        strokes: dict[int, list[InkPoint]] = {}
        for event in run.events:
            if isinstance(event, signature_pad_pb2.InkWritten):
                stroke = strokes.setdefault(event.stroke, [])
                expect(event.first_point == len(stroke), "InkWritten must go on where the one before has ended.")
                stroke.extend(event.points)
        live = [strokes[number] for number in sorted(strokes)]
        expect(live == [list(stroke.points) for stroke in result.ink.strokes], "Live ink and result must be the same.")

    @requirement("S-06", "Clear wipes what was written, and the pen begins anew.")
    async def test_s06_clear(self, rig: Rig) -> None:
        """Two writings with a CLEAR between: the result is the second alone."""
        async with rig.connected() as driver:
            run = rig.run()
            cleared = asyncio.Event()
            emit = run.emit

            def watched(event: Any) -> None:
                emit(event)
                if isinstance(event, signature_pad_pb2.InkCleared):
                    cleared.set()

            run.emit = watched  # type: ignore[method-assign]
            async with self._capture(driver, run) as capture:
                await self._write(rig, run, capture, generated=_writing(1, 3))
                press(run, CLEAR)
                await rig.within(10, "InkCleared", cleared.wait())
                second = await self._write(rig, run, capture, generated=_writing(2, 2))
                press(run, ACCEPT)
                result = await rig.perform("the capture", capture)
        if rig.emulator is not None:
            self._same(second, result.ink)

    @requirement("S-07", "Cancel ends it with SIGNATURE_DECLINED, and the pad is usable.")
    async def test_s07_declined(self, rig: Rig) -> None:
        """The ink of a signer who does not want to sign is not given to anybody."""
        async with rig.connected() as driver:
            run = rig.run()
            with rig.refuses("a capture that is declined", error_pb2.REASON_SIGNATURE_DECLINED):
                async with self._capture(driver, run) as capture:
                    await self._write(rig, run, capture)
                    press(run, CANCEL)
                    await rig.perform("the capture", capture)
            await rig.perform("the next capture", self.use(rig, driver, rig.run()))

    @requirement("S-08", "When nobody signs it ends with NO_SIGNATURE, in time.")
    async def test_s08_nobody(self, rig: Rig) -> None:
        """Within its time and 3 s more; and the pad is usable."""
        async with rig.connected() as driver:
            run = rig.run(WAIT_SECONDS)
            with rig.refuses("a capture that nobody signs", error_pb2.REASON_NO_SIGNATURE):
                async with self._capture(driver, run) as capture:
                    await rig.within(WAIT_SECONDS + LATE_SECONDS, "the capture", capture)
            await rig.perform("the next capture", self.use(rig, driver, rig.run()))

    @requirement("S-09", "Ink from before a capture is not in it.")
    async def test_s09_nothing_old(self, rig: Rig) -> None:
        """What a pen wrote after the last capture, while nobody asked, is not the next customer's signature."""
        rig.needs_emulator()
        async with rig.connected() as driver:
            await rig.perform("the first capture", self.use(rig, driver, rig.run()))
            await rig.hands.do("sign", generated=_writing(3, 1))
            run = rig.run()
            async with self._capture(driver, run) as capture:
                old = [event for event in run.events if isinstance(event, signature_pad_pb2.InkWritten)]
                expect(not old, "Nobody has written since the capture began.")
                second = await self._write(rig, run, capture, generated=_writing(4, 2))
                press(run, ACCEPT)
                result = await rig.perform("the second capture", capture)
        self._same(second, result.ink)

    @requirement("S-10", "The screen shows the document while it is signed, and nothing of it afterwards.")
    async def test_s10_screen(self, rig: Rig) -> None:
        """A pad that keeps the last customer's document or signature on its screen shows it to the next one."""
        async with rig.connected() as driver:
            if driver.screen is None:
                pytest.skip("the pad has no screen")
            before = await self._shown(rig)
            run = rig.run()
            async with self._capture(driver, run) as capture:
                during = await self._shown(rig)
                await self._write(rig, run, capture)
                press(run, ACCEPT)
                await rig.perform("the capture", capture)
            after = await self._shown(rig)
        if rig.emulator is None:
            await rig.saw("Was the document on the pad's screen, and is the screen blank now?")
            return
        expect(during != before, "The document must be on the screen while it is signed.")
        expect(after == before, "The screen must be as it was before.")

    @requirement("S-11", "Accept on the pad itself counts as accept by the app does.")
    async def test_s11_buttons(self, rig: Rig) -> None:
        """On pads with a screen or keys the signer presses accept; the result says that no app did it."""
        async with rig.connected() as driver:
            if driver.screen is None:
                pytest.skip("the pad has no screen for buttons")
            run = rig.run()
            async with self._capture(driver, run) as capture:
                await self._write(rig, run, capture)
                await rig.hands.do("press_pad_button", button=ACCEPT)
                result = await rig.perform("the capture", capture)
        expect(not result.accepted_by_app, "The signer accepted, not the app.")

    @staticmethod
    async def _shown(rig: Rig) -> bytes:
        """The emulated screen as a picture; nothing on a real device."""
        outputs = await rig.outputs() if rig.emulator is not None else []
        return outputs[-1].image.data if outputs else b""


def press(run: RecordingRun, button: PadButton) -> None:
    """Press a button in the app."""
    run.instructions.put_nowait(PressButtonRequest(button=button))


def _writing(seed: int, strokes: int) -> bench_pb2.GeneratedHandwriting:
    return bench_pb2.GeneratedHandwriting(seed=seed, strokes=strokes)


def _points(run: RecordingRun) -> int:
    """Points that were told of live."""
    return sum(len(event.points) for event in run.events if isinstance(event, signature_pad_pb2.InkWritten))


def _apart(one: InkPoint, other: InkPoint) -> int:
    return max(abs(one.x - other.x), abs(one.y - other.y))
