"""The sampler against a slow, obvious reference, and the dice."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from motet.engine import Sampling
from motet.engine.sampling import (
    Dice,
    forbid,
    logprobs_of,
    penalise_presence,
    penalise_repetition,
    penalise_silence,
    sample,
)
from motet.errors import SessionError

LAST = 1 - 2.0**-53  # the largest number that the dice can show
PLAIN = Sampling(temperature=1.0, top_k=0, top_p=1.0)


def logits_of(*values: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(values, np.float32)


def distribution(logits: list[float], sampling: Sampling) -> list[tuple[int, float]]:
    """(id, probability) of what may be drawn, likeliest first, then lower id. By the book."""
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    if sampling.temperature == 0:
        return [(order[0], 1.0)]
    if sampling.top_k:
        order = order[: sampling.top_k]
    weights = [math.exp((logits[i] - logits[order[0]]) / sampling.temperature) for i in order]
    pairs = [(i, w / math.fsum(weights)) for i, w in zip(order, weights, strict=True)]
    nucleus: list[tuple[int, float]] = []
    for pair in pairs:
        if nucleus and math.fsum(p for _, p in nucleus) >= sampling.top_p:
            break
        nucleus.append(pair)
    kept = [(i, p) for i, p in nucleus if p >= sampling.min_p * pairs[0][1]]
    total = math.fsum(p for _, p in kept)
    return [(i, p / total) for i, p in kept if p > 0]


def support(logits: Any, sampling: Sampling) -> set[int]:
    """The ids that some number draws, found by trying many."""
    numbers = [*np.linspace(0, LAST, 4001), LAST]
    return {sample(logits, sampling, float(u)) for u in numbers}


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(temperature=0.0), {4}),
        (Sampling(temperature=0.0, top_k=0, top_p=1.0), {4}),
        (Sampling(temperature=1.0, top_k=1, top_p=1.0), {4}),
        (Sampling(temperature=1.0, top_k=3, top_p=1.0), {4, 1, 2}),
        (Sampling(temperature=1.0, top_k=4, top_p=1.0), {4, 1, 2, 3}),
        (Sampling(temperature=1.0, top_k=6, top_p=1.0), {0, 1, 2, 3, 4, 5}),
        (Sampling(temperature=1.0, top_k=1_000_000, top_p=1.0), {0, 1, 2, 3, 4, 5}),
        (PLAIN, {0, 1, 2, 3, 4, 5}),
        (Sampling(temperature=1.0, top_k=0, top_p=0.3), {4}),
        (Sampling(temperature=1.0, top_k=0, top_p=0.5), {4, 1}),
        (Sampling(temperature=1.0, top_k=0, top_p=0.7), {4, 1, 2}),
        (Sampling(temperature=1.0, top_k=0, top_p=1e-9), {4}),
        (Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.9), {4}),
        (Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.49), {4, 1, 2, 3}),
        (Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=1.0), {4}),
        (Sampling(temperature=1.0, top_k=2, top_p=0.7), {4, 1}),
    ],
)
def test_what_may_be_drawn(sampling: Sampling, expected: set[int]) -> None:
    """Shares 0.05, 0.2, 0.2, 0.2, 0.4 (the likeliest) and 0.05; ties go to the lower id."""
    weights = (0.05, 0.2, 0.2, 0.2, 0.4, 0.05)
    assert support(logits_of(*map(math.log, weights)), sampling) == expected


def test_all_equal_ties_keep_lowest_ids() -> None:
    flat = np.zeros(50, np.float32)
    assert support(flat, Sampling(temperature=1.0, top_k=5, top_p=1.0)) == {0, 1, 2, 3, 4}
    assert sample(flat, Sampling(temperature=0.0), 0.7) == 0


def test_temperature_sharpens_and_flattens() -> None:
    logits = logits_of(1.0, 0.0)
    for temperature in (0.25, 1.0, 4.0):
        share = 1 / (1 + math.exp(-1 / temperature))
        sampling = Sampling(temperature=temperature, top_k=0, top_p=1.0)
        assert sample(logits, sampling, share - 1e-6) == 0
        assert sample(logits, sampling, share + 1e-6) == 1


samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 1e-300, 0.01, 0.6, 1.0, 3.0, 100.0]),
    top_k=st.sampled_from([0, 1, 2, 5, 20, 1000]),
    top_p=st.sampled_from([1e-6, 0.1, 0.5, 0.95, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
)
values = st.one_of(
    st.sampled_from([-math.inf, 0.0, 1.0, -1.0, 3.4e38, -3.4e38, 1e4, -1e4]),
    st.floats(-30, 30, width=32),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(values, min_size=1, max_size=40), samplings, st.floats(0, LAST))
def test_equals_reference(logits: list[float], sampling: Sampling, uniform: float) -> None:
    assume(max(logits) > -math.inf)
    exact = [float(np.float32(v)) for v in logits]
    got = sample(logits_of(*logits), sampling, uniform)
    expected = distribution(exact, sampling)
    probabilities = dict(expected)
    if got in probabilities:
        # The number falls into the token's interval, but for rounding at its ends.
        start = math.fsum(p for i, p in expected[: [i for i, _ in expected].index(got)])
        assert start - 1e-9 <= uniform <= start + probabilities[got] + 1e-9
    else:
        # Only a tie at the rim of a nucleus may round the other way.
        wider = Sampling(
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=min(1.0, sampling.top_p + 1e-9),
            min_p=max(0.0, sampling.min_p - 1e-9),
        )
        assert got in dict(distribution(exact, wider))


@settings(max_examples=200, deadline=None)
@given(st.lists(values, min_size=2, max_size=30), samplings, st.sampled_from([0.0, 0.5, LAST]))
def test_impossible_tokens_are_never_drawn(
    logits: list[float], sampling: Sampling, uniform: float
) -> None:
    assume(max(logits) > -math.inf)
    assert logits[sample(logits_of(*logits), sampling, uniform)] > -math.inf


@pytest.mark.parametrize("seed", range(4))
def test_equals_transformers(seed: int) -> None:
    """The set that may be drawn is what transformers' own warpers leave."""
    logits = np.random.default_rng(seed).normal(0, 2, 60).astype(np.float32)
    for sampling in (
        Sampling(temperature=0.7, top_k=12, top_p=1.0),
        Sampling(temperature=0.7, top_k=0, top_p=0.8),
        Sampling(temperature=1.6, top_k=0, top_p=1.0, min_p=0.2),
        Sampling(temperature=0.9, top_k=15, top_p=0.9, min_p=0.05),
    ):
        scores: Any = torch.from_numpy(logits)[None]
        ids: Any = torch.zeros((1, 0), dtype=torch.long)
        scores = TemperatureLogitsWarper(sampling.temperature)(ids, scores)
        if sampling.top_k:
            scores = TopKLogitsWarper(sampling.top_k)(ids, scores)
        scores = TopPLogitsWarper(sampling.top_p)(ids, scores)
        scores = MinPLogitsWarper(sampling.min_p)(ids, scores)
        shares = scores.softmax(-1)[0].double().numpy()
        drawn = [sample(logits, sampling, u) for u in (np.arange(4000) + 0.5) / 4000]
        got = np.bincount(drawn, minlength=60) / 4000
        np.testing.assert_allclose(got, shares, atol=1.1 / 4000 + 1e-6)


