"""The daemon's log: structlog over the standard library, to standard error, customer data masked.

A thread of its own formats and writes: a slow terminal or journal never holds a device, and the daemon answers before
structlog is imported.
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

from google.protobuf.message import Message

from countertop.server.redact import redacted

__all__ = ["logs_to"]


def _redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """A processor: messages in a log event lose what identifies a person."""
    return {key: redacted(value) if isinstance(value, Message) else value for key, value in event.items()}


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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, renderer],
        )

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return self._inner.format(record)


class _Enqueue(logging.Handler):
    """Hands records over as they are; the standard QueueHandler would format them here."""

    def __init__(self, pipe: queue.SimpleQueue[logging.LogRecord]) -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        """Never blocks."""
        self._pipe.put(record)


@contextmanager
def logs_to(stream: TextIO | None = None, *, json: bool = False, level: int = logging.INFO) -> Iterator[None]:
    """While the block runs, what is logged under `countertop` goes to `stream` (standard error), as lines or as one
    JSON object each; messages passed as `extra` are masked. At the end everything logged has been written.
    """
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(_Formatter(json=json, colors=out.isatty()))
    pipe: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    enqueue = _Enqueue(pipe)
    listener = logging.handlers.QueueListener(pipe, handler)
    logger = logging.getLogger("countertop")
    before = logger.level, logger.propagate
    logger.addHandler(enqueue)
    logger.setLevel(level)
    logger.propagate = False
    listener.start()
    try:
        yield
    finally:
        listener.stop()
        logger.removeHandler(enqueue)
        logger.level, logger.propagate = before
