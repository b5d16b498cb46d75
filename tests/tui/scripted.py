"""A server's side of a conversation, said by a test: real protocol events, no model, no socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from motet.client import Heard
from motet.errors import ServerError
from motet.protocol import client_events as said
from motet.protocol import server_events as heard
from motet.protocol.knobs import Knobs, SettingsEcho
from motet.tui.venue import Kept

FOUR = (("User", "input"), ("Output", "output"), ("Think", "thought"), ("Skeptical", "thought"))
KNOBS = Knobs(
    temperature=0.6, top_k=20, top_p=0.95, min_p=0.0, repetition_penalty=1.0,
    presence_penalty=0.0, frequency_penalty=0.0,
)  # fmt: skip
SETTINGS = SettingsEcho(
    sampling=KNOBS, channel_sampling={}, silence_penalty_output=1.0, silence_penalty_thought=1.0,
    seed=0, max_rows=512, quiet_rows=8, mute_rows=64, feed=None, ablate=(), pace=20.0,
)  # fmt: skip
CAPABILITIES = (
    "session.update", "input.append", "input.clear", "interrupt", "pause", "continue", "step",
    "inject", "hold", "release", "fork", "rewind", "close",
)  # fmt: skip
LIMITS = heard.Limits(
    context_rows=2048, max_frame_bytes=1 << 18, max_text_bytes=1 << 16, max_sessions=4,
    heartbeat_s=10.0,
)  # fmt: skip


class ScriptedConnection:
    """What the test says is heard; what the terminal says is kept in `said`."""

    def __init__(self, opening: said.SessionCreate | said.SessionResume) -> None:
        self.opening = opening
        self.said: list[said.ClientEvent] = []
        self.is_closed = False
        self.refusal: str | None = None
        self.channels: tuple[heard.ChannelInfo, ...] = ()
        self.settings = SETTINGS
        self.is_paused = self.is_held = False
        self.seq = self.num_rows = self.num_inputs = self.num_turns = 0
        self._queue: asyncio.Queue[Heard | Exception | None] = asyncio.Queue()

    async def send(self, event: said.ClientEvent) -> None:
        if self.refusal is not None:
            raise ServerError(self.refusal)
        self.said.append(event)

    async def __aiter__(self) -> AsyncIterator[Heard]:
        while (event := await self._queue.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    async def close(self) -> None:
        self.is_closed = True
        self._queue.put_nowait(None)

    def fail(self, error: Exception) -> None:
        self._queue.put_nowait(error)

    def tell(self, event: Heard) -> None:
        self._queue.put_nowait(event)

    def create(
        self,
        channels: Sequence[tuple[str, str]] = FOUR,
        *,
        capabilities: Sequence[str] = CAPABILITIES,
        model: str = "scripted",
    ) -> None:
        self.channels = tuple(
            heard.ChannelInfo.model_validate({"name": name, "role": role})
            for name, role in channels
        )
        self.tell(
            heard.SessionCreated(
                seq=0, row=0, session_id="s1", resume_token="t1",
                is_new=isinstance(self.opening, said.SessionCreate), model=model,
                channels=self.channels, capabilities=tuple(capabilities), limits=LIMITS,
                context_rows=2048, context_policy="roll", settings=self.settings,
                is_paused=False, is_held=False,
            )
        )  # fmt: skip

    def next(self) -> dict[str, int]:
        self.seq += 1
        return {"seq": self.seq, "row": self.num_rows}

    def update(self, **changes: object) -> None:
        """What is in force now: settings by name, is_paused, is_held."""
        self.is_paused = bool(changes.pop("is_paused", self.is_paused))
        self.is_held = bool(changes.pop("is_held", self.is_held))
        self.settings = self.settings.model_copy(update=changes)
        self.tell(
            heard.SessionUpdated(
                **self.next(), settings=self.settings, is_paused=self.is_paused,
                is_held=self.is_held,
            )
        )  # fmt: skip

    def queue(self, text: str, channel: str | None = None) -> int:
        self.num_inputs += 1
        self.tell(
            heard.InputQueued(
                **self.next(), input_id=self.num_inputs, text=text, num_tokens=len(text.split()),
                channel=channel or self.channels[0].name, feed="live",
            )
        )  # fmt: skip
        return self.num_inputs

    def read(self, input_id: int, chars: int, *, is_done: bool = False) -> None:
        row = max(self.num_rows - 1, 0)
        self.tell(
            heard.InputRead(
                **self.next(), input_id=input_id, from_row=row, to_row=row, chars=chars,
                is_done=is_done,
            )
        )  # fmt: skip

    def turn(self) -> None:
        self.num_turns += 1
        self.tell(heard.TurnStarted(**self.next(), turn=self.num_turns, from_row=self.num_rows))

    def end(self, reason: str = "end", ttft_rows: int | None = 3) -> None:
        self.tell(
            heard.TurnEnded.model_validate(
                {**self.next(), "turn": self.num_turns, "reason": reason, "rows": self.num_rows,
                 "ttft_rows": ttft_rows, "seconds": 0.5}
            )
        )  # fmt: skip

    def rows(self, *rows: Sequence[str | None], given: Sequence[int] = (0,)) -> None:
        """A text a channel and row; None is silence. given: the channels that are set."""
        frames = []
        for texts in rows:
            frames.append(
                heard.RowFrame(
                    index=self.num_rows,
                    ids=tuple(0 if text is None else 7 for text in texts),
                    text=tuple(text or "" for text in texts),
                    silent=tuple(text is None for text in texts),
                    given=tuple(channel in given for channel in range(len(texts))),
                )
            )
            self.num_rows += 1
        self.tell(heard.Rows(**self.next(), rows=tuple(frames)))

    def rewind(self, to_row: int) -> None:
        self.num_rows = to_row
        self.tell(heard.SessionRewound(**self.next(), to_row=to_row))

    def fork(self, session_id: str, token: str) -> None:
        self.tell(heard.SessionForked(**self.next(), session_id=session_id, resume_token=token))

    def error(self, message: str) -> None:
        self.tell(
            heard.ErrorEvent(seq=self.seq, row=self.num_rows, code="refused", message=message)
        )

    def happen(self, what: str) -> None:
        """Something that a test names."""
        now = {"seq": self.seq, "row": self.num_rows}
        match what:
            case "waiting":
                self.tell(heard.SessionWaiting(**now, position=3))
            case "going_away":
                self.tell(heard.GoingAway(**now, drain_s=5.0))
            case "closed":
                self.tell(heard.SessionClosed(**now, reason="replaced"))
            case "filling":
                self.tell(
                    heard.ContextFilling(**self.next(), used_rows=9, context_rows=10, policy="roll")
                )
            case "rolled":
                self.tell(heard.ContextRolled(**self.next(), first_row=7))
            case "failed":
                self.end("error")

    def metrics(self, rows_per_s: float = 20.0, ttft_s: float | None = 0.31) -> None:
        self.tell(
            heard.Metrics(
                seq=self.seq, row=self.num_rows, rows_per_s=rows_per_s, ttft_s=ttft_s,
                context_used_rows=self.num_rows, context_rows=2048, running=1, waiting=0,
            )
        )  # fmt: skip


class ScriptedVenue:
    """A place whose connections a test writes."""

    name = "here"
    notice = "The model is being opened."

    def __init__(self) -> None:
        self.connections: list[ScriptedConnection] = []
        self.book: dict[str, Kept] = {}
        self.forgotten: list[str] = []
        self.is_closed = False

    @property
    def line(self) -> ScriptedConnection:
        return self.connections[-1]

    def connect(self, opening: said.SessionCreate | said.SessionResume) -> ScriptedConnection:
        self.connections.append(ScriptedConnection(opening))
        return self.line

    async def kept(self) -> tuple[Kept, ...]:
        return tuple(sorted(self.book.values(), key=lambda kept: -kept.changed_s))

    async def keep(self, conversation: Kept) -> None:
        self.book[conversation.session_id] = conversation

    async def forget(self, conversation: Kept) -> None:
        del self.book[conversation.session_id]
        self.forgotten.append(conversation.session_id)

    async def close(self) -> None:
        self.is_closed = True
