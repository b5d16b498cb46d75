"""Questions to a model in this process: one batch that never runs dry.

    ask --> session in the batch --> its turn is over --> Said --> the next ask takes its place

What a session says depends on its own seed alone, so neither the size of the batch nor the order
changes any answer. A one-channel model with a chat template is asked through it, and its reply
ends with any of the tokens that its authors name, as in a server.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from motet.engine import Engine, Session, Settings, StopReason
from motet.errors import ContextFullError, InputError, ServerError, SettingError
from motet.eval.questions.hearing import ReplyMark, said_in
from motet.eval.questions.question import Identifier, Question
from motet.eval.questions.trial import Ask, Said, Trial, asks_of, trial_of
from motet.server.openai.messages import Message
from motet.server.openai.prompt import Prompter
from motet.streams.layout import Layout

__all__ = ["BATCH_SIZE", "EngineAsker", "Hear", "Refused", "check_samples", "evaluate"]

BATCH_SIZE = 32

Hear = Callable[[Ask, Said], None]
"""Told what came of each ask, as soon as it is there."""
Refused = Callable[[Ask, InputError], None]
"""Told of an ask that can't be asked, and why."""


def evaluate(
    engine: Engine[Any],
    questions: Sequence[Question],
    settings: Settings,
    *,
    num_samples: int = 1,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    answer_after: str | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[Trial]:
    """Ask every question `num_samples` times; the trials in the order of the questions.

    seed: the sessions' seeds follow from it, in place of `settings.seed`. answer_after: see
    `ReplyMark`. advance: called after each trial.
    """
    check_samples(settings, engine.codec.layout, num_samples)
    trials: dict[tuple[Identifier, int], Trial] = {}

    def hear(ask: Ask, said: Said) -> None:
        trials[ask.question.id, ask.sample] = trial_of(ask, said)
        advance()

    asks = asks_of(questions, num_samples, seed)
    EngineAsker(engine, settings, answer_after).ask(asks, hear, batch_size)
    return [trials[ask.question.id, ask.sample] for ask in asks]


@dataclass(eq=False)
class _Asked:
    """An ask and its session. mark: where its reply begins."""

    ask: Ask
    session: Session[Any]
    mark: ReplyMark


class EngineAsker:
    """Asks an engine. plain: a one-channel model reads the text as it is, without a template."""

    def __init__(
        self,
        engine: Engine[Any],
        settings: Settings,
        answer_after: str | None = None,
        *,
        plain: bool = False,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._answer_after = answer_after
        is_one_channel = engine.codec.layout.num_channels == 1
        self._prompter = Prompter(engine) if is_one_channel else None
        self._is_chat = is_one_channel and not plain and engine.chat.template is not None
        self._end_ids = engine.chat.end_ids if is_one_channel else frozenset()

    def ask(
        self,
        asks: Iterable[Ask],
        hear: Hear,
        at_once: int = BATCH_SIZE,
        refused: Refused | None = None,
    ) -> None:
        """Ask everything, `at_once` at a time; `hear` in the order in which the turns end.

        refused: told of the asks that the model can't be asked, in place of the InputError that
        otherwise names the first.
        """
        waiting = iter(asks)
        running: list[_Asked] = []
        is_exhausted = False
        while running or not is_exhausted:
            while len(running) < at_once and not is_exhausted:
                ask = next(waiting, None)
                if ask is None:
                    is_exhausted = True
                    break
                try:
                    running.append(self._start(ask))
                except InputError as error:
                    if refused is None:
                        raise
                    refused(ask, error)
            for _, _, failure in self._engine.step([asked.session for asked in running]):
                if failure is not None:
                    raise failure
            over = [asked for asked in running if self._is_over(asked.session)]
            running = [asked for asked in running if asked not in over]
            for asked in over:
                hear(asked.ask, self._said(asked))

    def _start(self, ask: Ask) -> _Asked:
        """A session that has the question to read."""
        try:
            settings = dataclasses.replace(self._settings, seed=ask.seed)
            room = len(self._engine.codec.layout.opening_RC()) + settings.max_rows
            mark = ReplyMark(self._answer_after)
            if self._prompter is None:
                session = self._engine.open(settings, context_rows=self._room(room))
                session.give(ask.text)
                return _Asked(ask, session, mark)
            if self._is_chat:
                prompt = self._prompter.of_messages([Message("user", ask.text)])
                mark = ReplyMark(self._answer_after, True, prompt.starts_in_thought)
            else:
                prompt = self._prompter.of_text(ask.text)
            session = self._engine.open(
                settings, context_rows=self._room(room + prompt.num_rows),
                beginning=prompt.beginning_RC,
            )  # fmt: skip
            session.give_ids(prompt.ids)
        except (InputError, ContextFullError, ServerError) as error:
            raise InputError(f"{ask.question.where}: {error}") from None
        return _Asked(ask, session, mark)

    def _room(self, num_rows: int) -> int:
        return min(num_rows, self._engine.runtime.context_rows)

    def _is_over(self, session: Session[Any]) -> bool:
        return not session.is_active or self._has_ended(session)

    def _has_ended(self, session: Session[Any]) -> bool:
        """Whether a one-channel model has just said a token that ends its reply."""
        last = session.rows[-1] if session.rows else None
        return last is not None and not last.given[0] and last.token_ids[0] in self._end_ids

    def _said(self, asked: _Asked) -> Said:
        session, layout = asked.session, asked.session.layout
        stopped_by = StopReason.END if self._has_ended(session) else session.stopped_by or ""
        channels = {name: session.text(name) for name in layout.names}
        roles = {channel.name: channel.role for channel in layout.channels}
        return said_in(session.rows, roles, channels, str(stopped_by), asked.mark, self._end_ids)


def check_samples(settings: Settings, layout: Layout, num_samples: int) -> None:
    """SettingError if several samples are asked for where all of them would be the same."""
    samplers = [settings.sampling_of(layout.names[i]) for i in layout.sampled_indices]
    if num_samples > 1 and all(sampler.temperature == 0.0 for sampler in samplers):
        raise SettingError(
            "samples", expected="1 with temperature 0, since all would be the same",
            got=num_samples, fix="set a temperature",
        )  # fmt: skip
