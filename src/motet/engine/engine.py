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
from pathlib import Path
from typing import Generic, NamedTuple

from motet.engine.history import check_beginning
from motet.engine.reply import Reply, reply_of
from motet.engine.sampling import Logits
from motet.engine.saved import load_session, save_session
from motet.engine.session import Session
from motet.engine.settings import Sampling, Settings
from motet.engine.waiting import Block
from motet.errors import MotetError, SessionError
from motet.formats.chat import ChatFormat
from motet.protocol.row import Row
from motet.runtime.protocol import Runtime, StateT, Wanted
from motet.streams.codec import StreamCodec
from motet.streams.grid import Tokens

DEFAULT_CONTEXT_ROWS = 2048


class Stepped(NamedTuple, Generic[StateT]):
    """What a step made of one session: its new rows, or why it failed.

    No rows and no error: its context is full, and the turn has ended.
    """

    session: Session[StateT]
    rows: list[Row]
    error: MotetError | None


class Engine(Generic[StateT]):
    """A model ready to talk: a runtime, its codec, and the sampling that suits it.

    sampling: the defaults of `Settings.sampling` for this model, as its authors recommend.
    prefill_rows: rows of a long prefill that a session reads in one step at most, so that it does
    not keep the others waiting. chat: how chats are written for a one-channel model.
    """

    def __init__(
        self,
        name: str,
        runtime: Runtime[StateT],
        codec: StreamCodec,
        sampling: Sampling,
        *,
        prefill_rows: int = 256,
        chat: ChatFormat | None = None,
    ) -> None:
        self.name = name
        self.runtime = runtime
        self.codec = codec
        self.sampling = sampling
        self.prefill_rows = prefill_rows
        self.chat = chat or ChatFormat()
        self._sampled = codec.layout.sampled_indices

    def settings(self, **changes: object) -> Settings:
        """Default settings for this model with `changes`, fields of `Settings`."""
        return dataclasses.replace(Settings(sampling=self.sampling), **changes)  # type: ignore[arg-type]

    def open(
        self,
        settings: Settings | None = None,
        *,
        context_rows: int | None = None,
        beginning: Tokens | None = None,
    ) -> Session[StateT]:
        """A new session with room for `context_rows` rows (default: 2048, or all there are).

        beginning: given rows [R, C], such as `history_rows`, that are read before anything else
        but the layout's opening. GridError or ContextFullError if they are none or do not fit.
        """
        if context_rows is None:
            context_rows = min(DEFAULT_CONTEXT_ROWS, self.runtime.context_rows)
        if beginning is not None:
            check_beginning(beginning, self.codec)
        state = self.runtime.open(context_rows)
        return Session(self.codec, settings or self.settings(), state, beginning)

    def step(self, sessions: Sequence[Session[StateT]]) -> list[Stepped[StateT]]:
        """Read the next rows of all active sessions in one forward; what each of them got.

        A session that fails alone, such as by logits that are no numbers, says so in its entry and
        the others go on. What fails for all (no memory) is raised, and no session has changed.
        """
        stepped: list[Stepped[StateT]] = []
        ready: list[tuple[Session[StateT], Block]] = []
        for session in sessions:
            if session.is_active:
                try:
                    block = session.next_block(self.prefill_rows)
                except MotetError as error:
                    stepped.append(Stepped(session, [], error))
                    continue
                if block is None:
                    stepped.append(Stepped(session, [], None))
                else:
                    ready.append((session, block))
        for (session, block), last in zip(ready, self._forward(ready), strict=True):
            stepped.append(self._advance(session, block, last[-1]))
        return stepped

    def _forward(self, ready: Sequence[tuple[Session[StateT], Block]]) -> list[Logits]:
        if not ready:
            return []
        try:
            return self.runtime.forward(
                [session.state for session, _ in ready],
                [block.tokens_RC for _, block in ready],
                wanted=Wanted.LAST,
                channels=self._sampled,
            )
        except BaseException:  # also Ctrl-C: a long prefill may have been read in part
            for session, _ in ready:
                self.runtime.truncate(session.state, len(session.rows))
            raise

    def _advance(
        self, session: Session[StateT], block: Block, logits_XV: Logits
    ) -> Stepped[StateT]:
        before = len(session.rows)
        try:
            return Stepped(session, session.advance(block, logits_XV), None)
        except MotetError as error:  # a token that the tokenizer has no text for
            self.runtime.truncate(session.state, len(session.rows))
            return Stepped(session, session.rows[before:], error)

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
        session = self.open(settings)
        session.give(text)
        start = time.perf_counter()
        for _ in self.stream(session):
            pass
        return reply_of(session, self.name, time.perf_counter() - start)

    def fork(self, session: Session[StateT], settings: Settings | None = None) -> Session[StateT]:
        """An independent copy of a session, going on under `settings` (default: the same)."""
        twin = Session(self.codec, settings or session.settings, session.state.fork())
        twin.restore(session.rows, session.marks.cut(len(session.rows)))
        twin.stopped_by, twin.is_stopping = session.stopped_by, session.is_stopping
        twin.logits_XV = session.logits_XV
        twin.waiting = session.waiting.copy()
        return twin

    def rewind(self, session: Session[StateT], num_rows: int) -> None:
        """Cut a session back to its first `num_rows` rows; what was queued is dropped.

        Inside a turn the session goes on from there; before the first one it parks. If the reading
        that this takes fails, the session stays as it was.
        """
        opening = len(self.codec.layout.opening_RC())
        if not max(opening, 1) <= num_rows <= len(session.rows):
            raise SessionError(
                "rewind", expected=f"row {max(opening, 1)} to {len(session.rows)}", got=num_rows
            )
        last_RC = session.grid.tokens_RC[num_rows - 1 : num_rows]
        state = session.state.fork()
        self.runtime.truncate(state, num_rows - 1)
        (logits,) = self.runtime.forward([state], [last_RC], channels=self._sampled)
        session.state, session.logits_XV = state, logits[-1]
        session.cut(num_rows)

    def save(self, session: Session[StateT], path: str | Path) -> None:
        """Write a session to one file, whole or not at all."""
        save_session(session, Path(path), self.runtime)

    def resume(self, path: str | Path) -> Session[StateT]:
        """The session that `save` wrote, ready to go on; StateError if the file is unfit."""
        return load_session(Path(path), self.runtime, self.codec)
