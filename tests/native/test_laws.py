"""Every law on the native runtime. Law 13 belongs to the engine, 14 to training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motet.formats.names import CHANNEL_EMBEDDING
from motet.runtime.native import KVType, Model, NativeRuntime
from motet.runtime.native.weights import weight_of
from tests.laws import checks
from tests.laws.test_laws import CONV_WIDTH, num_movable, stock_logits
from tests.native.models import CASES, native, read_case, tiny_native
from tests.tiny import Case


def permuted(model: Model, permutation: list[int]) -> Model:
    """The same model, its channel embeddings in another order."""
    embedding_CD = model.weights[CHANNEL_EMBEDDING].floats()[permutation]
    return replace(model, weights={**model.weights, CHANNEL_EMBEDDING: weight_of(embedding_CD)})


def only(applies: Callable[[Case], bool]) -> pytest.MarkDecorator:
    """The cases that a law is about."""
    cases = [case for case in CASES if applies(case)]
    assert len(cases) >= 2
    return pytest.mark.parametrize("case", cases, ids=str, indirect=True)


def test_1_prefill_is_decode(runtime: NativeRuntime) -> None:
    checks.check_prefill_is_decode(runtime)


def test_2_chunking(runtime: NativeRuntime) -> None:
    checks.check_chunking(runtime)


def test_3_batch(runtime: NativeRuntime) -> None:
    checks.check_batch(runtime)


def test_4_inactive(runtime: NativeRuntime) -> None:
    checks.check_inactive(runtime)


@only(lambda case: case.num_channels == 1)
def test_5_single_channel(case: Case) -> None:
    unmarked = replace(case, channel_embedding=False)
    checks.check_single_channel(tiny_native(unmarked), stock_logits(case.architecture))


def test_6_no_peek(runtime: NativeRuntime) -> None:
    checks.check_no_peek(runtime)


def test_7_yes_look(runtime: NativeRuntime) -> None:
    checks.check_yes_look(runtime)


@only(lambda case: num_movable(case) > 1)
def test_8_permutation(case: Case, runtime: NativeRuntime) -> None:
    n = num_movable(case)
    permutation = [*range(1, n), 0, *range(n, case.num_channels)]
    other = NativeRuntime(permuted(read_case(case), permutation), kv_type=KVType.F32)
    checks.check_permutation(runtime, other, permutation)


@only(lambda case: case.num_channels > 1)
def test_8_channel_identity(runtime: NativeRuntime) -> None:
    checks.check_channel_identity(runtime)


@only(lambda case: case.has_conv)
def test_9_conv_streaming(case: Case) -> None:
    checks.check_conv_streaming(native(replace(case, attention=False)))


@only(lambda case: case.has_conv)
def test_9_conv_channels(case: Case) -> None:
    checks.check_conv_channels(native(replace(case, attention=False)), CONV_WIDTH)


def test_10_fork(runtime: NativeRuntime) -> None:
    checks.check_fork(runtime)


def test_11_truncate(runtime: NativeRuntime) -> None:
    checks.check_truncate(runtime)


def check_every_source(runtime: checks.AnyRuntime) -> None:
    """Law 11 with cuts that the ring holds, at and between snapshots, and before the first."""
    rows, tail = checks.random_rows(runtime, 200), checks.random_rows(runtime, 2, seed=1)
    long = runtime.open(210)
    checks.read(runtime, long, rows)
    whole = checks.read_alone(runtime, rows)
    for n in (0, 1, 63, 64, 65, 66, 127, 128, 129, 140, 199):
        state = long.fork()
        runtime.truncate(state, n)
        expected = checks.read_alone(runtime, np.concatenate([rows[:n], tail]))[n:]
        checks.assert_same(checks.decode(runtime, state, tail), expected, f"law 11: after {n}")
        runtime.truncate(state, n)
        again = checks.read(runtime, state, rows[n:])
        checks.assert_same(again, whole[n:], f"law 11: {n} and forward again")


@only(lambda case: case.has_conv and case.num_channels > 1)
def test_11_truncate_to_every_source(runtime: NativeRuntime) -> None:
    check_every_source(runtime)


def test_12_save_and_load(runtime: NativeRuntime, tmp_path: Path) -> None:
    checks.check_save_and_load(runtime, tmp_path)
