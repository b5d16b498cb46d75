"""Every law turns red on a native runtime that breaks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motet.runtime.native import KVType, NativeRuntime
from tests.laws import checks
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
from tests.laws.test_laws import stock_logits
from tests.native import native_mutants as m
from tests.native.models import native
from tests.native.test_laws import check_every_source, permuted
from tests.tiny import Architecture, Case


def law_5(runtime: NativeRuntime, _: Path) -> None:
    checks.check_single_channel(runtime, stock_logits(Architecture.LFM2))


def law_8(runtime: NativeRuntime, _: Path) -> None:
    other = NativeRuntime(permuted(runtime.model, PERMUTATION), kv_type=KVType.F32, num_threads=1)
    checks.check_permutation(runtime, other, PERMUTATION)


LAWS: dict[str, Law] = {
    **COMMON,
    "5": law_5,
    "8": law_8,
    "11 (every source)": lambda runtime, _: check_every_source(runtime),
}

MUTANTS: list[tuple[str, Case, Mutant]] = [
    ("1", MOE, m.conv_not_carried),
    ("1", MOE, m.positions_restart),
    ("1", QWEN3, m.past_forgotten),
    ("1", DENSE, m.conv_layers_share_ring),
    ("1", QWEN3, m.attention_layers_share_cache),
    ("2", DENSE, m.conv_past_off_by_one),
    ("2", BOUNDARY, m.conv_not_carried),
    ("2", QWEN3, m.last_row_overwritten),
    ("3", MOE, m.positions_of_first_session),
    ("3", MOE, m.ring_of_first_session),
    ("3", QWEN3, m.states_share_cache),
    ("4", DENSE, m.states_share_cache),
    ("4", DENSE, m.states_share_ring),
    ("4", QWEN3, m.inactive_slot_advanced),
    ("5", ONE, m.conv_taps_reversed),
    ("5", ONE, m.positions_restart),
    ("5", replace(ONE, channel_embedding=True), unchanged),
    ("6", MOE, m.row_by_row_as_channels),
    ("6", DENSE, m.conv_over_flat_cells),
    ("6", DENSE, m.logits_of_first_channel),
    ("7", QWEN3, m.each_row_alone),
    ("7", QWEN3, m.tokens_of_first_row),
    ("8", MOE, m.positions_per_cell),
    ("8", QWEN3, m.row_by_row_as_channels),
    ("8", DENSE, m.conv_over_flat_cells),
    ("8 (arrives)", MOE, m.channel_embedding_dropped),
    ("9", CONV_ONLY, m.conv_not_carried),
    ("9", BOUNDARY_CONV_ONLY, m.conv_past_off_by_one),
    ("9 (channels)", CONV_ONLY, m.conv_past_mixed),
    ("9 (channels)", CONV_ONLY, m.conv_over_flat_cells),
    ("9 (channels)", CONV_ONLY, m.conv_of_other_mode),
    ("9 (channels)", BOUNDARY_CONV_ONLY, m.conv_of_other_mode),
    ("9 (channels)", BOUNDARY_CONV_ONLY, m.conv_past_mixed),
    ("10", MOE, m.fork_shares_cache),
    ("10", QWEN3, m.fork_shares_tokens),
    ("10", DENSE, m.fork_forgets_conv),
    ("10", QWEN3, m.fork_drops_last_row),
    ("11", MOE, m.truncate_keeps_ring),
    ("11", DENSE, m.truncate_to_snapshot_only),
    ("11", QWEN3, m.truncate_one_row_short),
    ("11 (every source)", DENSE, m.snapshots_off_by_one),
    ("11 (every source)", BOUNDARY, m.ring_is_never_overwritten),
    ("12", MOE, m.save_forgets_conv),
    ("12", QWEN3, m.save_forgets_keys),
    ("12", QWEN3, m.save_drops_last_row),
]


@notices(MUTANTS)
def test_law_notices(
    law: str, case: Case, mutant: Mutant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check_notices(law, LAWS[law], native(case), mutant, monkeypatch, tmp_path)


def test_every_law_has_a_mutant() -> None:
    assert {law for law, _, _ in MUTANTS} == set(LAWS)
