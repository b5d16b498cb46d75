"""The order of a mixture: by weight, nothing twice before everything once, the same for ever."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.data.dice import Dice, key_of
from motet.data.mix import Mixture, quotas
from motet.data.permutation import Permutation
from motet.errors import SettingError

sizes_and_weights = st.lists(
    st.tuples(st.integers(1, 40), st.floats(0.1, 5)), min_size=1, max_size=4
)


def mixture_of(
    parts: list[tuple[int, float]], seed: int = 0, num_places: int | None = None
) -> Mixture:
    return Mixture(
        [range(size) for size, _ in parts], [w for _, w in parts], seed, num_places=num_places
    )


@given(st.integers(1, 2_000), st.integers(0, 10**9))
def test_a_permutation_has_everything_once(size: int, name: int) -> None:
    assert sorted(Permutation(size, name)(np.arange(size)).tolist()) == list(range(size))


def test_a_permutation_is_shuffled_and_depends_on_its_name() -> None:
    places = np.arange(1_000)
    orders = [Permutation(1_000, name)(places) for name in range(50)]
    assert len({order.tobytes() for order in orders}) == 50
    items = np.stack(orders)
    correlation = np.corrcoef(items.mean(axis=0), places)[0, 1]
    assert abs(correlation) < 0.15  # no place prefers low items
    ascents = (np.diff(items, axis=1) > 0).mean()
    assert abs(ascents - 0.5) < 0.01


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.integers(1, 10_000))
def test_quotas_are_the_nearest_whole_parts(weights: list[float], total: int) -> None:
    parts = quotas(weights, total)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - total * weight / sum(weights)) < 1 + 1e-6


@given(sizes_and_weights, st.integers(0, 1_000), st.integers(1, 60))
def test_every_dataset_is_gone_through_before_anything_comes_again(
    parts: list[tuple[int, float]], seed: int, num_places: int
) -> None:
    mixture = mixture_of(parts, seed, num_places)
    for number in range(4):
        epoch = mixture.epoch(number)[:]
        assert len(epoch) == num_places
        assert tuple(Counter(d for d, _ in epoch)[i] for i in range(len(parts))) == mixture.quotas
    read = Counter(place for number in range(4) for place in mixture.epoch(number))
    for dataset, (size, _) in enumerate(parts):
        times = {read[dataset, conversation] for conversation in range(size)}
        assert max(times) - min(times) <= 1
        assert sum(read[dataset, i] for i in range(size)) == 4 * mixture.quotas[dataset]


def test_two_to_one_to_a_half() -> None:
    mixture = mixture_of([(700, 2), (700, 1), (700, 0.5)])
    assert mixture.quotas == (1200, 600, 300)
    firsts = Counter(d for d, _ in mixture.epoch(0)[:350])
    assert 160 < firsts[0] < 240  # mixed from the start, not one after the other
    assert 70 < firsts[1] < 130


@given(sizes_and_weights, st.integers(0, 5), st.data())
def test_any_place_alone_is_what_it_is_in_order(
    parts: list[tuple[int, float]], number: int, data: st.DataObject
) -> None:
    order = mixture_of(parts).epoch(number)
    place = data.draw(st.integers(-len(order), len(order) - 1))
    assert order[place] == list(order)[place]
    start = data.draw(st.integers(0, len(order)))
    assert order[start:] == list(order)[start:]


def test_orders_differ_by_epoch_and_seed() -> None:
    parts = [(100, 1.0)]
    orders = [mixture_of(parts, seed).epoch(n)[:] for seed in (0, 1) for n in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_orders_never_change() -> None:
    """A training that was begun with an earlier version goes on with the same data."""
    order = mixture_of([(10, 2), (5, 1), (7, 0.5)], seed=3).epoch(0)
    assert order[:6] == [(0, 0), (0, 4), (2, 4), (0, 1), (1, 3), (0, 2)]
    assert key_of("a", 1) == 7101513281160107814
    dice = Dice(7, "epoch")
    assert [dice.integer(1, 6) for _ in range(8)] == [3, 1, 6, 4, 4, 6, 4, 5]


def test_a_place_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        mixture_of([(3, 1)]).epoch(0)[3]


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_no_share(weight: float) -> None:
    with pytest.raises(SettingError, match="above 0"):
        mixture_of([(3, 1), (3, weight)])


def test_what_cannot_be_mixed() -> None:
    with pytest.raises(SettingError, match="one for each of 2"):
        Mixture([range(3), range(3)], [1], 0)
    with pytest.raises(SettingError, match="at least one conversation"):
        mixture_of([(0, 1)])
    with pytest.raises(SettingError, match="at least 1"):
        mixture_of([(3, 1)], num_places=0)


def test_dice_are_fair_and_stay_in_range() -> None:
    dice = Dice("fair")
    throws = Counter(dice.integer(1, 6) for _ in range(6_000))
    assert set(throws) == set(range(1, 7))
    assert min(throws.values()) > 880
    assert sum(dice.chance(0.25) for _ in range(4_000)) == pytest.approx(1_000, abs=120)
    assert not any(dice.chance(0.0) for _ in range(100))
    assert all(dice.chance(1.0) for _ in range(100))
    with pytest.raises(ValueError, match="from 2 to 1"):
        dice.integer(2, 1)


def test_names_that_read_alike_are_different_dice() -> None:
    assert len({key_of(1, 2), key_of(12), key_of("1", 2), key_of("1, 2"), key_of("1", "2")}) == 5
