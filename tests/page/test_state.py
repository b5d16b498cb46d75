"""The pure parts of the page, run in the browser: folding, systems, places in the score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.page.reader import Reader
from tests.server.front.conftest import Served

pytestmark = pytest.mark.slow

CREATED = {
    "type": "session.created", "seq": 0, "row": 0, "session_id": "s", "resume_token": "t",
    "is_new": True, "model": "m", "capabilities": [], "limits": {}, "context_rows": 64,
    "context_policy": "roll", "settings": {}, "is_paused": False, "is_held": False,
    "channels": [{"name": "User", "role": "input"}, {"name": "Output", "role": "output"}],
}  # fmt: skip


def row(index: int, *text: str) -> dict[str, Any]:
    silent = [word == "" for word in text]
    return {
        "index": index,
        "ids": [0, 0],
        "text": list(text),
        "silent": silent,
        "given": [True, False],
    }


def event(kind: str, seq: int, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "seq": seq, "row": 0} | fields


TALK = [
    CREATED,
    event("input.queued", 1, input_id=1, text="h\N{GRINNING FACE}i", num_tokens=3, channel="User"),
    event("turn.started", 2, turn=1, from_row=1),
    event("rows", 3, rows=[row(0, "", ""), row(1, "h\N{GRINNING FACE}", "")]),
    event("input.read", 4, input_id=1, from_row=1, to_row=1, chars=2, is_done=False),
]
END = [
    event("rows", 5, rows=[row(2, "i", "he"), row(3, "", "llo")]),
    event("input.read", 6, input_id=1, from_row=2, to_row=2, chars=3, is_done=True),
    event("turn.ended", 7, row=4, turn=1, reason="end", rows=3, ttft_rows=2, seconds=1.0),
]


@pytest.fixture(scope="module")
def page(browser: Browser, served: Served) -> Iterator[Page]:
    reader = Reader(browser, served.url)
    reader.page.goto(served.url + "/page/motet.svg")  # the origin, without the page
    reader.page.goto(served.url + "/")
    yield reader.page
    reader.context.close()


def run(page: Page, body: str, argument: object = None) -> Any:
    """The value of an async function body in which the page's modules can be imported."""
    script = f"async (argument) => {{ {body} }}"
    return page.evaluate(script, argument)


def folded(page: Page, events: list[dict[str, Any]], view: str) -> Any:
    body = f"""
        const {{ emptyState, fold, isSpeaking, waitingInputs }} = await import("/page/state.js");
        const {{ systemsOf, wordsOf, unreadOf }} = await import("/page/systems.js");
        const state = argument.reduce(fold, emptyState());
        return {view};
    """
    return run(page, body, events)


def test_numbered_events_count_once(page: Page) -> None:
    view = "[state.seq, state.rows.map((row) => row.index), state.inputs.length]"
    assert folded(page, [*TALK, *TALK[1:], *END, *END], view) == [7, [0, 1, 2, 3], 1]


def test_unread_rest_counts_characters_not_code_units(page: Page) -> None:
    assert folded(page, TALK, "unreadOf(state, 'User').map(({ rest }) => rest)") == ["i"]
    assert folded(page, TALK + END, "unreadOf(state, 'User')") == []


def test_turn_is_one_system_with_its_words(page: Page) -> None:
    view = "systemsOf(state).map(({ turn, rows }) => [turn, wordsOf(rows, 0), wordsOf(rows, 1)])"
    assert folded(page, TALK + END, view) == [
        [
            1,
            [{"text": "h\N{GRINNING FACE}i", "isGiven": True}],
            [{"text": "hello", "isGiven": False}],
        ]
    ]


def test_rewinding_takes_rows_and_ends_back(page: Page) -> None:
    rewound = [*TALK, *END, event("session.rewound", 8, to_row=3)]
    view = "[state.rows.length, isSpeaking(state), waitingInputs(state).length]"
    assert folded(page, [*TALK, *END], view) == [4, False, 0]
    assert folded(page, rewound, view) == [3, True, 0]
    assert folded(page, [*TALK, event("session.rewound", 5, to_row=1)], "state.turns.length") == 0


def test_events_of_the_moment_take_no_number(page: Page) -> None:
    late = event("error", 99, code="x", message="y")
    assert folded(page, [*TALK, late, *END], "state.seq") == 7
    resumed = {**CREATED, "seq": 50, "is_new": False}
    assert folded(page, [resumed, *TALK[1:]], "[state.seq, state.target]") == [4, 50]


def test_score_extends_and_cuts_its_places(page: Page) -> None:
    rows = [row(index, "word" if index % 3 else "", "x" * (index % 5)) for index in range(40)]
    body = """
        const { ScoreLayout } = await import("/page/score_layout.js");
        const made = () => new ScoreLayout((text) => text.length * 7);
        const layout = made();
        const other = argument.map((row) => ({ ...row, text: row.text.map((t) => t + "more") }));
        const steps = [argument.slice(0, 10), argument, argument.slice(0, 25),
          [...argument.slice(0, 20), ...other.slice(20)], []];
        return steps.map((rows) => {
          layout.update(rows);
          const hits = rows.map((_, n) => layout.at(layout.left(n) + 1));
          const fresh = made();
          fresh.update(rows);
          return [`${layout.ends}` === `${fresh.ends}`, hits.every((hit, n) => hit === n)];
        });
    """
    assert run(page, body, rows) == [[True, True]] * 5


def test_words_without_an_answer_are_kept(page: Page) -> None:
    body = """
        const { Outbox } = await import("/page/outbox.js");
        const outbox = new Outbox();
        const append = (event_id, text) => outbox.keep({ type: "input.append", event_id, text });
        append("1", "a"); append("2", "b"); append("3", "a");
        outbox.keep({ type: "pause", event_id: "4" });
        outbox.hear({ type: "input.queued", text: "a" });
        const refused = outbox.hear({ type: "error", event_id: "2" });
        return [refused.text, outbox.events.map((event) => event.event_id)];
    """
    assert run(page, body) == ["b", ["3"]]


def test_an_end_is_told_from_a_part_of_a_character(page: Page) -> None:
    body = """
        const { describe } = await import("/page/score_layout.js");
        const { row, channels } = argument;
        return [9, null].map((endId) => describe(row, { channels, endId }));
    """
    cells = row(7, "a", "") | {"ids": [5, 9], "silent": [False, False]}
    told = run(page, body, {"row": cells, "channels": CREATED["channels"]})
    assert told[0].endswith("Output ends")
    assert told[1].endswith("Output is inside a character")
