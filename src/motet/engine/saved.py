"""Sessions on disk: one zip file of plain parts, written whole or not at all.

session.json   version, settings, where turns began, what is queued, why it stopped
grid.npz       the rows
logits.npz     what predicts the next row
state          what the runtime saved
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from motet.engine.session import Block, Queued, Session
from motet.engine.settings import Settings
from motet.engine.turn import StopReason
from motet.errors import MotetError, StateError
from motet.protocol.row import Row
from motet.runtime.protocol import Runtime, StateT
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Grid

SESSION_VERSION = 1


def save_session(session: Session[StateT], path: Path, runtime: Runtime[StateT]) -> None:
    """Write a session; an interrupted write leaves what was there before."""
    header = {
        "version": SESSION_VERSION,
        "settings": session.settings.to_json(),
        "turn_starts": session.turn_starts,
        "stopped_by": session.stopped_by,
        "queues": [[[q.token_id, q.starts_turn] for q in queue] for queue in session.queues],
        "prefills": [[b.tokens_RC.tolist(), b.starts_turn] for b in session.prefills],
    }
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        parts = Path(directory)
        (parts / "session.json").write_text(json.dumps(header), "utf-8")
        session.grid.save(parts / "grid.npz")
        np.savez(parts / "logits.npz", *([] if session.logits_XV is None else [session.logits_XV]))
        runtime.save_state(session.state, parts / "state")
        whole = parts / "whole"
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            for name in ("session.json", "grid.npz", "logits.npz", "state"):
                archive.write(parts / name, name)
        whole.replace(path)


def load_session(path: Path, runtime: Runtime[StateT], codec: StreamCodec) -> Session[StateT]:
    """Read what `save_session` wrote."""
    try:
        with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(path) as archive:
            parts = Path(directory)
            for name in ("session.json", "grid.npz", "logits.npz", "state"):
                archive.extract(name, parts)
            return _assemble(parts, runtime, codec)
    except FileNotFoundError:
        raise StateError("saved session", expected=str(path), got="no such file") from None
    except MotetError as error:
        raise StateError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise StateError(str(path), expected="a saved session", got=error) from None


def _assemble(parts: Path, runtime: Runtime[StateT], codec: StreamCodec) -> Session[StateT]:
    header: dict[str, Any] = json.loads((parts / "session.json").read_text("utf-8"))
    if header["version"] != SESSION_VERSION:
        raise StateError("version", expected=SESSION_VERSION, got=header["version"])
    grid = Grid.load(parts / "grid.npz")
    state = runtime.load_state(parts / "state")
    if not np.array_equal(state.tokens_RC, grid.tokens_RC):
        raise StateError("rows", expected="the rows of its state", got="others")
    session = Session(codec, Settings.from_json(header["settings"]), state)
    session.turn_starts = [int(start) for start in header["turn_starts"]]
    session.restore(_rows(grid))
    session.stopped_by = header["stopped_by"] and StopReason(header["stopped_by"])
    session.queues = [deque(Queued(int(i), bool(s)) for i, s in q) for q in header["queues"]]
    session.prefills = []
    for tokens, starts_turn in header["prefills"]:
        tokens_RC = np.array(tokens, TOKEN_DTYPE).reshape(-1, codec.layout.num_channels)
        given_RC = np.ones(tokens_RC.shape, np.bool_)
        session.prefills.append(Block(tokens_RC, given_RC, bool(starts_turn)))
    with np.load(parts / "logits.npz", allow_pickle=False) as arrays:
        session.logits_XV = arrays[arrays.files[0]] if arrays.files else None
    return session


def _rows(grid: Grid) -> list[Row]:
    """Rows that `Session.restore` can take; it derives their texts itself."""
    return [
        Row(index, tuple(tokens), (), (), tuple(given))
        for index, (tokens, given) in enumerate(
            zip(grid.tokens_RC.tolist(), grid.given_RC.tolist(), strict=True)
        )
    ]
