"""Sessions and events to fill a journal with."""

from __future__ import annotations

import json
from pathlib import Path

from motet.protocol.server_events import RowFrame, Rows
from motet.server.journal import Entry, SessionRecord, token_hash
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken

LAYOUT = Layout(
    channels=(
        Channel("User", Role.INPUT),
        Channel("Output", Role.OUTPUT),
        Channel("Think", Role.THOUGHT),
    ),
    silence=SpecialToken(0, "<silence>"),
    end=SpecialToken(1, "<end>"),
    conv_mode=ConvMode.COLUMN,
    channel_embedding=True,
)


def token_of(session_id: str) -> str:
    """The token of a session made here; not a word that could be in a file by chance."""
    return f"token-that-nobody-keeps-{session_id}"


def record(session_id: str, **fields: object) -> SessionRecord:
    """A record whose token is `token_of(session_id)`."""
    given: dict[str, object] = {
        "id": session_id, "token_hash": token_hash(token_of(session_id)), "model": "tiny",
        "layout_json": json.dumps(LAYOUT.to_json()), "context_rows": 512,
        "context_policy": "roll", "created_s": 1_790_000_000.0,
    }  # fmt: skip
    return SessionRecord(**{**given, **fields})  # type: ignore[arg-type]


def entry(session_id: str, seq: int, text: str = "") -> Entry:
    """An event of no kind; seq is also its row."""
    return Entry(session_id, seq, seq, json.dumps({"seq": seq, "text": text}))


def frame(index: int, texts: tuple[str, ...], given: tuple[bool, ...] | None = None) -> RowFrame:
    """A row of `LAYOUT`; an empty text is silence."""
    return RowFrame(
        index=index,
        ids=tuple(2 + index % 97 + n if text else 0 for n, text in enumerate(texts)),
        text=texts,
        silent=tuple(not text for text in texts),
        given=(True, False, False) if given is None else given,
    )


def rows_event(seq: int, *frames: RowFrame) -> Rows:
    """The event that carries these rows."""
    return Rows(seq=seq, row=frames[-1].index + 1, rows=frames)


def files_of(path: Path) -> bytes:
    """Everything that is in the files of a journal."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(path.name + "*")))
