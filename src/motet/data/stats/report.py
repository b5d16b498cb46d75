"""Statistics in words and numbers: values for JSON, of which the tables for people are made."""

from __future__ import annotations

from collections import Counter
from typing import Any

from motet.data.stats.statistics import NUM_BINS, ROWS_BEFORE, Statistics, quantile

SHARES = {"least": 0.0, "p10": 0.1, "median": 0.5, "p90": 0.9, "most": 1.0}


def spread_of(counts: Counter[int]) -> dict[str, float | int | None]:
    """Mean and quantiles of what was counted; None where nothing was."""
    total = counts.total()
    mean = sum(value * number for value, number in counts.items()) / total if total else None
    found: dict[str, float | int | None] = {
        name: quantile(counts, share) for name, share in SHARES.items()
    }
    return {"n": total, "mean": mean, **found}


def statistics_json(statistics: Statistics) -> dict[str, Any]:
    """Everything, as plain JSON values. Shares are between 0 and 1; None where nothing is known."""
    num_rows = statistics.num_rows
    names = [channel.name for channel in statistics.channels]
    return {
        "num_conversations": statistics.num_conversations,
        "num_rows": num_rows,
        "rows": spread_of(statistics.lengths),
        "sources": dict(sorted(statistics.sources.items())),
        "channels": [
            {
                "name": channel.name,
                "role": channel.role.value,
                "fill": share(one.num_spoken, num_rows),
                "num_spoken": one.num_spoken,
                "num_messages": one.num_messages,
                "num_mute_conversations": one.num_mute,
                "message_rows": spread_of(one.lengths),
                "first_row": spread_of(one.starts),
                "num_learned": one.num_learned,
            }
            for channel, one in zip(statistics.channels, statistics.by_channel, strict=True)
        ],
        "lag_rows": {
            **spread_of(statistics.lags),
            "num_unanswered": statistics.num_unanswered,
            "num_before_the_end": sum(n for lag, n in statistics.lags.items() if lag < 1),
        },
        "together": {
            a: {
                b: share(int(statistics.together_CC[i, j]), int(statistics.together_CC[i, i]))
                for j, b in enumerate(names)
            }
            for i, a in enumerate(names)
        },
        "when": {
            "num_parts": NUM_BINS,
            **{
                name: [share(s, n) for s, n in zip(spoken, statistics.rows_N.tolist(), strict=True)]
                for name, spoken in zip(names, statistics.spoken_CN.tolist(), strict=True)
            },
        },
        "around_the_end_of_the_user": {
            "first_row": -ROWS_BEFORE,
            **{
                name: [
                    share(s, n) for s, n in zip(spoken, statistics.heard_K.tolist(), strict=True)
                ]
                for name, spoken in zip(names, statistics.around_CK.tolist(), strict=True)
            },
        },
    }


def share(part: int, whole: int) -> float | None:
    """part / whole to four decimals; None of nothing."""
    return round(part / whole, 4) if whole else None
