"""What was found about questions, as tables for people and as JSON values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal

from rich.table import Table

from motet.eval.intervals import Interval
from motet.eval.questions.figures import Figures, Rate, Spread
from motet.eval.questions.judging import Outcome
from motet.eval.questions.paired import Paired

__all__ = [
    "FAILURES", "failures_line", "figures_json", "paired_json", "paired_lines", "paired_table",
    "percent", "rates", "rates_table", "rows_table", "spreads", "voices_table",
]  # fmt: skip

FAILURES = tuple(outcome for outcome in Outcome if outcome is not Outcome.RIGHT)


def rates(figures: Figures) -> Iterator[tuple[str, Rate]]:
    """The shares that were measured, with their names."""
    k = figures.num_samples
    yield ("right" if k == 1 else f"right (avg@{k})"), figures.accuracy
    if figures.majority is not None:
        yield f"majority right (maj@{k})", figures.majority
    if figures.any_right is not None:
        yield f"at least one right (pass@{k})", figures.any_right
    yield "ends by itself", figures.ended


def spreads(figures: Figures) -> Iterator[tuple[str, Spread]]:
    """The counts of rows that are known, with their names."""
    for name, spread in (
        ("rows in all", figures.num_rows),
        ("rows from the question's last to the reply's first", figures.wait_rows),
    ):
        if spread is not None:
            yield name, spread


def rates_table(figures: Figures) -> Table:
    """A line for each share, with its interval."""
    table = _table("", "share", "95 %", "n")
    for name, rate in rates(figures):
        table.add_row(name, percent(rate.share), _range(rate.interval), str(rate.num_trials))
    return table


def failures_line(figures: Figures) -> str:
    """How often what failed."""
    counts = (f"{figures.outcomes[outcome]} {outcome.value}" for outcome in FAILURES)
    return "failures: " + ", ".join(counts)


def rows_table(figures: Figures) -> Table | None:
    """Rows in all and until the reply; None if nothing is known of them."""
    table = _table("", "mean", "median", "90 %", "most")
    for name, spread in spreads(figures):
        table.add_row(name, *(f"{x:.1f}" for x in (spread.mean, spread.median, spread.p90)),
                      f"{spread.most:.0f}")  # fmt: skip
    return table if table.rows else None


def voices_table(figures: Figures) -> Table | None:
    """What each channel did; None if nothing is known of that."""
    table = _table("channel", "speaks in", "of all rows", "rows spoken", "first at row")
    for name, voice in figures.voices.items():
        first = "-" if voice.first_row is None else f"{voice.first_row.median:.0f}"
        table.add_row(
            name, percent(voice.spoke.share), percent(voice.fill), f"{voice.num_spoken.mean:.1f}",
            first,
        )  # fmt: skip
    return table if table.rows else None


def paired_table(paired: Paired, names: tuple[str, str]) -> Table:
    """Questions by who got them right."""
    table = _table("", f"{names[1]} right", f"{names[1]} not")
    table.add_row(f"{names[0]} right", str(paired.both), str(paired.only_a))
    table.add_row(f"{names[0]} not", str(paired.only_b), str(paired.neither))
    return table


def paired_lines(paired: Paired) -> Iterator[str]:
    """The differences with their intervals, and the test."""
    low, high = paired.interval
    yield (
        f"\nA minus B: {100 * paired.difference:+.1f} points "
        f"(95 %: {100 * low:+.1f} to {100 * high:+.1f})"
    )
    times = "" if paired.num_samples == 1 else f", majorities of {paired.num_samples}"
    yield (f"McNemar, exact{times}: {paired.only_a} to {paired.only_b}, p = {paired.p:.2g}")
    for name, difference in (
        ("rows from question to reply", paired.wait_difference),
        ("rows in all", paired.rows_difference),
    ):
        if difference is not None:
            mean, (low, high) = difference
            yield f"{name}: {mean:+.1f} (95 %: {low:+.1f} to {high:+.1f})"


def figures_json(figures: Figures) -> dict[str, Any]:
    """All figures, unrounded."""
    return {
        "n": figures.num_questions,
        "samples": figures.num_samples,
        "accuracy": _rate_json(figures.accuracy),
        "majority": _rate_json(figures.majority),
        "any_right": _rate_json(figures.any_right),
        "ended": _rate_json(figures.ended),
        "outcomes": {outcome.value: count for outcome, count in figures.outcomes.items()},
        "rows": _spread_json(figures.num_rows),
        "wait_rows": _spread_json(figures.wait_rows),
        "channels": {
            name: {
                "fill": voice.fill,
                "spoke": _rate_json(voice.spoke),
                "rows_spoken": _spread_json(voice.num_spoken),
                "first_row": _spread_json(voice.first_row),
            }
            for name, voice in figures.voices.items()
        },
    }


def paired_json(paired: Paired) -> dict[str, Any]:
    """The comparison, unrounded."""
    return {
        "n": paired.num_questions,
        "samples": paired.num_samples,
        "both": paired.both,
        "only_a": paired.only_a,
        "only_b": paired.only_b,
        "neither": paired.neither,
        "difference": {"mean": paired.difference, "interval_95": list(paired.interval)},
        "mcnemar_p": paired.p,
        "wait_rows_difference": _difference_json(paired.wait_difference),
        "rows_difference": _difference_json(paired.rows_difference),
    }


def percent(share: float) -> str:
    """A share for people."""
    return f"{100 * share:.1f} %"


def _range(interval: Interval) -> str:
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _rate_json(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"share": rate.share, "interval_95": list(rate.interval), "n": rate.num_trials}


def _spread_json(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else dataclasses.asdict(spread)


def _difference_json(difference: tuple[float, Interval] | None) -> dict[str, Any] | None:
    if difference is None:
        return None
    return {"mean": difference[0], "interval_95": list(difference[1])}


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, name in enumerate(names):
        justify: Literal["left", "right"] = "right" if place else "left"
        table.add_column(name, justify=justify, no_wrap=True)
    return table
