"""What happens in a story: kinds of clauses in an order that makes sense, one to three steps.

A plot is a beginning, perhaps events, perhaps a relation to someone else or a rate, and an end:

    first     start pair groups halved orders    an amount is told of
              rmore rfewer rtimes                one amount by means of another that follows
    event     plus minus minus2 repeat           it changes
    relation  omore ofewer otimes ohalf odouble  someone else has more, fewer, ...
              imore ifewer itimes                that is more, fewer, ... than someone else has
    per       per                                each of them has so many other things
    end       ask share pack worth need ...      what is asked, perhaps with a last step
"""

from __future__ import annotations

from collections.abc import Container
from random import Random

__all__ = ["OPERATIONS", "RELATIONS", "draw_plot"]

RELATIONS = {
    "omore": "+", "ofewer": "-", "otimes": "*", "ohalf": "/", "odouble": "*",
    "imore": "-", "ifewer": "+", "itimes": "/",
}  # fmt: skip
REVERSED = {"rmore": "+", "rfewer": "-", "rtimes": "*"}
OPERATIONS = RELATIONS | REVERSED

_NUM_STEPS = {
    "start": 0, "pair": 1, "groups": 1, "halved": 1, "rmore": 1, "rfewer": 1, "rtimes": 1,
    "orders": 3,
    "plus": 1, "minus": 1, "minus2": 2, "omore": 1, "ofewer": 1, "otimes": 1, "ohalf": 1, "per": 1,
    "odouble": 1, "imore": 1, "ifewer": 1, "itimes": 1, "repeat": 1,
    "ask": 0, "askfirst": 0, "askother": 0, "askboth": 1, "askper": 0,
    "share": 1, "pack": 1, "worth": 1, "need": 1, "ahead": 1, "behind": 1,
}  # fmt: skip
_FIRST_SHARES = {
    "start": 0.46, "pair": 0.18, "groups": 0.24, "halved": 0.03, "rmore": 0.03, "rfewer": 0.03,
    "rtimes": 0.03, "orders": 0.06,
}  # fmt: skip
_EVENT_SHARES = {"plus": 0.38, "minus": 0.46, "minus2": 0.09, "repeat": 0.07}
_END_SHARES = {
    "ask": 0.38, "share": 0.14, "pack": 0.1, "worth": 0.06, "need": 0.07, "ahead": 0.05,
    "behind": 0.02, "askother": 0.1, "askboth": 0.07, "askper": 0.06,
}  # fmt: skip
_STEPS_SHARES = {1: 0.4, 2: 0.38, 3: 0.22}


def draw_plot(kinds: Container[str], rng: Random) -> list[str]:
    """Kinds of clauses, all of them among `kinds`, first to last."""
    wanted = rng.choices(list(_STEPS_SHARES), list(_STEPS_SHARES.values()))[0]
    while True:
        plot = _draw_any(rng)
        if sum(_NUM_STEPS[kind] for kind in plot) == wanted and all(kind in kinds for kind in plot):
            return plot


def _draw_any(rng: Random) -> list[str]:
    first = _draw(_FIRST_SHARES, rng)
    if first in REVERSED:
        return [first, rng.choice(("askfirst", "askfirst", "askboth"))]
    end = _draw(_END_SHARES, rng)
    events = [_draw(_EVENT_SHARES, rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    if end == "askper":
        events.insert(rng.randint(0, len(events)), "per")
    elif end in ("askother", "askboth"):
        events.append(rng.choice(list(RELATIONS)))
    return [first, *events, end]


def _draw(shares: dict[str, float], rng: Random) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
