"""The sampler of one session: from the logits of a row to the tokens of the next one.

model's logits -> repetition, presence, frequency -> silence penalty -> no end -> draw
"""

from __future__ import annotations

import numpy as np

from motet.engine.draws import Wish
from motet.engine.sampling import (
    Dice,
    Logits,
    check_finite,
    forbid,
    logprobs_of,
    penalise_presence,
    penalise_repetition,
    penalise_silence,
    sample,
)
from motet.engine.settings import Settings
from motet.engine.transcript import Transcript
from motet.engine.waiting import Block, Waiting
from motet.streams.codec import StreamCodec
from motet.streams.grid import TOKEN_DTYPE


class Sampler:
    """Makes next rows. What it knows of the past is the transcript; its dice need to know none.

    drawn: by channel, what was drawn ahead for the next row, for what `wishes` asked.
    """

    def __init__(self, codec: StreamCodec, settings: Settings) -> None:
        self.dice = Dice(settings.seed, codec.layout.num_channels)
        self.drawn: dict[int, int] = {}
        self._codec = codec
        self._settings = settings
        self._columns = {c: n for n, c in enumerate(codec.layout.sampled_indices)}
        self._silence_id = 0 if codec.silence_id is None else codec.silence_id
        self.update(settings)

    def update(self, settings: Settings) -> None:
        """Go on under these settings; another seed starts other dice."""
        if settings.seed != self._settings.seed:
            self.dice = Dice(settings.seed, self._codec.layout.num_channels)
        layout = self._codec.layout
        self._settings = settings
        self._silent = {*layout.input_indices, *map(layout.index, settings.ablate)}
        self._sampling_C = [settings.sampling_of(channel.name) for channel in layout.channels]
        only_quieter = min(settings.silence_penalty_output, settings.silence_penalty_thought) >= 0.0
        self._is_plain_C = [
            sampling.is_plain and only_quieter and not settings.ignore_end
            for sampling in self._sampling_C
        ]

    def wishes(
        self, logits_XV: Logits, transcript: Transcript, waiting: Waiting
    ) -> dict[int, Wish]:
        """By channel, the draws of the next row that are more than taking the likeliest token."""
        return {
            channel: Wish(
                self._penalised(logits_XV[column, : self._codec.vocab_size], channel, transcript),
                self._sampling_C[channel],
                self.dice.roll(len(transcript.rows), channel),
            )
            for channel, column in self._columns.items()
            if self._sampling_C[channel].temperature > 0.0
            and not waiting.queues[channel]
            and not self._rests(channel, transcript)
        }

    def next_row(self, logits_XV: Logits, transcript: Transcript, waiting: Waiting) -> Block:
        """The row after those of `transcript`: what is queued, silence, or drawn."""
        layout = self._codec.layout
        C, prompt = layout.num_channels, waiting.queues[layout.prompt_index]
        tokens, given = np.empty((1, C), TOKEN_DTYPE), np.ones((1, C), np.bool_)
        logprobs = None
        for channel, queue in enumerate(waiting.queues):
            if queue:
                tokens[0, channel] = queue[0].token_id
            elif self._rests(channel, transcript):
                tokens[0, channel] = self._silence_id
            else:
                logits_V = logits_XV[self._columns[channel], : self._codec.vocab_size]
                token_id = self.drawn.get(channel)
                if token_id is None:
                    token_id = self._draw(logits_V, channel, transcript)
                tokens[0, channel], given[0, channel] = token_id, False
                if channel == layout.output_index and self._settings.top_logprobs is not None:
                    logprobs = logprobs_of(logits_V, token_id, self._settings.top_logprobs)
        self.drawn = {}
        starts = (0,) if prompt and prompt[0].starts_turn else ()
        return Block(tokens, given, starts, (0,) if prompt else (), logprobs)

    def _draw(self, logits_V: Logits, channel: int, transcript: Transcript) -> int:
        """Draw a token id."""
        if self._is_plain_C[channel]:
            best, silence_id = int(logits_V.argmax()), self._codec.silence_id
            if best != silence_id or transcript.turn.silence_penalty(channel) == 0.0:
                check_finite(logits_V[best])
                return best
        uniform = self.dice.roll(len(transcript.rows), channel)
        penalised_V = self._penalised(logits_V, channel, transcript)
        return sample(penalised_V, self._sampling_C[channel], uniform)

    def _rests(self, channel: int, transcript: Transcript) -> bool:
        """Whether a channel says nothing if nothing is put into it."""
        is_held = channel == self._codec.layout.output_index and transcript.marks.is_held
        return is_held or channel in self._silent

    def _penalised(self, logits_V: Logits, channel: int, transcript: Transcript) -> Logits:
        settings, silence_id = self._settings, self._codec.silence_id
        sampling = self._sampling_C[channel]
        said, drawn = transcript.said[channel], transcript.drawn[channel]
        presence, frequency = sampling.presence_penalty, sampling.frequency_penalty
        logits_V = penalise_repetition(logits_V, said, sampling.repetition_penalty)
        logits_V = penalise_presence(logits_V, drawn, presence, frequency)
        if silence_id is not None:
            penalty = transcript.turn.silence_penalty(channel)
            logits_V = penalise_silence(logits_V, silence_id, penalty)
        for end_id in self._codec.end_ids if settings.ignore_end else ():
            logits_V = forbid(logits_V, end_id)
        return logits_V
