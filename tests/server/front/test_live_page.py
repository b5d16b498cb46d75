"""docs/live.md is true: its tables are those of the classes, its transcript follows them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from motet.protocol.client_events import read_client_event
from motet.protocol.server_events import InputCleared, SessionCreated, read_server_event

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("live_page", ROOT / "scripts" / "live_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "live.md").read_text("utf-8")


def test_the_tables_are_those_of_the_protocol(script: ModuleType, page: str) -> None:
    assert script.filled(page, script.tables()) == page, "run scripts/live_page.py"


def test_every_event_is_in_a_table(script: ModuleType, page: str) -> None:
    from motet.protocol.client_events import ClientEvent
    from motet.protocol.server_events import ServerEvent

    for union in (ClientEvent, ServerEvent):
        events = script.events_of(union)
        assert len(events) > 10
        for event in events:
            assert f"| `{script.type_of(event)}` |" in page


def test_the_transcript_is_of_this_protocol(page: str) -> None:
    transcript = page.partition("<!-- begin transcript -->")[2]
    lines = re.findall(r"^([><]) (.*)$", transcript, re.MULTILINE)
    said = [read_client_event(frame) for side, frame in lines if side == ">"]
    heard = [read_server_event(frame) for side, frame in lines if side == "<"]
    kinds = [event.type for event in heard]
    for kind in ("input.queued", "input.read", "input.cleared", "rows", "turn.ended"):
        assert kind in kinds
    assert {"interrupt", "session.resume", "close"} <= {event.type for event in said}
    assert [e.is_new for e in heard if isinstance(e, SessionCreated)] == [True, False]
    assert any(isinstance(event, InputCleared) for event in heard)
