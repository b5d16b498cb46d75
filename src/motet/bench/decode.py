"""The measurement: rows of a model here, against its floor and against a peer.

Everything that is compared is measured in turns within one run. In this order: load and first row,
rows in turns with the peer, prefill in turns with the peer, rows after a long past in turns with
rows at the start, rows through the engine, and rows in turns with reading memory: the bandwidth of
a shared machine changes within a minute, so a row is held against what memory did beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from motet.bench.hardware import peak_resident_bytes
from motet.bench.measurement import ROOM_ROWS, Measured, Plan
from motet.bench.ours import OurSide, engine_time
from motet.bench.peer import PeerProcess
from motet.bench.turns import Turns, take_turns
from motet.engine import Engine
from motet.engine.opening import recommended_sampling
from motet.formats.gguf import GGUFModel
from motet.runtime.directory import codec_of, read_source
from motet.runtime.native.kernels import read_bandwidth
from motet.runtime.native.runtime import NativeRuntime
from motet.runtime.opening import RuntimeName, open_runtime

TURN_S = 0.8
"""How long a turn of rows takes, about."""
_ENGINE_ROWS = 24

Say = Callable[[str], None]


def measure(plan: Plan, say: Say) -> Measured:
    """Measure all that `plan` says. say: told what is being done."""
    if not plan.has_peer:
        return _measure(plan, None, say)
    assert isinstance(plan.source, GGUFModel)
    work = plan.work
    say("opening the peer")
    with PeerProcess(
        plan.source.path,
        num_threads=plan.num_threads,
        num_sequences=work.num_cells,
        num_logits=work.num_sessions * work.num_logits,
        max_tokens=max(ROOM_ROWS, plan.prefill_rows * work.num_channels),
    ) as peer:
        return _measure(plan, peer, say)


def _measure(plan: Plan, peer: PeerProcess | None, say: Say) -> Measured:
    work, repeats = plan.work, plan.num_repeats
    say("loading")
    start = time.perf_counter()
    read_source(plan.source.path)  # once more, for its time
    runtime = open_runtime(plan.source, RuntimeName.NATIVE, threads=plan.num_threads)
    load_s = time.perf_counter() - start
    assert isinstance(runtime, NativeRuntime)
    ours = OurSide(runtime, work.num_sessions, num_rows=ROOM_ROWS)
    (first_row_s,) = ours.rows(1)
    count = max(1, min(ROOM_ROWS, round(TURN_S / median(ours.rows(3)))))
    say(f"{repeats} turns of {count} rows")
    theirs = None if peer is None else lambda: _steps(peer, count)
    rows = take_turns(lambda: ours.rows(count), theirs, repeats)
    prefill = _prefill(plan, runtime, peer, say) if plan.prefill_rows else None
    context = _context(plan, runtime, ours, count, say) if plan.context_rows else None
    say("rows through the engine")
    engine = Engine(plan.name, runtime, codec_of(plan.source), recommended_sampling(plan.source))
    through_engine = engine_time(engine, work.num_sessions, min(count, _ENGINE_ROWS))
    peak = peak_resident_bytes()  # before memory is taken to read it
    say(f"{repeats} turns with reading memory")
    num_bytes = plan.cost.bytes(ours.num_distinct)
    floor = take_turns(lambda: ours.rows(count), lambda: _read(num_bytes, plan), repeats)
    return Measured(
        load_s=load_s,
        first_row_s=first_row_s,
        rows=rows,
        prefill=prefill,
        context=context,
        engine=through_engine,
        num_distinct=ours.num_distinct,
        row_bytes=num_bytes,
        floor=floor,
        peak_resident_bytes=peak,
        peer=None if peer is None else peer.facts,
        peer_peak_resident_bytes=None if peer is None else peer.peak_resident_bytes(),
    )


def _read(num_bytes: float, plan: Plan) -> list[float]:
    return [num_bytes / read_bandwidth(plan.num_threads)]


def _steps(peer: PeerProcess, count: int) -> list[float]:
    peer.clear()
    return peer.step(count)


def _prefill(plan: Plan, runtime: NativeRuntime, peer: PeerProcess | None, say: Say) -> Turns:
    say(f"{plan.num_repeats} turns of prefill")
    ours = OurSide(runtime, 1, num_rows=plan.prefill_rows)
    num_tokens = plan.prefill_rows * plan.work.num_channels
    theirs = None if peer is None else lambda: [peer.prefill(num_tokens)]
    return take_turns(ours.prefill, theirs, plan.num_repeats)


def _context(plan: Plan, runtime: NativeRuntime, early: OurSide, count: int, say: Say) -> Turns:
    say(f"{plan.num_repeats} turns at row {plan.context_rows:,}")
    late = OurSide(runtime, plan.work.num_sessions, past_rows=plan.context_rows, num_rows=ROOM_ROWS)
    return take_turns(lambda: late.rows(count), lambda: early.rows(count), plan.num_repeats)