def test_frequencies_follow_shares() -> None:
    """Chi-squared of 8,000 draws with the dice, 9 degrees of freedom (0.1 % point: 27.9)."""
    logits = np.random.default_rng(3).normal(0, 1, 10).astype(np.float32)
    dice = Dice(11, 4)
    drawn = [sample(logits, PLAIN, dice.roll(row, c)) for row in range(2000) for c in range(4)]
    observed = np.bincount(drawn, minlength=10)
    shares = dict(distribution(logits.tolist(), PLAIN))
    expected = np.array([8000 * shares[i] for i in range(10)])
    assert float(((observed - expected) ** 2 / expected).sum()) < 27.9


@pytest.mark.parametrize("broken", [math.nan, math.inf])
@pytest.mark.parametrize("sampling", [PLAIN, Sampling(), Sampling(temperature=0.0)])
def test_broken_logits_are_an_error(broken: float, sampling: Sampling) -> None:
    with pytest.raises(SessionError, match="logits: expected finite numbers, got"):
        sample(logits_of(0.0, broken, 1.0), sampling, 0.5)
    with pytest.raises(SessionError, match="logits"):
        sample(logits_of(-math.inf, -math.inf), sampling, 0.5)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(values, min_size=8, max_size=8),
    st.sets(st.integers(0, 7)),
    st.sampled_from([0.5, 1.0, 1.05, 1.3, 2.0, 100.0]),
)
def test_repetition_penalty_equals_transformers(
    logits: list[float], said: set[int], penalty: float
) -> None:
    before = logits_of(*logits)
    got = penalise_repetition(before, said, penalty)
    ids = torch.tensor([sorted(said)], dtype=torch.long)
    processor = RepetitionPenaltyLogitsProcessor(penalty)
    expected = processor(ids, torch.tensor([logits], dtype=torch.float32))[0]
    np.testing.assert_allclose(got, expected.numpy(), rtol=1e-6)
    np.testing.assert_array_equal(before, logits_of(*logits))  # not in place


def test_silence_penalty_touches_silence_only() -> None:
    before = logits_of(1.0, 2.0, 3.0)
    np.testing.assert_array_equal(penalise_silence(before, 1, 0.75), logits_of(1.0, 1.25, 3.0))
    np.testing.assert_array_equal(before, logits_of(1.0, 2.0, 3.0))
    assert penalise_silence(before, 1, 0.0) is before


