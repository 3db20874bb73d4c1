"""The visit's comparison of faces by clicks, with the models that do not come with the package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.shared_data import shared_file

DEVICES = {"id-reader": "sdt", "receipt-printer": "escpos", "camera": "camera"}
SECONDS = 60_000


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("faces") / "countertop.toml"
    lines = [f"[analysis]\nmodels_dir = '{shared_file('models')}'"]
    lines += [f'[[devices]]\nid = "{device}"\nemulator = "{emulator}"' for device, emulator in DEVICES.items()]
    path.write_text("\n".join(lines))
    return ["--config", str(path)]


@pytest.fixture
def page(chromium: Any, counter: Any) -> Iterator[Any]:
    page = chromium.new_page(viewport={"width": 1280, "height": 1000}, locale="en-GB")
    page.goto(counter.url)
    page.get_by_test_id("device-camera").get_by_text("Ready").wait_for()
    yield page
    page.close()


def until(page: Any, state: str) -> Any:
    step = page.locator(f"[data-testid=step-verify-presence][data-state={state}]")
    step.wait_for(timeout=SECONDS)
    return step


def test_the_person_before_the_camera_is_the_one_on_the_card(page: Any, shoot: Any) -> None:
    page.get_by_test_id("nav-visit").click()
    page.get_by_test_id("visit-auto").click()
    step = until(page, "SUCCEEDED")
    step.get_by_text("Before the camera: a living person").wait_for()
    step.get_by_text("Is it the person on the card? Yes").wait_for()
    shoot(page, "visit-face")
    page.locator("[data-testid=visit-state][data-state=done]").wait_for(timeout=SECONDS)


def test_a_print_held_before_the_camera_leaves_a_doubt(page: Any, shoot: Any) -> None:
    with page.expect_response("**/countertop.bench.v1.BenchService/SetScene"):
        page.get_by_test_id("hands-camera").click()
        page.get_by_test_id("scene-print").click()
    page.get_by_test_id("nav-events").click()
    page.get_by_test_id("nav-counter").click()
    page.get_by_test_id("scene-print").locator("input:checked").wait_for(state="attached")  # in a panel that is new
    page.get_by_test_id("nav-visit").click()
    page.get_by_test_id("visit-hands").click()
    page.locator("[data-testid=visit-prompt][data-prompt=PRESENT_DOCUMENT]").wait_for()
    page.get_by_test_id("reader-insert").click()
    step = until(page, "DOUBTFUL")
    shoot(page, "visit-face-print")
    step.get_by_text("a screen or a print that shows a person").wait_for()
