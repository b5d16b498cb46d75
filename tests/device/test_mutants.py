"""Every law turns red on a device runtime that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from motet.runtime.device import DeviceRuntime
from motet.streams import ConvMode
from tests.device import device_mutants as m
from tests.device.models import on_device, opened
from tests.laws import checks
from tests.laws.test_laws import CONV_WIDTH, stock_logits
from tests.native.test_laws import check_every_source, permuted
from tests.tiny import Architecture, Case

MOE = Case(Architecture.LFM2_MOE, 4)
DENSE = Case(Architecture.LFM2, 4)
BOUNDARY = Case(Architecture.LFM2, 4, ConvMode.ROW_BOUNDARY)
QWEN3 = Case(Architecture.QWEN3, 4)
ONE = Case(Architecture.LFM2, 1, channel_embedding=False)
CONV_ONLY = replace(DENSE, attention=False)
BOUNDARY_CONV_ONLY = replace(BOUNDARY, attention=False)
PERMUTATION = [2, 0, 3, 1]

Law = Callable[[DeviceRuntime, Path], None]


def law_5(runtime: DeviceRuntime, _: Path) -> None:
    checks.check_single_channel(runtime, stock_logits(Architecture.LFM2))


def law_8(runtime: DeviceRuntime, _: Path) -> None:
    other = opened(permuted(runtime.model, PERMUTATION))
    checks.check_permutation(runtime, other, PERMUTATION)


LAWS: dict[str, Law] = {
    "1": lambda runtime, _: checks.check_prefill_is_decode(runtime),
    "2": lambda runtime, _: checks.check_chunking(runtime),
    "3": lambda runtime, _: checks.check_batch(runtime),
    "4": lambda runtime, _: checks.check_inactive(runtime),
    "5": law_5,
    "6": lambda runtime, _: checks.check_no_peek(runtime),
    "7": lambda runtime, _: checks.check_yes_look(runtime),
    "8": law_8,
    "8 (arrives)": lambda runtime, _: checks.check_channel_identity(runtime),
    "9": lambda runtime, _: checks.check_conv_streaming(runtime),
    "9 (channels)": lambda runtime, _: checks.check_conv_channels(runtime, CONV_WIDTH),
    "10": lambda runtime, _: checks.check_fork(runtime),
    "11": lambda runtime, _: checks.check_truncate(runtime),
    "11 (every source)": lambda runtime, _: check_every_source(runtime),
    "12": checks.check_save_and_load,
}

MUTANTS: list[tuple[str, Case, m.Mutant]] = [
    ("1", MOE, m.conv_not_carried),
    ("1", MOE, m.positions_restart),
    ("1", QWEN3, m.past_forgotten),
    ("2", DENSE, m.conv_past_off_by_one),
    ("2", BOUNDARY, m.conv_not_carried),
    ("2", QWEN3, m.last_row_overwritten),
    ("3", MOE, m.positions_of_first_session),
    ("3", DENSE, m.past_of_first_session),
    ("3", QWEN3, m.states_share_memory),
    ("4", DENSE, m.states_share_memory),
    ("5", ONE, m.conv_taps_reversed),
    ("5", ONE, m.positions_restart),
    ("5", replace(ONE, channel_embedding=True), m.unchanged),
    ("6", MOE, m.peers_visible),
    ("6", QWEN3, m.lower_peers_visible),
    ("6", DENSE, m.logits_of_first_channel),
    ("7", QWEN3, m.each_cell_alone),
    ("8", QWEN3, m.lower_peers_visible),
    ("8", DENSE, m.conv_of_other_mode),
    ("8 (arrives)", MOE, m.channel_embedding_dropped),
    ("9", CONV_ONLY, m.conv_not_carried),
    ("9", BOUNDARY_CONV_ONLY, m.conv_past_off_by_one),
    ("9 (channels)", CONV_ONLY, m.conv_past_mixed),
    ("9 (channels)", CONV_ONLY, m.conv_of_other_mode),
    ("9 (channels)", BOUNDARY_CONV_ONLY, m.conv_of_other_mode),
    ("10", MOE, m.fork_shares_memory),
    ("10", QWEN3, m.fork_shares_tokens),
    ("10", DENSE, m.conv_is_not_copied),
    ("10", QWEN3, m.keys_and_values_swapped),
    ("11", MOE, m.truncate_keeps_ring),
    ("11 (every source)", DENSE, m.snapshot_is_not_put_back),
    ("12", MOE, m.conv_is_not_copied),
    ("12", QWEN3, m.keys_and_values_swapped),
    ("12", QWEN3, m.save_drops_last_row),
]


@pytest.mark.parametrize(
    ("law", "case", "mutant"),
    MUTANTS,
    ids=[f"law {law}-{mutant.__name__}-{case}" for law, case, mutant in MUTANTS],
)
def test_law_notices(
    law: str, case: Case, mutant: m.Mutant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runtime = on_device(case)
    if mutant is not m.unchanged:
        LAWS[law](runtime, tmp_path)
    mutant(monkeypatch, runtime)
    with pytest.raises(AssertionError, match=rf"^law {law.split()[0]}: "):
        LAWS[law](runtime, tmp_path)


def test_every_law_has_a_mutant() -> None:
    assert {law for law, _, _ in MUTANTS} == set(LAWS)
