"""The settings of a session as they travel: partial in a request, complete in an echo.

Names and meanings are those of the engine's settings (`motet.engine.settings`); ranges are checked
there.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from motet.protocol.wire import Message

__all__ = ["Knobs", "KnobsChange", "SettingsChange", "SettingsEcho"]


class KnobsChange(Message):
    """A change of one sampler; what is left out stays."""

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class Knobs(Message):
    """All of one sampler."""

    temperature: float
    top_k: int
    top_p: float
    min_p: float
    repetition_penalty: float
    presence_penalty: float
    frequency_penalty: float


class SettingsChange(Message):
    """A change of settings; what is left out stays.

    pace: rows a second at most, 0 for as fast as it goes. channel_sampling: by channel name.
    """

    sampling: KnobsChange = KnobsChange()
    channel_sampling: dict[str, KnobsChange] = Field(default_factory=dict)
    silence_penalty_output: float | None = None
    silence_penalty_thought: float | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    max_rows: int | None = None
    quiet_rows: int | None = None
    mute_rows: int | None = None
    feed: Literal["live", "prefill"] | None = None
    ablate: tuple[str, ...] | None = None
    pace: Annotated[float, Field(ge=0, le=100_000)] | None = None


class SettingsEcho(Message):
    """All settings in force. feed is None where the layout decides."""

    sampling: Knobs
    channel_sampling: dict[str, Knobs]
    silence_penalty_output: float
    silence_penalty_thought: float
    seed: int
    max_rows: int
    quiet_rows: int
    mute_rows: int
    feed: Literal["live", "prefill"] | None
    ablate: tuple[str, ...]
    pace: float
