"""The invented people of the console have cards that the emulator takes and the driver reads, and ink that a pad takes.

The modules run in Node, which needs nothing of a browser for them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf import json_format

import countertop.cli
from countertop.bench.v1.bench_pb2 import SignRequest
from countertop.drivers.sdt.layouts import decode_text
from countertop.emulators.core.handwriting.plan import plan
from countertop.emulators.sdt.card import encode_card
from countertop.v1 import identity_pb2
from countertop.v1.identity_pb2 import IdentityDocument
from countertop.v1.ink_pb2 import InkSpace

BENCH = Path(countertop.cli.__file__).parents[1] / "console" / "bench"
TODAY = date(2026, 1, 2)
FAILS = {
    "expired": identity_pb2.DOCUMENT_CHECK_KIND_WITHIN_VALIDITY,
    "digit": identity_pb2.DOCUMENT_CHECK_KIND_NUMBER_CHECK_DIGIT,
}
FORM = {
    "name": "某人",
    "latin": "",
    "sex": "SEX_MALE",
    "birth": "2001-10-09",
    "ethnicity": "01",
    "nationality": "UTO",
    "address": "样例省样例市",
    "from": "2024-01-01",
    "until": "",
}
PAD = {
    "info": {
        "signaturePad": {"widthMm": 96, "heightMm": 60, "unitsPerMm": 100, "pressureLevels": 1024, "reportRate": 200}
    }
}


def _node(script: str) -> Any:
    program = shutil.which("node")
    if program is None:
        if os.environ.get("COUNTERTOP_REQUIRE_NODE"):
            pytest.fail("node is not installed")
        pytest.skip("node is not installed")
    command = [program, "--no-warnings", "--input-type=module", "--eval", script]
    done = subprocess.run(command, cwd=BENCH, check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def _failed(document: dict[str, Any]) -> set[int]:
    card = encode_card(json_format.ParseDict(document, IdentityDocument()))
    return {check.kind for check in decode_text(card.text, TODAY).checks if not check.passed}


def test_cards_fail_just_the_checks_that_the_page_says() -> None:
    people = _node(
        """
        import { PEOPLE, flawsOf } from "./people.js";
        const today = new Date("2026-01-02T12:00:00Z");
        console.log(JSON.stringify(PEOPLE.map((person) => ({ ...person, flaws: flawsOf(person, today) }))));
        """
    )
    assert len({person["document"]["number"] for person in people}) == len(people)
    assert {flaw for person in people for flaw in person["flaws"]} == set(FAILS)
    for person in people:
        assert _failed(person["document"]) == {FAILS[flaw] for flaw in person["flaws"]}, person["id"]


@pytest.mark.parametrize("wrong", ["none", "expired", "digit"])
def test_people_made_with_the_form_have_cards_of_every_kind(wrong: str) -> None:
    made = _node(
        f"""
        import {{ KINDS, makePerson }} from "./people.js";
        import {{ factsOf }} from "./person_facts.js";
        const form = {json.dumps({**FORM, "wrong": wrong})};
        const people = Object.keys(KINDS).map((kind) => makePerson(factsOf({{ ...form, kind }}, 3)));
        console.log(JSON.stringify(people));
        """
    )
    assert len({person["document"]["type"] for person in made}) == 4
    for person in made:
        assert _failed(person["document"]) == ({FAILS[wrong]} if wrong in FAILS else set()), person["facts"]["kind"]


def test_a_stroke_of_the_pointer_is_ink_that_the_pad_takes_to_its_very_edges() -> None:
    request = _node(
        f"""
        import {{ spaceOf, strokeRequest }} from "./ink.js";
        const at = (x, y, ms, pressure) => ({{ x, y, ms, pressure }});
        const samples = [at(0, 0, 1000, 0.2), at(0.5, 1, 1040, 0.9), at(1, 1, 1100, 0.4)];
        console.log(JSON.stringify(strokeRequest(samples, spaceOf({json.dumps(PAD)}))));
        """
    )
    space = InkSpace(width=9600, height=6000, units_per_mm=100, pressure_levels=1024, report_rate=200)
    ink = plan(json_format.ParseDict(request, SignRequest()), space, 200)
    points = cast("Any", ink.strokes[0].points)
    assert [point.time_us for point in points] == list(range(0, 100_001, 5000))
    assert (points[0].x, points[0].y) == (0, 0)
    assert (points[8].x, points[8].y) == (4800, 5998)
    assert (points[-1].x, points[-1].y) == (9598, 5998)
    assert points[8].pressure == pytest.approx(0.9)


def test_a_touch_without_movement_is_a_dot_of_two_points() -> None:
    request = _node(
        f"""
        import {{ spaceOf, strokeRequest }} from "./ink.js";
        const sample = {{ x: 0.5, y: 0.5, ms: 7, pressure: 0.5 }};
        console.log(JSON.stringify(strokeRequest([sample], spaceOf({json.dumps(PAD)}))));
        """
    )
    assert len(json_format.ParseDict(request, SignRequest()).ink.strokes[0].points) == 2
