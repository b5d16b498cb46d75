"""Draws of many cells at once are the draws of each cell alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.engine import Sampling
from motet.engine.draws import MIN_CELLS, Wish, draw_many
from motet.engine.sampling import sample

SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 1e-3, 0.6, 1.0, 50.0]),
    top_k=st.sampled_from([0, 1, 2, 20, 63, 5000]),
    top_p=st.sampled_from([1e-6, 0.3, 0.95, 1.0]),
    min_p=st.sampled_from([0.0, 0.1, 1.0]),
)


@given(
    st.lists(SAMPLINGS, min_size=1, max_size=3), st.integers(1, 24),
    st.sampled_from([3, 64, 200, 1500, 2048]), st.integers(0, 2**32 - 1), st.booleans(),
)  # fmt: skip
def test_many_are_each_alone(
    samplings: list[Sampling], num_cells: int, V: int, seed: int, has_ties: bool
) -> None:
    dice = np.random.default_rng(seed)
    wishes = []
    for n in range(num_cells):
        logits_V = (dice.normal(size=V) * 4).astype(np.float32)
        if has_ties:
            logits_V = np.round(logits_V)
            logits_V[dice.integers(V)] = -np.inf
        wishes.append(Wish(logits_V, samplings[n % len(samplings)], float(dice.random())))
    for wish, token_id in zip(wishes, draw_many(wishes), strict=True):
        if token_id is not None:
            assert token_id == sample(wish.logits_V, wish.sampling, wish.uniform)


def test_what_is_drawn_together() -> None:
    """All of those that are drawn in the usual way, if they are enough; never what is no number."""
    dice = np.random.default_rng(0)
    usual, greedy = Sampling(), Sampling(temperature=0.0)
    cells = [Wish(dice.normal(size=300).astype(np.float32), usual, 0.5) for _ in range(9)]
    assert None not in draw_many(cells)
    assert draw_many(cells[: MIN_CELLS - 1]) == [None] * (MIN_CELLS - 1)
    cells[4].logits_V[7] = np.nan
    cells[2] = Wish(cells[2].logits_V, greedy, 0.5)
    drawn = draw_many(cells)
    assert [place for place, token_id in enumerate(drawn) if token_id is None] == [2, 4]
    assert draw_many([]) == []


@pytest.mark.parametrize("uniform", [0.0, 0.999999999])
def test_the_ends_of_the_dice(uniform: float) -> None:
    logits_V = np.linspace(-3, 3, 100, dtype=np.float32)
    wishes = [Wish(logits_V, Sampling(top_k=5, top_p=1.0), uniform) for _ in range(MIN_CELLS)]
    assert draw_many(wishes) == [99 if uniform == 0.0 else 95] * MIN_CELLS
