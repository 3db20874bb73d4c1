"""Reads the files that commands are given: text, or a receipt or a card as JSON or YAML."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.message import Message

from countertop.cli.output import Refused
from countertop.cli.proto_form import FormError, to_message
from countertop.sdk.errors import InvalidRequest
from countertop.sdk.receipt import receipt_from_text
from countertop.server.bounds import check
from countertop.v1.identity_pb2 import IdentityDocument
from countertop.v1.receipt_pb2 import Receipt

__all__ = ["FORMATS", "load_card", "load_receipt"]

M = TypeVar("M", bound=Message)
FORMATS = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}
"""The format that a suffix means; anything else is text."""


def load_receipt(name: str, format_name: str = "") -> Receipt:
    """The receipt in a file, or on standard input for `-`. Raises Refused with a line for each mistake; OSError."""
    source, text = _read(name)
    chosen = format_name or FORMATS.get(Path(name).suffix.lower(), "text")
    if chosen == "text":
        return _checked(_of_text(text, source), source)
    return _checked(_filled(_parsed(text, chosen, source), Receipt(), source), source)


def load_card(name: str) -> IdentityDocument:
    """An identity document as JSON or YAML. Raises as `load_receipt`."""
    source, text = _read(name)
    chosen = FORMATS.get(Path(name).suffix.lower(), "yaml")
    return _checked(_filled(_parsed(text, chosen, source), IdentityDocument(), source), source)


def _read(name: str) -> tuple[str, str]:
    raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    source = "standard input" if name == "-" else name
    try:
        return source, raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(
            f"{source} is not UTF-8 (byte {error.start}).", "For Chinese text in GB18030: iconv -f GB18030 -t UTF-8"
        ) from None


def _checked(message: M, source: str) -> M:
    try:
        check(message)
    except InvalidRequest as error:
        raise _mistakes(source, error.violations) from None
    return message


def _of_text(text: str, source: str) -> Receipt:
    if not text.strip():
        raise Refused(f"{source} is empty: there is nothing to print")
    return receipt_from_text(text)


def _parsed(text: str, format_name: str, source: str) -> Any:
    try:
        return _json(text, source) if format_name == "json" else _yaml(text, source)
    except RecursionError:
        raise Refused(f"{source} is nested too deeply for a receipt") from None


def _json(text: str, source: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(f"{source}, line {error.lineno}: not JSON: {error.msg}") from None


def _yaml(text: str, source: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Refused(f"{source}, line {line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError):  # ValueError: what looks like a date and is none
        raise Refused(f"{source}: not YAML: it holds a character or a date that is not allowed") from None


def _filled(data: Any, message: M, source: str) -> M:
    try:
        return to_message(data, message)
    except FormError as error:
        raise _mistakes(source, error.problems) from None


def _mistakes(source: str, problems: dict[str, str]) -> Refused:
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return Refused(f"{source} has {count}:\n" + "\n".join(f"  {path}: {problem}" for path, problem in problems.items()))
