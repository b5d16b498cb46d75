"""A program: sessions come and go in a native runtime; prints how much memory stays behind.

    python -m tests.native.soak NUM_SESSIONS

Sessions of different sizes are opened, asked, stepped together in batches of changing size (so that
graphs are built and thrown away too), forked, cut back, saved, resumed and dropped. Resident bytes
are taken half-way, at the end, and once more after NUM_KEPT others, kept on purpose.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import motet
from motet.engine import Engine, Session

MOST_TOGETHER = 40
NUM_KEPT = 100
QUESTIONS = ("What is 47 + 38?", "Who are you?", "Anna has 3 boxes of 12 pens. How many pens?")


def resident_bytes() -> int:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def opened(engine: Engine[Any], dice: Random) -> Session[Any]:
    """A session that was asked something."""
    session = engine.open(context_rows=dice.choice([96, 160, 256, 400]))
    session.give(dice.choice(QUESTIONS))
    return session


def come_and_go(engine: Engine[Any], dice: Random, folder: Path) -> list[Session[Any]]:
    """Sessions from their opening to their end; those that are forked or resumed count too."""
    sessions = [opened(engine, dice) for _ in range(dice.randint(1, MOST_TOGETHER // 2))]
    for _ in range(3):
        engine.step(sessions)
    forks = [engine.fork(session) for session in sessions if dice.random() < 0.6]
    for _ in range(3):
        engine.step(sessions + forks)
    for session in forks:
        engine.rewind(session, dice.randint(1, len(session.rows)))
    file = folder / "session.motet"
    engine.save(sessions[0], file)
    sessions += [*forks, engine.resume(file)]
    engine.step(sessions)
    return sessions


def main(num_sessions: int) -> dict[str, int]:
    """How many sessions came and went, and resident bytes at the three times."""
    engine, dice = motet.load(runtime="native", threads=1), Random(0)
    num_done, half_way = 0, 0
    kept: list[Session[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        while num_done < num_sessions:
            num_done += len(come_and_go(engine, dice, Path(folder)))
            if not half_way and num_done >= num_sessions // 2:
                half_way = resident_bytes()
        at_the_end = resident_bytes()
        while len(kept) < NUM_KEPT:
            kept += come_and_go(engine, dice, Path(folder))
    return {
        "sessions": num_done,
        "half_way": half_way,
        "at_the_end": at_the_end,
        "with_kept": resident_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]))))
