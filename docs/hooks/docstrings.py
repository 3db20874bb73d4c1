"""Docstrings, made ready for the site: the `::` before a literal block is for people who read the source."""

from __future__ import annotations

import re
from typing import Any

from griffe import Docstring, Extension, Object


def plain(text: str) -> str:
    """The docstring as Markdown: a lone `::` goes, `like this::` ends in one colon; the block is indented already."""
    return re.sub(r"(\S?)[ \t]*::(?=\n\n[ ]{4})", lambda found: found[1] + ":" if found[1] else "", text)


class LiteralBlocks(Extension):
    """Loaded by mkdocstrings for every object that it finds."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """An object was read; members have turns of their own."""
        if isinstance(obj.docstring, Docstring):
            obj.docstring.value = plain(obj.docstring.value)
