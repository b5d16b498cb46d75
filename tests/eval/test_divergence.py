"""KL divergence: by hand, and cell by cell on models whose logits are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.eval.divergence import BLOCK_ROWS, Cells, Divergence, Reference, compare, kl_divergence
from motet.eval.passages import Passage
from motet.runtime.protocol import Wanted
from motet.streams.grid import Tokens
from tests.cli.models import own_layout

V = 7
LAYOUT = own_layout()
SAMPLED = LAYOUT.sampled_indices


@dataclass
class State:
    num_rows: int = 0


class Table:
    """A runtime whose logits depend on a cell's row, channel and token alone."""

    layout = LAYOUT
    vocab_size = V

    def __init__(self, seed: int) -> None:
        self.table_RCVV = np.random.default_rng(seed).normal(size=(300, 3, V, V)).astype(np.float32)

    def open(self, max_rows: int) -> State:
        return State()

    def forward(
        self,
        states: Sequence[State],
        tokens: Sequence[Tokens],
        *,
        wanted: Wanted,
        channels: Sequence[int],
    ) -> list[NDArray[np.float32]]:
        (state,), (block_RC,) = states, tokens
        assert wanted is Wanted.ALL
        logits = np.stack(
            [
                [self.table_RCVV[state.num_rows + i, c, row[c]] for c in channels]
                for i, row in enumerate(block_RC)
            ]
        )
        state.num_rows += len(block_RC)
        return [logits]


def passage(num_rows: int, first_row: int = 0, seed: int = 0) -> Passage:
    tokens = np.random.default_rng(seed).integers(0, V, (num_rows, 3), np.int32)
    return Passage(tokens, first_row)


def reference(num_tokens: int = V, max_bytes: int = 1 << 20) -> Reference:
    return Reference(Table(1), num_tokens, max_bytes)  # type: ignore[arg-type]


def found(passages: list[Passage], num_tokens: int = V) -> Cells:
    return compare(reference(num_tokens), Table(2), passages, lambda: None)  # type: ignore[arg-type]


def test_by_hand() -> None:
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.5, 0.25])
    expected = 0.5 * np.log(2) + 0.25 * np.log(0.5)
    logits = [np.log(x)[None].astype(np.float32) for x in (p, q)]
    np.testing.assert_allclose(kl_divergence(*logits), [expected], atol=1e-7)
    assert kl_divergence(logits[0] + 900, logits[0])[0] == pytest.approx(0, abs=1e-7)
    assert kl_divergence(logits[0], logits[0])[0] == 0


def test_small_divergences_are_not_lost_in_rounding() -> None:
    """KL is half the variance of a small change of the logits."""
    dice = np.random.default_rng(0)
    logits, change = dice.normal(size=(1, 2000)), 1e-4 * dice.normal(size=(1, 2000))
    shares = np.exp(logits) / np.exp(logits).sum()
    expected = 0.5 * ((shares * change**2).sum() - (shares * change).sum() ** 2)
    got = kl_divergence(logits, logits + change)  # type: ignore[arg-type]
    assert got[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_told(value: float) -> None:
    logits = np.zeros((2, 3), np.float32)
    broken = logits.copy()
    broken[1, 1] = value
    for pair in ((logits, broken), (broken, logits)):
        with pytest.raises(CheckpointError, match="logits: expected finite numbers"):
            kl_divergence(*pair)


@pytest.mark.parametrize("num_rows", [20, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 9])
def test_every_cell_counts_once_in_order(num_rows: int) -> None:
    one = passage(num_rows, first_row=2)
    cells = found([one])
    p, q = Table(1).table_RCVV, Table(2).table_RCVV
    expected, agrees, speaks = [], [], []
    for r in range(2, num_rows - 1):
        for c in SAMPLED:
            pair = p[r, c, one.tokens_RC[r, c]], q[r, c, one.tokens_RC[r, c]]
            expected.append(kl_divergence(*pair))
            agrees.append(pair[0].argmax() == pair[1].argmax())
            speaks.append(one.tokens_RC[r + 1, c] != 0)
    np.testing.assert_allclose(cells.divergence_N, expected, atol=1e-12)
    np.testing.assert_array_equal(cells.agrees_N, agrees)
    np.testing.assert_array_equal(cells.speaks_N, speaks)
    assert 0 < sum(agrees) < len(agrees)
    assert 0 < sum(speaks) < len(speaks)


def test_passages_stay_apart_and_each_is_reported() -> None:
    passages, advanced = [passage(9), passage(4, seed=1), passage(6, first_row=1, seed=2)], []
    both = compare(reference(), Table(2), passages, lambda: advanced.append(1))  # type: ignore[arg-type]
    assert len(advanced) == 3
    np.testing.assert_array_equal(np.bincount(both.passage_N), [16, 6, 8])
    alone = np.concatenate([found([one]).divergence_N for one in passages])
    np.testing.assert_array_equal(both.divergence_N, alone)


def test_tokens_that_no_tokenizer_knows_do_not_count() -> None:
    padded = found([passage(9)], num_tokens=V - 2)
    assert not np.allclose(padded.divergence_N, found([passage(9)]).divergence_N)


@pytest.mark.parametrize(("max_bytes", "num_read"), [(1 << 20, 2), (9 * 2 * V * 4, 3), (0, 4)])
def test_a_reference_is_read_once_as_far_as_it_fits(max_bytes: int, num_read: int) -> None:
    passages, expected = [passage(9), passage(9, seed=1)], reference(max_bytes=max_bytes)
    opened: list[int] = []
    expected.runtime.open = lambda n: opened.append(n) or State()  # type: ignore[method-assign]
    twice = [compare(expected, Table(2), passages, lambda: None) for _ in range(2)]  # type: ignore[arg-type]
    assert len(opened) == num_read
    for cells in twice:
        np.testing.assert_array_equal(cells.divergence_N, found(passages).divergence_N)


def test_a_summary() -> None:
    cells = Cells(
        divergence_N=np.array([0.0, 1.0, 2.0, 5.0]),
        agrees_N=np.array([True, True, False, True]),
        speaks_N=np.array([False, False, True, True]),
        passage_N=np.array([0, 0, 1, 1]),
    )
    got = Divergence.of(cells)
    assert (got.num_passages, got.num_cells, got.num_spoken) == (2, 4, 2)
    assert (got.mean, got.median, got.spoken_mean, got.agreement) == (2.0, 1.5, 3.5, 0.75)
    assert got.p99 == pytest.approx(5, abs=0.1)
    assert got.mean_interval == (0.5, 3.5)  # of two passages either, both or none twice
    low, high = got.agreement_interval
    assert low < 0.75 < high
