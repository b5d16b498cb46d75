"""Statistics against counts made by hand and by slow loops over rows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.cli.main import invoke
from motet.data.dataset import MadeBy
from motet.data.grids import GridWriter
from motet.data.stats import Statistics, measure, statistics_json
from motet.data.stats.statistics import NUM_BINS, ROWS_BEFORE, quantile
from motet.data.stats.timeline import Span, Timeline
from motet.data.table import Table
from motet.data.tables import TableWriter
from motet.data.token_grid import TokenGrid
from motet.streams.layout import ConvMode, Layout, SpecialToken
from tests.data.verify.conversations import CHANNELS, silent, table_of

TALK = table_of(
    "What| is| it|?$||||||Thanks|.$", silent(7) + "A| cat|.$", silent(2) + "look|||cat$"
)
LAYOUT = Layout(CHANNELS, SpecialToken(0, "<s>"), SpecialToken(1, "<e>"), ConvMode.COLUMN, True)


def statistics_of(*tables: Table) -> Statistics:
    found = Statistics(CHANNELS)
    for table in tables:
        found.count(Timeline.of_table(table), "test", [0] * 4)
    return found


def timeline(rows: list[list[int]]) -> Timeline:
    """0 rests, 1 speaks, 2 ends."""
    cells = np.array(rows, np.int64).reshape(-1, 4)
    return Timeline(cells > 0, cells == 2)


drawn = st.lists(st.lists(st.sampled_from([0, 0, 1, 1, 2]), min_size=4, max_size=4), max_size=40)


def test_a_talk_by_hand() -> None:
    found = statistics_json(statistics_of(TALK))
    user, output, think, skeptical = found["channels"]
    assert found["num_rows"] == 11
    assert (user["num_spoken"], user["num_messages"], user["fill"]) == (6, 2, 0.5455)
    assert output["message_rows"]["median"] == 3
    assert output["first_row"]["median"] == 7
    assert (think["num_spoken"], think["num_messages"]) == (2, 1)
    assert think["message_rows"]["median"] == 4  # it pauses for two rows
    assert (skeptical["fill"], skeptical["num_mute_conversations"]) == (0, 1)
    assert found["lag_rows"]["median"] == 4  # from row 3 to row 7
    assert found["lag_rows"]["num_unanswered"] == 1  # nobody replies to thanks
    assert found["together"]["Output"]["User"] == 0.3333  # of three rows in one
    assert found["together"]["Skeptical"]["User"] is None
    around = found["around_the_end_of_the_user"]
    assert around["first_row"] == -ROWS_BEFORE
    assert around["Output"][ROWS_BEFORE + 4] == 1.0
    assert around["User"][ROWS_BEFORE] == 1.0


def test_a_reply_that_begins_before_the_question_ends() -> None:
    found = statistics_json(statistics_of(table_of("a|b|c|d$", silent(2) + "x|y|z$")))
    assert found["lag_rows"]["median"] == -1
    assert found["lag_rows"]["num_before_the_end"] == 1


def test_what_is_said_on_is_no_reply() -> None:
    interrupted = table_of("a$||||b$", silent(2) + "x|x|x|x|x$||y$")
    assert statistics_of(interrupted).lags == Counter({2: 1, 4: 1})


@pytest.mark.parametrize(
    ("column", "spans"),
    [
        ([0, 1, 1, 0, 1, 0], [(1, 2), (4, 4)]),
        ([0, 1, 1, 0, 1, 2], [(1, 5)]),
        ([1, 2, 2, 1, 2], [(0, 1), (2, 2), (3, 4)]),
        ([1, 2, 0, 1, 0, 1], [(0, 1), (3, 5)]),
        ([0, 0], []),
        ([], []),
    ],
)
def test_messages(column: list[int], spans: list[tuple[int, int]]) -> None:
    one = timeline([[cell, 0, 0, 0] for cell in column])
    assert one.messages(0) == [Span(*span) for span in spans]


@given(st.lists(drawn, max_size=5))
def test_sums_are_those_of_slow_loops(conversations: list[list[list[int]]]) -> None:
    found = Statistics(CHANNELS)
    spoken = np.zeros(4, np.int64)
    together = np.zeros((4, 4), np.int64)
    parts = np.zeros((4, NUM_BINS), np.int64)
    for rows in conversations:
        one = timeline(rows)
        found.count(one, "drawn", [0] * 4)
        for r, row in enumerate(rows):
            for a in range(4):
                spoken[a] += row[a] > 0
                parts[a, r * NUM_BINS // len(rows)] += row[a] > 0
                for b in range(4):
                    together[a, b] += row[a] > 0 and row[b] > 0
    assert [one.num_spoken for one in found.by_channel] == spoken.tolist()
    assert found.together_CC.tolist() == together.tolist()
    assert found.spoken_CN.tolist() == parts.tolist()
    assert found.rows_N.sum() == found.num_rows == sum(map(len, conversations))
    asked = [span for rows in conversations for span in timeline(rows).messages(0)]
    assert found.lags.total() + found.num_unanswered == len(asked)
    assert found.heard_K[ROWS_BEFORE] == len(asked)


@given(st.lists(drawn, min_size=2, max_size=5), st.integers(1, 4))
def test_parts_add_up(conversations: list[list[list[int]]], cut: int) -> None:
    whole, first, second = (Statistics(CHANNELS) for _ in range(3))
    for number, rows in enumerate(conversations):
        whole.count(timeline(rows), "drawn", [1] * 4)
        (first if number < cut else second).count(timeline(rows), "drawn", [1] * 4)
    first.add(second)
    assert statistics_json(first) == statistics_json(whole)


@given(st.lists(st.integers(-5, 20), min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_are_those_of_the_list(values: list[int], share: float) -> None:
    ordered = sorted(values)
    expected = next(v for i, v in enumerate(ordered, start=1) if i >= share * len(ordered))
    assert quantile(Counter(values), share) == expected
    assert quantile(Counter(), share) is None


def write(path: Path) -> Path:
    with TableWriter(path, CHANNELS, MadeBy(command=("test",)), shard_rows=30) as writer:
        for number in range(12):
            writer.write(Table(f"talk {number} $x_$", CHANNELS, TALK.rows, {"source": "ours"}))
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any, str]:
    capsys.readouterr()
    code = invoke(["data", "stats", *map(str, arguments)])
    said = capsys.readouterr()
    facts = [json.loads(line) for line in said.out.splitlines() if line.startswith("{")]
    return code, facts[0] if facts else None, said.out + said.err


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = write(tmp_path / "talks")
    code, facts, said = run(capsys, dataset, "--pictures", tmp_path / "pictures", "--example", 3)
    assert code == 0
    assert facts["num_conversations"] == 12
    assert facts["sources"] == {"ours": 12}
    assert "Output (output)" in said
    assert "12 of 24 without a reply" in said
    drawn_files = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert drawn_files == [
        "fill.png", "lag.png", "lengths.png", "score.png", "together.png", "when.png",
    ]  # fmt: skip
    for path in (tmp_path / "pictures").iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
    _, again, said = run(capsys, dataset, "--json", "--processes", 2)
    assert again == facts
    assert len(said.splitlines()) == 1


def test_a_dataset_of_nothing_has_pictures_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TableWriter(tmp_path / "none", CHANNELS, MadeBy(command=("test",))):
        pass
    code, facts, said = run(capsys, tmp_path / "none", "--pictures", tmp_path / "pictures")
    assert code == 0, said
    assert facts["num_conversations"] == 0
    assert not (tmp_path / "pictures" / "lag.png").exists()


def test_grids_count_targets_and_no_opening_rows(tmp_path: Path) -> None:
    tokens_RC = np.array(
        [[0] * 4, [5, 0, 0, 0], [1, 0, 0, 0], [0, 7, 0, 0], [0, 1, 0, 0]], np.int32
    )
    learned_RC = np.zeros((5, 4), np.bool_)
    learned_RC[3:, 1] = True
    with GridWriter(tmp_path / "g", LAYOUT, 9, "0" * 64, MadeBy(command=("test",))) as writer:
        writer.write(TokenGrid("a", tokens_RC, learned_RC))
        writer.write(TokenGrid("b", tokens_RC))
    found = statistics_json(measure(tmp_path / "g"))
    assert found["num_rows"] == 8
    assert [c["num_learned"] for c in found["channels"]] == [0, 2 + 4, 4, 4]
    assert [c["fill"] for c in found["channels"]] == [0.5, 0.5, 0.0, 0.0]
    assert found["lag_rows"]["median"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--example", "99", "--pictures", "x"], "expected a conversation that is there, got 99")],
)
def test_mistakes(
    tmp_path: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = run(capsys, write(tmp_path / "talks"), *arguments)
    assert code == 2
    assert message in said
    code, _, said = run(capsys, tmp_path / "nothing")
    assert code == 2
    assert "no such directory" in said
