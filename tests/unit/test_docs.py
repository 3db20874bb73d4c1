"""Pages that are made from the protos are in step with them."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_errors_is_in_step_with_the_protos():
    table = runpy.run_path(str(DOCS / "generate_errors.py"))["table"]
    assert (DOCS / "errors.md").read_text(encoding="utf-8") == table(), "run: python docs/generate_errors.py"
