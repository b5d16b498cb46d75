"""Numbered events as a server could send them: a tiny session that does what the dice say.

It keeps the rules of the protocol (rows in order, reads inside their text, turns that end after
they began) and knows nothing of how a client folds them.
"""

from __future__ import annotations

from random import Random

from motet.protocol import server_events as server
from motet.protocol.knobs import Knobs, SettingsEcho

NAMES = ("User", "Output", "Think")
KNOBS = Knobs(
    temperature=0.6, top_k=20, top_p=0.95, min_p=0.0, repetition_penalty=1.0,
    presence_penalty=0.0, frequency_penalty=0.0,
)  # fmt: skip


def echo(seed: int = 0) -> SettingsEcho:
    return SettingsEcho(
        sampling=KNOBS, channel_sampling={}, silence_penalty_output=1.0,
        silence_penalty_thought=1.0, seed=seed, max_rows=512, quiet_rows=8, mute_rows=64,
        feed=None, ablate=(), pace=0.0,
    )  # fmt: skip


def created(
    seq: int = 0, row: int = 0, *, is_new: bool, heartbeat_s: float = 5.0
) -> server.SessionCreated:
    limits = server.Limits(
        context_rows=100, max_frame_bytes=2000, max_text_bytes=1000, max_sessions=8,
        heartbeat_s=heartbeat_s,
    )  # fmt: skip
    return server.SessionCreated(
        seq=seq, row=row, session_id="s1", resume_token="token", is_new=is_new, model="dice",
        channels=tuple(
            server.ChannelInfo(name=name, role=role)
            for name, role in zip(NAMES, ("input", "output", "thought"), strict=True)
        ),
        capabilities=(), limits=limits, context_rows=100, context_policy="roll", settings=echo(),
        is_paused=False, is_held=False,
    )  # fmt: skip


class LegalSession:
    """events: numbered 1, 2, ... without a gap."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self.events: list[server.ServerEvent] = []
        self.num_rows = 0
        self._waiting: list[tuple[int, str, int]] = []  # input_id, text, characters read
        self._num_inputs = 0
        self._turns: list[int] = []  # the first row of each
        self._is_turning = False
        self._add(server.SessionUpdated, settings=echo(), is_paused=False, is_held=False)

    def _add(self, kind: type, **fields: object) -> None:
        event = kind(seq=len(self.events) + 1, row=self.num_rows, **fields)
        self.events.append(event)

    def go(self, num_deeds: int) -> None:
        deeds = [
            self.queue, self.queue, self.read, self.read, self.read, self.decode, self.decode,
            self.end, self.rewind, self.clear, self.roll, self.update, self.fork,
        ]  # fmt: skip
        for _ in range(num_deeds):
            self._dice.choice(deeds)()

    def queue(self, text: str | None = None) -> None:
        self._num_inputs += 1
        if text is None:
            text = "".join(self._dice.choices("ab é😀\n", k=self._dice.randint(1, 5)))
        self._waiting.append((self._num_inputs, text, 0))
        self._add(
            server.InputQueued, input_id=self._num_inputs, text=text, num_tokens=len(text),
            channel="User", feed="live",
        )  # fmt: skip

    def read(self) -> None:
        """Some characters of the oldest text, a row each."""
        if not self._waiting:
            return
        input_id, text, done = self._waiting.pop(0)
        count = self._dice.randint(1, len(text) - done)
        first = self.num_rows
        if done == 0:
            self._start_turn()
        self._rows([(text[done + i], "", "t") for i in range(count)], is_given=True)
        is_done = done + count == len(text)
        self._add(
            server.InputRead, input_id=input_id, from_row=first, to_row=self.num_rows - 1,
            chars=done + count, is_done=is_done,
        )  # fmt: skip
        if not is_done:
            self._waiting.insert(0, (input_id, text, done + count))

    def decode(self) -> None:
        if self._is_turning:
            cells = [
                ("", self._dice.choice(["", "x", "yz"]), self._dice.choice(["", "?"]))
                for _ in range(self._dice.randint(1, 4))
            ]
            self._rows(cells, is_given=False)

    def end(self) -> None:
        if self._is_turning and not self._waiting:
            self._add(
                server.TurnEnded, turn=len(self._turns),
                reason=self._dice.choice(["end", "max_rows"]),
                rows=self.num_rows - self._turns[-1], ttft_rows=self._dice.choice([None, 3]),
                seconds=0.5,
            )  # fmt: skip
            self._is_turning = False
            if self._dice.random() < 0.3:
                self._continue()

    def rewind(self) -> None:
        """Turns whose first row is gone never were; inside one the session goes on."""
        if self.num_rows == 0:
            return
        num_turns = len(self._turns)
        self.num_rows = self._dice.randint(1, self.num_rows)
        self._waiting.clear()
        self._add(server.SessionRewound, to_row=self.num_rows)
        self._turns = [start for start in self._turns if start < self.num_rows]
        was_turning = self._is_turning and len(self._turns) == num_turns
        self._is_turning = was_turning
        if self._turns and not was_turning and self._dice.random() < 0.7:
            self._continue()

    def _continue(self) -> None:
        self._is_turning = True
        self._add(server.TurnContinued, turn=len(self._turns), counts_anew=True)

    def clear(self) -> None:
        if self._waiting:
            ids = tuple(input_id for input_id, _, _ in self._waiting)
            self._waiting.clear()
            self._add(server.InputCleared, input_ids=ids)

    def roll(self) -> None:
        if self.num_rows:
            self._add(
                server.ContextFilling, used_rows=self.num_rows, context_rows=100, policy="roll"
            )
            self._add(server.ContextRolled, first_row=self._dice.randrange(self.num_rows))

    def update(self) -> None:
        self._add(
            server.SessionUpdated, settings=echo(self._dice.randrange(9)),
            is_paused=self._dice.random() < 0.5, is_held=self._dice.random() < 0.5,
        )  # fmt: skip

    def fork(self) -> None:
        self._add(server.SessionForked, session_id="s2", resume_token="other")

    def _start_turn(self) -> None:
        self._turns.append(self.num_rows)
        self._is_turning = True
        self._add(server.TurnStarted, turn=len(self._turns), from_row=self.num_rows)

    def _rows(self, cells: list[tuple[str, str, str]], *, is_given: bool) -> None:
        frames = tuple(
            server.RowFrame(
                index=self.num_rows + n, ids=(1, 2, 3), text=texts,
                silent=tuple(not text for text in texts), given=(True, False, is_given),
            )
            for n, texts in enumerate(cells)
        )  # fmt: skip
        self.num_rows += len(frames)
        self._add(server.Rows, rows=frames)


def legal_session(seed: int, num_deeds: int) -> LegalSession:
    session = LegalSession(Random(seed))
    session.go(num_deeds)
    return session
