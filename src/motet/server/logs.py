"""Structured logs: one line an event, JSON for machines or readable in a terminal.

A log says who, when, how long and how it ended, never what was said. So a record may only have the
fields of `FIELDS`, whose values the server makes itself; anything else is withheld, and the record
says so. Of an exception it has the class and the places in the code, not the message, which may
quote a text. Other libraries' records keep their first line without its arguments (at debug level
they would hold whole frames of conversations), and only from warnings up.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from enum import StrEnum
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

__all__ = ["FIELDS", "LogForm", "LogLevel", "configure_logs", "log"]

FIELDS = frozenset({
    "event", "level", "time", "logger", "error", "frames", "withheld",  # any record
    "request_id", "method", "route", "status", "seconds",  # requests
    "session_id", "turn", "row", "rows", "reason", "code", "position", "seq",  # sessions
    "sessions", "waiting", "connections", "drain_s",  # the server
    "version", "model", "host", "port", "pid", "journal",  # its start
})  # fmt: skip
_FOREIGN_LEVEL = logging.WARNING
_MAX_FRAMES = 10
_FIRST = ("time", "level", "event", "request_id")

log: Any = structlog.get_logger()


class LogForm(StrEnum):
    """How records are written; auto is text in a terminal and JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    """The least serious records that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def configure_logs(
    form: LogForm = LogForm.AUTO,
    level: LogLevel = LogLevel.INFO,
    stream: TextIO | None = None,
) -> None:
    """Write the logs of this process, those of its libraries too, to `stream` (stderr)."""
    stream = sys.stderr if stream is None else stream
    is_terminal = stream.isatty()
    is_json = form is LogForm.JSON or (form is LogForm.AUTO and not is_terminal)
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=True)
    if not is_json:
        renderer = structlog.dev.ConsoleRenderer(colors=is_terminal, timestamp_key="time")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True, key="time"),
            _place_exception,
            _withhold,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.value),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_Foreign(_FOREIGN_LEVEL)]
    logging.root.setLevel(_FOREIGN_LEVEL)
    threading.excepthook = _thread_failed


class _Lines:
    """Writes lines; a reader who has gone does not stop the server."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):  # a broken pipe, a closed stream
            return

    debug = info = warning = error = critical = msg


class _Foreign(logging.Handler):
    """Takes what other libraries log into the same stream of records."""

    def emit(self, record: logging.LogRecord) -> None:
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        first = template.strip().partition("\n")[0]
        log.log(record.levelno, first, logger=record.name, exc_info=record.exc_info)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    log.error("thread failed", exc_info=failure.exc_value)


def _place_exception(_: Any, __: str, record: EventDict) -> EventDict:
    """Put the class and the frames of an exception in place of the exception."""
    given = record.pop("exc_info", None)
    error = sys.exception() if given is True else given
    if isinstance(error, tuple):
        error = error[1]
    if isinstance(error, BaseException):
        record["error"] = type(error).__name__
        record["frames"] = _frames(error.__traceback__)
    return record


def _frames(trace: TracebackType | None) -> list[str]:
    places = [
        f"{frame.f_globals.get('__name__', '?')}:{line} {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(trace)
    ]
    return places[-_MAX_FRAMES:]  # what stands above them is the web framework's


def _withhold(_: Any, __: str, record: EventDict) -> EventDict:
    """Take out every field that a log may not have, and name it; what every record has is first."""
    names = sorted(record, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    kept: EventDict = {name: record[name] for name in names if name in FIELDS}
    if withheld := sorted(record.keys() - FIELDS):
        kept["withheld"] = withheld
    return kept
