"""Pages that are made from the code are in step with it, and links between pages lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("analysis", "benchmarks", "daemon", "docs", "drivers", "emulators", "examples", "protos", "testing")
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))]
    if "node_modules" not in path.parts
)
CODE = re.compile(r"^\s*(```+|~~~+).*?^\s*\1\s*$|(`+)(?!`).+?(?<!`)\2(?!`)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")


def links(page: Path) -> list[tuple[str, str]]:
    """The page's relative links: file and anchor, either of which may be empty."""
    return LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub, and the site alike, give to the page's headings."""
    text = re.sub(r"^\s*(```+|~~~+).*?^\s*\1\s*$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#+\s+(.+?)\s*#*$", text, re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = found.get(slug, 0)
        found[slug] = again + 1
        names.add(f"{slug}-{again}" if again else slug)
    return names


def broken(page: Path) -> list[str]:
    """What is wrong with the page's links."""
    wrong = []
    for file, anchor in links(page):
        target = page.parent / file if file else page
        if not target.exists():
            wrong.append(f"{file}: no such file")
        elif anchor and anchor not in anchors(target / "README.md" if target.is_dir() else target):
            wrong.append(f"{file}#{anchor}: no such heading")
    return wrong


def test_the_page_of_errors_is_in_step_with_the_protos():
    table = runpy.run_path(str(DOCS / "generate_errors.py"))["table"]
    assert (DOCS / "errors.md").read_text(encoding="utf-8") == table(), "run: python docs/generate_errors.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    assert broken(page) == []


def test_a_broken_link_and_a_broken_anchor_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One & two\n[here](#one--two) [there](other.md#x) `[code](no.md)`\n[gone](gone.md)\n[no](#three)\n"
        "```\n[in a block](no.md)\n# no heading\n```\n[out](https://example.invalid/x.md) [none](#no-heading)\n"
    )
    (tmp_path / "other.md").write_text("## X\n")
    assert broken(page) == ["gone.md: no such file", "#three: no such heading", "#no-heading: no such heading"]


def test_every_page_has_its_place_in_the_navigation_of_the_site():
    named = re.findall(r"(\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    there = [page.relative_to(DOCS).as_posix() for page in PAGES if page.is_relative_to(DOCS)]
    assert sorted(named) == sorted(there), "pages in docs/ and in the nav of mkdocs.yml differ"


def test_pages_are_found_in_every_folder():
    assert {page.relative_to(ROOT).parts[0] for page in PAGES} >= {"README.md", "docs", "drivers", "emulators"}
    assert DOCS / "decisions" / "0002-argparse.md" in PAGES


def test_lists_and_tables_of_github_are_written_as_the_site_reads_them():
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (pip install 'countertop[docs]')")
    spaced = runpy.run_path(str(DOCS / "hooks" / "github_pages.py"))["_spaced"]
    written = (
        "Text:\n- one\n  goes on\n  - inner\n- two\n  ```\n  code\n  ```\n\n"
        "Text\n| a |\n|---|\n```\nText\n- code\n```\n1. last"
    )
    assert spaced(written) == (
        "Text:\n\n- one\n    goes on\n    - inner\n- two\n    ```\n    code\n    ```\n\n"
        "Text\n\n| a |\n|---|\n```\nText\n- code\n```\n\n1. last"
    )
