"""Turns: who goes when, and that only neighbours are compared."""

from __future__ import annotations

import pytest

from motet.bench.turns import Turns, take_turns


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.bench.turns.PAUSE_S", 0.0)


def test_sides_warm_up_alternate_and_take_turns_in_going_first() -> None:
    order: list[str] = []

    def side(name: str) -> list[float]:
        order.append(name)
        return [float(len(order))]

    turns = take_turns(lambda: side("a"), lambda: side("b"), 3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert turns == Turns((3.0, 6.0, 7.0), (4.0, 5.0, 8.0))


def test_a_turn_is_the_median_of_what_was_done_in_it() -> None:
    assert take_turns(lambda: [9.0, 1.0, 2.0], None, 2) == Turns((2.0, 2.0))


def test_the_ratio_is_the_median_of_pairs() -> None:
    """The machine slows down tenfold in the middle; the ratio does not notice."""
    turns = Turns(ours=(1.0, 10.0, 1.2), theirs=(2.0, 20.0, 2.0))
    assert turns.ratios == (0.5, 0.5, 0.6)
    assert turns.ratio == 0.5
    assert (turns.ours_s, turns.theirs_s) == (1.2, 2.0)


def test_without_a_peer() -> None:
    turns = take_turns(lambda: [3.0], None, 2)
    assert (turns.ours_s, turns.theirs_s, turns.ratio, turns.ratios) == (3.0, None, None, ())
