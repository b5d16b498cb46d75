"""Past messages as rows."""

from __future__ import annotations

import numpy as np
import pytest

from motet.engine import Past, history_rows
from motet.errors import ContextFullError, GridError, InputError, LayoutError
from motet.streams import StreamCodec
from motet.streams.layout import Layout, single_channel
from tests.engine.scripted import (
    DASH_ID,
    END,
    OWN,
    PUBLISHED,
    SILENCE,
    byte_tokenizer,
    id_of,
    scripted_engine,
)

S, E, D = SILENCE.id, END.id, DASH_ID
H, I, N, O, K = (id_of(letter) for letter in "hinok")  # noqa: E741


def codec_of(layout: Layout) -> StreamCodec:
    return StreamCodec(byte_tokenizer(), layout)


def test_a_conversation_side_by_side() -> None:
    messages = [
        Past("user", "hi"),
        Past("assistant", "ok", {"Think": "hi"}),
        Past("assistant", "", {"Think": "n"}),
        Past("user", "no"),
        Past("assistant", "k"),
    ]
    assert history_rows(codec_of(OWN), messages).tolist() == [
        [H, S, S], [I, S, S], [E, S, S],
        [S, O, H], [S, K, I], [S, E, E],
        [S, S, N], [S, S, E],
        [N, S, S], [O, S, S], [E, S, S],
        [S, K, S], [S, E, S],
    ]  # fmt: skip


def test_layouts_without_an_end_token() -> None:
    messages = [Past("system", "hi"), Past("assistant", "no", {"Skeptical": "o"})]
    assert history_rows(codec_of(PUBLISHED), messages).tolist() == [
        [H, D, D, D], [I, D, D, D], [D, N, D, O], [D, O, D, D],
    ]  # fmt: skip


def test_one_channel() -> None:
    messages = [Past("user", "hi"), Past("assistant", "ok"), Past("user", "n")]
    rows = history_rows(codec_of(single_channel(END)), messages)
    assert rows[:, 0].tolist() == [H, I, O, K, E, N]


def test_nothing_is_no_rows() -> None:
    assert history_rows(codec_of(OWN), []).shape == (0, 3)
    assert history_rows(codec_of(OWN), [Past("assistant", "")]).shape == (0, 3)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (Past("tool", "hi"), InputError),
        (Past("assistant", "hi", {"Plan": "x"}), LayoutError),
        (Past("assistant", "hi", {"User": "x"}), InputError),
        (Past("assistant", "hi", {"Output": "x"}), InputError),
    ],
)
def test_what_is_no_past(message: Past, error: type[Exception]) -> None:
    with pytest.raises(error):
        history_rows(codec_of(OWN), [message])


def test_a_session_begins_with_it() -> None:
    engine = scripted_engine(OWN, {"Output": "." * 10 + "ok$", "Think": "." * 10 + "$"})
    beginning = history_rows(engine.codec, [Past("user", "hi"), Past("assistant", "no")])
    session = engine.open(beginning=beginning)
    assert not session.is_active
    assert not session.rows
    session.give("oh")
    engine.finish([session])
    assert np.array_equal(session.grid.tokens_RC[1:7], beginning)
    assert session.grid.given_RC[:7].all()
    assert session.turn_starts == [7]
    assert session.text("Output") == "no\nok"
    assert session.turn.ttft_rows == 4
    assert session.transcript.drawn[1] == {O: 1, K: 1}  # what was given is not counted


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((2, 2), np.int32), np.zeros((2, 3), np.int64), np.zeros(3, np.int32),
        np.full((2, 3), 260, np.int32), np.full((2, 3), -1, np.int32),
    ],
)  # fmt: skip
def test_what_is_no_beginning(rows: np.ndarray) -> None:
    with pytest.raises(GridError, match="beginning"):
        scripted_engine(OWN, {}).open(beginning=rows)


def test_a_beginning_that_does_not_fit() -> None:
    engine = scripted_engine(OWN, {})
    assert engine.open(context_rows=10, beginning=np.zeros((8, 3), np.int32))
    with pytest.raises(ContextFullError):
        engine.open(context_rows=10, beginning=np.zeros((9, 3), np.int32))
