"""The bench's words are there in both languages, and every word that its modules name is one of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import countertop.cli

BENCH = Path(countertop.cli.__file__).parents[1] / "console" / "bench"


def _words(language: str) -> dict[str, str]:
    text = (BENCH / f"lang-{language}.js").read_text("utf-8")
    pairs = re.findall(r'^  ("(?:[^"\\]|\\.)*"): ("(?:[^"\\]|\\.)*"),$', text, re.MULTILINE)
    return {json.loads(key): json.loads(value) for key, value in pairs}


def _modules() -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in BENCH.glob("*.js") if not path.name.startswith("lang-")}


def _holes(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_both_languages_have_the_same_words_with_the_same_holes() -> None:
    english, chinese = _words("en"), _words("zh")
    assert len(english) > 200
    assert english.keys() == chinese.keys()
    assert {key for key in english if _holes(english[key]) != _holes(chinese[key])} == set()


def test_every_word_that_a_module_names_is_there() -> None:
    english = _words("en")
    for name, text in _modules().items():
        named = set(re.findall(r'"(bench\.[a-z0-9_.-]+)"', text, re.IGNORECASE)) - {"bench.css"}
        assert named - english.keys() == set(), name


def test_every_beginning_of_a_word_that_a_module_puts_together_leads_to_some() -> None:
    english = _words("en")
    for name, text in _modules().items():
        for beginning in re.findall(r"`(bench\.[a-z0-9_.-]+)\$\{", text, re.IGNORECASE):
            assert any(key.startswith(beginning) for key in english), f"{name}: {beginning}"


def test_every_step_of_the_visit_has_its_words() -> None:
    english = _words("en")
    steps = re.findall(r'\{ name: "([a-z-]+)", kind:', (BENCH / "visit_steps.js").read_text("utf-8"))
    assert len(steps) == 12
    assert {f"bench.step.{step}" for step in steps} <= english.keys()
