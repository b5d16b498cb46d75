"""Published formulas, on numbers small enough to do by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor

from motet.errors import LayoutError
from motet.train.objective import Objective, ObjectiveConfig
from motet.train.objective.counterfactual import View, views_of
from motet.train.objective.longce import is_long_step, longce_weights
from motet.train.objective.targets import Targets
from tests.tiny import Architecture, Case, make_layout

LAYOUT = make_layout(Case(Architecture.LFM2, 4))


def some_targets(conversations: list[int], channels: list[int], weights: list[float]) -> Targets:
    empty = torch.zeros(len(channels), dtype=torch.long)
    return Targets(
        line_N=empty,
        row_N=empty,
        channel_N=torch.tensor(channels),
        conversation_N=torch.tensor(conversations),
        token_N=empty,
        weight_N=torch.tensor(weights),
        is_silent_N=empty.bool(),
    )


def weights(gains: list[float], targets: Targets | None = None, **knobs: Any) -> list[float]:
    full_N = torch.full((len(gains),), 3.0)
    targets = targets or some_targets([0] * len(gains), [1] * len(gains), [1.0] * len(gains))
    w_N: Tensor = longce_weights(
        full_N + torch.tensor(gains), full_N, targets, ObjectiveConfig(**knobs)
    )
    return w_N.tolist()


def test_published_defaults() -> None:
    config = ObjectiveConfig()
    assert (config.mix, config.gamma, config.probability) == (0.4, 2.0, 1.0)
    assert (config.positive_only, config.mean_one, config.hidden) == (False, False, None)


def test_weight_is_the_exponential_of_the_gain_up_to_gamma() -> None:
    got = weights([0.0, math.log(1.5), math.log(2.5), -math.log(4), 1000.0])
    assert got == pytest.approx([1.0, 1.5, 2.0, 0.25, 2.0])
    assert weights([math.log(3.0)], gamma=5.0) == pytest.approx([3.0])


def test_positive_only_never_weighs_less() -> None:
    assert weights([-3.0, 0.0, math.log(1.5)], positive_only=True) == pytest.approx([1, 1, 1.5])


def test_mean_one_for_each_conversation_and_channel() -> None:
    """Weights 1, 2 | 0.5, 2 | 2 of three groups; means 1.5 | (0.5 + 3 * 2) / 4 | 2."""
    targets = some_targets([0, 0, 0, 0, 7], [1, 1, 2, 2, 1], [1.0, 1.0, 1.0, 3.0, 1.0])
    gains = [0.0, math.log(2), -math.log(2), math.log(2), math.log(2)]
    got = weights(gains, targets, mean_one=True)
    assert got == pytest.approx([1 / 1.5, 2 / 1.5, 0.5 / 1.625, 2 / 1.625, 1.0])


def test_mean_one_of_nothing_but_zeros_is_no_number_to_fear() -> None:
    assert weights([-1e5, -1e5], mean_one=True) == [0.0, 0.0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.floats(-3, 3), st.floats(0.1, 3)),
             min_size=1, max_size=30),
)  # fmt: skip
def test_mean_one_keeps_what_targets_count(drawn: list[tuple[int, int, float, float]]) -> None:
    conversations, channels, gains, counts = (list(x) for x in zip(*drawn, strict=True))
    targets = some_targets(conversations, channels, counts)
    w = weights(gains, targets, mean_one=True)
    assert sum(a * x for a, x in zip(counts, w, strict=True)) == pytest.approx(
        sum(counts), rel=1e-4
    )


def test_share_of_steps_with_longce() -> None:
    config = ObjectiveConfig(probability=0.3)
    steps = [is_long_step(config, 5, step) for step in range(4000)]
    assert sum(steps) / 4000 == pytest.approx(0.3, abs=0.03)
    assert steps == [is_long_step(config, 5, step) for step in range(4000)]
    assert steps != [is_long_step(config, 6, step) for step in range(4000)]


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({}, True),
        ({"probability": 0.0}, False),
        ({"mix": 1.0}, False),
        ({"probability": 1.0}, True),
    ],
)
def test_always_or_never(knobs: dict[str, float], expected: bool) -> None:
    config = ObjectiveConfig(**knobs)
    assert all(is_long_step(config, 0, step) is expected for step in range(100))


def test_views() -> None:
    assert views_of(4, (1, 2, 3), (0, 1, 2, 3)) == [View((c,), (c,)) for c in (1, 2, 3)]
    assert views_of(4, (1, 2, 3), (1, 2, 3)) == [View((0, c), (c,)) for c in (1, 2, 3)]
    assert views_of(4, (1, 2, 3), (0, 3)) == [View((1, 2), (1, 2)), View((1, 2, 3), (3,))]
    assert views_of(1, (0,), (0,)) == [View((0,), (0,))]


def test_an_unknown_channel_is_refused() -> None:
    with pytest.raises(LayoutError, match="expected one of User, Output"):
        Objective(ObjectiveConfig(hidden=("Skeptic",)), LAYOUT, seed=0)


@pytest.mark.parametrize(
    "wrong",
    [{"mix": 1.1}, {"mix": -0.1}, {"gamma": 0.0}, {"silence_weight": -1.0}, {"probability": 2.0},
     {"logits_bytes": 0}, {"gama": 2.0}, {"mix": "0.4"}, {"silence_weight": math.inf}],
    ids=str,
)  # fmt: skip
def test_wrong_knobs_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ObjectiveConfig(**wrong)


def test_channels_may_come_as_a_list() -> None:
    """As TOML has them."""
    assert ObjectiveConfig(hidden=["User"]).hidden == ("User",)  # type: ignore[arg-type]
