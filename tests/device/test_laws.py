"""Every law on a device. Law 13 belongs to the engine, 14 to training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from motet.runtime.device import DeviceRuntime
from tests.device.models import CASES, on_device, opened, tiny_on_device
from tests.laws import checks
from tests.laws.test_laws import CONV_WIDTH, num_movable, stock_logits
from tests.native.models import read_case
from tests.native.test_laws import check_every_source, permuted
from tests.tiny import Case


def only(applies: Callable[[Case], bool]) -> pytest.MarkDecorator:
    """The cases that a law is about."""
    cases = [case for case in CASES if applies(case)]
    assert len(cases) >= 2
    return pytest.mark.parametrize("case", cases, ids=str, indirect=True)


def test_1_prefill_is_decode(runtime: DeviceRuntime) -> None:
    checks.check_prefill_is_decode(runtime)


def test_2_chunking(runtime: DeviceRuntime) -> None:
    checks.check_chunking(runtime)


def test_3_batch(runtime: DeviceRuntime) -> None:
    checks.check_batch(runtime)


def test_4_inactive(runtime: DeviceRuntime) -> None:
    checks.check_inactive(runtime)


@only(lambda case: case.num_channels == 1)
def test_5_single_channel(case: Case) -> None:
    unmarked = replace(case, channel_embedding=False)
    checks.check_single_channel(tiny_on_device(unmarked), stock_logits(case.architecture))


def test_6_no_peek(runtime: DeviceRuntime) -> None:
    checks.check_no_peek(runtime)


def test_7_yes_look(runtime: DeviceRuntime) -> None:
    checks.check_yes_look(runtime)


@only(lambda case: num_movable(case) > 1)
def test_8_permutation(case: Case, runtime: DeviceRuntime) -> None:
    n = num_movable(case)
    permutation = [*range(1, n), 0, *range(n, case.num_channels)]
    other = opened(permuted(read_case(case), permutation))
    checks.check_permutation(runtime, other, permutation)


@only(lambda case: case.num_channels > 1)
def test_8_channel_identity(runtime: DeviceRuntime) -> None:
    checks.check_channel_identity(runtime)


@only(lambda case: case.has_conv)
def test_9_conv_streaming(case: Case) -> None:
    checks.check_conv_streaming(on_device(replace(case, attention=False)))


@only(lambda case: case.has_conv)
def test_9_conv_channels(case: Case) -> None:
    checks.check_conv_channels(on_device(replace(case, attention=False)), CONV_WIDTH)


def test_10_fork(runtime: DeviceRuntime) -> None:
    checks.check_fork(runtime)


def test_11_truncate(runtime: DeviceRuntime) -> None:
    checks.check_truncate(runtime)


@only(lambda case: case.has_conv and case.num_channels > 1)
def test_11_truncate_to_every_source(runtime: DeviceRuntime) -> None:
    check_every_source(runtime)


def test_12_save_and_load(runtime: DeviceRuntime, tmp_path: Path) -> None:
    checks.check_save_and_load(runtime, tmp_path)
