"""Laws 12 and 13, forks and rewinding, for whole sessions, as functions of an engine.

A `Plan` says what is done to one session at which of its own turns to be stepped (its ticks). Alone
or among others, whoever else joins, leaves, forks or is saved: its rows must be the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motet.engine import Engine, Feed, Session
from motet.engine.rolling import Rolling
from motet.errors import MotetError
from motet.protocol.row import Row

AnyEngine = Engine[Any]
NOT_IN_ROWS = ("put", "stop", "hold", "release", "update")


@dataclass(frozen=True)
class Plan:
    """What happens to a session: its seed, and actions by tick.

    `give`, `interrupt`, `put`, `stop`, `hold`, `release` and `update` are part of its history.
    `fork`, `save` and `rewind` must not change it: a fork goes on as a session of its own, a saved
    session is resumed from its file in place of itself, a rewound fork is read again up to the row
    that it was cut back from. rolls: in so little room that it has to roll.
    """

    seed: int
    actions: tuple[tuple[int, str, str], ...]
    num_ticks: int = 30
    rolls: bool = False


def open_session(engine: AnyEngine, plan: Plan) -> Session[Any]:
    if plan.rolls:
        settings = engine.settings(seed=plan.seed, max_rows=200, ignore_end=True, top_logprobs=2)
        return engine.open(settings, context_rows=30, rolling=Rolling(0.7, 0.4, 4))
    settings = engine.settings(seed=plan.seed, max_rows=24, quiet_rows=3, mute_rows=12)
    return engine.open(settings, context_rows=160)


def act(session: Session[Any], kind: str, text: str) -> None:
    """Do what changes a session's history; what does not fit is refused, alone as in company."""
    try:
        if kind == "give":
            session.give(text)
        elif kind == "prefill":
            session.give(text, feed=Feed.PREFILL)
        elif kind == "interrupt":
            session.interrupt(text)
        elif kind == "put":
            session.put("Think", text)
        elif kind == "stop":
            session.stop()
        elif kind == "hold":
            session.hold()
        elif kind == "release":
            session.release()
        elif kind == "update":
            sampling = dataclasses.replace(session.settings.sampling, temperature=float(text))
            seed = session.settings.seed + 1
            session.update(dataclasses.replace(session.settings, seed=seed, sampling=sampling))
    except MotetError:
        pass


def rows_alone(engine: AnyEngine, plan: Plan) -> list[Row]:
    """The history of a plan, step by step, with nobody else there and nothing saved or forked."""
    session = open_session(engine, plan)
    for tick in range(plan.num_ticks):
        for at, kind, text in plan.actions:
            if at == tick:
                act(session, kind, text)
        engine.step([session])
    return session.rows


def check_seeds(engine: AnyEngine) -> None:
    """The twin of law 13: another seed gives other rows, the same seed the same."""
    rows = [rows_alone(engine, Plan(seed, ((0, "give", "hello"),))) for seed in (0, 1, 0)]
    assert rows[0] == rows[2], "session of the same seed differs"
    ids = [[row.token_ids for row in found] for found in rows]
    assert ids[0][:6] != ids[1][:6], "sessions of different seeds say the same"


def check_parking(engine: AnyEngine) -> None:
    """A session where nobody speaks, or whose turn is over, is not read again."""
    fresh, spoken = (open_session(engine, Plan(seed, ())) for seed in (0, 1))
    spoken.give("hello")
    for _ in range(40):
        engine.step([fresh, spoken])
    assert not fresh.rows, "session that was given nothing was read"
    assert spoken.stopped_by is not None
    assert len(spoken.rows) <= 25, "session whose turn was over was read"


class Member:
    """One session in company: where it is in its plan, and what its rows must come to.

    A fork is born at a tick, with all its plan's actions behind it.
    """

    def __init__(self, session: Session[Any], plan: Plan, born_at: int | None = None) -> None:
        self.session = session
        self.plan = plan
        self.born_at = born_at
        self.tick = born_at or 0

    def before_step(self, engine: AnyEngine, folder: Path) -> list[Member]:
        """Do what the plan says for this tick; returns members that are born of it."""
        born = []
        for n, (at, kind, text) in enumerate(self.plan.actions):
            if at != self.tick or self.born_at is not None:
                continue
            if kind == "fork":
                earlier = (a for i, a in enumerate(self.plan.actions) if (a[0], i) < (at, n))
                plan = dataclasses.replace(self.plan, actions=tuple(earlier))
                born.append(Member(engine.fork(self.session), plan, self.tick))
            elif kind == "save":
                engine.save(self.session, folder / "session")
                self.session = engine.resume(folder / "session")
            elif kind == "rewind":
                self.check_rewind(engine, int(text))
            else:
                act(self.session, kind, text)
        self.tick += 1
        return born

    def check_rewind(self, engine: AnyEngine, num_rows: int) -> None:
        """Cut a fork back by some rows of its last turn and let it run to where it was."""
        rows = list(self.session.rows)
        starts = self.session.turn_starts
        if not starts:
            return
        sampled_from = len(rows)
        while sampled_from and rows[sampled_from - 1].silent[0] and sampled_from > starts[-1] + 1:
            sampled_from -= 1
        back_to = max(sampled_from, len(rows) - num_rows)
        waits = any(self.session.waiting.queues) or self.session.waiting.prefills
        changed = any(a[1] in NOT_IN_ROWS for a in self.plan.actions) or self.plan.rolls
        if back_to >= len(rows) or waits or changed:
            return
        fork = engine.fork(self.session)
        engine.rewind(fork, back_to)
        while len(fork.rows) < len(rows) and fork.is_active:
            engine.step([fork])
        assert fork.rows == rows, f"rewound by {len(rows) - back_to} rows"


def check_company(
    engine: AnyEngine, plans: Sequence[Plan], schedule: Sequence[Sequence[int]], folder: Path
) -> int:
    """Step sessions together: `schedule` says which of them in each step, in which order.

    Every member, fork or resumed session ends with the rows that its plan gives alone. Returns how
    many rows were compared.
    """
    members = [Member(open_session(engine, plan), plan) for plan in plans]
    endless = [*schedule, *([list(range(64))] * 200)]
    for chosen in endless:
        unfinished = [m for m in members if m.tick < m.plan.num_ticks]
        if not unfinished:
            break
        stepped = [unfinished[i] for i in dict.fromkeys(i % len(unfinished) for i in chosen)]
        for member in list(stepped):
            born = member.before_step(engine, folder)
            members += born
        engine.step([member.session for member in stepped])
    compared = 0
    for i, member in enumerate(members):
        assert member.tick >= member.plan.num_ticks
        alone = rows_alone(engine, member.plan)
        if member.plan.rolls:  # one that was forked or resumed in a roll waits until it is read
            assert len(alone) - len(member.session.rows) <= 5, f"session {i} with {member.plan}"
            alone = alone[: len(member.session.rows)]
        assert member.session.rows == alone, f"session {i} with {member.plan}"
        compared += len(alone)
    return compared
