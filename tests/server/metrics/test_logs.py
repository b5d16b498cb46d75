from __future__ import annotations

import ast
import io
import json
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

import motet.server
from motet.errors import InputError
from motet.server.logs import FIELDS, LogForm, LogLevel, configure_logs, log

SECRET = "the-ants-told-me"
Records = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged() -> Iterator[Records]:
    """Logs of this test at debug level, as JSON; what was before is put back."""
    handlers, level = logging.root.handlers, logging.root.level
    hook = threading.excepthook
    stream = io.StringIO()
    configure_logs(LogForm.JSON, LogLevel.DEBUG, stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    logging.root.handlers, threading.excepthook = handlers, hook
    logging.root.setLevel(level)


def test_a_record_is_one_line_with_its_level_and_time(logged: Records) -> None:
    log.info("turn ended", session_id="s1", rows=3)
    log.debug("x")
    first, second = logged()
    assert first.pop("time").endswith("Z")
    assert first == {"event": "turn ended", "level": "info", "session_id": "s1", "rows": 3}
    assert second["level"] == "debug"


def test_a_field_that_is_not_on_the_list_is_withheld(logged: Records) -> None:
    log.info("turn ended", text=SECRET, token=SECRET, rows=3)
    with structlog.contextvars.bound_contextvars(prompt=SECRET, request_id="r1"):
        log.info("turn ended")
    first, second = logged()
    assert first["withheld"] == ["text", "token"]
    assert second["withheld"] == ["prompt"]
    assert second["request_id"] == "r1"
    assert SECRET not in json.dumps([first, second])


def test_an_exception_is_its_class_and_its_places(logged: Records) -> None:
    def say() -> None:
        raise InputError("message", got=SECRET)

    for report in (lambda e: {"exc_info": e}, lambda _: {"exc_info": True}):
        try:
            say()
        except InputError as error:
            log.error("step failed", **report(error))
    thread = threading.Thread(target=say)
    thread.start()
    thread.join()
    for record in logged():
        assert record["error"] == "InputError"
        assert record["frames"][-1].startswith(f"{__name__}:")
        assert record["frames"][-1].endswith(" say")
        assert SECRET not in json.dumps(record)
    assert [record["event"] for record in logged()] == ["step failed"] * 2 + ["thread failed"]


def test_what_libraries_log_loses_its_arguments(logged: Records) -> None:
    sockets = logging.getLogger("websockets.server")
    sockets.warning("< TEXT '%s'", SECRET)
    sockets.error(f"first line\nfuture: {SECRET}")
    sockets.error(ValueError(SECRET))
    sockets.setLevel(logging.DEBUG)
    sockets.debug(f"< TEXT {SECRET}")
    sockets.setLevel(logging.NOTSET)
    try:
        raise ValueError(SECRET)
    except ValueError:
        sockets.exception("failed")
    records = logged()
    assert SECRET not in json.dumps(records)
    assert [r["event"] for r in records] == ["< TEXT '%s'", "first line", "ValueError", "failed"]
    assert {r["logger"] for r in records} == {"websockets.server"}
    assert records[-1]["error"] == "ValueError"


def test_levels_and_forms(capsys: pytest.CaptureFixture[str], logged: Records) -> None:
    stream = io.StringIO()
    configure_logs(LogForm.TEXT, LogLevel.WARNING, stream)
    log.info("unheard")
    log.warning("heard", rows=7, text=SECRET)
    assert "heard" in stream.getvalue()
    assert "rows=7" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()
    assert "unheard" not in stream.getvalue()
    assert SECRET not in stream.getvalue()
    stream = io.StringIO()
    configure_logs(LogForm.AUTO, LogLevel.INFO, stream)
    log.info("no terminal")
    assert json.loads(stream.getvalue())["event"] == "no terminal"
    assert capsys.readouterr() == ("", "")


def test_a_reader_of_the_log_who_left_stops_nothing(logged: Records) -> None:
    stream = io.StringIO()
    configure_logs(LogForm.JSON, LogLevel.INFO, stream)
    stream.close()
    log.info("nobody reads this")
    with warnings.catch_warnings():
        logging.getLogger("x").error("nor this")


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(Path(motet.server.__path__[0]).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if is_call and isinstance(node.func.value, ast.Name) and node.func.value.id == "log":
                yield f"{path.name}:{node.lineno}", node


def test_the_server_logs_fixed_words_and_fields_of_the_list_only() -> None:
    calls = [(place, call) for place, call in _calls() if not place.startswith("logs.py")]
    assert calls
    for place, call in calls:
        assert len(call.args) == 1, place
        assert isinstance(call.args[0], ast.Constant), place
        names = {keyword.arg for keyword in call.keywords}
        assert names <= FIELDS | {"exc_info"}, place
