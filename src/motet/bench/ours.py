"""Our side of a measurement: the native runtime, and the engine on top of it.

Cells are random tokens, so that the cells of a row differ as those of a conversation do.
"""

from __future__ import annotations

import time
from statistics import mean, median

import numpy as np

from motet.bench.measurement import EngineTime
from motet.engine import Engine
from motet.runtime.native.runtime import NativeRuntime
from motet.runtime.native.state import NativeState
from motet.runtime.protocol import Wanted
from motet.streams.grid import Tokens

_MESSAGE = "Hello"
_WARM_ROWS = 8
_LONG = 1 << 20  # rows: no rule ends a turn meanwhile


class OurSide:
    """Sessions of one runtime, which read rows together. The past of each is `past_rows` rows.

    The past is not read but pretended: keys and values of 0 take as long as any others.
    """

    def __init__(
        self, runtime: NativeRuntime, num_sessions: int, *, past_rows: int = 0, num_rows: int
    ) -> None:
        """num_rows: rows that will be read after the past, at most."""
        self._runtime = runtime
        self._past_rows = past_rows
        self._num_rows = num_rows
        self._dice = np.random.default_rng(0)
        self._states = [runtime.open(past_rows + num_rows) for _ in range(num_sessions)]
        self._num_touched: list[int] = []
        for state in self._states:
            _pretend(state, past_rows)

    @property
    def num_distinct(self) -> float | None:
        """Experts of a layer that a forward of `rows` touched, the mean; None without experts."""
        return mean(self._num_touched) if self._num_touched else None

    def rows(self, count: int) -> list[float]:
        """Seconds of each of `count` forwards of one row of all sessions, after the past."""
        self._rewind()
        seconds = []
        for _ in range(count):
            seconds.append(self._forward(1))
            chosen = self._runtime.last_experts()
            self._num_touched += [len(np.unique(experts_TA)) for experts_TA in chosen]
        return seconds

    def prefill(self) -> list[float]:
        """Seconds of one forward of all rows that there is room for."""
        self._rewind()
        return [self._forward(self._num_rows)]

    def _rewind(self) -> None:
        for state in self._states:
            self._runtime.truncate(state, self._past_rows)

    def _forward(self, num_rows: int) -> float:
        blocks = [self._tokens(num_rows) for _ in self._states]
        sampled = self._runtime.layout.sampled_indices
        start = time.perf_counter()
        self._runtime.forward(self._states, blocks, wanted=Wanted.LAST, channels=sampled)
        return time.perf_counter() - start

    def _tokens(self, num_rows: int) -> Tokens:
        shape = num_rows, self._runtime.layout.num_channels
        return self._dice.integers(self._runtime.vocab_size, size=shape, dtype=np.int32)


def _pretend(state: NativeState, num_rows: int) -> None:
    """Make `state` as if so many rows of nothing had been read."""
    for part in (state.cache, state.ring, state.snapshots):
        part[...] = 0
    state.num_rows = num_rows
    state.reserve(num_rows)


def engine_time(
    engine: Engine[NativeState], num_sessions: int, count: int, *, past_rows: int = 0
) -> EngineTime:
    """Talk in so many sessions at once and time `count` of their rows, after some to warm up.

    past_rows: of random tokens that each session has read before.
    """
    runtime = engine.runtime
    assert isinstance(runtime, NativeRuntime)
    num_rows = _WARM_ROWS + count + len(engine.codec.layout.opening_RC())
    settings = engine.settings(max_rows=_LONG, mute_rows=_LONG, quiet_rows=_LONG)
    message = engine.codec.decode(engine.codec.encode(_MESSAGE)[:_WARM_ROWS])
    room = min(past_rows + 2 * num_rows + 2 * _WARM_ROWS, runtime.context_rows)
    dice, shape = np.random.default_rng(0), (past_rows, runtime.layout.num_channels)
    sessions = [
        engine.open(
            settings, context_rows=room,
            beginning=dice.integers(engine.codec.vocab_size, size=shape, dtype=np.int32),
        )
        for _ in range(num_sessions)
    ]  # fmt: skip
    engine.finish(sessions)
    for session in sessions:
        session.give(message)
    steps: list[float] = []
    computed: list[float] = []
    for _ in range(_WARM_ROWS + count):
        for session in sessions:
            if not session.is_active:  # it said its end token, or began to repeat itself
                session.continue_turn()
        before, start = runtime.compute_s, time.perf_counter()
        for _, _, error in engine.step(sessions):
            if error is not None:
                raise error
        steps.append(time.perf_counter() - start)
        computed.append(runtime.compute_s - before)
    return EngineTime(median(steps[_WARM_ROWS:]), median(computed[_WARM_ROWS:]))
