"""The engine: reads the next rows of many sessions in one forward of the runtime.

    blocks = what each session wants read (a decoded row, or a prefill of many)
    logits = runtime.forward(states, blocks)          the only place where a model is called
    rows   = what each session makes of it

Sessions belong to their owner (a command, a server); any list of them may be stepped together and
may change from one step to the next. A parked session is skipped and costs nothing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Generic, NamedTuple

from motet.engine.beginnings import Beginnings
from motet.engine.context import Context
from motet.engine.draws import draw_many
from motet.engine.history import check_beginning
from motet.engine.marks import Marks
from motet.engine.reading import Reading, plan
from motet.engine.reply import Reply, reply_of
from motet.engine.rolling import Rolling
from motet.engine.sampling import Logits
from motet.engine.saved import load_session, save_session
from motet.engine.session import Session
from motet.engine.settings import Sampling, Settings
from motet.engine.turn import StopReason
from motet.errors import MotetError, SessionError, SettingError
from motet.formats.chat import ChatFormat
from motet.protocol.row import Row
from motet.runtime.protocol import Runtime, StateT, Wanted
from motet.streams.codec import StreamCodec
from motet.streams.grid import Grid, Tokens

if TYPE_CHECKING:  # Jinja takes its time to be imported
    from motet.engine.chat import Chat
    from motet.engine.template import ChatTemplate

DEFAULT_CONTEXT_ROWS = 2048


class Stepped(NamedTuple, Generic[StateT]):
    """What a step made of one active session: its new rows, or why it failed.

    No rows and no error: its context is full and the turn has ended; or its state is catching up
    with rows that it has (after `rebuild`, or where a roll was not read in time); or it waits for
    another session that is reading the same beginning.
    """

    session: Session[StateT]
    rows: list[Row]
    error: MotetError | None


class Engine(Generic[StateT]):
    """A model ready to talk: a runtime, its codec, and the sampling that suits it.

    sampling: the defaults of `Settings.sampling` for this model, as its authors recommend.
    prefill_rows: rows of a long prefill that a session reads in one step at most, so that it does
    not keep the others waiting. beginning_bytes: for beginnings that sessions share. chat: how
    chats are written for a one-channel model.
    """

    def __init__(
        self,
        name: str,
        runtime: Runtime[StateT],
        codec: StreamCodec,
        sampling: Sampling,
        *,
        prefill_rows: int = 256,
        beginning_bytes: int = 256 << 20,
        chat: ChatFormat | None = None,
    ) -> None:
        self.name = name
        self.runtime = runtime
        chat = chat or ChatFormat()
        if codec.layout.num_channels == 1:
            codec = codec.ending_with(i for i in chat.end_ids if i < codec.vocab_size)
        self.codec = codec
        self.sampling = sampling
        self.prefill_rows = prefill_rows
        self.chat = chat
        self.beginnings = Beginnings(runtime, beginning_bytes)
        self._sampled = codec.layout.sampled_indices

    @cached_property
    def chat_template(self) -> ChatTemplate | None:
        """What writes chats of a one-channel model; CheckpointError if it is broken."""
        if self.codec.layout.num_channels > 1 or self.chat.template is None:
            return None
        from motet.engine.template import ChatTemplate

        return ChatTemplate(self.chat.template, self.chat.special)

    def new_chat(self, system: str | None = None) -> Chat | None:
        """How a chat goes on that begins with `system`; None if the model has no template.

        InputError if its template takes no such text.
        """
        if self.chat_template is None:
            return None
        from motet.engine.chat import Chat

        return Chat(self.chat_template, self.codec, system)

    def settings(self, **changes: object) -> Settings:
        """Default settings for this model with `changes`, fields of `Settings`."""
        return dataclasses.replace(Settings(sampling=self.sampling), **changes)  # type: ignore[arg-type]

    def open(
        self,
        settings: Settings | None = None,
        *,
        context_rows: int | None = None,
        beginning: Tokens | None = None,
        pinned_rows: int = 0,
        rolling: Rolling | None = None,
        chat: Chat | None = None,
    ) -> Session[StateT]:
        """A new session with room for `context_rows` rows (default: 2048, or all there are).

        beginning: given rows [R, C], such as `history_rows`, that are read before anything else
        but the layout's opening. rolling: let the oldest rows leave when the room is nearly full,
        all but the opening and the first `pinned_rows` of the beginning. chat: write messages as
        its turns, behind what it begins with. Raises GridError, SettingError or ContextFullError if
        they are none or do not fit.
        """
        if context_rows is None:
            context_rows = min(DEFAULT_CONTEXT_ROWS, self.runtime.context_rows)
        if chat is not None:
            beginning, pinned_rows = chat.beginning_RC, len(chat.beginning_RC)
        if beginning is not None:
            check_beginning(beginning, self.codec)
        num_rows = 0 if beginning is None else len(beginning)
        if not 0 <= pinned_rows <= num_rows:
            raise SettingError("pinned_rows", expected=f"0 to {num_rows}", got=pinned_rows)
        pinned_rows += len(self.codec.layout.opening_RC())
        context = Context(self.runtime.open(context_rows), pinned_rows, rolling)
        return Session(self.codec, settings or self.settings(), context, beginning, chat)

    def step(self, sessions: Sequence[Session[StateT]]) -> list[Stepped[StateT]]:
        """Read the next rows of all active sessions in one forward; what each of them got.

        A session that fails alone, such as by logits that are no numbers, says so in its entry and
        the others go on. What fails for all (no memory) is raised, and no session has changed.
        """
        _draw_ahead(sessions)
        readings: list[Reading[StateT]] = []
        stepped: list[Stepped[StateT]] = []
        opening = [s for s in sessions if s.is_opening and s.waiting.prefills and s.is_active]
        waits = self.beginnings.share(opening)
        for session in sessions:
            if id(session) in waits:
                stepped.append(Stepped(session, [], None))
            elif session.is_active:
                try:
                    reading = plan(session, self.prefill_rows, self.runtime.open)
                except MotetError as error:
                    stepped.append(Stepped(session, [], error))
                    continue
                if reading is None:
                    stepped.append(Stepped(session, [], None))
                else:
                    readings.append(reading)
        for reading, last in zip(readings, self._forward(readings), strict=True):
            stepped.append(self._take(reading, last))
        return stepped

    def _forward(self, readings: Sequence[Reading[StateT]]) -> list[Logits]:
        """What predicts the next row of each reading's session."""
        pieces = [piece for reading in readings for piece in reading.pieces]
        if not pieces:
            return []
        try:
            logits = self.runtime.forward(
                [piece.state for piece in pieces],
                [piece.tokens_RC for piece in pieces],
                wanted=Wanted.LAST,
                channels=self._sampled,
            )
        except BaseException:  # also Ctrl-C: a long prefill may have been read in part
            for reading in readings:
                reading.undo(self.runtime)
            raise
        by_state = {id(p.state): last[-1] for p, last in zip(pieces, logits, strict=True)}
        return [by_state[id(reading.pieces[0].state)] for reading in readings]

    def _take(self, reading: Reading[StateT], logits_XV: Logits) -> Stepped[StateT]:
        session, before = reading.session, len(reading.session.rows)
        was_opening = session.is_opening
        try:
            rows = reading.take(logits_XV)
        except MotetError as error:  # a token that the tokenizer has no text for
            self.runtime.truncate(session.state, session.num_context_rows)
            return Stepped(session, session.rows[before:], error)
        if was_opening and not session.is_opening:
            self.beginnings.add(session.state)
        return Stepped(session, rows, None)

    def finish(self, sessions: Sequence[Session[StateT]]) -> None:
        """Step sessions until all have parked; raises the error of the first one that fails."""
        while stepped := self.step(sessions):
            for _, _, error in stepped:
                if error is not None:
                    raise error

    def stream(self, session: Session[StateT]) -> Iterator[Row]:
        """Rows of one session until it parks."""
        while session.is_active:
            for _, rows, error in self.step([session]):
                yield from rows
                if error is not None:
                    raise error

    def ask(self, text: str, settings: Settings | None = None) -> Reply:
        """Open a session, give it one message, and wait for the end of its turn."""
        session = self.open(settings, chat=self.new_chat())
        session.give(text)
        start = time.perf_counter()
        for _ in self.stream(session):
            pass
        return reply_of(session, self.name, time.perf_counter() - start)

    def fork(self, session: Session[StateT], settings: Settings | None = None) -> Session[StateT]:
        """An independent copy of a session, going on under `settings` (default: the same)."""
        settings = settings or session.settings
        twin = Session(self.codec, settings, session.context.fork(), chat=session.chat)
        twin.restore(session.rows, session.marks.cut(len(session.rows)))
        twin.stopped_by, twin.is_stopping = session.stopped_by, session.is_stopping
        twin.logits_XV = session.logits_XV
        twin.waiting, twin.is_opening = session.waiting.copy(), session.is_opening
        return twin

    def rewind(self, session: Session[StateT], num_rows: int) -> None:
        """Cut a session back to its first `num_rows` rows; what was queued is dropped.

        Inside a turn the session goes on from there; before the first one it parks. Rows that have
        left the context come back as far as there is room; the next steps read them again. If the
        reading that this takes fails, the session stays as it was.
        """
        opening = len(self.codec.layout.opening_RC())
        if not max(opening, 1) <= num_rows <= len(session.rows):
            raise SessionError(
                "rewind", expected=f"row {max(opening, 1)} to {len(session.rows)}", got=num_rows
            )
        context, num_left = session.context, session.context.num_rows(num_rows)
        if context.has_lost(num_rows):
            self.runtime.truncate(context.state, 0)
            context.start_again(num_rows)
        elif context.state.num_rows >= num_left:
            last_RC = context.tokens_RC(session.rows, context.first_row, num_left - 1, num_left)
            state = context.state.fork()
            self.runtime.truncate(state, num_left - 1)
            (logits,) = self.runtime.forward([state], [last_RC], channels=self._sampled)
            context.state, session.logits_XV = state, logits[-1]
        session.cut(num_rows)

    def rebuild(
        self,
        settings: Settings,
        grid: Grid,
        marks: Marks,
        *,
        context_rows: int | None = None,
        stopped_by: StopReason | None = None,
        num_pinned: int | None = None,
        rolling: Rolling | None = None,
        chat: Chat | None = None,
    ) -> Session[StateT]:
        """A session from what was written down of it: its rows, and where what happened.

        Its texts and turns are there at once. Its state is read anew by the next steps, in chunks;
        they have no rows for it until it has caught up. num_pinned: rows that stay in front
        (default: the opening). ContextFullError if its rows do not fit and may not roll.
        """
        check_beginning(grid.tokens_RC, self.codec)
        session = self.open(settings, context_rows=context_rows, rolling=rolling, chat=chat)
        if num_pinned is not None:
            session.context.num_pinned = num_pinned
        session.recall(grid, marks, stopped_by)
        return session

    def save(self, session: Session[StateT], path: str | Path) -> None:
        """Write a session to one file, whole or not at all."""
        save_session(session, Path(path), self.runtime)

    def resume(self, path: str | Path) -> Session[StateT]:
        """The session that `save` wrote, ready to go on; StateError if the file is unfit."""
        return load_session(Path(path), self.runtime, self.codec, self.new_chat)


def _draw_ahead(sessions: Sequence[Session[StateT]]) -> None:
    """Draw what the next rows of all these sessions have to draw, all together."""
    asked = []
    for session in sessions:
        session.sampler.drawn = {}
        if len(sessions) > 1 and session.is_active:
            asked += [(session.sampler, *wish) for wish in session.wishes().items()]
    ids = draw_many([wish for _, _, wish in asked])
    for (sampler, channel, _), token_id in zip(asked, ids, strict=True):
        if token_id is not None:
            sampler.drawn[channel] = token_id
