"""What a study of quantisation found, as tables for people and as JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Table

from motet.eval.answers import Answers
from motet.eval.divergence import Divergence
from motet.eval.intervals import Interval
from motet.eval.quant import Measured, OverStock

REFERENCE = "f32, reference"


def divergence_table(results: Iterable[Measured]) -> Table:
    """KL in nats and agreement of each variant."""
    table = _table("KL divergence from float32 in nats, and share of the same top token")
    columns = ("weights", "kernels", "MB", "mean KL", "95 %", "median", "p99", "spoken", "same top")
    for name in columns:
        table.add_column(name, justify="left" if name in columns[:2] else "right", no_wrap=True)
    for result in results:
        found = result.divergence
        table.add_row(
            result.quant.value,
            result.kernels.value,
            f"{result.num_bytes / 1e6:.1f}",
            f"{found.mean:.2e}",
            "{:.1e} to {:.1e}".format(*found.mean_interval),
            f"{found.median:.1e}",
            f"{found.p99:.1e}",
            "-" if found.spoken_mean is None else f"{found.spoken_mean:.2e}",
            f"{100 * found.agreement:.2f} %",
        )
    return table


def over_stock_lines(results: Iterable[Measured]) -> list[str]:
    """Own kernels held against ggml's operations, a line for each type that has both."""
    return [
        f"{result.quant.value}: own kernels minus stock, mean KL {over.difference:+.1e} "
        "({:+.1e} to {:+.1e})".format(*over.interval)
        for result in results
        if (over := result.over_stock) is not None
    ]


def answer_table(reference: Answers, results: Iterable[Measured]) -> Table:
    """Right answers of the reference and of each variant that was asked."""
    table = _table(f"Right answers to {reference.num_problems} held-out problems")
    for name in ("weights", "kernels", "right", "95 %", "gained", "lost"):
        justify: Any = "left" if name in ("weights", "kernels") else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    table.add_row(REFERENCE, "stock", *_shares(reference), "", "")
    for result in results:
        if (found := result.answers) is not None:
            names = result.quant.value, result.kernels.value
            table.add_row(*names, *_shares(found), str(found.gained), str(found.lost))
    return table


def _shares(found: Answers) -> tuple[str, str]:
    low, high = found.interval
    share = 100 * found.num_right / found.num_problems
    return f"{share:.1f} %", f"{100 * low:.1f} to {100 * high:.1f}"


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="", box=None, pad_edge=False)


def reference_json(answers: Answers | None) -> dict[str, Any]:
    """What everything is held against."""
    return {
        "weights": "f32",
        "kernels": "stock",
        "cache": "f32",
        "answers": _answers_json(answers),
    }


def results_json(results: Sequence[Measured]) -> list[dict[str, Any]]:
    """All numbers, unrounded."""
    return [
        {
            "weights": result.quant.value,
            "kernels": result.kernels.value,
            "num_bytes": result.num_bytes,
            "kl": _divergence_json(result.divergence),
            "over_stock": _over_stock_json(result.over_stock),
            "answers": _answers_json(result.answers),
        }
        for result in results
    ]


def _answers_json(answers: Answers | None) -> dict[str, Any] | None:
    if answers is None:
        return None
    return {
        "n": answers.num_problems,
        "right": answers.num_right,
        "share": answers.num_right / answers.num_problems,
        "interval_95": _interval_json(answers.interval),
        "gained": answers.gained,
        "lost": answers.lost,
    }


def _divergence_json(found: Divergence) -> dict[str, Any]:
    return {
        "n": found.num_cells,
        "mean": found.mean,
        "interval_95": _interval_json(found.mean_interval),
        "median": found.median,
        "p99": found.p99,
        "n_spoken": found.num_spoken,
        "mean_spoken": found.spoken_mean,
        "same_top": found.agreement,
        "same_top_interval_95": _interval_json(found.agreement_interval),
    }


def _over_stock_json(over: OverStock | None) -> dict[str, Any] | None:
    if over is None:
        return None
    return {"difference": over.difference, "interval_95": _interval_json(over.interval)}


def _interval_json(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
