"""What goes between the asyncio side and the decode thread: frozen orders in, what happened out.

An `Order` names what to do with one session. What comes back of a session is one ordered stream of
`Update` (rows, at most one turn that begins before them and one that ends after them) and `Reply`
(what became of an order), so that a reader sees everything in the order in which it happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from motet.engine.marks import Marks
from motet.engine.settings import Feed, Settings
from motet.engine.turn import StopReason
from motet.errors import MotetError
from motet.protocol.row import Row
from motet.streams.grid import Grid, Tokens

if TYPE_CHECKING:
    from motet.engine.chat import Chat

__all__ = [
    "Change",
    "Clear",
    "Close",
    "ContextPolicy",
    "Fork",
    "Give",
    "GoOn",
    "Hold",
    "Inject",
    "Interrupt",
    "Kept",
    "Look",
    "Open",
    "OpenRequest",
    "Order",
    "Pause",
    "Read",
    "Release",
    "Reply",
    "Rewind",
    "Standing",
    "Step",
    "Stop",
    "Taken",
    "TurnEnd",
    "Unread",
    "Update",
]  # fmt: skip

EVERY_S = 1 / 30
ContextPolicy = Literal["end", "roll"]


@dataclass(frozen=True)
class Unread:
    """A text that waited to be read when a session was put away; `num_read` tokens of it were."""

    channel: int
    text: str
    feed: Feed
    num_tokens: int
    num_read: int


@dataclass(frozen=True, eq=False)
class Kept:
    """What a session had come to, to go on from there: its rows, what happened in them, the rest.

    unread: texts that wait, in order. turn_s: seconds that the last turn has taken.
    """

    grid: Grid
    marks: Marks
    stopped_by: StopReason | None
    unread: tuple[Unread, ...] = ()
    is_paused: bool = False
    turn_s: float = 0.0


@dataclass(frozen=True, eq=False)
class OpenRequest:
    """A session to open; what is None is as the engine has it.

    beginning: given rows [R, C] that are read before anything else (system text, history); its
    first `pinned_rows` stay when old rows leave. policy: what to do when the context is full.
    chat: write messages as its turns, behind what it begins with. pace: rows a second at most, 0
    for as fast as it goes. every_s: seconds between updates while nothing begins or ends. kept: go
    on from there.
    """

    settings: Settings | None = None
    context_rows: int | None = None
    beginning: Tokens | None = None
    pinned_rows: int = 0
    chat: Chat | None = None
    policy: ContextPolicy = "end"
    pace: float = 0.0
    every_s: float = EVERY_S
    kept: Kept | None = None


@dataclass(frozen=True)
class Open:
    """Open a session."""

    request: OpenRequest


@dataclass(frozen=True)
class Give:
    """Queue a message to the model: a text, or its tokens just as they are."""

    text: str | tuple[int, ...]
    feed: Feed | None = None


@dataclass(frozen=True)
class Interrupt:
    """Drop what waits on the channel of messages, and start this one now."""

    text: str
    feed: Feed | None = None


@dataclass(frozen=True)
class Stop:
    """Drop what waits, and end the turn now."""


@dataclass(frozen=True)
class Clear:
    """Drop what waits."""


@dataclass(frozen=True)
class Inject:
    """Put words into a thought channel."""

    channel: str
    text: str


@dataclass(frozen=True)
class Change:
    """Decode by these settings and at this pace from the next row on."""

    settings: Settings
    pace: float


@dataclass(frozen=True)
class Pause:
    """Decode no more rows."""


@dataclass(frozen=True)
class GoOn:
    """Go on after a pause, and with a turn that a limit ended."""


@dataclass(frozen=True)
class Step:
    """Decode this many rows and pause; a prefill is one piece, however many rows it has."""

    num_rows: int


@dataclass(frozen=True)
class Hold:
    """Keep Output silent."""


@dataclass(frozen=True)
class Release:
    """Let Output speak again."""


@dataclass(frozen=True)
class Rewind:
    """Cut the session back to its first `num_rows` rows; what waits is dropped."""

    num_rows: int


@dataclass(frozen=True)
class Fork:
    """Copy the session; the copy is known by `key`."""

    key: int


@dataclass(frozen=True)
class Look:
    """Say how things stand."""


@dataclass(frozen=True)
class Close:
    """Forget the session."""


Order = (
    Open | Give | Interrupt | Stop | Clear | Inject | Change | Pause | GoOn | Step | Hold | Release
    | Rewind | Fork | Look | Close
)  # fmt: skip


@dataclass(frozen=True)
class Taken:
    """A text that was queued on a channel.

    first: the number of its first token among all that are read from the channel's queue (see
    `Read`). ends: for each of its tokens, how many of its characters are then read; a token that
    first has to end the message before it belongs to it too, with 0.
    """

    channel: int
    feed: Feed
    first: int
    ends: tuple[int, ...]


class Read(NamedTuple):
    """A token of a queued text was read: which one of its channel's (0, 1, ...), by which row."""

    channel: int
    number: int
    row: int


@dataclass(frozen=True)
class Standing:
    """How a session stands after an order.

    used_rows: rows in the model's context, those before `first_row` have left it. turn: number of
    the last turn, 0 before any. is_turning: that turn is going on.
    """

    settings: Settings
    pace: float
    is_paused: bool
    is_held: bool
    num_rows: int
    first_row: int
    used_rows: int
    turn: int
    is_turning: bool
    stopped_by: StopReason | None


@dataclass(frozen=True)
class Reply:
    """What became of an order: the texts that it queued, or the error that it was refused with.

    now: how the session stands; None if there is none (it could not be opened, or is closed).
    """

    order: Order
    now: Standing | None
    taken: tuple[Taken, ...] = ()
    error: MotetError | None = None


@dataclass(frozen=True)
class TurnEnd:
    """How a turn ended. reason: None if it broke off with an error."""

    turn: int
    reason: StopReason | None
    num_rows: int
    ttft_rows: int | None
    seconds: float


@dataclass
class Update:
    """Rows in order, with what happened on the way.

    turn: the number of the turn that begins with the first of the rows, if one does. reads: tokens
    of queued texts that they have read. turn_end: the turn that ended after them. is_continued: a
    turn that had ended goes on after them. ttft_s: seconds that Output took to speak, if it spoke
    first in these rows. first_row, used_rows: what the model sees afterwards. shared_rows: of its
    beginning, that had been read before for another session. error: the session failed and is
    closed.
    """

    first_row: int = 0
    used_rows: int = 0
    shared_rows: int = 0
    rows: list[Row] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    turn: int | None = None
    turn_end: TurnEnd | None = None
    is_continued: bool = False
    ttft_s: float | None = None
    error: MotetError | None = None

    @property
    def stopped_by(self) -> StopReason | None:
        """Why the turn ended with these rows; None if it goes on, or broke off with an error."""
        return None if self.turn_end is None else self.turn_end.reason
