"""What a client may say on `/v1/live`: one JSON object a text frame, told apart by `type`.

The first event is `session.create` or `session.resume`; the server answers `session.created`. All
others belong to that session. `event_id` is the client's own; an `error` event names it again.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from motet.errors import ProtocolError
from motet.protocol.knobs import SettingsChange
from motet.protocol.wire import Message

__all__ = [
    "ClientEvent", "Close", "Continue", "Fork", "Hold", "Inject", "InputAppend", "InputClear",
    "Interrupt", "Pause", "Release", "Rewind", "SessionCreate", "SessionResume", "SessionUpdate",
    "Step", "read_client_event",
]  # fmt: skip

MAX_EVENT_ID = 128
ContextPolicy = Literal["end", "roll"]


class _Event(Message):
    event_id: Annotated[str, Field(max_length=MAX_EVENT_ID)] | None = None


class SessionCreate(_Event):
    """Open a session. context_rows: room to reserve; context_policy: what to do when it is full.

    What is left out is as the server has it.
    """

    type: Literal["session.create"] = "session.create"
    settings: SettingsChange = SettingsChange()
    context_rows: Annotated[int, Field(ge=2)] | None = None
    context_policy: ContextPolicy | None = None
    system: str | None = None


class SessionResume(_Event):
    """Go on with a session after its event `after_seq` (0: from its beginning)."""

    type: Literal["session.resume"] = "session.resume"
    token: Annotated[str, Field(max_length=256)]
    after_seq: Annotated[int, Field(ge=0)] = 0


class SessionUpdate(_Event):
    """Change settings, from the next row on; `session.updated` echoes what is in force."""

    type: Literal["session.update"] = "session.update"
    settings: SettingsChange


class InputAppend(_Event):
    """Queue a message to the model. feed: `live` (a token a row) or `prefill` (all at once)."""

    type: Literal["input.append"] = "input.append"
    text: str
    feed: Literal["live", "prefill"] | None = None


class InputClear(_Event):
    """Drop all text that is queued and not yet read."""

    type: Literal["input.clear"] = "input.clear"


class Interrupt(_Event):
    """Drop what is queued; with `text`, start that message now; without, end the turn now."""

    type: Literal["interrupt"] = "interrupt"
    text: str | None = None


class Pause(_Event):
    """Decode no more rows until `continue` or `step`."""

    type: Literal["pause"] = "pause"


class Continue(_Event):
    """Go on after `pause`, and with a turn that a limit ended."""

    type: Literal["continue"] = "continue"


class Step(_Event):
    """Decode this many rows and pause."""

    type: Literal["step"] = "step"
    rows: Annotated[int, Field(ge=1, le=10_000)] = 1


class Inject(_Event):
    """Put words into a thought channel."""

    type: Literal["inject"] = "inject"
    channel: Annotated[str, Field(max_length=128)]
    text: str


class Hold(_Event):
    """Keep the visible channel silent until `release`: let it think first."""

    type: Literal["hold"] = "hold"


class Release(_Event):
    """Let the visible channel speak again."""

    type: Literal["release"] = "release"


class Fork(_Event):
    """Copy the session; `session.forked` has the token of the copy."""

    type: Literal["fork"] = "fork"


class Rewind(_Event):
    """Cut the session back to its first `row` rows; what is queued is dropped."""

    type: Literal["rewind"] = "rewind"
    row: Annotated[int, Field(ge=0)]


class Close(_Event):
    """End the connection; `delete` forgets the session and its journal too."""

    type: Literal["close"] = "close"
    delete: bool = False


ClientEvent = Annotated[
    SessionCreate | SessionResume | SessionUpdate | InputAppend | InputClear | Interrupt | Pause
    | Continue | Step | Inject | Hold | Release | Fork | Rewind | Close,
    Field(discriminator="type"),
]  # fmt: skip
_READER: TypeAdapter[ClientEvent] = TypeAdapter(ClientEvent)


def read_client_event(frame: str | bytes) -> ClientEvent:
    """The event in one frame; ProtocolError says what is wrong with it."""
    try:
        return _READER.validate_json(frame)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "frame"
        raise ProtocolError(place[:200], expected="a client event", got=first["msg"]) from None
