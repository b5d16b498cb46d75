"""Every law, on every architecture, conv mode and number of channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from motet.runtime.torch import MultiStreamModel, TorchRuntime
from motet.streams import ConvMode
from tests.laws import checks
from tests.tiny import CASES, Architecture, Case, make_model, stock_model, tiny_runtime

CONV_WIDTH = 3


def permuted_runtime(model: MultiStreamModel, permutation: list[int]) -> TorchRuntime:
    """`model`, its channel embeddings reordered in place."""
    assert model.channel_embedding is not None
    weight = model.channel_embedding.weight
    weight.data = weight.data[permutation].clone()
    return TorchRuntime(model)


def training_logits(model: MultiStreamModel, grids: NDArray[np.int32]) -> checks.Logits:
    """The training forward on NumPy grids."""
    with torch.no_grad():
        logits: checks.Logits = model(torch.from_numpy(grids).long()).numpy()
    return logits


def packed_logits(
    model: MultiStreamModel, grids: NDArray[np.int32], numbers: NDArray[np.int64]
) -> checks.Logits:
    """The training forward on lines of several conversations."""
    with torch.no_grad():
        logits = model(torch.from_numpy(grids).long(), torch.from_numpy(numbers))
    result: checks.Logits = logits.numpy()
    return result


def stock_logits(architecture: Architecture) -> Callable[[NDArray[np.int32]], checks.Logits]:
    """Stock transformers, [T] -> [T, V]."""
    stock = stock_model(architecture)

    def logits(ids: NDArray[np.int32]) -> checks.Logits:
        with torch.no_grad():
            result: checks.Logits = stock(torch.from_numpy(ids).long()[None]).logits[0].numpy()
        return result

    return logits


def only(applies: Callable[[Case], bool]) -> pytest.MarkDecorator:
    """The cases that a law is about."""
    cases = [case for case in CASES if applies(case)]
    assert len(cases) >= 3
    return pytest.mark.parametrize("case", cases, ids=str, indirect=True)


def num_movable(case: Case) -> int:
    """row_boundary gives the last W-1 channels a part of their own; those before may move."""
    has_boundary = case.has_conv and case.conv_mode is ConvMode.ROW_BOUNDARY
    return case.num_channels - (CONV_WIDTH - 1 if has_boundary else 0)


def test_1_prefill_is_decode(runtime: TorchRuntime) -> None:
    checks.check_prefill_is_decode(runtime)


def test_2_chunking(runtime: TorchRuntime) -> None:
    checks.check_chunking(runtime)


def test_3_batch(runtime: TorchRuntime) -> None:
    checks.check_batch(runtime)


def test_4_inactive(runtime: TorchRuntime) -> None:
    checks.check_inactive(runtime)


@only(lambda case: case.num_channels == 1)
def test_5_single_channel(case: Case) -> None:
    unmarked = replace(case, channel_embedding=False)
    checks.check_single_channel(tiny_runtime(unmarked), stock_logits(case.architecture))


def test_6_no_peek(runtime: TorchRuntime) -> None:
    checks.check_no_peek(runtime)


def test_7_yes_look(runtime: TorchRuntime) -> None:
    checks.check_yes_look(runtime)


@only(lambda case: num_movable(case) > 1)
def test_8_permutation(case: Case, runtime: TorchRuntime) -> None:
    n = num_movable(case)
    permutation = [*range(1, n), 0, *range(n, case.num_channels)]
    permuted = permuted_runtime(make_model(case), permutation)
    checks.check_permutation(runtime, permuted, permutation)


@only(lambda case: case.num_channels > 1)
def test_8_channel_identity(runtime: TorchRuntime) -> None:
    checks.check_channel_identity(runtime)


@only(lambda case: case.has_conv)
def test_9_conv_streaming(case: Case) -> None:
    checks.check_conv_streaming(tiny_runtime(replace(case, attention=False)))


@only(lambda case: case.has_conv)
def test_9_conv_channels(case: Case) -> None:
    checks.check_conv_channels(tiny_runtime(replace(case, attention=False)), CONV_WIDTH)


def test_10_fork(runtime: TorchRuntime) -> None:
    checks.check_fork(runtime)


def test_11_truncate(runtime: TorchRuntime) -> None:
    checks.check_truncate(runtime)


def test_12_save_and_load(runtime: TorchRuntime, tmp_path: Path) -> None:
    checks.check_save_and_load(runtime, tmp_path)


def test_14_training(runtime: TorchRuntime) -> None:
    checks.check_training(runtime, lambda grids: training_logits(runtime.model, grids))


def test_14_packed_training(runtime: TorchRuntime) -> None:
    checks.check_packed_training(runtime, lambda *batch: packed_logits(runtime.model, *batch))
