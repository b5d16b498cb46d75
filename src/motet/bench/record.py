"""A measurement as JSON values: what was measured, where, by which command, and every turn."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from motet.bench.hardware import Hardware
from motet.bench.measurement import Measured, Plan
from motet.bench.peer import NAME
from motet.bench.turns import Turns


def to_json(
    plan: Plan, measured: Measured, hardware: Hardware, bandwidth: float, run: dict[str, str]
) -> dict[str, Any]:
    """Everything as JSON values. bandwidth: of before. run: the command, the date, the version."""
    cost = plan.cost
    return {
        **run,
        "hardware": hardware.to_json(),
        "model": {
            "name": plan.name,
            "is_random": plan.is_random,
            "file": plan.source.path.name,
            "weight_types": plan.weight_types,
        },
        "work": asdict(plan.work) | {"num_threads": plan.num_threads, "repeats": plan.num_repeats},
        "implied": asdict(cost)
        | {
            "file_bytes": cost.file_bytes,
            "row_bytes": cost.bytes(),
            "bandwidth_bytes_per_s": bandwidth,
            "floor_s": cost.floor_s(bandwidth),
        },
        "measured": _measured_json(plan, measured),
    }


def _measured_json(plan: Plan, measured: Measured) -> dict[str, Any]:
    seconds = measured.rows.ours_s
    values: dict[str, Any] = {
        "load_s": measured.load_s,
        "first_row_s": measured.first_row_s,
        "row_s": seconds,
        "rows_per_s": plan.work.num_sessions / seconds,
        "cells_per_s": plan.work.num_cells / seconds,
        "num_distinct_experts": measured.num_distinct,
        "bandwidth_bytes_per_s": measured.bandwidth,
        "floor_s": measured.floor_s,
        "times_floor": measured.floor.ratio,
        "floor_turns": _turns_json(measured.floor),
        "row_turns": _turns_json(measured.rows),
        "engine_row_s": measured.engine.step_s,
        "python_share": measured.engine.python_share,
        "peak_resident_bytes": measured.peak_resident_bytes,
        "peer": None,
        "prefill": None,
        "context": None,
    }
    if measured.peer is not None:
        values["peer"] = asdict(measured.peer) | {
            "name": NAME,
            "step_s": measured.rows.theirs_s,
            "row_ratio": measured.rows.ratio,
            "peak_resident_bytes": measured.peer_peak_resident_bytes,
        }
    if measured.prefill is not None:
        values["prefill"] = {"rows": plan.prefill_rows} | _turns_json(measured.prefill)
    if measured.context is not None:
        values["context"] = {"rows": plan.context_rows} | _turns_json(measured.context)
    return values


def _turns_json(turns: Turns) -> dict[str, Any]:
    return {"ours_s": turns.ours, "theirs_s": turns.theirs, "ratio": turns.ratio}
