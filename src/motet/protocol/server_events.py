"""What the server says on `/v1/live`: every event has `seq` (1, 2, ... in a session) and `row`.

`row` is how many rows the session had when the event was made. Events are numbered once and kept:
a client that comes back names the last `seq` it saw and misses nothing. `session.created`,
`session.waiting`, `session.closed`, `heartbeat`, `metrics`, `going_away` and `error` are of the
moment: they are not numbered and not sent again, and their `seq` is that of the session's last
event.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from motet.protocol.knobs import SettingsEcho
from motet.protocol.wire import PROTOCOL_VERSION, Message

__all__ = [
    "ChannelInfo", "ContextFilling", "ContextRolled", "ErrorEvent", "GoingAway", "Heartbeat",
    "InputCleared", "InputQueued", "InputRead", "Limits", "Metrics", "RowFrame", "Rows",
    "ServerEvent", "SessionClosed", "SessionCreated", "SessionForked", "SessionRewound",
    "SessionUpdated", "SessionWaiting", "TurnContinued", "TurnEnded", "TurnStarted",
    "read_server_event",
]  # fmt: skip


class _Event(Message):
    seq: int
    row: int


class ChannelInfo(Message):
    """A channel of the layout."""

    name: str
    role: Literal["input", "output", "thought"]


class Limits(Message):
    """What the server allows; sizes in bytes of UTF-8, heartbeat_s in seconds."""

    context_rows: int
    max_frame_bytes: int
    max_text_bytes: int
    max_sessions: int
    heartbeat_s: float


class SessionCreated(_Event):
    """First answer to `session.create` and `session.resume`.

    seq, row: where the session stands. capabilities: names of client events that this server and
    model can serve. is_new: False after a resume; then the events after `after_seq` follow. end_id:
    the token that ends a message, null where the model has none; its text is empty, as that of a
    token inside a character is.
    """

    type: Literal["session.created"] = "session.created"
    protocol: int = PROTOCOL_VERSION
    session_id: str
    resume_token: str
    is_new: bool
    model: str
    channels: tuple[ChannelInfo, ...]
    end_id: int | None = None
    capabilities: tuple[str, ...]
    limits: Limits
    context_rows: int
    context_policy: Literal["end", "roll"]
    settings: SettingsEcho
    is_paused: bool
    is_held: bool


class SessionUpdated(_Event):
    """What is in force now: first of all, and after `session.update`, `pause`, `step`, `hold`, ...

    system: in the first one, the system text that the session begins with.
    """

    type: Literal["session.updated"] = "session.updated"
    settings: SettingsEcho
    is_paused: bool
    is_held: bool
    system: str | None = None


class SessionWaiting(_Event):
    """The server is full; the session opens when `position` others have left (1: the next)."""

    type: Literal["session.waiting"] = "session.waiting"
    position: int


class InputQueued(_Event):
    """A text was taken and waits to be read. input_id: 1, 2, ... in a session."""

    type: Literal["input.queued"] = "input.queued"
    input_id: int
    text: str
    num_tokens: int
    channel: str
    feed: Literal["live", "prefill"]


class InputRead(_Event):
    """Rows from_row to to_row (both included) have read text up to character `chars`.

    is_done: all of it has been read.
    """

    type: Literal["input.read"] = "input.read"
    input_id: int
    from_row: int
    to_row: int
    chars: int
    is_done: bool


class InputCleared(_Event):
    """These texts were dropped before (all of) them had been read."""

    type: Literal["input.cleared"] = "input.cleared"
    input_ids: tuple[int, ...]


class RowFrame(Message):
    """One row; lists have one entry a channel. text: what the cell completed, "" if nothing."""

    index: int
    ids: tuple[int, ...]
    text: tuple[str, ...]
    silent: tuple[bool, ...]
    given: tuple[bool, ...]


class Rows(_Event):
    """Rows that have just been read, in order."""

    type: Literal["rows"] = "rows"
    rows: tuple[RowFrame, ...]


class TurnStarted(_Event):
    """A message to the model begins in row `from_row`. turn: 1, 2, ... in a session."""

    type: Literal["turn.started"] = "turn.started"
    turn: int
    from_row: int


class TurnEnded(_Event):
    """The turn is over and the session rests. ttft_rows: rows until Output spoke, if it did.

    reason: end, mute, max_rows, repetition, context, interrupted, or error.
    """

    type: Literal["turn.ended"] = "turn.ended"
    turn: int
    reason: Literal["end", "mute", "max_rows", "repetition", "context", "interrupted", "error"]
    rows: int
    ttft_rows: int | None
    seconds: float


class TurnContinued(_Event):
    """A turn that was over goes on: after `continue` (its limits then count anew), or because the
    session was cut back into it or words were put into a channel. Or one that was not over goes on
    after the server was away; seconds: what it had taken before.
    """

    type: Literal["turn.continued"] = "turn.continued"
    turn: int
    counts_anew: bool
    seconds: float | None = None


class Metrics(_Event):
    """How it goes: of this session, and of the server (running, waiting: sessions)."""

    type: Literal["metrics"] = "metrics"
    rows_per_s: float
    ttft_s: float | None
    context_used_rows: int
    context_rows: int
    running: int
    waiting: int


class ContextFilling(_Event):
    """Little room is left; what happens then is `policy`."""

    type: Literal["context.filling"] = "context.filling"
    used_rows: int
    context_rows: int
    policy: Literal["end", "roll"]


class ContextRolled(_Event):
    """The oldest rows have left the model's context; it now sees rows from `first_row` on."""

    type: Literal["context.rolled"] = "context.rolled"
    first_row: int


class SessionForked(_Event):
    """A copy was made; resume it with its token on a connection of its own."""

    type: Literal["session.forked"] = "session.forked"
    session_id: str
    resume_token: str


class SessionRewound(_Event):
    """The session was cut back: rows from `to_row` on are no more, and come again as new ones."""

    type: Literal["session.rewound"] = "session.rewound"
    to_row: int


class Heartbeat(_Event):
    """The server is alive."""

    type: Literal["heartbeat"] = "heartbeat"


class GoingAway(_Event):
    """The server stops; it finishes turns for at most `drain_s`. Resume later with the token."""

    type: Literal["going_away"] = "going_away"
    drain_s: float


class SessionClosed(_Event):
    """The last event of a connection. reason: client, deleted, replaced, shutdown or error."""

    type: Literal["session.closed"] = "session.closed"
    reason: Literal["client", "deleted", "replaced", "shutdown", "error"]


class ErrorEvent(_Event):
    """Something was refused; the session goes on. code: a short name; message: one line."""

    type: Literal["error"] = "error"
    code: str
    message: str
    event_id: str | None = None


ServerEvent = Annotated[
    SessionCreated | SessionUpdated | SessionWaiting | InputQueued | InputRead | InputCleared
    | Rows | TurnStarted | TurnEnded | TurnContinued | Metrics | ContextFilling | ContextRolled
    | SessionForked | SessionRewound | Heartbeat | GoingAway | SessionClosed | ErrorEvent,
    Field(discriminator="type"),
]  # fmt: skip
_READER: TypeAdapter[ServerEvent] = TypeAdapter(ServerEvent)


def read_server_event(frame: str | bytes) -> ServerEvent:
    """The event in one frame; pydantic's ValidationError if it is none."""
    return _READER.validate_json(frame)
