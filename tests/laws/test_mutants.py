"""Every law turns red on a runtime that breaks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motet.runtime.torch import TorchRuntime
from tests.laws import checks
from tests.laws import torch_mutants as m
from tests.laws.notice import (
    BOUNDARY,
    BOUNDARY_CONV_ONLY,
    CONV_ONLY,
    DENSE,
    MOE,
    ONE,
    PERMUTATION,
    QWEN3,
    Law,
    Mutant,
    check_notices,
    notices,
    unchanged,
)
from tests.laws.notice import LAWS as COMMON
from tests.laws.test_laws import (
    packed_logits,
    permuted_runtime,
    stock_logits,
    training_logits,
)
from tests.tiny import Architecture, Case, make_model, tiny_runtime


def law_5(runtime: TorchRuntime, _: Path) -> None:
    stock = stock_logits(Architecture(runtime.model.config.model_type))
    checks.check_single_channel(runtime, stock)


def law_8(runtime: TorchRuntime, _: Path) -> None:
    architecture = Architecture(runtime.model.config.model_type)
    case = Case(architecture, runtime.layout.num_channels, runtime.layout.conv_mode)
    other = permuted_runtime(make_model(case), PERMUTATION)
    checks.check_permutation(runtime, other, PERMUTATION)


def law_14(runtime: TorchRuntime, _: Path) -> None:
    checks.check_training(runtime, lambda grids: training_logits(runtime.model, grids))


def law_14_packed(runtime: TorchRuntime, _: Path) -> None:
    checks.check_packed_training(runtime, lambda *batch: packed_logits(runtime.model, *batch))


LAWS: dict[str, Law] = {
    **COMMON,
    "5": law_5,
    "8": law_8,
    "14": law_14,
    "14 (packed)": law_14_packed,
}

MUTANTS: list[tuple[str, Case, Mutant]] = [
    ("1", MOE, m.conv_not_carried),
    ("1", MOE, m.positions_restart),
    ("1", DENSE, m.channel_embedding_dropped_in_decode),
    ("1", QWEN3, m.later_rows_visible),
    ("2", DENSE, m.conv_past_off_by_one),
    ("2", BOUNDARY, m.conv_not_carried),
    ("2", QWEN3, m.positions_restart),
    ("3", MOE, m.positions_of_first_session),
    ("3", MOE, m.conv_of_first_session),
    ("3", QWEN3, m.states_share_kv),
    ("4", DENSE, m.states_share_kv),
    ("4", DENSE, m.states_share_conv),
    ("4", QWEN3, m.inactive_slot_advanced),
    ("5", ONE, m.conv_taps_reversed),
    ("5", ONE, m.last_row_hidden),
    ("5", replace(ONE, channel_embedding=True), unchanged),
    ("6", MOE, m.peers_visible),
    ("6", QWEN3, m.lower_peers_visible),
    ("6", QWEN3, m.later_rows_visible),
    ("6", DENSE, m.conv_over_flat_cells),
    ("6", DENSE, m.logits_of_first_channel),
    ("7", MOE, m.other_channels_hidden),
    ("7", QWEN3, m.last_row_hidden),
    ("7", QWEN3, m.only_near_rows_visible),
    ("8", MOE, m.positions_per_cell),
    ("8", QWEN3, m.lower_peers_visible),
    ("8", DENSE, m.conv_over_flat_cells),
    ("8 (arrives)", MOE, m.channel_embedding_dropped),
    ("9", CONV_ONLY, m.conv_not_carried),
    ("9", BOUNDARY_CONV_ONLY, m.conv_past_off_by_one),
    ("9 (channels)", CONV_ONLY, m.conv_past_mixed),
    ("9 (channels)", CONV_ONLY, m.conv_over_flat_cells),
    ("9 (channels)", CONV_ONLY, m.conv_not_carried),
    ("9 (channels)", BOUNDARY_CONV_ONLY, m.conv_over_flat_cells),
    ("9 (channels)", BOUNDARY_CONV_ONLY, m.conv_past_mixed),
    ("10", MOE, m.fork_shares_kv),
    ("10", QWEN3, m.fork_shares_tokens),
    ("10", DENSE, m.fork_forgets_conv),
    ("10", QWEN3, m.fork_drops_last_row),
    ("11", MOE, m.truncate_keeps_conv),
    ("11", DENSE, m.truncate_to_snapshot_only),
    ("11", DENSE, m.snapshots_off_by_one),
    ("11", QWEN3, m.truncate_one_row_short),
    ("12", MOE, m.save_forgets_conv),
    ("12", DENSE, m.save_forgets_snapshots),
    ("12", QWEN3, m.save_forgets_keys),
    ("12", QWEN3, m.save_drops_last_row),
    ("14", MOE, m.training_positions_per_cell),
    ("14", QWEN3, m.training_peers_visible),
    ("14", DENSE, m.training_conv_of_other_mode),
    ("14", MOE, m.channel_embedding_twice_in_decode),
    ("14 (packed)", MOE, m.packed_conv_over_the_line),
    ("14 (packed)", BOUNDARY, m.packed_conv_over_the_line),
    ("14 (packed)", QWEN3, m.packed_attention_over_the_line),
    ("14 (packed)", QWEN3, m.packed_positions_all_first),
    ("14 (packed)", DENSE, m.packed_rows_come_back_wrong),
]


@notices(MUTANTS)
def test_law_notices(
    law: str, case: Case, mutant: Mutant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check_notices(law, LAWS[law], tiny_runtime(case), mutant, monkeypatch, tmp_path)


def test_every_law_has_a_mutant() -> None:
    assert {law for law, _, _ in MUTANTS} == set(LAWS)
