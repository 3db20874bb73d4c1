"""The console under axe-core's rules (WCAG 2.2 A and AA, and its best practices), in light and dark.

COUNTERTOP_AXE names its file, `axe.min.js` of the npm package `axe-core`; without it this is skipped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

AXE = os.environ.get("COUNTERTOP_AXE")
pytestmark = pytest.mark.skipif(not AXE, reason="COUNTERTOP_AXE is not set")

PAGES = ("operations", "events", "claims", "terminal", "visit", "counter")
DEVICES = ("id-reader", "receipt-printer", "signature-pad", "card-printer", "camera")
FIND = """async () => (await axe.run(document)).violations.map(
    (found) => [found.id, found.help, ...found.nodes.map((node) => `${node.target} ${node.failureSummary}`)])"""


def violations(page: Any) -> list[list[str]]:
    assert AXE is not None
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(f"() => {{ {Path(AXE).read_text()} }}")
    found: list[list[str]] = page.evaluate(FIND)
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_and_every_panel(chromium: Any, counter: Any, theme: str) -> None:
    still = {"reduced_motion": "reduce"}  # what is half faded in has half its contrast
    with chromium.new_context(color_scheme=theme, locale="en-GB", bypass_csp=True, **still) as context:
        page = context.new_page()
        page.goto(f"{counter.base}/")
        page.locator("sign-in input").wait_for()
        assert violations(page) == []
        page.goto("about:blank")
        page.goto(counter.url)
        for name in PAGES:
            page.get_by_test_id(f"nav-{name}").click()
            page.locator(f"[data-testid=nav-{name}][aria-current=page]").wait_for()
            page.locator("main h1").first.wait_for(state="attached")
            assert violations(page) == [], name
        for device in DEVICES:
            page.get_by_test_id(f"device-{device}").get_by_text("Ready").wait_for()
            page.get_by_test_id(f"hands-{device}").click()
            page.locator(f"[data-testid=hands-{device}][aria-expanded=true]:not([aria-busy=true])").wait_for()
            page.get_by_test_id(f"device-{device}").locator("bench-panel :is(button, canvas)").first.wait_for()
            assert violations(page) == [], device
