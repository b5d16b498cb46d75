"""How equal is equal, and how different is different: the only place that says so.

The same sums are taken in another order when rows are batched, chunked or decoded one by one.
float32 has 24 bits; logits of the tiny models reach about 10, so one rounding is 5e-7, and some
tens of them meet in a logit (measured: up to 1.1e-5). SAME leaves a factor of ten for other
processors. What a law says must arrive moves a logit by at least SEEN, a hundred times SAME, so
that a check that passes on "same" can't have been looking at noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tests.laws.half_sums import adds_in_half

SAME = 1e-4
SEEN = 1e-2

TOTAL = {
    "f16": (5e-7, 1e-5),
    "bf16": (3e-5, 7e-4),
    "q8_0": (6e-4, 8e-3),
    "q6_k": (4e-3, 5e-2),
    "q5_k": (1.5e-2, 1.6e-1),
    "q4_k": (6e-2, 5e-1),
    "q4_0": (8e-2, 7e-1),
    "iq4_xs": (7e-2, 6.5e-1),
}
"""Law 16: the KL divergence in nats that each type may have from float32, and must have.

The median over cells of the random models of `tests.native.random_models`, in which rounding counts
some hundred times more than in trained ones. Measured over four architectures and both kernels: f16
1.1e-6 to 4.7e-6, bf16 6.5e-5 to 3.0e-4, q8_0 1.2e-3 to 4e-3, q6_k 8e-3 to 2.4e-2, q5_k 3.2e-2 to
8.3e-2, q4_k 1.2e-1 to 2.6e-1, q4_0 1.6e-1 to 3.4e-1, iq4_xs 1.4e-1 to 3.2e-1; twice that is left
on either side. The median, because one cell whose expert was a close choice would decide a mean. A
type that costs less than it must is not what it says.
"""

HALF_SUMS = 4e-5 if adds_in_half() else 0.0
"""Law 16: what f16 may diverge more with ggml's operations where ggml adds in float16, as it does
on x86 with AVX512-FP16. Measured there: 8.6e-6 to 2.2e-5 in all, 7.1e-6 to 1.9e-5 of computing.
"""

_INT8 = ("q8_0", "q6_k", "q5_k", "q4_k", "q4_0", "iq4_xs")
ROUNDED = {
    "own": {"f16": 1e-10, "bf16": 1e-10, **dict.fromkeys(_INT8, 4e-3), "iq4_xs": 1e-2},
    "stock": {"f16": 4e-6 + HALF_SUMS, "bf16": 3e-4, **dict.fromkeys(_INT8, 1e-2)},
}
"""Of that, what may come from computing and not from the weights, by whose kernels compute: median
KL from the same blocks in float32. Own kernels take activations in float32 for float weights, else
in int8 with a scale for 32 of them, for iq4_xs 256; ggml rounds them to the weights' type, or to
int8 with a scale for 32 (q8_0, q4_0) or 256. Measured at most: own 5e-12 and 1.8e-3, for iq4_xs
4.2e-3; stock 1.9e-6, 1.2e-4, 4.5e-3.
"""

TRAINED = {"f16": 1e-6, "q8_0": 8e-4, "q4_0": 4e-3}
"""Mean KL of the embedded model in its own conversations. The surer a model is, the more a few
cells with a close choice decide a mean. Measured with four sets of weights: f16 1.7e-8 to 4.9e-8,
q8_0 5.1e-5 to 1.6e-4 over 64 conversations (95 % to 4.0e-4) and 3.2e-4 over the first 32, q4_0
1.8e-3 to 2.8e-3. A type stays below what the next coarser one is measured at.
"""

TRAINED_HALF_SUMS = 2e-4 if adds_in_half() else 0.0
"""What f16 may diverge more there with ggml's operations that add in float16: a mean that a few
cells decide. Measured with three sets of weights: 4.1e-7, 1.9e-6 and 6.2e-5.
"""

OWN_OVER_STOCK = 1.15
"""Own kernels may diverge so many times as far as ggml's operations, as a median over cells. Both
round alike and differ in which cells it hits: measured 0.92 to 1.04 with 192 cells a model (f16
and bf16: 0.5 to 0.7).
"""


def largest_difference(a: ArrayLike, b: ArrayLike) -> float:
    """Largest absolute difference; infinite if shapes differ or a value is not a number."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return float("inf")
    return float(np.nan_to_num(np.abs(a - b), nan=np.inf).max(initial=0.0))


def assert_same(got: ArrayLike, expected: ArrayLike, what: str) -> None:
    """Equal but for the order of sums."""
    assert np.size(expected), f"{what}: nothing to compare"
    difference = largest_difference(got, expected)
    assert difference <= SAME, f"{what}: differs by {difference:.3g}"


def assert_identical(got: ArrayLike, expected: ArrayLike, what: str) -> None:
    """Bit for bit."""
    assert np.size(expected), f"{what}: nothing to compare"
    difference = largest_difference(got, expected)
    assert np.array_equal(got, expected), f"{what}: differs by {difference:.3g}"


def assert_seen(got: ArrayLike, unlike: ArrayLike, what: str) -> None:
    """Different, far beyond rounding."""
    difference = largest_difference(got, unlike)
    assert np.isfinite(difference), f"{what}: not comparable"
    assert difference >= SEEN, f"{what}: differs by only {difference:.3g}"
