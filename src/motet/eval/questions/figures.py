"""What all trials together say: shares with their intervals, rows, voices, kinds of failure.

    accuracy    mean over questions of the share of right samples (avg@k; k = 1: of right answers)
    majority    questions whose most frequent answer is right (maj@k; ties: the one said first)
    any_right   questions that at least one sample got right (pass@k)

Intervals are 95 %, Wilson's; for averages over samples with the effective number of trials.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from motet.eval.intervals import Interval, wilson, wilson_of_means
from motet.eval.questions.judging import Outcome
from motet.eval.questions.trial import Trial

__all__ = ["Figures", "Rate", "Spread", "VoiceFigures", "by_question", "majority", "mean_rate"]


@dataclass(frozen=True)
class Rate:
    """A share with its 95 % interval. num_hits is whole unless questions were asked often."""

    share: float
    interval: Interval
    num_trials: int

    @classmethod
    def of(cls, hits: Sequence[bool]) -> Rate:
        """The share of hits that each count once."""
        return cls(sum(hits) / len(hits), wilson(sum(hits), len(hits)), len(hits))


@dataclass(frozen=True)
class Spread:
    """A few numbers of many."""

    num: int
    mean: float
    median: float
    p90: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Spread | None:
        """Those of the values that are there; None if none is."""
        known = np.array([value for value in values if value is not None], np.float64)
        if not len(known):
            return None
        median, p90 = np.quantile(known, [0.5, 0.9])
        return cls(len(known), float(known.mean()), float(median), float(p90), float(known.max()))


@dataclass(frozen=True)
class VoiceFigures:
    """One channel. fill: of all rows, those in which it spoke. num_spoken: per conversation.

    spoke: conversations in which it said anything. first_row: in which it began.
    """

    fill: float
    num_spoken: Spread
    spoke: Rate
    first_row: Spread | None


@dataclass(frozen=True)
class Figures:
    """All of them. majority, any_right: None with one sample a question."""

    num_questions: int
    num_samples: int
    accuracy: Rate
    majority: Rate | None
    any_right: Rate | None
    ended: Rate
    outcomes: dict[Outcome, int]
    num_rows: Spread | None
    wait_rows: Spread | None
    voices: dict[str, VoiceFigures]

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Figures:
        """The figures of at least one trial; every question must have as many as the others."""
        questions = by_question(trials)
        num_samples = len(questions[0])
        assert all(len(question) == num_samples for question in questions)
        is_repeated = num_samples > 1
        outcomes = Counter(trial.outcome for trial in trials)
        return cls(
            num_questions=len(questions),
            num_samples=num_samples,
            accuracy=mean_rate(questions, lambda trial: trial.is_right),
            majority=Rate.of([majority(q) for q in questions]) if is_repeated else None,
            any_right=Rate.of([any(t.is_right for t in q) for q in questions])
            if is_repeated
            else None,
            ended=mean_rate(questions, lambda trial: trial.ended),
            outcomes={outcome: outcomes[outcome] for outcome in Outcome},
            num_rows=Spread.of(trial.num_rows for trial in trials),
            wait_rows=Spread.of(trial.wait_rows for trial in trials),
            voices=_voices(trials),
        )


def by_question(trials: Sequence[Trial]) -> list[list[Trial]]:
    """The trials of each question, samples in order; questions in order of their first trial."""
    order = {trial.id: place for place, trial in reversed(list(enumerate(trials)))}
    ordered = sorted(trials, key=lambda trial: (order[trial.id], trial.sample))
    return [list(group) for _, group in groupby(ordered, key=lambda trial: order[trial.id])]


def majority(samples: Sequence[Trial]) -> bool:
    """Whether the answer that most samples gave is right; of equally many, the one said first."""
    votes = Counter(trial.answer for trial in samples if trial.answer is not None)
    if not votes:
        return False
    chosen = max(votes, key=votes.__getitem__)  # the first of the highest
    return any(trial.is_right for trial in samples if trial.answer == chosen)


def mean_rate(questions: Sequence[Sequence[Trial]], is_hit: Callable[[Trial], bool]) -> Rate:
    """The mean of each question's share of hits."""
    means = np.array([np.mean([is_hit(trial) for trial in samples]) for samples in questions])
    num_each = len(questions[0])
    return Rate(float(means.mean()), wilson_of_means(means, num_each), len(means) * num_each)


def _voices(trials: Sequence[Trial]) -> dict[str, VoiceFigures]:
    """Figures of each channel, of the trials whose rows are known."""
    known = [(t.num_rows, t.voices) for t in trials if t.voices is not None and t.num_rows]
    names = list(known[0][1]) if known else []
    figures = {}
    for name in names:
        voices = [voices[name] for _, voices in known]
        spoken = Spread.of(float(voice.num_spoken) for voice in voices)
        assert spoken is not None
        figures[name] = VoiceFigures(
            fill=sum(v.num_spoken for v in voices) / sum(num_rows for num_rows, _ in known),
            num_spoken=spoken,
            spoke=Rate.of([voice.num_spoken > 0 for voice in voices]),
            first_row=Spread.of(voice.first_row for voice in voices),
        )
    return figures
