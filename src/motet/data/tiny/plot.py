"""What happens in a story: kinds of clauses in an order that makes sense, one to three steps.

A plot is a beginning, perhaps events, perhaps a relation to someone else or a rate, and an end:

    first     start pair three groups nested halved    an amount is told of
              repeat repeatless orders                 several amounts at once
              rmore rfewer rtimes                      one amount by means of another that follows
              before ... grown unit                    what is asked goes back, or is a part
    event     plus minus minus2 swap addgroups ...     it changes
    relation  omore ofewer otimes ohalf odouble        someone else has more, fewer, ...
              imore ifewer itimes                      that is more, fewer, ... than someone has
              tmore tfewer ttimes                      a third one has more, ... than the second
    per       per                                      each of them has so many other things
    end       ask share pack worth need ...            what is asked, perhaps with a last step
"""

from __future__ import annotations

from collections.abc import Container
from random import Random

__all__ = ["ENDS", "RELATIONS", "REVERSED", "STEPS", "draw_plot", "num_steps"]

STEPS = {
    "start": "",
    "pair": "n + m",
    "three": "n + m; s1 + k",
    "groups": "n * m",
    "nested": "n * m; s1 * k",
    "halved": "n / 2",
    "repeat": "n + m; s1 * k",
    "repeatless": "n - m; s1 * k",
    "orders": "n * m; k * l; s1 + s2",
    "rmore": "m + n", "rfewer": "m - n", "rtimes": "m * n",
    "before": "m + n", "beforeplus": "m - n", "beforeshare": "n * m",
    "gone": "n - m", "grown": "m - n",
    "unit": "m / n",
    "plus": "r + n", "minus": "r - n", "minus2": "r - n; s1 - m", "swap": "r - n; s1 + m",
    "addgroups": "n * m; r + s1", "lessgroups": "n * m; r - s1",
    "halve": "r / 2", "double": "r * 2",
    "omore": "r + n", "ofewer": "r - n", "otimes": "r * n", "ohalf": "r / 2", "odouble": "r * 2",
    "imore": "r - n", "ifewer": "r + n", "itimes": "r / n",
    "tmore": "r + n", "tfewer": "r - n", "ttimes": "r * n",
    "per": "r * n",
    "ask": "", "askleft": "", "askall": "",
    "askother": "", "askboth": "q + r", "askdiff": "r - q", "askthird": "", "askper": "",
    "askfirst": "", "askbefore": "", "askgone": "", "askgrown": "",
    "askone": "", "askunit": "r * n",
    "share": "r / n", "pack": "r / n", "worth": "r * n",
    "need": "n - r", "ahead": "r - n", "behind": "n - r",
    "half": "r / 2", "third": "r / 3", "quarter": "r / 4",
    "later": "r + n", "ago": "r - n",
}  # fmt: skip
"""What a kind does. n, m, k, l: its numbers. r: the amount so far, q: the one that r was made from.
s1, s2: the results of the clause's own steps. Without steps the amount stays, or is n at first."""

RELATIONS = ("omore", "ofewer", "otimes", "ohalf", "odouble", "imore", "ifewer", "itimes")
REVERSED = ("rmore", "rfewer", "rtimes")
_FIRST_SHARES = {
    "start": 0.4, "pair": 0.14, "three": 0.03, "groups": 0.2, "nested": 0.02, "halved": 0.02,
    "repeat": 0.02, "repeatless": 0.02, "orders": 0.06,
    "rmore": 0.03, "rfewer": 0.03, "rtimes": 0.03,
    "before": 0.025, "beforeplus": 0.015, "beforeshare": 0.01, "gone": 0.015, "grown": 0.015,
    "unit": 0.04,
}  # fmt: skip
_EVENT_SHARES = {
    "plus": 0.36, "minus": 0.42, "minus2": 0.08, "swap": 0.03, "addgroups": 0.04,
    "lessgroups": 0.04, "halve": 0.02, "double": 0.01,
}  # fmt: skip
_LOSSES = {"minus", "minus2", "lessgroups", "halve"}
_END_SHARES = {
    "ask": 0.38, "share": 0.13, "pack": 0.1, "worth": 0.06, "need": 0.07, "ahead": 0.05,
    "behind": 0.02, "half": 0.01, "third": 0.01, "quarter": 0.01, "later": 0.05, "ago": 0.05,
    "askother": 0.1, "askboth": 0.06, "askdiff": 0.02, "askthird": 0.03, "askper": 0.06,
}  # fmt: skip
_OWN_ENDS = {
    "rmore": ("askfirst", "askfirst", "askboth"),
    "rfewer": ("askfirst", "askfirst", "askboth"),
    "rtimes": ("askfirst", "askfirst", "askboth"),
    "before": ("askbefore",), "beforeplus": ("askbefore",), "beforeshare": ("askbefore",),
    "gone": ("askgone",), "grown": ("askgrown",),
    "unit": ("askone", "askunit", "askunit"),
}  # fmt: skip
_RELATIONS_BEFORE = {
    "askother": RELATIONS,
    "askboth": RELATIONS,
    "askdiff": ("otimes", "odouble"),
    "askthird": ("omore", "ofewer", "otimes", "ohalf", "odouble"),
}
ENDS = frozenset(
    {*_END_SHARES, "askleft", "askall", *(end for ends in _OWN_ENDS.values() for end in ends)}
)
_STEPS_SHARES = {1: 0.4, 2: 0.38, 3: 0.22}
_MAX_TRIES = 2_000


def num_steps(kind: str) -> int:
    """How many steps a clause of a kind takes."""
    return len(STEPS[kind].split(";")) if STEPS[kind] else 0


def draw_plot(kinds: Container[str], rng: Random) -> list[str]:
    """Kinds of clauses, all of them among `kinds`, first to last."""
    while True:
        wanted = rng.choices(list(_STEPS_SHARES), list(_STEPS_SHARES.values()))[0]
        for _ in range(_MAX_TRIES):
            plot = _draw_any(rng)
            if all(kind in kinds for kind in plot) and sum(map(num_steps, plot)) == wanted:
                return plot


def _draw_any(rng: Random) -> list[str]:
    first = _draw(_FIRST_SHARES, rng)
    if first in _OWN_ENDS:
        return [first, rng.choice(_OWN_ENDS[first])]
    end = _draw(_END_SHARES, rng)
    events = [_draw(_EVENT_SHARES, rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    if end == "ask":
        end = rng.choice(("ask", "askall" if _LOSSES.isdisjoint(events) else "askleft"))
    elif end == "askper":
        events.append("per")
    elif end in _RELATIONS_BEFORE:
        events.append(rng.choice(_RELATIONS_BEFORE[end]))
        if end == "askthird":
            events.append(rng.choice(("tmore", "tfewer", "ttimes")))
    return [first, *events, end]


def _draw(shares: dict[str, float], rng: Random) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