cells = st.tuples(st.integers(0, 300), st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**63 - 1), st.lists(cells, min_size=1, max_size=20), st.randoms())
def test_dice_do_not_depend_on_the_order_of_asking(
    seed: int, asked: list[tuple[int, int]], random: Any
) -> None:
    dice = Dice(seed, 4)
    first = {cell: dice.roll(*cell) for cell in asked}
    shuffled = list(asked)
    random.shuffle(shuffled)
    assert {cell: dice.roll(*cell) for cell in shuffled} == first
    assert {cell: Dice(seed, 4).roll(*cell) for cell in asked} == first


def test_dice_differ_by_seed_row_and_channel() -> None:
    numbers = [
        Dice(seed, 4).roll(row, channel)
        for seed in (0, 1, 2, 2**63 - 1)
        for row in (*range(70), 640, 10_000)
        for channel in range(4)
    ]
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= n < 1 for n in numbers)


def test_dice_are_uniform() -> None:
    """Kolmogorov-Smirnov distance of 8,000 numbers (0.1 % point: 1.95 / sqrt(n))."""
    dice = Dice(5, 4)
    numbers = np.sort([dice.roll(row, c) for row in range(2000) for c in range(4)])
    distance = np.abs(numbers - (np.arange(8000) + 0.5) / 8000).max()
    assert distance < 1.95 / math.sqrt(8000)
    by_row = [dice.roll(row, 0) for row in range(2000)]
    assert abs(np.corrcoef(by_row[:-1], by_row[1:])[0, 1]) < 0.07
    assert abs(np.corrcoef(by_row, [dice.roll(r, 1) for r in range(2000)])[0, 1]) < 0.07
    assert any(a > b for a, b in pairwise(by_row))


def test_dice_never_change() -> None:
    """Saved sessions and published seeds rely on these very numbers."""
    numbers = [Dice(0, 4).roll(0, 1), Dice(7, 4).roll(63, 3), Dice(7, 4).roll(64, 0)]
    assert numbers == [0.24154919656271812, 0.6491573348509206, 0.8824668302545412]


@pytest.mark.parametrize("vocab_size", [64, 65, 1_300, 130_000])
@pytest.mark.parametrize("top_k", [1, 2, 20, 80])
def test_top_k_of_a_large_vocabulary_is_that_of_sorting(vocab_size: int, top_k: int) -> None:
    rng = np.random.default_rng(vocab_size)
    for logits_V in (rng.standard_normal(vocab_size), np.round(rng.standard_normal(vocab_size))):
        logits_V = logits_V.astype(np.float32)
        likeliest = np.lexsort((np.arange(vocab_size), -logits_V))[:top_k]
        sampling = Sampling(temperature=100.0, top_k=top_k, top_p=1.0)
        drawn = {sample(logits_V, sampling, u) for u in np.linspace(0, 1, 2_000, endpoint=False)}
        assert drawn == set(likeliest.tolist())


def test_presence_counts_once_and_frequency_each_time() -> None:
    logits = logits_of(1.0, 2.0, -3.0, 0.5)
    drawn = {1: 3, 2: 1}
    np.testing.assert_allclose(penalise_presence(logits, drawn, 0.5, 0.0), [1.0, 1.5, -3.5, 0.5])
    np.testing.assert_allclose(penalise_presence(logits, drawn, 0.0, 0.5), [1.0, 0.5, -3.5, 0.5])
    np.testing.assert_allclose(penalise_presence(logits, drawn, -1.0, 1.0), [1.0, 0.0, -3.0, 0.5])
    assert logits.tolist() == [1.0, 2.0, -3.0, 0.5]
    assert penalise_presence(logits, drawn, 0.0, 0.0) is logits
    assert penalise_presence(logits, {}, 1.0, 1.0) is logits


@pytest.mark.parametrize("sampling", [PLAIN, Sampling(), Sampling(temperature=0.0)])
def test_what_is_forbidden_is_never_drawn(sampling: Sampling) -> None:
    logits = logits_of(1.0, 9.0, 0.5, 0.4)
    assert 1 not in support(forbid(logits, 1), sampling)
    assert 1 in support(logits, sampling)


@given(st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=40), st.data())
def test_logprobs_are_those_of_a_softmax(values: list[float], data: st.DataObject) -> None:
    logits = logits_of(*values)
    token_id = data.draw(st.integers(0, len(values) - 1))
    num_top = data.draw(st.integers(0, 45))
    found = logprobs_of(logits, token_id, num_top)
    reference = torch.log_softmax(torch.tensor(values, dtype=torch.float64), dim=0).numpy()
    assert found.logprob == pytest.approx(reference[token_id], abs=1e-5)
    order = sorted(range(len(values)), key=lambda i: (-logits[i], i))[:num_top]
    assert [token for token, _ in found.top] == order
    assert [logprob for _, logprob in found.top] == pytest.approx(reference[order], abs=1e-5)
