"""How many problems a model answers right, ends by itself on, and answers without a voice.

    python -m motet.train.tiny.heldout MODEL --num-problems 500 --seed 1 [--silence Think]

Without a family the problems come from templates that are never trained on, and whose failures
nobody looks at: they are not printed. `--family development` takes templates that are not trained
on either, but looked at; other families are drawn as in training, with other numbers. Greedy, live
feeding, the engine's default settings. An answer is right if the last number that Output says is
the result (for letters: if Output contains the answer). Shares come with 95 % Wilson intervals.
"""

from __future__ import annotations

import argparse
import json
import sys
from random import Random

from motet.data.tiny.lines import Task
from motet.data.tiny.mixture import Shares, TaskSource, held_out_problems
from motet.engine import load
from motet.errors import MotetError
from motet.eval.answers import attempt
from motet.eval.intervals import wilson

__all__ = ["tasks_of"]

DEVELOPMENT = "development"
FAMILIES = ("story", "problem", "gsm8k", "sum", "letters", "talk")


def tasks_of(family: str | None, num_problems: int, seed: int) -> list[Task]:
    """Held-out or development problems, or tasks of one family of the training mixture."""
    if family in (None, DEVELOPMENT):
        return held_out_problems(num_problems, seed, development=family == DEVELOPMENT)
    alone = dict.fromkeys(FAMILIES, 0.0) | {family: 1.0, "disguised": 0.0, "needless": 0.0}
    source, rng = TaskSource.of_package(Shares(**alone)), Random(f"measure/{seed}")
    return [source.draw(rng) for _ in range(num_problems)]


def main(arguments: list[str]) -> int:
    """Print failures (of a family) as lines of JSON, then the shares; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m motet.train.tiny.heldout")
    parser.add_argument("model")
    parser.add_argument("--num-problems", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--silence", action="append", default=[], metavar="CHANNEL")
    parser.add_argument("--family", choices=(DEVELOPMENT, *FAMILIES))
    chosen = parser.parse_args(arguments)
    tasks = tasks_of(chosen.family, chosen.num_problems, chosen.seed)
    attempts = []
    try:
        for one in attempt(load(chosen.model), tasks, chosen.silence):
            attempts.append(one)
            if chosen.family and not (one.is_right and one.ended):
                failure = {"place": one.task.place, "answer": one.task.answer, "ended": one.ended}
                print(json.dumps(failure | one.channels, ensure_ascii=False), flush=True)
    except MotetError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    for name, hits in (
        ("right", sum(a.is_right for a in attempts)),
        ("ended", sum(a.ended for a in attempts)),
    ):
        low, high = wilson(hits, len(tasks))
        summary = {name: hits / len(tasks), "interval_95": [round(low, 4), round(high, 4)]}
        print(json.dumps(summary | {"num_problems": len(tasks), "seed": chosen.seed}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
