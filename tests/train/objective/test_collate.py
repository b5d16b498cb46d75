"""Batches, written out; and that an objective learns the right cells of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motet.data.token_grid import TokenGrid
from motet.errors import DataError
from motet.train.batch import Batch
from motet.train.collate import Collator
from motet.train.objective import Objective, ObjectiveConfig
from motet.train.objective.targets import Targets
from tests.laws.tolerance import assert_same, assert_seen
from tests.tiny import Architecture, Case, make_layout, make_model
from tests.train.objective.grids import partly_learned, random_grid

LAYOUT = make_layout(Case(Architecture.LFM2, 2))  # User, Output; 0 is silence


def grid(*rows: tuple[int, int], **fields: object) -> TokenGrid:
    return TokenGrid("g", np.array(rows, np.int32), **fields)  # type: ignore[arg-type]


A = grid((0, 0), (5, 0), (6, 7))
B = grid((0, 0), (0, 8))


def collate(lines: Sequence[Sequence[TokenGrid]], *, visible: bool = False) -> Batch:
    return Collator(LAYOUT, visible=visible, round_rows_to=4)(lines)


def test_a_batch_written_out() -> None:
    batch = collate([[A, B], [B]])
    assert batch["tokens_BRC"].tolist() == [
        [[0, 0], [5, 0], [6, 7], [0, 0], [0, 8], [0, 0], [0, 0], [0, 0]],
        [[0, 0], [0, 8], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0], [0, 0]],
    ]
    assert batch["conversations_BR"].tolist() == [
        [0, 0, 0, 1, 1, -1, -1, -1],
        [0, 0, -1, -1, -1, -1, -1, -1],
    ]
    assert batch["weights_BRC"][:, :, 0].count_nonzero() == 0
    assert batch["weights_BRC"][:, :, 1].tolist() == [[0, 1, 1, 0, 1, 0, 0, 0], [0, 1] + [0] * 6]
    types = [tensor.dtype for tensor in batch.values()]  # type: ignore[attr-defined]
    assert types == [torch.int64, torch.float32, torch.int64]


def test_visible_lines_are_one_conversation() -> None:
    batch = collate([[A, B]], visible=True)
    assert batch["conversations_BR"].tolist() == [[0, 0, 0, 0, 0, -1, -1, -1]]
    assert batch["weights_BRC"][0, :, 1].tolist() == [0, 1, 1, 0, 1, 0, 0, 0]


def test_what_is_not_learned_counts_nothing() -> None:
    learned = np.array([(True, True), (True, False), (False, True)])
    weights = np.array([(3, 3), (3, 3), (2, 0.5)], np.float32)
    batch = collate([[grid((0, 0), (5, 0), (6, 7), learned_RC=learned, weights_RC=weights)]])
    assert batch["weights_BRC"][0].tolist() == [[0, 0], [0, 0], [0, 0.5], [0, 0]]


def test_targets_shift_by_the_number_of_channels() -> None:
    """The state that predicts flat cell t is flat cell t - C."""
    batch = collate([[A, B]])
    targets = Targets.of(batch, LAYOUT, silence_weight=1.0)
    flat = torch.arange(8 * 2.0).view(1, 8, 2, 1)
    assert targets.predicted_from(flat).flatten().tolist() == [1, 3, 7]
    assert targets.token_N.tolist() == [0, 7, 8]
    assert targets.is_silent_N.tolist() == [True, False, False]
    assert len(set(targets.conversation_N.tolist())) == 2


@pytest.mark.parametrize(("silence_weight", "expected"), [(1.0, 3.0), (0.25, 2.25), (0.0, 2.0)])
def test_num_items_is_what_targets_count(silence_weight: float, expected: float) -> None:
    objective = Objective(ObjectiveConfig(silence_weight=silence_weight), LAYOUT, seed=0)
    num_items = objective.num_items(collate([[A, B]]))
    assert num_items.dtype == torch.float64
    assert num_items.item() == expected


def test_the_wrong_width_is_refused() -> None:
    with pytest.raises(DataError, match="grid 0: expected 2 channels, got 3"):
        collate([[random_grid(3, 3)]])


@pytest.mark.parametrize(
    "lines", [[], [[]], [[TokenGrid("g", np.empty((0, 2), np.int32))]]], ids=["0", "1", "empty"]
)
def test_nothing_is_refused(lines: list[list[TokenGrid]]) -> None:
    with pytest.raises(DataError, match="a conversation with rows"):
        collate(lines)


@given(
    st.lists(st.lists(st.integers(1, 12), min_size=1, max_size=4), min_size=1, max_size=3),
    st.booleans(),
)
def test_every_conversation_is_in_the_batch_once(lines: list[list[int]], visible: bool) -> None:
    grids = [
        [partly_learned(rows, 2, 10 * b + i) for i, rows in enumerate(line)]
        for b, line in enumerate(lines)
    ]
    batch = collate(grids, visible=visible)
    for b, line in enumerate(grids):
        tokens = np.concatenate([grid.tokens_RC for grid in line])
        assert batch["tokens_BRC"][b, : len(tokens)].tolist() == tokens.tolist()
        assert (batch["conversations_BR"][b] >= 0).sum() == len(tokens)
        assert not batch["weights_BRC"][b, len(tokens) :].any()
    learned = sum(
        float((grid.weights_RC * grid.learned_RC)[1:, 1].sum())  # type: ignore[operator]
        for line in grids
        for grid in line
    )
    assert batch["weights_BRC"].sum().item() == pytest.approx(learned)


def sums(lines: Sequence[Sequence[TokenGrid]], *, visible: bool = False) -> torch.Tensor:
    """The loss of each channel with its weights by LongCE."""
    model = make_model(Case(Architecture.LFM2, 2)).train()
    objective = Objective(ObjectiveConfig(mean_one=True), LAYOUT, seed=0)
    batch = collate(lines, visible=visible)
    parts = objective.loss(model, batch, objective.num_items(batch), 0)
    return torch.stack([parts.loss_C, parts.longce_self_loss_C, parts.longce_weight_C]).detach()


def test_packing_changes_nothing_but_where_conversations_stand() -> None:
    one, two, three = (partly_learned(rows, 2, rows) for rows in (9, 14, 5))
    apart = sum(sums([[grid]]) for grid in (one, two, three))
    assert_same(sums([[one, two], [three]]), apart, "packed")
    assert_same(sums([[two, three, one]]), apart, "packed otherwise")
    assert_seen(sums([[one, two], [three]], visible=True), apart, "visible packing does")
