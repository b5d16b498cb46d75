"""The order of the data: all of it once an epoch, the same wherever one begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import islice
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.data.token_grid import TokenGrid
from motet.train.batch import Batch
from motet.train.collate import Collator
from motet.train.config.data import Packing
from motet.train.feed import Feed, Order, Portion, Position
from tests.train.run import little


def samples_of(epoch: int, *, num: int) -> Sequence[TokenGrid]:
    rng = Random(epoch)
    return [little.grid(100 * epoch + i, rng) for i in range(num)]


def order(packing: Packing = Packing.SEPARATE, *, num: int = 37, pool: int = 10) -> Order:
    return Order(partial(samples_of, num=num), 5, packing, 40, 4, pool)


@given(
    packing=st.sampled_from(list(Packing)),
    num=st.integers(1, 40),
    pool=st.integers(1, 50),
    num_steps=st.integers(1, 25),
)
def test_every_sample_of_an_epoch_comes_once_before_any_comes_again(
    packing: Packing, num: int, pool: int, num_steps: int
) -> None:
    steps = list(islice(order(packing, num=num, pool=pool).start_at(Position()), num_steps))
    refs = [ref for step in steps for one in step.refs for ref in one]
    counts = Counter(refs)
    assert set(counts.values()) == {1}
    last = max(epoch for epoch, _ in refs)
    for epoch in range(last - 4):  # what is carried over may wait for a few short epochs
        assert sum(e == epoch for e, _ in refs) == num
    assert all(len(step.refs) == 4 for step in steps)
    assert steps[-1].after.num_conversations == len(refs)
    rows = sum(g.num_rows for step in steps for one in step.sequences for g in one)
    assert steps[-1].after.num_rows == rows


@pytest.mark.parametrize("packing", list(Packing))
def test_it_goes_on_from_any_step(packing: Packing) -> None:
    whole = list(islice(order(packing).start_at(Position()), 30))
    for at in (1, 7, 8, 19):
        position = Position.from_json(whole[at - 1].after.to_json())
        rest = islice(order(packing).start_at(position), 30 - at)
        for got, expected in zip(rest, whole[at:], strict=True):
            assert got.refs == expected.refs
            assert got.after == expected.after


def test_another_seed_is_another_order() -> None:
    one = order(Packing.NONE)
    other = Order(one.samples_of, 6, one.packing, 40, 4, 10)
    first, second = ([s.refs for s in islice(o.start_at(Position()), 8)] for o in (one, other))
    assert first != second


def test_packs_hold_no_more_rows_than_they_may() -> None:
    for packing, most in ((Packing.SEPARATE, 8), (Packing.NONE, 1)):
        for step in islice(order(packing).start_at(Position()), 12):
            sizes = [sum(grid.num_rows for grid in one) for one in step.sequences]
            assert max(sizes) <= 40
            assert max(len(one) for one in step.sequences) <= most
            assert sizes == sorted(sizes, reverse=True)
    packs = next(order(Packing.SEPARATE).start_at(Position())).refs
    assert max(map(len, packs)) > 1


def test_long_conversations_are_cut() -> None:
    long = TokenGrid("0", np.zeros((100, 3), np.int32))
    cutting = Order(lambda _: [long] * 4, 0, Packing.SEPARATE, 40, 4, 10)
    step = next(cutting.start_at(Position()))
    assert {grid.num_rows for one in step.sequences for grid in one} == {40}


def portions(rank: int, size: int, at_once: int) -> list[Portion]:
    collate = Collator(little.layout(), visible=False)
    feed = Feed(order(), collate, at_once, rank, size, Position())
    return list(islice(feed, 6 * feed.num_accumulated))


@pytest.mark.parametrize(("size", "at_once"), [(1, 4), (1, 1), (2, 1), (2, 2), (4, 1)])
def test_processes_share_a_step_without_overlap(size: int, at_once: int) -> None:
    whole = portions(0, 1, 4)
    shares = [portions(rank, size, at_once) for rank in range(size)]
    per_step = 4 // (size * at_once)
    for step, portion in enumerate(whole):
        mine = [p for share in shares for p in share[step * per_step : (step + 1) * per_step]]
        assert sorted(ref for p in mine for ref in p.refs) == sorted(portion.refs)
        assert all(p.after == portion.after for p in mine)


def test_the_batch_holds_what_the_refs_say() -> None:
    portion = portions(0, 1, 4)[0]
    grids = samples_of(0, num=37)
    for line, one in enumerate(portion.refs):
        expected = np.concatenate([grids[index].tokens_RC for _, index in one])
        got = portion.batch["tokens_BRC"][line, : len(expected)].numpy()
        np.testing.assert_array_equal(got, expected)


def test_a_broken_conversation_is_raised_where_it_is_read() -> None:
    def broken(sequences: Sequence[Sequence[TokenGrid]]) -> Batch:
        raise ValueError("broken")

    feed = Feed(order(), broken, 1, 0, 1, Position())
    with pytest.raises(ValueError, match="broken"):
        next(iter(feed))


def test_a_feed_that_is_left_ends_its_thread() -> None:
    import threading

    collate = Collator(little.layout(), visible=False)
    before = threading.active_count()
    iterator = iter(Feed(order(), collate, 1, 0, 1, Position()))
    next(iterator)
    assert threading.active_count() == before + 1
    iterator.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
