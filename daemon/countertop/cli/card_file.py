"""Reads a card's design and its data, as JSON or YAML.

A design is the JSON form of `countertop.v1.CardDesign`, with one thing added: a picture may say `file: logo.png`
instead of `data`, a path from the folder of the design. Data is a mapping of fields to texts, and to files of pictures
by their path from the folder of the data file. Mistakes are told by file and path; what was found is not quoted.
"""

from __future__ import annotations

import difflib
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from countertop.cli.output import Refused
from countertop.cli.proto_form import FormError, to_message
from countertop.sdk.cards.artwork import check_design, is_picture
from countertop.sdk.errors import InvalidRequest
from countertop.server.bounds import check
from countertop.v1.card_design_pb2 import CardDesign, CardValue

__all__ = ["MAX_PICTURE_BYTES", "read_data", "read_design"]

MAX_PICTURE_BYTES = 768 * 1024

Problems = dict[str, str]


def read_design(path: str | Path) -> CardDesign:
    """The design in a file. Raises Refused with a line for each mistake; OSError for the file itself."""
    path = Path(path)
    form = _read(path)
    problems: Problems = {}
    for place, picture in _pictures(form):
        _take_in(picture, f"{place}.picture", path.parent, problems)
    if problems:
        raise _mistakes(path, problems)
    try:
        design = to_message(form, CardDesign())
        check(design)
        check_design(design)
    except FormError as error:
        raise _mistakes(path, error.problems) from None
    except InvalidRequest as error:
        found = {place.removeprefix("design."): problem for place, problem in error.violations.items()}
        raise _mistakes(path, found) from None
    return design


def read_data(path: str | Path, design: CardDesign) -> dict[str, CardValue]:
    """What the fields of a design are on one card. A field may be left out, or be null.

    Raises Refused with a line for each mistake; OSError for the file itself.
    """
    path = Path(path)
    form = _read(path)
    if not isinstance(form, dict):
        raise Refused(f"{path}: expected a mapping of fields to what they are")
    fields = {field.name: field for field in design.fields}
    problems: Problems = {}
    data: dict[str, CardValue] = {}
    for key, value in form.items():
        field = fields.get(key)
        if field is None:
            problems[str(key)] = _unknown(str(key), list(fields))
        elif value is None:
            continue
        elif not isinstance(value, str):
            problems[field.name] = "expected the path of a picture" if is_picture(field) else "expected text in quotes"
        elif is_picture(field):
            data[field.name] = CardValue(picture=_file(value, path.parent, field.name, problems))
        else:
            data[field.name] = _text(value, field.name, field.max_chars, problems)
    if problems:
        raise _mistakes(path, problems)
    return data


def _text(value: str, name: str, most: int, problems: Problems) -> CardValue:
    if most and len(value) > most:
        problems[name] = f"expected at most {most} characters, got {len(value)}"
        return CardValue()
    made = CardValue(text=value)
    try:
        check(made)
    except InvalidRequest as error:
        problems[name] = next(iter(error.violations.values()))
    return made


def _pictures(form: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The pictures of a design that is not looked over yet: what is not of its form is left to `to_message`."""
    for side in ("front", "back"):
        elements = _under(_under(form, side), "elements")
        for index, element in enumerate(elements if isinstance(elements, list) else ()):
            picture = _under(element, "picture")
            if isinstance(picture, dict):
                yield f"{side}.elements[{index}]", picture


def _under(form: Any, key: str) -> Any:
    return form.get(key) if isinstance(form, dict) else None


def _take_in(picture: dict[str, Any], place: str, folder: Path, problems: Problems) -> None:
    """Put the content of `file` where the message has it."""
    if "file" not in picture:
        return
    name = picture.pop("file")
    if not isinstance(name, str):
        problems[f"{place}.file"] = "expected the path of a picture"
    elif "data" in picture or "field" in picture:
        problems[f"{place}.file"] = "stands beside data or field; expected one of them"
    else:
        picture["data"] = b64encode(_file(name, folder, f"{place}.file", problems)).decode()


def _file(name: str, folder: Path, place: str, problems: Problems) -> bytes:
    """A picture's bytes; empty with a problem where there is none."""
    try:
        content = (folder / name).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path with a zero character
        problems[place] = f"the file cannot be read: {getattr(error, 'strerror', None) or 'expected a path'}"
        return b""
    if not 0 < len(content) <= MAX_PICTURE_BYTES:
        problems[place] = f"expected a file of 1 to {MAX_PICTURE_BYTES} bytes, got {len(content)}"
        return b""
    return content


def _read(path: Path) -> Any:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(
            f"{path} is not UTF-8 (byte {error.start}).", "For Chinese text in GB18030: iconv -f GB18030 -t UTF-8"
        ) from None
    parse: Callable[[str, Path], Any] = _json if path.suffix.lower() == ".json" else _yaml
    try:
        return parse(text, path)
    except RecursionError:
        raise Refused(f"{path} is nested too deeply") from None


def _json(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Refused(f"{path}, line {error.lineno}: not JSON: {error.msg}") from None
    except ValueError:  # a number of thousands of digits
        raise Refused(f"{path}: not JSON: it holds a number that is too long") from None


def _yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Refused(f"{path}, line {line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError):  # ValueError: what looks like a date and is none
        raise Refused(f"{path}: not YAML: it holds a character or a date that is not allowed") from None


def _unknown(key: str, names: list[str]) -> str:
    close = difflib.get_close_matches(key, names, n=1)
    if close:
        return f"the design has no such field; did you mean {close[0]}?"
    return f"the design has no such field; it has {', '.join(names) or 'none'}"


def _mistakes(path: Path, problems: Problems) -> Refused:
    count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return Refused(f"{path} has {count}:\n" + "\n".join(f"  {place}: {problem}" for place, problem in problems.items()))
