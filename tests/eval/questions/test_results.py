"""The file of results: what is kept, what is gone on with, and what is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import InputError
from motet.eval.questions.judging import Outcome
from motet.eval.questions.results import Results, read_trials
from motet.eval.questions.trial import Said, asks_of, trial_of
from tests.eval.questions.samples import questions_of, trial

ASKS = asks_of(questions_of(a="7", b="8"), 2, seed=1)
SAID = Said({"Output": "It is 7. 😀"}, "It is 7.", "end")


def test_what_was_added_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path) as results:
        assert results.missing(ASKS) == ASKS
        for ask in ASKS[:3]:
            results.add(trial_of(ask, SAID))
    with Results(path) as results:
        assert results.missing(ASKS) == ASKS[3:]
        results.add(trial_of(ASKS[3], SAID))
        trials = results.of(ASKS[::-1])
    assert [(t.id, t.sample) for t in trials] == [("b", 1), ("b", 0), ("a", 1), ("a", 0)]
    assert [t.outcome for t in trials] == [Outcome.WRONG, Outcome.WRONG] + [Outcome.RIGHT] * 2
    assert read_trials(path) == trials[::-1]


def test_a_line_that_was_torn_is_cut_off_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path) as results:
        for ask in ASKS[:2]:
            results.add(trial_of(ask, SAID))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole)):
        path.write_bytes(whole[:end])
        with Results(path) as results:
            assert results.missing(ASKS[:2]) == ASKS[1:2]
        assert path.read_bytes() == whole[:first]


def test_results_of_others_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path) as results:
        results.add(trial_of(ASKS[0], SAID))
    for asks in (asks_of(questions_of(a="9"), 1, seed=1), asks_of(questions_of(a="7"), 1, seed=2)):
        with Results(path) as results, pytest.raises(InputError, match="give another --output"):
            results.missing(asks)


LINE = json.dumps(trial().to_json())


@pytest.mark.parametrize(
    "line",
    ["", "[]", "{}", LINE.replace("right", "great"), LINE.replace('"sample": 0', '"sample": "0"'),
     LINE.replace('"id": 1', '"id": null'), LINE.replace("num_spoken", "num_said"),
     LINE.replace('"gold"', '"guilt"'), f"{LINE}\n{LINE}", "[" * 100_000],
)  # fmt: skip
def test_what_is_no_result_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=r"results\.jsonl:[12]") as error:
        read_trials(path)
    assert "\n" not in str(error.value)


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory: Any, data: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "r.jsonl"
    path.write_bytes(LINE.encode() + b"\n" + data)
    with suppress(InputError):
        assert read_trials(path, is_torn=True)[0] == trial()
