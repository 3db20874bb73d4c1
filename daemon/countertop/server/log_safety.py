"""What of a log record, a warning or an uncaught exception may be written: nothing that could be customer data.

Our own lines are trusted, since no text of ours holds any; their arguments are masked where they are messages or
exceptions. Of others' lines the text may be anything (asyncio shows arguments of callbacks, gRPC the exceptions of
handlers), so that only templates, numbers, types and places are told.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, TextIO

from google.protobuf.message import Message

from countertop.sdk.marks import MASK, masked, safe

__all__ = ["OURS", "hooked", "loop_failed", "shown", "without_data"]

OURS = "countertop"
"""The root of our own loggers."""
log = logging.getLogger("countertop.daemon")

_KNOWN = (
    "Task exception was never retrieved",
    "Task was destroyed but it is pending!",
    "Future exception was never retrieved",
    "Exception in callback",
    "Unhandled exception in event loop",
    "Exception deserializing request!",
    "Unexpected [",
    "Unclosed",
)
"""What asyncio, gRPC and aiohttp begin lines with that they put together themselves; what follows is not shown."""
_FORMATTED = frozenset({"message", "asctime"})
"""What another handler may have left in a record."""
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"taskName"}


def shown(value: Any) -> Any:
    """A value as it may stand in a line of ours."""
    if isinstance(value, Message):
        return masked(value)
    if isinstance(value, BaseException):
        return safe(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, Mapping):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [shown(item) for item in value]
    return value


def without_data(record: logging.LogRecord) -> logging.LogRecord:
    """A copy of a record that can be formatted."""
    found = logging.makeLogRecord({key: value for key, value in vars(record).items() if key not in _FORMATTED})
    ours = record.name == OURS or record.name.startswith(f"{OURS}.")
    change = shown if ours else _foreign
    if isinstance(record.args, Mapping):
        found.args = {key: change(value) for key, value in record.args.items()}
    else:
        found.args = tuple(change(value) for value in record.args or ())
    if not ours:
        found.msg = _template(record)
        for name in set(vars(found)) - _STANDARD:
            delattr(found, name)
    elif not isinstance(record.msg, str):
        found.msg = str(shown(record.msg))
    error = record.exc_info[1] if record.exc_info else None
    found.exc_info = found.exc_text = found.stack_info = None
    if error is not None:
        found.exception = safe(error)
    return found


def _template(record: logging.LogRecord) -> str:
    text = record.msg if isinstance(record.msg, str) else ""
    if record.args and text:
        return text
    known = next((words for words in _KNOWN if text.startswith(words)), MASK)
    return f"{known.rstrip(' [')} ({PurePath(record.pathname).name}:{record.lineno})".replace("%", "%%")


def _foreign(value: Any) -> Any:
    if isinstance(value, int | float | type) or value is None:
        return value
    return shown(value) if isinstance(value, Message | BaseException) else MASK


def loop_failed(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """An event loop's exception handler: what went wrong, in which task, without what its reprs would show."""
    task = context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, asyncio.Task) else type(task).__name__
    text = str(context.get("message") or "")
    known = next((words for words in _KNOWN if text.startswith(words)), "the event loop reports a failure")
    error = context.get("exception")
    log.error("%s: %s (%s)", known, name, error if isinstance(error, BaseException) else "no exception")


@contextmanager
def hooked() -> Iterator[None]:
    """While the block runs, what Python itself prints of warnings and of exceptions that nobody caught goes to the log,
    without their text.
    """
    before = warnings.showwarning, sys.unraisablehook, threading.excepthook
    warnings.showwarning = _warned
    sys.unraisablehook = lambda found: _tell("could not be raised", found.exc_value, found.exc_type)
    threading.excepthook = lambda found: _tell("ended a thread", found.exc_value, found.exc_type)
    try:
        yield
    finally:
        warnings.showwarning, sys.unraisablehook, threading.excepthook = before


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    log.warning("%s at %s:%d", category.__name__, filename, lineno)


def _tell(what: str, error: BaseException | None, kind: type[BaseException]) -> None:
    log.error("an exception that %s: %s", what, error if error is not None else kind.__name__)
