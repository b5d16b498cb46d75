"""Sampling knobs as they are written on the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from motet.engine import Sampling
from motet.errors import SettingError
from motet.streams.layout import Layout

_TYPES = {f.name: int if f.name == "top_k" else float for f in dataclasses.fields(Sampling)}


def global_sampling(default: Sampling, knobs: Mapping[str, float | None]) -> Sampling:
    """The model's default with the knobs that were given."""
    given = {name: value for name, value in knobs.items() if value is not None}
    return dataclasses.replace(default, **given)  # type: ignore[arg-type]


def channel_sampling(base: Sampling, options: Sequence[str]) -> dict[str, Sampling]:
    """`Think:temperature=0.3,top_k=5` and the like; knobs that are not named stay as in `base`."""
    return {
        channel: dataclasses.replace(base, **knobs)
        for channel, knobs in channel_changes(options).items()
    }


def channel_changes(options: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The knobs that such options name, by channel; SettingError for anything else."""
    changes: dict[str, dict[str, Any]] = {}
    for option in options:
        channel, colon, pairs = option.partition(":")
        knobs = changes.setdefault(channel, {})
        for pair in pairs.split(","):
            name, equals, value = pair.partition("=")
            try:
                knobs[name] = _TYPES[name](value)
            except (KeyError, ValueError):
                colon = ""
            if not (colon and equals):
                raise SettingError(
                    "--sampling", expected=f"CHANNEL:KNOB=VALUE with {', '.join(_TYPES)}",
                    got=repr(option),
                )  # fmt: skip
    return changes


def silence_rules(layout: Layout, rules: Mapping[str, float | None]) -> dict[str, Any]:
    """The rules that were given; SettingError for one that can do nothing under `layout`."""
    given = {name: value for name, value in rules.items() if value is not None}
    for name in given:
        needs = "a model with a silence token" if layout.silence is None else None
        if name == "silence_penalty_thought" and not layout.thought_indices:
            needs = "a model with a thought channel"
        if needs is not None:
            option = "--" + name.replace("_", "-")
            raise SettingError(option, expected=needs, got=f"channels {', '.join(layout.names)}")
    return given
