"""The sampler of one session: from the logits of a row to the tokens of the next one.

model's logits -> repetition, presence, frequency -> silence penalty -> no end -> draw
"""

from __future__ import annotations

from motet.engine.sampling import (
    Dice,
    Logits,
    forbid,
    logprobs_of,
    penalise_presence,
    penalise_repetition,
    penalise_silence,
    sample,
)
from motet.engine.settings import Settings
from motet.engine.transcript import Transcript
from motet.protocol.row import RowLogprobs
from motet.streams.codec import StreamCodec


class Sampler:
    """Draws cells. What it knows of the past is the transcript; its dice need to know none."""

    def __init__(self, codec: StreamCodec, settings: Settings) -> None:
        self.dice = Dice(settings.seed, codec.layout.num_channels)
        self._codec = codec
        self._settings = settings
        self._columns = {c: n for n, c in enumerate(codec.layout.sampled_indices)}

    def update(self, settings: Settings) -> None:
        """Go on under these settings; another seed starts other dice."""
        if settings.seed != self._settings.seed:
            self.dice = Dice(settings.seed, self._codec.layout.num_channels)
        self._settings = settings

    def draw(self, logits_XV: Logits, channel: int, transcript: Transcript) -> int:
        """The token of `channel` in the row after those of `transcript`; see `sample`."""
        codec, settings = self._codec, self._settings
        sampling = settings.sampling_of(codec.layout.channels[channel].name)
        said, drawn = transcript.said[channel], transcript.drawn[channel]
        logits_V = self._of(logits_XV, channel)
        logits_V = penalise_repetition(logits_V, said, sampling.repetition_penalty)
        logits_V = penalise_presence(
            logits_V, drawn, sampling.presence_penalty, sampling.frequency_penalty
        )
        if codec.silence_id is not None:
            penalty = transcript.turn.silence_penalty(channel)
            logits_V = penalise_silence(logits_V, codec.silence_id, penalty)
        if settings.ignore_end and codec.end_id is not None:
            logits_V = forbid(logits_V, codec.end_id)
        return sample(logits_V, sampling, self.dice.roll(len(transcript.rows), channel))

    def logprobs(self, logits_XV: Logits, channel: int, token_id: int) -> RowLogprobs | None:
        """What is to be recorded of a drawn cell, if anything."""
        codec, num_top = self._codec, self._settings.top_logprobs
        if num_top is None or channel != codec.layout.output_index:
            return None
        return logprobs_of(self._of(logits_XV, channel), token_id, num_top)

    def _of(self, logits_XV: Logits, channel: int) -> Logits:
        return logits_XV[self._columns[channel], : self._codec.vocab_size]
