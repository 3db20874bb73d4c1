"""The whole visit by clicks, on the terminal that comes up with nothing configured."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from countertop.client import sync

SECONDS = 90_000
"""Milliseconds that a whole visit may take on a busy machine."""
STEPS = {
    "read-card": "SUCCEEDED",
    "verify-presence": "NOT_CONFIGURED",
    "remove-card": "SUCCEEDED",
    "sign": "SUCCEEDED",
    "verify": "SUCCEEDED",
    "print": "SUCCEEDED",
    "take-paper": "SUCCEEDED",
    "scan": "SUCCEEDED",
    "issue-card": "SUCCEEDED",
    "card-made": "SUCCEEDED",
}


@pytest.fixture
def page(chromium: Any, counter: Any) -> Iterator[Any]:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(counter.url)
    page.get_by_test_id("device-camera").wait_for()
    yield page
    page.close()


def draw(page: Any, points: list[tuple[float, float]]) -> None:
    """One stroke on the pad, with the mouse; places are parts of the pad's width and height."""
    page.get_by_test_id("pad-canvas").scroll_into_view_if_needed()
    box = page.get_by_test_id("pad-canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def states(page: Any) -> dict[str, str]:
    return {step: page.get_by_test_id(f"step-{step}").get_attribute("data-state") for step in STEPS}


def test_the_visit_runs_before_ones_eyes(page: Any, complaints: Any, shoot: Any) -> None:
    heard = complaints(page)
    page.get_by_test_id("nav-visit").click()
    page.get_by_test_id("visit-auto").click()
    page.locator("[data-testid=visit-state][data-state=done]").wait_for(timeout=SECONDS)
    assert states(page) == STEPS
    shoot(page, "visit-let-run")
    assert heard.all == []


def test_the_visit_by_ones_own_hands(page: Any, complaints: Any, shoot: Any) -> None:
    heard = complaints(page)
    page.get_by_test_id("nav-visit").click()
    page.get_by_test_id("visit-hands").click()
    page.locator("[data-testid=visit-prompt][data-prompt=PRESENT_DOCUMENT]").wait_for()
    page.get_by_test_id("reader-insert").click()
    page.locator("[data-testid=step-remove-card][aria-current=step]").wait_for()
    shoot(page, "visit-card")
    page.get_by_test_id("reader-remove").click()
    page.locator("[data-testid=visit-prompt][data-prompt=SIGN]").wait_for()
    draw(page, [(0.15, 0.6), (0.3, 0.3), (0.4, 0.7), (0.55, 0.35)])
    draw(page, [(0.55, 0.5), (0.8, 0.45)])
    shoot(page, "visit-signature")
    page.get_by_test_id("pad-accept").click()
    page.locator("[data-testid=step-take-paper][aria-current=step]").wait_for(timeout=30_000)
    shoot(page, "visit-receipt")
    page.get_by_test_id("printer-tear").click()
    page.locator("[data-testid=visit-prompt][data-prompt=SHOW_CODE]").wait_for()
    page.get_by_test_id("scene-code").click()
    page.get_by_test_id("cards-take").and_(page.locator(":enabled")).click(timeout=60_000)
    page.locator("[data-testid=visit-state][data-state=done]").wait_for(timeout=30_000)
    assert states(page) == STEPS
    shoot(page, "visit-done")
    assert heard.all == []


def test_what_the_mouse_draws_arrives_as_ink(page: Any, counter: Any) -> None:
    taken: list[Any] = []

    def capture() -> None:
        with sync.connect(f"unix:{counter.folder}/c.sock") as client:
            taken.append(client.signature_pad().capture("Please sign.", timeout=60.0))

    page.get_by_test_id("hands-signature-pad").click()
    app = threading.Thread(target=capture)
    app.start()
    page.get_by_test_id("pad-accept").and_(page.locator(":enabled")).wait_for()
    draw(page, [(0.2, 0.3), (0.8, 0.3)])
    draw(page, [(0.5, 0.2), (0.5, 0.6)])
    page.get_by_test_id("pad-accept").click()
    app.join(60)
    (result,) = taken
    width, height = result.ink.space.width, result.ink.space.height
    across, down = ([(p.x / width, p.y / height) for p in stroke.points] for stroke in result.ink.strokes)
    assert across[0] == pytest.approx((0.2, 0.3), abs=0.03)
    assert across[-1] == pytest.approx((0.8, 0.3), abs=0.03)
    assert down[0] == pytest.approx((0.5, 0.2), abs=0.03)
    assert down[-1] == pytest.approx((0.5, 0.6), abs=0.03)
    assert [x for x, _ in across] == sorted(x for x, _ in across)
