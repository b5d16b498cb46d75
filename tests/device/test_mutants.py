"""Every law turns red on a device runtime that breaks it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from motet.runtime.device import DeviceRuntime
from tests.device import device_mutants as m
from tests.device.models import on_device, opened
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
from tests.native.test_laws import check_every_source, permuted
from tests.tiny import Architecture, Case


def law_5(runtime: DeviceRuntime, _: Path) -> None:
    checks.check_single_channel(runtime, stock_logits(Architecture.LFM2))


def law_8(runtime: DeviceRuntime, _: Path) -> None:
    other = opened(permuted(runtime.model, PERMUTATION))
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
    ("2", DENSE, m.conv_past_off_by_one),
    ("2", BOUNDARY, m.conv_not_carried),
    ("2", QWEN3, m.last_row_overwritten),
    ("3", MOE, m.positions_of_first_session),
    ("3", DENSE, m.past_of_first_session),
    ("3", QWEN3, m.states_share_memory),
    ("4", DENSE, m.states_share_memory),
    ("5", ONE, m.conv_taps_reversed),
    ("5", ONE, m.positions_restart),
    ("5", replace(ONE, channel_embedding=True), unchanged),
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


@notices(MUTANTS)
def test_law_notices(
    law: str, case: Case, mutant: Mutant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    check_notices(law, LAWS[law], on_device(case), mutant, monkeypatch, tmp_path)


def test_every_law_has_a_mutant() -> None:
    assert {law for law, _, _ in MUTANTS} == set(LAWS)
