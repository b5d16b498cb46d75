"""How a session is decoded: sampling per channel, silence penalties, stop rules, feeding.

All values are checked when a `Settings` is made, so nothing below has to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from motet.errors import SettingError
from motet.streams.layout import Layout

MAX_TOP_LOGPROBS = 100


def _check(name: str, value: float, low: float, high: float) -> None:
    kind = int if isinstance(low, int) else float
    is_number = isinstance(value, int | kind) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        raise SettingError(name, expected=f"{kind.__name__} from {low} to {high}", got=repr(value))


class Feed(StrEnum):
    """How a message is read: one token a row while others speak, or all at once in silence."""

    LIVE = "live"
    PREFILL = "prefill"


def as_feed(value: str) -> Feed:
    """The Feed that `value` names; SettingError if it names none."""
    try:
        return Feed(value)
    except ValueError:
        raise SettingError("feed", expected=" or ".join(Feed), got=repr(value)) from None


@dataclass(frozen=True)
class Sampling:
    """Knobs of one channel's sampler.

    temperature: 0 is greedy. top_k: 0 is off. top_p, min_p: 1 and 0 are off; min_p keeps tokens
    of at least that share of the likeliest one's probability. repetition_penalty: 1 is off;
    logits of tokens that the channel has already said are divided (if positive) or multiplied by
    it, silence and end excepted. presence_penalty, frequency_penalty: 0 is off; taken off the
    logits of tokens that were sampled on the channel before, once, and once for each time.
    """

    temperature: float = 0.6
    top_k: int = 20
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0

    def __post_init__(self) -> None:
        _check("temperature", self.temperature, 0.0, 100.0)
        _check("top_k", self.top_k, 0, 1_000_000)
        _check("top_p", self.top_p, 0.0, 1.0)
        _check("min_p", self.min_p, 0.0, 1.0)
        _check("repetition_penalty", self.repetition_penalty, 0.01, 100.0)
        _check("presence_penalty", self.presence_penalty, -100.0, 100.0)
        _check("frequency_penalty", self.frequency_penalty, -100.0, 100.0)
        if self.top_p == 0.0:
            raise SettingError("top_p", expected="more than 0, at most 1", got=0)

    @property
    def is_plain(self) -> bool:
        """Whether it takes the likeliest token, whatever was said before."""
        penalties = (self.presence_penalty, self.frequency_penalty)
        return self.temperature == 0.0 and self.repetition_penalty == 1.0 and not any(penalties)


@dataclass(frozen=True)
class Settings:
    """How one session is decoded.

    channel_sampling: samplers of single channels, by name, in place of `sampling`.
    silence_penalty_output, silence_penalty_thought: taken off the silence logit once the User has
    fallen silent, rising over 5 rows. ablate: channels that stay silent. max_rows: rows of one
    turn. quiet_rows: a turn has ended when every sampled channel has rested for so many rows.
    mute_rows: a turn ends when nobody has spoken for so many rows after the User. feed: None
    means live where the layout has an input channel, else prefill. ignore_end: the end token is
    never sampled, and a turn ends by `max_rows` alone. top_logprobs: record how likely the visible
    channel's tokens were, and so many of the likeliest (`Row.logprobs`); None is off.
    """

    sampling: Sampling = Sampling()
    channel_sampling: Mapping[str, Sampling] = field(default_factory=dict)
    silence_penalty_output: float = 1.0
    silence_penalty_thought: float = 1.0
    seed: int = 0
    max_rows: int = 512
    quiet_rows: int = 8
    mute_rows: int = 64
    feed: Feed | None = None
    ablate: frozenset[str] = frozenset()
    ignore_end: bool = False
    top_logprobs: int | None = None

    def __post_init__(self) -> None:
        _check("silence_penalty_output", self.silence_penalty_output, -100.0, 100.0)
        _check("silence_penalty_thought", self.silence_penalty_thought, -100.0, 100.0)
        _check("seed", self.seed, 0, 2**63 - 1)
        _check("max_rows", self.max_rows, 1, 10_000_000)
        _check("quiet_rows", self.quiet_rows, 1, 10_000_000)
        _check("mute_rows", self.mute_rows, 1, 10_000_000)
        if not isinstance(self.ignore_end, bool):
            raise SettingError("ignore_end", expected="True or False", got=repr(self.ignore_end))
        if self.top_logprobs is not None:
            _check("top_logprobs", self.top_logprobs, 0, MAX_TOP_LOGPROBS)
        samplers = dict(self.channel_sampling)
        for name, sampling in [("sampling", self.sampling), *samplers.items()]:
            if not isinstance(sampling, Sampling):
                raise SettingError(name, expected="a Sampling", got=repr(sampling))
        # Copies: the caller's own mapping or set may change later, these settings may not.
        object.__setattr__(self, "channel_sampling", samplers)
        names = [*samplers, *self.ablate]
        if isinstance(self.ablate, str) or not all(isinstance(name, str) for name in names):
            raise SettingError(
                "ablate and channel_sampling", expected="channel names",
                got=f"{self.ablate!r} and {list(samplers)}",
            )  # fmt: skip
        object.__setattr__(self, "ablate", frozenset(self.ablate))
        object.__setattr__(self, "feed", None if self.feed is None else as_feed(self.feed))

    def check_against(self, layout: Layout) -> None:
        """SettingError or LayoutError if these settings make no sense for `layout`."""
        for name in (*self.channel_sampling, *self.ablate):
            if layout.index(name) not in layout.sampled_indices:
                raise SettingError(
                    "channel setting", expected="a sampled channel", got=f"{name!r}, an input"
                )
        if self.ablate and layout.silence is None:
            raise SettingError("ablate", expected="a model with a silence token", got="none")
        self.feed_for(layout)

    def sampling_of(self, name: str) -> Sampling:
        """The sampler of the channel called `name`."""
        return self.channel_sampling.get(name, self.sampling)

    def feed_for(self, layout: Layout, asked: str | None = None) -> Feed:
        """The way a message is read under `layout`: as `asked`, as set here, or as it suits."""
        has_inputs = bool(layout.input_indices)
        feed = self.feed if asked is None else as_feed(asked)
        if feed is Feed.LIVE and not has_inputs:
            raise SettingError(
                "feed", expected="prefill for a model without an input channel", got="live"
            )
        return feed or (Feed.LIVE if has_inputs else Feed.PREFILL)

    def to_json(self) -> dict[str, Any]:
        """The settings as plain JSON values."""
        data = dataclasses.asdict(self)
        data["ablate"] = sorted(self.ablate)
        data["feed"] = None if self.feed is None else self.feed.value
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """What `to_json` wrote; SettingError if a key is unknown or a value impossible."""
        try:
            values = dict(data)
            values["sampling"] = Sampling(**values["sampling"])
            values["channel_sampling"] = {
                name: Sampling(**knobs) for name, knobs in values["channel_sampling"].items()
            }
            values["ablate"] = frozenset(values["ablate"])
            values["feed"] = None if values["feed"] is None else Feed(values["feed"])
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SettingError("settings", expected="what Motet saved", got=error) from None
