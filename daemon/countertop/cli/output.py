"""What commands print: tables and colours for people, JSON lines for programs, sentences on standard error."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from rich.console import Console
    from rich.table import Table

__all__ = [
    "Refused",
    "complain",
    "console",
    "error_console",
    "json_line",
    "local_time",
    "say",
    "show_anything",
    "table",
    "word",
]


_PIPE_COLUMNS = 240


class Refused(Exception):
    """The command cannot go on, for a reason that its user can mend; told on standard error, with exit code 1."""

    def __init__(self, sentence: str, next_step: str = "") -> None:
        super().__init__(sentence)
        self.next_step = next_step


def show_anything() -> None:
    """What the encoding of standard output lacks is escaped from here on; it must not end the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """A line on standard output, as it is; seen at once also where it goes into a pipe."""
    print(text, flush=True)


def complain(sentence: str, next_step: str = "") -> None:
    """What went wrong, and what to do next, on standard error."""
    print(f"countertop: {sentence}", file=sys.stderr)
    if next_step:
        print(f"  {next_step}", file=sys.stderr)


def json_line(message: Message) -> None:
    """A message as one line in the JSON form of protobuf, with the names of the protos."""
    from google.protobuf import json_format

    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"
    say(json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=plain))


def word(enum: Any, number: int, prefix: str) -> str:
    """An enum's value as a person reads it: `DEVICE_STATE_READY` with `DEVICE_STATE_` is `READY`; zero is nothing."""
    return str(enum.Name(number).removeprefix(prefix)) if number in enum.values() and number else str(number or "")


def local_time(timestamp: Any) -> str:
    """A protobuf Timestamp as the clock on the wall shows it, to the millisecond; empty when unset."""
    if not timestamp.seconds:
        return ""
    moment = timestamp.ToDatetime(tzinfo=_utc()).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"


def console() -> Console:
    """Where a person looks; what goes into a pipe is not folded."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)


def error_console() -> Console:
    """Where progress is shown, so that results alone go to standard output."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def table(*columns: str, whole: int = 1) -> Table:
    """An empty table in the house's style; the first `whole` columns are never broken."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        made.add_column(column, overflow="fold", no_wrap=index < whole)
    return made


def _utc() -> Any:
    from datetime import UTC

    return UTC
