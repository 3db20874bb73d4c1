"""The driver of cameras does what its contract says: over HTTP, and over V4L2 as on a real device without a person."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from countertop.emulators.core.v4l2.preload import UmockdevMissingError, find_library
from countertop.server.plugins import Plugins
from countertop.testing.conformance import CameraConformance, Rig
from tests.conformance.chosen import only

SMALL = {"width": 320, "height": 240, "still_width": 480, "still_height": 360}
ON_METAL = {
    "M-01",
    "M-02",
    "M-03",
    "M-05",
    "M-07",
    "M-08",
    "M-09",
    "M-11",
    "M-13",
    "M-19",
    "D-03",
    "D-06",
    "D-13",
    "D-18",
}
"""Requirements that need neither hands nor eyes."""


class TestOpenCv(CameraConformance):
    driver = "opencv"
    emulator_options = SMALL


@only(
    "D-05",
    "D-09",
    "D-12",
    "D-14",
    "D-17",
    "D-19",
    "M-03",
    "M-05",
    "M-06",
    "M-09",
    "M-12",
    "M-16",
    "M-17",
    "M-18",
    "M-19",
)
class TestOpenCvWithStillUrl(CameraConformance):
    """A network camera that gives larger stills at an address of their own: stills, and one more connection to lose."""

    driver = "opencv"
    emulator_options = SMALL
    options = {"still_width": 480, "still_height": 360}
    examples = 3

    @asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        async with super().rig() as rig:
            rig.options = {**self.options, "still_url": rig.link.replace("/stream", "/snapshot.jpg")}
            yield rig


async def test_opencv_on_v4l2() -> None:
    """The suite runs in a process of its own, which sees the emulated /dev: to it the camera is a real one."""
    try:
        find_library()
    except UmockdevMissingError as error:
        if os.environ.get("COUNTERTOP_REQUIRE_SHARED"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="ct-", dir="/tmp") as folder:
        emulator = await Plugins().emulator("camera").start({**SMALL, "v4l2": folder, "width": 640, "height": 480})
        try:
            verdicts = await _conformance(emulator.link_url, emulator.environment)  # type: ignore[attr-defined]
        finally:
            await emulator.close()
    assert {number: why for number, (word, why) in verdicts.items() if word != "passed"} == {}
    assert set(verdicts) == ON_METAL


async def _conformance(link: str, environment: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What the command line says of each requirement, and why."""
    words = [sys.executable, "-m", "countertop.cli", "conformance", "--driver", "opencv", "--link", link]
    words += ["--option", "width=640", "--option", "height=480", "--unattended", "--json"]
    words += [word for number in sorted(ON_METAL) for word in ("--only", number)]
    process = await asyncio.create_subprocess_exec(
        *words, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(100):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    *lines, summary = (json.loads(line) for line in out.decode().splitlines())
    assert summary["driver"] == "opencv", err.decode()
    return {line["requirement"]: (line["verdict"], line["reason"]) for line in lines}
