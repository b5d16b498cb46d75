"""The figures of one step from the lines of a run, as tables for a model card."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from motet.eval.intervals import wilson

__all__ = ["figures_at", "measured"]

HELD_OUT = "eval_"
_LOSSES = {  # name in metrics.jsonl -> what to call it, and whether it is a share
    "loss": ("cross-entropy, nats", False),
    "spoken_loss": ("the same where something is said", False),
    "spoken_right": ("likeliest token right where something is said", True),
}
_REPLIES = {
    "accuracy": "answered right",
    "ended": "ended by itself",
    "mute": "said nothing",
}


def figures_at(metrics: Path, step: int) -> dict[str, float]:
    """What the lines up to `step` say last: of training, and of an evaluation (`eval_...`)."""
    figures: dict[str, float] = {}
    if metrics.exists():
        for text in metrics.read_text("utf-8").splitlines():
            line: dict[str, float] = json.loads(text)
            if line["step"] <= step:
                figures |= line
    return figures


def measured(figures: Mapping[str, float], channels: Sequence[str]) -> str:
    """Tables: losses on held-out data and in training by channel; replies with intervals."""
    parts = []
    trained = {**figures, "loss": figures.get("plain_loss")}
    for title, values, prefix in (
        ("Held-out conversations", figures, HELD_OUT),
        ("Training data, mean of the last steps", trained, ""),
    ):
        rows = _by_channel(values, channels, prefix)
        if len(rows) > 2:
            parts.append(f"{title}:\n\n" + "\n".join(rows))
    num = int(figures.get(f"{HELD_OUT}num_questions", 0))
    if num:
        rows = [f"| replies to {num} questions, greedy | share | 95 % interval |", "|---|---|---|"]
        for name, text in _REPLIES.items():
            share = figures[HELD_OUT + name]
            low, high = wilson(round(share * num), num)
            rows.append(f"| {text} | {share:.1%} | {low:.1%} to {high:.1%} |")
        rows.append(f"| rows a reply | {figures[HELD_OUT + 'rows_per_reply']:.1f} | |")
        parts.append("\n".join(rows))
    return "\n\n".join(parts)


def _by_channel(
    figures: Mapping[str, float | None], channels: Sequence[str], prefix: str
) -> list[str]:
    spoken = [name for name in channels if f"{prefix}loss/{name}" in figures]
    rows = [f"| | all | {' | '.join(spoken)} |", "|---" * (len(spoken) + 2) + "|"]
    for key, (text, is_share) in _LOSSES.items():
        cells = [figures.get(prefix + key), *(figures.get(f"{prefix}{key}/{n}") for n in spoken)]
        if cells[0] is not None:
            shown = ["" if c is None else f"{c:.1%}" if is_share else f"{c:.4f}" for c in cells]
            rows.append(f"| {text} | {' | '.join(shown)} |")
    return rows
