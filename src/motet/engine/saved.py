"""Sessions on disk: one zip file of plain parts, written whole or not at all.

session.json   version, settings, marks, context, what waits, why it stopped, logprobs
grid.npz       the rows
logits.npz     what predicts the next row
state          what the runtime saved
"""

from __future__ import annotations

import dataclasses
import json
import struct
import tempfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from motet.engine.context import Context
from motet.engine.marks import Marks
from motet.engine.rolling import Roll, Rolling
from motet.engine.session import Session
from motet.engine.settings import Settings
from motet.engine.transcript import rows_of
from motet.engine.turn import StopReason
from motet.engine.waiting import Queued, Waiting, given_block
from motet.errors import MotetError, StateError
from motet.protocol.row import RowLogprobs
from motet.runtime.protocol import Runtime, StateT
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE, Grid

if TYPE_CHECKING:  # Jinja takes its time to be imported
    from motet.engine.chat import Chat

SESSION_VERSION = 3
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
        "marks": session.marks.to_json(),
        "stopped_by": session.stopped_by,
        "is_stopping": session.is_stopping,
        "chat": session.chat and {"system": session.chat.system},
        "context": _context(session),
        **session.waiting.to_json(),
        "logprobs": {
            row.index: [row.logprobs.logprob, row.logprobs.top]
            for row in session.rows
            if row.logprobs is not None
        },
    }
    if path.is_dir() or not path.parent.is_dir():
        got = "a directory" if path.is_dir() else f"no directory {path.parent}"
        raise StateError(f"{path}: session", expected="a file to write", got=got)
    with tempfile.TemporaryDirectory(dir=path.parent) as directory:
        parts = Path(directory)
        (parts / "session.json").write_text(json.dumps(header), "utf-8")
        session.grid.save(parts / "grid.npz")
        logits = None if session.is_behind else session.logits_XV
        np.savez(parts / "logits.npz", *([] if logits is None else [logits]))
        runtime.save_state(session.state, parts / "state")
        whole = parts / "whole"
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            for name in PARTS:
                archive.write(parts / name, name)
        whole.replace(path)


def load_session(
    path: Path,
    runtime: Runtime[StateT],
    codec: StreamCodec,
    new_chat: Callable[[str | None], Chat | None],
) -> Session[StateT]:
    """Read what `save_session` wrote. new_chat: how a chat with this system text goes on."""
    try:
        with tempfile.TemporaryDirectory() as directory, zipfile.ZipFile(path) as archive:
            parts = Path(directory)
            for name in PARTS:
                archive.extract(name, parts)
            return _assemble(parts, runtime, codec, new_chat)
    except FileNotFoundError:
        raise StateError("saved session", expected=str(path), got="no such file") from None
    except MotetError as error:
        raise StateError(f"{path}: {error}") from None
    except _BROKEN_FILE as error:
        raise StateError(str(path), expected="a saved session", got=error) from None


def _assemble(
    parts: Path,
    runtime: Runtime[StateT],
    codec: StreamCodec,
    new_chat: Callable[[str | None], Chat | None],
) -> Session[StateT]:
    header: dict[str, Any] = json.loads((parts / "session.json").read_text("utf-8"))
    if header["version"] != SESSION_VERSION:
        raise StateError("version", expected=SESSION_VERSION, got=header["version"])
    grid = Grid.load(parts / "grid.npz")
    state = runtime.load_state(parts / "state")
    settings, chat = Settings.from_json(header["settings"]), header["chat"]
    chat = None if chat is None else new_chat(chat["system"])
    session = Session(codec, settings, Context(state, 0, None), chat=chat)
    rows = rows_of(grid, _logprobs(header["logprobs"]))
    session.restore(rows, Marks.from_json(header["marks"]))
    _take_context(session, header["context"])
    session.is_opening = not rows
    session.stopped_by = header["stopped_by"] and StopReason(header["stopped_by"])
    session.is_stopping = bool(header["is_stopping"])
    waiting = session.waiting = Waiting(codec.layout)
    waiting.queues = [deque(Queued(int(i), bool(s)) for i, s in q) for q in header["queues"]]
    for tokens, starts, reads in header["prefills"]:
        tokens_RC = np.array(tokens, TOKEN_DTYPE).reshape(-1, codec.layout.num_channels)
        waiting.prefills.append(
            given_block(tokens_RC, list(map(int, starts)), list(map(int, reads)))
        )
    with np.load(parts / "logits.npz", allow_pickle=False) as arrays:
        session.logits_XV = arrays[arrays.files[0]] if arrays.files else None
    _check_fits(session, runtime)
    return session


def _check_fits(session: Session[StateT], runtime: Runtime[StateT]) -> None:
    layout = session.layout
    predicts = bool(session.rows) and not session.is_behind
    shape = (len(layout.sampled_indices), runtime.vocab_size) if predicts else None
    got = None if session.logits_XV is None else session.logits_XV.shape
    if got != shape:
        raise StateError("logits", expected=shape, got=got)
    queues, prefills = session.waiting.queues, session.waiting.prefills
    if len(queues) != layout.num_channels:
        raise StateError("queues", expected=layout.num_channels, got=len(queues))
    for block in prefills:
        places = (*block.turn_starts, *block.reads)
        if not all(0 <= row < len(block.tokens_RC) for row in places):
            raise StateError("prefills", expected="starts of messages within their rows")
    waiting = [np.array([q.token_id for q in queue], TOKEN_DTYPE) for queue in queues]
    waiting += [block.tokens_RC.reshape(-1) for block in prefills]
    ids = np.concatenate(waiting)
    if ((ids < 0) | (ids >= session.codec.vocab_size)).any():
        raise StateError(
            "queued tokens", expected=f"0 to {session.codec.vocab_size - 1}", got="others"
        )


def _context(session: Session[StateT]) -> dict[str, Any]:
    rolling, roll = session.context.rolling, session.context.roll
    return {
        "first_row": session.context.first_row,
        "num_pinned": session.context.num_pinned,
        "rolling": rolling and dataclasses.asdict(rolling),
        "roll": roll and [roll.begun_at, roll.first_row, roll.swap_at, roll.chunk_rows],
    }


def _logprobs(data: dict[str, Any]) -> dict[int, RowLogprobs]:
    return {
        int(row): RowLogprobs(float(one), tuple((int(i), float(x)) for i, x in top))
        for row, (one, top) in data.items()
    }


def _take_context(session: Session[StateT], data: dict[str, Any]) -> None:
    """Which of the rows the state holds, and what a roll was about to change in that."""
    context, num_rows = session.context, len(session.rows)
    context.first_row, context.num_pinned = int(data["first_row"]), int(data["num_pinned"])
    context.rolling = data["rolling"] and Rolling(**data["rolling"])
    roll = context.roll = data["roll"] and Roll(*map(int, data["roll"]))
    fits = 0 <= context.first_row <= num_rows and context.num_pinned >= 0
    if roll is not None:
        swaps = num_rows <= roll.swap_at <= num_rows + context.room and roll.chunk_rows > 0
        fits = fits and swaps and 0 <= roll.first_row < roll.begun_at <= num_rows
    held = context.state.tokens_RC
    rows_RC = context.tokens_RC(session.rows, context.first_row, 0, len(held)) if fits else None
    if rows_RC is None or (len(held) and not np.array_equal(held, rows_RC)):
        raise StateError("rows", expected="the rows of its state", got="others")
