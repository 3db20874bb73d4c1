"""Texts with fields: `{name}` stands for a field, `{{` and `}}` for braces."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["fields_in", "filled", "template_problem"]

_TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]{0,31})\}|[{}]")


def fields_in(template: str) -> tuple[str, ...]:
    """The fields that a text names, in their order."""
    return tuple(match[1] for match in _TOKEN.finditer(template) if match[1])


def template_problem(template: str) -> str:
    """What is wrong with a text, as what was expected; empty when nothing is. Quotes nothing but its place."""
    for match in _TOKEN.finditer(template):
        if match.group() in ("{", "}"):
            return f"expected a field in braces at character {match.start() + 1}; write {{{{ and }}}} for braces"
    return ""


def filled(template: str, texts: Mapping[str, str]) -> str:
    """The text with its fields filled in; a field that is not there is empty."""

    def value(match: re.Match[str]) -> str:
        return texts.get(match[1], "") if match[1] else match.group()[0]

    return _TOKEN.sub(value, template)
