"""Sessions on disk: one zip file of plain parts, written whole or not at all.

session.json   version, settings, where turns began, what is queued, why it stopped
grid.npz       the rows
logits.npz     what predicts the next row
state          what the runtime saved
"""

from __future__ import annotations

import json
import struct
import tempfile
import zipfile
import zlib
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
PARTS = ("session.json", "grid.npz", "logits.npz", "state")
_BROKEN_FILE = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, LookupError, TypeError,
    ValueError, OverflowError,
    RuntimeError,  # zipfile: encrypted, or an unknown compression
)  # fmt: skip


def save_session(session: Session[StateT], path: Path, runtime: Runtime[StateT]) -> None:
    """Write a session; a failed or interrupted write leaves what was there before."""
    header = {
        "version": SESSION_VERSION,
        "settings": session.settings.to_json(),
        "turn_starts": session.turn_starts,
        "continued_at": session.continued_at,
        "stopped_by": session.stopped_by,
        "queues": [[[q.token_id, q.starts_turn] for q in queue] for queue in session.queues],
        "prefills": [[b.tokens_RC.tolist(), b.turn_starts] for b in session.prefills],
    }
    if path.is_dir() or not path.parent.is_dir():
        got = "a directory" if path.is_dir() else f"no directory {path.parent}"
        raise StateError(f"{path}: session", expected="a file to write", got=got)
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        parts = Path(directory)
        (parts / "session.json").write_text(json.dumps(header), "utf-8")
        session.grid.save(parts / "grid.npz")
        np.savez(parts / "logits.npz", *([] if session.logits_XV is None else [session.logits_XV]))
        runtime.save_state(session.state, parts / "state")
        whole = parts / "whole"
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            for name in PARTS:
                archive.write(parts / name, name)
        whole.replace(path)


def load_session(path: Path, runtime: Runtime[StateT], codec: StreamCodec) -> Session[StateT]:
    """Read what `save_session` wrote."""
    try:
        with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(path) as archive:
            parts = Path(directory)
            for name in PARTS:
                archive.extract(name, parts)
            return _assemble(parts, runtime, codec)
    except FileNotFoundError:
        raise StateError("saved session", expected=str(path), got="no such file") from None
    except MotetError as error:
        raise StateError(f"{path}: {error}") from None
    except _BROKEN_FILE as error:
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
    session.continued_at = [int(row) for row in header["continued_at"]]
    session.restore(_rows(grid))
    session.stopped_by = header["stopped_by"] and StopReason(header["stopped_by"])
    session.queues = [deque(Queued(int(i), bool(s)) for i, s in q) for q in header["queues"]]
    session.prefills = []
    for tokens, starts in header["prefills"]:
        tokens_RC = np.array(tokens, TOKEN_DTYPE).reshape(-1, codec.layout.num_channels)
        given_RC = np.ones(tokens_RC.shape, np.bool_)
        session.prefills.append(Block(tokens_RC, given_RC, tuple(map(int, starts))))
    with np.load(parts / "logits.npz", allow_pickle=False) as arrays:
        session.logits_XV = arrays[arrays.files[0]] if arrays.files else None
    _check_fits(session, runtime)
    return session


def _check_fits(session: Session[StateT], runtime: Runtime[StateT]) -> None:
    layout = session.layout
    shape = (len(layout.sampled_indices), runtime.vocab_size) if session.rows else None
    got = None if session.logits_XV is None else session.logits_XV.shape
    if got != shape:
        raise StateError("logits", expected=shape, got=got)
    if len(session.queues) != layout.num_channels:
        raise StateError("queues", expected=layout.num_channels, got=len(session.queues))
    for block in session.prefills:
        if not all(0 <= start < len(block.tokens_RC) for start in block.turn_starts):
            raise StateError("prefills", expected="starts of messages within their rows")
    waiting = [np.array([q.token_id for q in queue], TOKEN_DTYPE) for queue in session.queues]
    waiting += [block.tokens_RC.reshape(-1) for block in session.prefills]
    ids = np.concatenate(waiting)
    if ((ids < 0) | (ids >= session.codec.vocab_size)).any():
        raise StateError(
            "queued tokens", expected=f"0 to {session.codec.vocab_size - 1}", got="others"
        )


def _rows(grid: Grid) -> list[Row]:
    """Rows that `Session.restore` can take; it derives their texts itself."""
    return [
        Row(index, tuple(tokens), (), (), tuple(given))
        for index, (tokens, given) in enumerate(
            zip(grid.tokens_RC.tolist(), grid.given_RC.tolist(), strict=True)
        )
    ]
