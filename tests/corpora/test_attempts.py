"""The file of attempts: nothing lost by a kill, nothing mixed in, one process at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.corpora.attempts import KEPT, Attempt, Attempts
from motet.errors import DataError

MADE_AS = {"model": "m", "seed": 1}
SOME = [
    Attempt(2, KEPT, "", {"requests": 1}, {"rows": ["ä\u2028"]}),
    Attempt(0, "broken_row", "behind row 3", {"requests": 2}),
    Attempt(1, KEPT, "", {}, {"rows": []}),
]


def write(path: Path) -> None:
    with Attempts(path, MADE_AS) as attempts:
        for attempt in SOME:
            attempts.add(attempt)


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    write(path := tmp_path / "a.jsonl")
    with Attempts(path, dict(MADE_AS)) as attempts:
        assert attempts.outcomes == {KEPT: 2, "broken_row": 1}
        assert (attempts.num_made, attempts.num_kept) == (3, 2)
        assert [number in attempts for number in range(4)] == [True, True, True, False]
        assert attempts.kept_numbers() == [1, 2]
        assert list(attempts.read([2, 1])) == [SOME[0], SOME[2]]
        assert list(attempts.facts()) == [(0, {"requests": 2}), (1, {}), (2, {"requests": 1})]


def test_a_kill_at_any_byte_costs_at_most_the_last_line(tmp_path: Path) -> None:
    write(path := tmp_path / "a.jsonl")
    whole = path.read_bytes()
    ends = [place for place, byte in enumerate(whole, start=1) if byte == ord("\n")]
    for num_bytes in range(len(whole)):
        path.write_bytes(whole[:num_bytes])
        num_whole = sum(end <= num_bytes for end in ends) - 1
        with Attempts(path, MADE_AS) as attempts:
            assert attempts.num_made == max(num_whole, 0)
            for attempt in SOME[max(num_whole, 0) :]:
                attempts.add(attempt)
        assert path.read_bytes() == whole


def test_attempts_of_another_kind_are_refused(tmp_path: Path) -> None:
    write(path := tmp_path / "a.jsonl")
    with pytest.raises(DataError, match="seed differ"), Attempts(path, {**MADE_AS, "seed": 2}):
        pass
    with Attempts(path, MADE_AS) as attempts:  # and the refusal has left no lock
        assert attempts.num_made == 3


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with (
        Attempts(path, MADE_AS),
        pytest.raises(DataError, match="no other process"),
        Attempts(path, MADE_AS),
    ):
        pass


@pytest.mark.parametrize(
    "line",
    [
        "{}", "[]", "nothing", '{"attempt": 3, "outcome": "kept"}',
        '{"attempt": 3, "outcome": "mute", "kept": {}}', '{"attempt": "3", "outcome": "mute"}',
        '{"attempt": 1, "outcome": "mute"}',
    ],
)  # fmt: skip
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    write(path := tmp_path / "a.jsonl")
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match="line 5"), Attempts(path, MADE_AS):
        pass


def test_a_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"question": "?"}\n')
    with pytest.raises(DataError, match="line 1"), Attempts(path, MADE_AS):
        pass
    assert path.read_text() == '{"question": "?"}\n'


@settings(max_examples=100)
@given(st.binary(max_size=80))
def test_any_line_is_an_attempt_or_an_error(line: bytes) -> None:
    try:
        attempt = Attempt.from_line(line, "here")
    except DataError as error:
        assert "here" in str(error)  # noqa: PT017
    else:
        assert json.loads(attempt.to_line()) == json.loads(line)
