"""The pages of this repository are written to be read on GitHub. This hook lets them be a site as they stand.

- A link from a page to a file outside `docs/` takes that file along: a README becomes a page of the site, another text
  becomes a file of it. Links of those READMEs are followed in the same way.
- GitHub begins a list or a table right after a line of text, and nests lists by two spaces; Python-Markdown wants an
  empty line and four spaces.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(?<!`)(\]\()(?!\w+:|#|/)([^)#\s]+)((?:#[^)\s]*)?\))")
FENCE = re.compile(r"^\s*(```+|~~~+)")
ITEM = re.compile(r"^(\s*)([-*+]|\d+\.)\s")
BESIDE = "repository"
"""The folder of the site for what lies outside `docs/`."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take along what the pages link to, and what that links to."""
    docs = Path(config.docs_dir)
    waiting = [docs / file.src_uri for file in files.documentation_pages()]
    while waiting:
        page = waiting.pop()
        for target in _targets(page):
            uri = _site_uri(target, docs)
            if uri is None or uri in files.src_uris:
                continue
            file = File.generated(config, uri, abs_src_path=str(target), inclusion=InclusionLevel.NOT_IN_NAV)
            files.append(file)
            if target.suffix == ".md":
                waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at the pages of the site, and write lists as Python-Markdown reads them."""
    docs = Path(config.docs_dir)
    source = Path(page.file.abs_src_path or docs / page.file.src_uri)

    def pointed(link: re.Match[str]) -> str:
        target = _resolved(source, link[2])
        uri = None if target is None else _site_uri(target, docs)
        if uri is None:
            return link[0]
        return link[1] + posixpath.relpath(uri, posixpath.dirname(page.file.src_uri)) + link[3]

    return _spaced(LINK.sub(pointed, markdown))


def _targets(page: Path) -> list[Path]:
    """The files outside `docs/` and inside the repository that a page links to."""
    found = (_resolved(page, link[2]) for link in LINK.finditer(page.read_text(encoding="utf-8")))
    return [target for target in found if target is not None]


def _resolved(page: Path, link: str) -> Path | None:
    """The file that a relative link means: a folder is its README. None where there is no such file."""
    target = Path(os.path.normpath(page.parent / link))
    if target.is_dir():
        target /= "README.md"
    return target if target.is_file() and target.is_relative_to(ROOT) else None


def _site_uri(target: Path, docs: Path) -> str | None:
    """Where the site has a file; None for a file that is not part of it."""
    if target.is_relative_to(docs):
        return target.relative_to(docs).as_posix()
    return posixpath.join(BESIDE, target.relative_to(ROOT).as_posix())


def _spaced(markdown: str) -> str:
    """Lists and tables of GitHub's Markdown for Python-Markdown; of fenced code only the indent of its list changes."""
    lines: list[str] = []
    fence = shift = ""
    in_list = False
    for line in markdown.split("\n"):
        before = lines[-1] if lines else ""
        indent = line[: len(line) - len(line.lstrip())]
        mark = FENCE.match(line)
        if fence:
            fence = "" if mark and line.strip() == fence else fence
            line = shift + line
        elif mark:
            in_list = in_list and bool(indent)
            fence, shift = mark[1], indent if in_list else ""
            line = shift + line
        elif ITEM.match(line):
            if not in_list and before.strip():
                lines.append("")
            in_list = True
            line = indent + line
        elif line.strip() and in_list:
            in_list = bool(indent or before.strip())
            line = indent + line if in_list else line
        elif line.startswith("|") and before.strip() and not before.startswith(("|", "#")):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)
