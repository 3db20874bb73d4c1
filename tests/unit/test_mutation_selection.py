"""Mutation testing of our own tests: which mutants are tried, what a trial says, that the tree stays as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("cosmic_ray", reason="comes with the extra `dev`")

from cosmic_ray.commands.init import init
from cosmic_ray.work_db import use_db

from quality.mutation.codecs import CODECS
from quality.mutation.equivalent import changed_line, load
from quality.mutation.selection import sample, worth_trying
from quality.mutation.tree import REPOSITORY

SOURCE = """
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Frame:
    size: int | None = 3

    def more(self, *, by: int | str, at: int = 4) -> int | None:
        return by + at if by == 5 else None
"""


def made(tmp_path: Path) -> list[tuple[int, str]]:
    module = tmp_path / "module.py"
    module.write_text(SOURCE)
    with use_db(tmp_path / "all.sqlite") as work:
        init([module], work, {})
        mutations = [item.mutations[0] for item in work.work_items]
    found = worth_trying(module, mutations)
    assert 0 < len(found) < len(mutations)
    return [(mutation.start_pos[0], mutation.operator_name.removeprefix("core/")) for mutation in found]


def test_annotations_and_what_only_checkers_read_are_not_mutated(tmp_path: Path) -> None:
    found = made(tmp_path)
    assert (7, "RemoveDecorator") in found or (8, "RemoveDecorator") in found
    operators_by_line = {line: {name for at, name in found if at == line} for line in (6, 9, 11)}
    assert operators_by_line == {6: set(), 9: {"NumberReplacer"}, 11: {"NumberReplacer"}}
    assert (12, "ReplaceBinaryOperator_Add_Sub") in found
    assert (12, "ReplaceComparisonOperator_Eq_Lt") in found
    assert (12, "ReplaceComparisonOperator_Eq_Is") not in found
    assert not any(name.startswith("ReplaceTrue") for _, name in found)


def test_a_sample_begins_with_every_place_and_holds_the_smaller_ones(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(SOURCE)
    with use_db(tmp_path / "all.sqlite") as work:
        init([module], work, {})
        mutations = worth_trying(module, [item.mutations[0] for item in work.work_items])
    places = {mutation.start_pos for mutation in mutations}
    first = sample(mutations, len(places), seed=1)
    assert {mutation.start_pos for mutation in first} == places
    assert sample(mutations, len(places) + 5, seed=1)[: len(places)] == first
    assert len(sample(mutations, 10_000, seed=1)) == len(mutations)


def test_every_codec_names_files_that_are_there() -> None:
    assert len({codec.name for codec in CODECS}) == len(CODECS)
    for codec in CODECS:
        assert [path for path in (*codec.modules, *codec.tests) if not (REPOSITORY / path).is_file()] == []


def test_an_equivalent_mutant_is_of_a_line_that_is_still_there() -> None:
    gone = [
        (module, line)
        for module, line, _ in load().reasons
        if line not in {text.strip() for text in (REPOSITORY / module).read_text(encoding="utf-8").splitlines()}
    ]
    assert gone == []


def test_the_changed_line_of_a_diff_is_found_without_its_indentation() -> None:
    diff = "--- \n+++ \n@@ -3 +3 @@\n-    return a + b\n+    return a - b"
    assert changed_line(diff) == ("return a + b", "return a - b")


def test_a_run_kills_in_a_copy_and_leaves_the_tree_as_it_was(tmp_path: Path) -> None:
    module = REPOSITORY / "drivers/countertop/drivers/magicard/protocol.py"
    before = (module.read_bytes(), module.stat().st_mtime_ns)
    command = [
        sys.executable,
        "-m",
        "quality.mutation",
        "magicard-protocol",
        "--sample",
        "2",
        "--sessions",
        str(tmp_path),
    ]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "magicard-protocol 18 2 2 0 0 100 %" in " ".join(run.stdout.split())
    assert (module.read_bytes(), module.stat().st_mtime_ns) == before
