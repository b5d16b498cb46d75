"""What was found about streams, as a table for people and as JSON values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table

from motet.eval.intervals import Interval, wilson
from motet.eval.streams.interrupted import WITHIN_ROWS, Reactions
from motet.eval.streams.manners import REST_ROWS, Manners
from motet.eval.streams.planted import Doubt
from motet.eval.streams.quiet import Quiet


@dataclass(frozen=True)
class Share:
    """One line: num_hits of num_trials, said in words."""

    what: str
    key: str
    num_hits: int
    num_trials: int

    @property
    def interval(self) -> Interval | None:
        """95 %."""
        return wilson(self.num_hits, self.num_trials) if self.num_trials else None


def shares(manners: Manners, reactions: Reactions, doubt: Doubt | None) -> list[Share]:
    """All shares that were measured."""
    asked = manners.num_asked
    found = [
        Share("Output speaks", "speaks", manners.num_spoke, asked),
        Share("Output waits until the User has ended", "waits", manners.num_waited, asked),
        Share("ends by itself", "ends", manners.num_ended, asked),
        Share(f"then rests for {REST_ROWS} rows", "rests", manners.num_rested, manners.num_ended),
        Share("Output says the last number thought", "agrees", manners.num_agreed,
              manners.num_with_numbers),
        Share(f"Output changes within {WITHIN_ROWS} rows of an interruption", "reacts",
              reactions.num_quick, len(reactions.rows)),
    ]  # fmt: skip
    if doubt is not None:
        num_objections = doubt.num_objected + doubt.num_false
        found += [
            Share("planted wrong steps objected to (recall)", "recall", doubt.num_objected,
                  doubt.num_planted),
            Share("objections to wrong steps (precision)", "precision", doubt.num_objected,
                  num_objections),
        ]  # fmt: skip
    return found


def quiet_line(quiet: Quiet) -> str:
    """Whether the model is quiet before anybody has spoken to it."""
    greedy = (
        "silence is always likeliest"
        if quiet.first_row is None
        else f"a greedy one speaks at row {quiet.first_row}"
    )
    return (
        f"quiet for {quiet.num_rows} rows before anyone speaks: probability "
        f"{quiet.probability:.3f}, {greedy}"
    )


def shares_table(found: list[Share]) -> Table:
    """A line each, with its interval."""
    table = Table(box=None, pad_edge=False)
    for name, justify in (("", "left"), ("share", "right"), ("95 %", "right"), ("n", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for share in found:
        interval = share.interval
        table.add_row(
            share.what,
            "-" if interval is None else f"{100 * share.num_hits / share.num_trials:.1f} %",
            "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}",
            str(share.num_trials),
        )
    return table


def shares_json(found: list[Share]) -> dict[str, Any]:
    """By key: hits, n, share and interval."""
    return {
        share.key: {
            "hits": share.num_hits,
            "n": share.num_trials,
            "share": share.num_hits / share.num_trials if share.num_trials else None,
            "interval_95": None if share.interval is None else list(share.interval),
        }
        for share in found
    }
