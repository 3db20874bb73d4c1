"""The daemon's log: structlog over the standard library, to standard error, customer data masked.

A thread of its own formats and writes: a slow terminal or journal never holds a device, and the daemon answers before
structlog is imported. `log_safety` decides what of a record may be written.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TextIO

from countertop.server.log_safety import OURS, hooked, shown, without_data

__all__ = ["as_json", "logs_to"]

_json_in_use = False


def as_json() -> bool:
    """The log of this process is written as JSON."""
    return _json_in_use


def _mask(logger: Any, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """A processor: messages and exceptions in a log event lose what identifies a person."""
    return {key: shown(value) for key, value in event.items()}


class _Formatter(logging.Formatter):
    """structlog's formatter, made when the first line is written."""

    def __init__(self, *, json: bool, colors: bool) -> None:
        super().__init__()
        self._json = json
        self._colors = colors

    @cached_property
    def _inner(self) -> logging.Formatter:
        import structlog

        renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
        if not self._json:
            renderer = structlog.dev.ConsoleRenderer(colors=self._colors, pad_event_to=0)
        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _mask, renderer],
        )

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return self._inner.format(without_data(record))


class _Enqueue(logging.Handler):
    """Hands records over as they are; the standard QueueHandler would format them here."""

    def __init__(self, pipe: queue.SimpleQueue[logging.LogRecord]) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Never blocks."""
        self._pipe.put(record)


class _Write(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - as logging calls it
        """A line that cannot be written: the standard handler would print its arguments."""
        error = sys.exception()
        what = type(error).__name__ if error is not None else "an error"
        sys.stderr.write(f"a log line of {record.pathname}:{record.lineno} could not be written: {what}\n")


@contextmanager
def logs_to(stream: TextIO | None = None, *, json: bool = False, level: int = logging.INFO) -> Iterator[None]:
    """While the block runs, everything that is logged in this process, from WARNING on what is logged by others than
    Countertop, goes to `stream` (standard error), as lines or as one JSON object each. Messages in arguments and in
    `extra` are masked, exceptions told without their text. At the end everything logged has been written.
    """
    global _json_in_use
    out = stream or sys.stderr
    handler = _Write(out)
    handler.setFormatter(_Formatter(json=json, colors=out.isatty()))
    pipe: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    enqueue = _Enqueue(pipe)
    listener = logging.handlers.QueueListener(pipe, handler)
    ours, root = logging.getLogger(OURS), logging.getLogger()
    before = ours.level, ours.propagate, _json_in_use
    ours.addHandler(enqueue)
    root.addHandler(enqueue)
    ours.setLevel(level)
    ours.propagate, _json_in_use = False, json
    listener.start()
    try:
        with hooked():
            yield
    finally:
        ours.level, ours.propagate, _json_in_use = before
        root.removeHandler(enqueue)
        ours.removeHandler(enqueue)
        listener.stop()
