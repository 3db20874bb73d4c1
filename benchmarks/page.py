"""A camera at 1080p in the console's page: how often a headless Chromium draws a picture, of a camera with 30 frames a
second, of which none may be lost, and of one with 60.
"""

from __future__ import annotations

import shutil
from itertools import pairwise
from typing import Any

from benchmarks.harness import Figure, Settings, child, cpu_seconds

__all__ = ["run"]

FPS = 30.0
WATCH_DRAWING = """(() => {
  const draw = CanvasRenderingContext2D.prototype.drawImage;
  window.drawn = [];
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    if (this.canvas.width === 1920) window.drawn.push(performance.now());
    return draw.apply(this, given);
  };
})()"""


def _drawn(chromium: Any, console: str, pid: int, seconds: float) -> tuple[list[float], float]:
    """When pictures were drawn, in milliseconds of the page's clock, and the daemon's CPU meanwhile."""
    with chromium.new_context(viewport={"width": 1280, "height": 1600}) as context:
        page = context.new_page()
        page.add_init_script(WATCH_DRAWING)
        page.goto(console)
        page.get_by_test_id("live-camera").click()
        page.wait_for_function(f"() => window.drawn.length > {FPS:g}")
        cpu = cpu_seconds(pid)
        page.evaluate("() => { window.drawn = []; }")
        page.wait_for_function(f"() => window.drawn.at(-1) - window.drawn[0] > {seconds * 1000}")
        return page.evaluate("() => window.drawn"), (cpu_seconds(pid) - cpu) / seconds


def _figure(chromium: Any, camera_fps: int, target: float, seconds: float) -> Figure:
    with (
        child("benchmarks.frame_camera", str(camera_fps)) as camera,
        child("benchmarks.browser_server", camera.said["link"]) as server,
    ):
        times, cpu = _drawn(chromium, server.said["console"], server.process.pid, seconds)
    gaps = [after - before for before, after in pairwise(times)]
    details = {"pictures": len(times), "longest": max(gaps), "server_cpu": cpu}
    name = f"time of a picture in the page, camera of {camera_fps} frames a second"
    return Figure(name, "ms", sum(gaps) / len(gaps), 1000 / FPS, target=target, details=details)


def run(settings: Settings) -> list[Figure]:
    """Nothing without Chromium and Playwright."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        program = None
    if program is None:
        settings.say("page: left out, for it needs Chromium and the dev extra's playwright")
        return []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        figures = [_figure(chromium, *one, 4.0 if settings.quick else 20.0) for one in ((30, 1.01), (60, 1.0))]
        chromium.close()
    return figures
