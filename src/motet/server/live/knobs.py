"""Settings as they travel and settings as the engine has them."""

from __future__ import annotations

import dataclasses
from typing import Any

from motet.engine import Sampling, Settings
from motet.protocol.knobs import Knobs, KnobsChange, SettingsChange, SettingsEcho

_KNOBS = tuple(Knobs.model_fields)
_PLAIN = (
    "silence_penalty_output", "silence_penalty_thought", "seed", "max_rows", "quiet_rows",
    "mute_rows", "feed",
)  # fmt: skip


def changed(settings: Settings, change: SettingsChange) -> Settings:
    """`settings` after a change; SettingError if a value is out of its range."""
    values = {name: getattr(change, name) for name in _PLAIN if getattr(change, name) is not None}
    if change.ablate is not None:
        values["ablate"] = frozenset(change.ablate)
    samplers = dict(settings.channel_sampling)
    sampling = _changed(settings.sampling, change.sampling)
    for name, knobs in change.channel_sampling.items():
        samplers[name] = _changed(samplers.get(name, sampling), knobs)
    return dataclasses.replace(settings, sampling=sampling, channel_sampling=samplers, **values)


def echo(settings: Settings, pace: float) -> SettingsEcho:
    """What is in force, as the client is told."""
    return SettingsEcho(
        sampling=_knobs(settings.sampling),
        channel_sampling={name: _knobs(one) for name, one in settings.channel_sampling.items()},
        ablate=tuple(sorted(settings.ablate)),
        pace=pace,
        **{name: getattr(settings, name) for name in _PLAIN},
    )


def settings_of(told: SettingsEcho) -> Settings:
    """The settings that were told so."""
    return Settings(
        sampling=_sampling(told.sampling),
        channel_sampling={name: _sampling(one) for name, one in told.channel_sampling.items()},
        ablate=frozenset(told.ablate),
        **{name: getattr(told, name) for name in _PLAIN},
    )


def _changed(sampling: Sampling, change: KnobsChange) -> Sampling:
    given = {name: getattr(change, name) for name in _KNOBS}
    return dataclasses.replace(
        sampling, **{name: value for name, value in given.items() if value is not None}
    )


def _knobs(sampling: Sampling) -> Knobs:
    return Knobs(**_fields(sampling))


def _sampling(knobs: Knobs) -> Sampling:
    return Sampling(**knobs.model_dump())


def _fields(sampling: Sampling) -> dict[str, Any]:
    return {name: getattr(sampling, name) for name in _KNOBS}
