"""The console as its users meet it: pages that reload, daemons that restart, six windows at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from countertop.client import sync
from countertop.server.access.tokens import Token, TokenStore


@pytest.fixture
def page(chromium: Any, counter: Any) -> Iterator[Any]:
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(counter.url)
    page.get_by_test_id("device-camera").wait_for()
    yield page
    page.close()


def test_the_token_does_not_stay_in_the_address(page: Any, counter: Any) -> None:
    assert "token" not in page.url
    page.reload()
    page.get_by_test_id("device-camera").wait_for()
    with page.context.browser.new_context() as stranger:
        other = stranger.new_page()
        other.goto(counter.base + "/")
        other.locator("sign-in input").wait_for()


@pytest.mark.parametrize(("theme", "language"), [("light", "en-GB"), ("dark", "zh-CN")])
def test_the_counter_in_light_and_dark_in_english_and_chinese(
    chromium: Any, counter: Any, complaints: Any, shoot: Any, theme: str, language: str
) -> None:
    size = {"width": 820, "height": 1180}
    with chromium.new_context(color_scheme=theme, locale=language, viewport=size) as context:
        page = context.new_page()
        heard = complaints(page)
        page.goto(counter.url)
        page.get_by_test_id("device-camera").wait_for()
        page.get_by_text({"en-GB": "Ready", "zh-CN": "就绪"}[language]).first.wait_for()
        wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wide, "nothing is wider than the screen"
        shoot(page, f"counter-{theme}")
        assert heard.all == []


def test_a_camera_is_seen_live_at_its_own_rate(page: Any, complaints: Any, shoot: Any) -> None:
    heard = complaints(page)
    page.get_by_test_id("live-camera").click()
    page.wait_for_function(
        """() => Number.parseFloat(document.querySelector('[data-testid=fps]')?.textContent ?? '0') > 5""",
        timeout=30_000,
    )
    shoot(page, "camera-live")
    assert heard.all == []


def test_what_happens_is_seen_when_it_happens(page: Any, counter: Any, shoot: Any) -> None:
    with sync.connect(f"unix:{counter.folder}/c.sock") as client:
        client.bench.open_cover()
        page.locator("[data-testid=device-receipt-printer]").get_by_text("cover", exact=False).first.wait_for()
        shoot(page, "cover-open")
        client.bench.close_cover()
        page.locator("[data-testid=device-receipt-printer]").get_by_text("Ready").wait_for()


def test_six_pages_at_once(chromium: Any, counter: Any) -> None:
    """A browser has six connections for a host: one stream a page leaves room for calls."""
    with chromium.new_context() as context:
        pages = []
        for _ in range(6):
            page = context.new_page()
            page.goto(counter.url)
            page.get_by_test_id("device-camera").wait_for()
            pages.append(page)
        for page in pages[::-1]:
            page.bring_to_front()
            page.get_by_test_id("nav-claims").click()
            page.get_by_test_id("claim").wait_for()
        with sync.connect(f"unix:{counter.folder}/c.sock") as client, client.claim("id-reader", label="six pages"):
            for page in pages:
                page.bring_to_front()
                page.get_by_text("six pages").first.wait_for()


def claim_once(counter: Any, label: str) -> None:
    with sync.connect(f"unix:{counter.folder}/c.sock") as client, client.claim("id-reader", label=label):
        pass


def test_no_event_is_lost_when_the_daemon_dies(chromium: Any, counter: Any, complaints: Any) -> None:
    token = TokenStore(Path(counter.folder) / "state").issue(Token("page", ("admin",), origin=counter.base))
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{counter.base}/#token={token}")
        page.get_by_test_id("device-camera").wait_for()
        page.get_by_test_id("nav-events").click()
        claim_once(counter, "before the crash")
        page.get_by_text("before the crash").first.wait_for()
        counter.stop(kill=True)
        page.locator("[data-testid=connection]:not([data-state=live])").wait_for()
        counter.start()
        claim_once(counter, "after the crash")
        page.get_by_text("after the crash").first.wait_for(timeout=30_000)
        page.get_by_text("before the crash").first.wait_for()
        for loss in ("are missing", "no longer kept"):
            assert page.get_by_text(loss, exact=False).count() == 0
