"""One turn: who has spoken since the last message began, and whether it is over.

A turn begins with the first token of a message to the model. It ends when Output has spoken and
every sampled channel rests: it has been silent for `quiet_rows` rows, or the last thing it said
was its end token. What a channel was still saying when the message came in belongs to the turn
before and does not count.

A turn knows only the rows it was shown, so it can be rebuilt from the grid at any time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from motet.engine.settings import Settings
from motet.streams.layout import Layout

PENALTY_RAMP_ROWS = 5
LOOP_MAX_PERIOD = 32
LOOP_MIN_TOKENS = 48
LOOP_MIN_REPEATS = 4


class StopReason(StrEnum):
    """Why a turn ended."""

    END = "end"
    MUTE = "mute"
    MAX_ROWS = "max_rows"
    REPETITION = "repetition"
    CONTEXT = "context"
    INTERRUPTED = "interrupted"


@dataclass
class Voice:
    """What one channel has done in this turn. has_answered: spoken, or at least said its end."""

    is_finishing: bool = False
    has_answered: bool = False
    has_spoken: bool = False
    has_ended: bool = False
    is_speaking: bool = False
    silent_rows: int = 0
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=LOOP_MAX_PERIOD * 4))

    def hear(
        self, token_id: int, silence_id: int | None, end_ids: Collection[int], *, counts: bool
    ) -> None:
        """Take in the channel's next token; `counts` is False for words put into its mouth."""
        is_end = token_id in end_ids
        self.is_speaking = token_id != silence_id and not is_end
        if token_id == silence_id:
            self.silent_rows += 1
            self.is_finishing = False
            return
        self.silent_rows = 0
        if not counts:
            self.is_finishing, self.has_ended = False, is_end
        elif self.is_finishing:
            self.is_finishing = not is_end
            self.recent.append(token_id)
        elif is_end:
            self.has_ended = self.has_answered = True
        else:
            self.has_spoken, self.has_answered, self.has_ended = True, True, False
            self.recent.append(token_id)


class Turn:
    """Follows one turn of a session row by row. settings: those in force, which may change."""

    def __init__(
        self,
        layout: Layout,
        settings: Settings,
        speaking: Sequence[bool],
        end_ids: Collection[int] | None = None,
    ) -> None:
        """end_ids: tokens that end a message; None: the layout's."""
        self._layout = layout
        self.settings = settings
        self._silence_id = None if layout.silence is None else layout.silence.id
        own_ids = () if layout.end is None else (layout.end.id,)
        self._end_ids = own_ids if end_ids is None else end_ids
        self._inputs = set(layout.input_indices)
        self.voices = [
            Voice(is_finishing=was_speaking and channel not in self._inputs)
            for channel, was_speaking in enumerate(speaking)
        ]
        self.num_rows = 0
        self._limited_from = 0
        self.ttft_rows: int | None = None

    def hear(
        self, tokens_C: Sequence[int], given_C: Sequence[bool], *, is_held: bool = False
    ) -> None:
        """Take in the next row. Words given to a sampled channel do not count as its own.

        is_held: the silence of the visible channel is not its own: it neither rests nor is mute.
        """
        self.num_rows += 1
        for channel, (voice, token_id) in enumerate(zip(self.voices, tokens_C, strict=True)):
            counts = channel in self._inputs or not given_C[channel]
            voice.hear(token_id, self._silence_id, self._end_ids, counts=counts)
        output = self.voices[self._layout.output_index]
        if is_held:
            output.silent_rows = 0
        if self.ttft_rows is None and output.has_spoken:
            self.ttft_rows = self.num_rows

    def go_on(self) -> None:
        """Count the row limit, mute rows and repetition anew from here."""
        self._limited_from = self.num_rows
        for voice in self.voices:
            voice.recent.clear()

    @property
    def speaking(self) -> list[bool]:
        """Per channel: in the middle of a message."""
        return [v.is_finishing or v.is_speaking for v in self.voices]

    @property
    def silent_input_rows(self) -> int:
        """Rows since every input channel fell silent; 0 while one speaks or none has spoken."""
        inputs = [self.voices[i] for i in self._layout.input_indices]
        if not any(v.has_spoken for v in inputs):
            return 0
        return min(v.silent_rows for v in inputs)

    def silence_penalty(self, channel: int) -> float:
        """What to take off the silence logit of `channel` in the next row."""
        if self.voices[channel].has_ended:
            return 0.0
        settings = self.settings
        is_output = channel == self._layout.output_index
        penalty = settings.silence_penalty_output if is_output else settings.silence_penalty_thought
        return penalty * min(1.0, self.silent_input_rows / PENALTY_RAMP_ROWS)

    def stop_reason(self) -> StopReason | None:
        """Why the turn is over, or None; to be asked only when no input is queued.

        Where end tokens are ignored only the row limit counts.
        """
        limited_rows = self.num_rows - self._limited_from
        limit = StopReason.MAX_ROWS if limited_rows >= self.settings.max_rows else None
        if self.settings.ignore_end:
            return limit
        sampled = [self.voices[i] for i in self._layout.sampled_indices]
        output = self.voices[self._layout.output_index]
        is_alone = len(self.voices) == 1  # an empty reply of a chat model is a reply
        has_replied = output.has_answered if is_alone else output.has_spoken
        if has_replied and all(map(self._rests, sampled)):
            return StopReason.END
        if any(is_loop(voice.recent) for voice in sampled):
            return StopReason.REPETITION
        if self._layout.input_indices:
            quiet = min(self.silent_input_rows, *(voice.silent_rows for voice in sampled))
            if min(quiet, limited_rows) >= self.settings.mute_rows:
                return StopReason.MUTE
        return limit

    def _rests(self, voice: Voice) -> bool:
        return voice.has_ended or voice.silent_rows >= self.settings.quiet_rows


def is_loop(recent: Sequence[int]) -> bool:
    """Whether the last tokens repeat one piece: 4 times or more, and over 48 tokens or more."""
    if len(recent) < LOOP_MIN_TOKENS:
        return False
    tokens = list(recent)
    for period in range(1, min(LOOP_MAX_PERIOD, len(tokens) // LOOP_MIN_REPEATS) + 1):
        if tokens[-1 - period] != tokens[-1]:
            continue
        tail = tokens[-max(period * LOOP_MIN_REPEATS, LOOP_MIN_TOKENS) :]
        if tail[period:] == tail[:-period]:
            return True
    return False
