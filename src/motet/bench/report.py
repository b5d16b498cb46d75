"""What was implied and what was measured, as lines for people."""

from __future__ import annotations

from motet.bench.cost import RowCost
from motet.bench.hardware import Hardware
from motet.bench.measurement import Measured, Plan
from motet.bench.peer import NAME as PEER
from motet.bench.turns import Turns

Lines = list[tuple[str, str]]


def setting_lines(plan: Plan, hardware: Hardware) -> Lines:
    """What is measured, and where."""
    work, what = plan.work, "RANDOM WEIGHTS, no model" if plan.is_random else plan.source.path
    sessions = "1 session" if work.num_sessions == 1 else f"{work.num_sessions} sessions"
    return [
        ("model", f"{plan.name} ({what})"),
        ("weights", f"{_size(plan.cost.file_bytes)} in {plan.weight_types}"),
        (
            "a forward",
            f"a row of each of {sessions}, {work.num_channels} channels, logits of "
            f"{work.num_logits}; {work.num_cells} cells",
        ),
        ("processor", f"{hardware.cpu}, {hardware.cores} cores, {_size(hardware.memory_bytes)}"),
        ("instructions", ", ".join(hardware.instruction_sets) or "not known"),
    ]


def implied_lines(cost: RowCost, bandwidth: float, num_threads: int) -> Lines:
    """What the architecture implies for one forward of a row."""
    lines = [("dense weights", _size(cost.dense_bytes)), ("head", _size(cost.head_bytes))]
    if cost.num_experts:
        for what, count in _counts(cost):
            size = _size(cost.expert_bytes * count)
            lines.append((f"{count:.4g} experts a layer", f"{size}, {what}"))
    others = {
        "embedding rows": cost.embedding_bytes,
        "keys and values": cost.kv_bytes,
        "conv inputs": cost.conv_bytes,
    }
    lines += [(name, _size(size)) for name, size in others.items()]
    lines.append(("multiply-adds", f"{cost.multiply_adds / 1e9:.3g} billion"))
    lines.append(("bandwidth", f"{bandwidth / 1e9:.1f} GB/s read by {num_threads} threads"))
    if not cost.num_experts:
        lines.append(("floor", f"{_ms(cost.floor_s(bandwidth))} for {_size(cost.bytes())}"))
    for what, count in _counts(cost) if cost.num_experts else ():
        floor, size = _ms(cost.floor_s(bandwidth, count)), _size(cost.bytes(count))
        lines.append((f"floor, {count:.4g} experts", f"{floor} for {size}, {what}"))
    return lines


def _counts(cost: RowCost) -> list[tuple[str, float]]:
    return [
        ("one cell", float(cost.num_active_experts)),
        ("expected if cells choose independently", cost.num_distinct),
        ("all", float(cost.num_experts)),
    ]


def measured_lines(plan: Plan, measured: Measured) -> Lines:
    """What was measured."""
    rows = measured.rows
    num_cells = plan.work.num_cells
    seconds = rows.ours_s
    lines = [
        ("load", f"{measured.load_s:.2f} s, then {_ms(measured.first_row_s)} for the first row"),
        ("a forward", f"{_ms(seconds)}: {_rate(plan.work.num_sessions / seconds)} rows/s, "
         f"{_rate(num_cells / seconds)} cells/s"),
    ]  # fmt: skip
    if measured.num_distinct is not None:
        lines.append(("experts touched", f"{measured.num_distinct:.1f} a layer"))
    lines.append(("over the floor", f"{_ratio(measured.floor)} times {_ms(measured.floor_s)}, at "
                  f"{measured.bandwidth / 1e9:.1f} GB/s"))  # fmt: skip
    if measured.peer is not None:
        logits = plan.work.num_sessions * plan.work.num_logits
        step = f"{num_cells} tokens in {num_cells} sequences, logits of {logits}"
        lines.append((PEER, f"{measured.peer.version}: {', '.join(measured.peer.features)}"))
        lines += _against(f"{PEER}, {step}", rows)
    if (prefill := measured.prefill) is not None:
        num_cells = plan.prefill_rows * plan.work.num_channels
        lines.append(("prefill", f"{plan.prefill_rows} rows in {_ms(prefill.ours_s)}: "
                      f"{_rate(num_cells / prefill.ours_s)} cells/s"))  # fmt: skip
        lines += _against(f"{PEER}, {num_cells} tokens", prefill)
    if (context := measured.context) is not None:
        lines.append((f"at row {plan.context_rows:,}", f"{_ms(context.ours_s)}, "
                      f"{_ratio(context)} times row 0"))  # fmt: skip
    engine = measured.engine
    lines.append(("through the engine", f"{_ms(engine.step_s)} a row, "
                  f"{engine.python_share:.1%} of it Python and sampling"))  # fmt: skip
    lines.append(("peak resident", _size(measured.peak_resident_bytes)))
    if measured.peer_peak_resident_bytes is not None:
        lines.append((f"{PEER}, peak resident", _size(measured.peer_peak_resident_bytes)))
    return lines


def _against(what: str, turns: Turns) -> Lines:
    if turns.theirs_s is None:
        return []
    return [(what, f"{_ms(turns.theirs_s)}; ours takes {_ratio(turns)} of it")]


def _ratio(turns: Turns) -> str:
    return f"{turns.ratio:.2f} ({min(turns.ratios):.2f} to {max(turns.ratios):.2f})"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


def _rate(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}"


def _size(num_bytes: float) -> str:
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if num_bytes >= 10 ** (3 * power):
            return f"{num_bytes / 10 ** (3 * power):.3g} {unit}"
    return f"{num_bytes:,.0f} bytes"
