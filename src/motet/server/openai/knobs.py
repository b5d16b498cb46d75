"""The sampling fields that the three endpoints share, and the engine's settings that they make."""

from __future__ import annotations

import dataclasses
import secrets
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from motet.engine import Engine, Settings
from motet.server.errors import ApiError
from motet.server.openai.fields import Extension, Note, RequestFields

__all__ = ["MAX_STOPS", "MAX_TOP_LOGPROBS", "NUM_SEEDS", "Knobs", "Stop", "settings_of", "stops_of"]

MAX_STOPS = 4
MAX_TOP_LOGPROBS = 20
NUM_SEEDS = 2**63

_StopString = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Stop = _StopString | Annotated[list[_StopString], Field(max_length=MAX_STOPS)]

_SAMPLER = (
    "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty",
    "frequency_penalty",
)  # fmt: skip
_TURN = (
    "silence_penalty_output", "silence_penalty_thought", "max_rows", "quiet_rows", "mute_rows",
)  # fmt: skip
_MULTI_STREAM = (
    "silence_penalty_output", "silence_penalty_thought", "quiet_rows", "mute_rows", "ablate",
)  # fmt: skip


class Knobs(RequestFields):
    """Sampling and limits of one reply. Ranges are those of the engine's settings."""

    temperature: Annotated[
        float | None, Field(ge=0, le=2), Note("default: the model's recommendation, as for `top_p`")
    ] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None

    top_k: Annotated[
        int | None, Field(ge=0, le=1_000_000), Extension("sample from the k likeliest; 0: from all")
    ] = None
    min_p: Annotated[
        float | None, Field(ge=0, le=1),
        Extension("only tokens of at least this share of the likeliest one's probability"),
    ] = None  # fmt: skip
    repetition_penalty: Annotated[
        float | None, Field(ge=0.01, le=100),
        Extension("divides or multiplies logits of tokens already said; 1: off"),
    ] = None  # fmt: skip
    ignore_eos: Annotated[
        bool | None,
        Extension("the reply goes on until `max_tokens` or the context ends it; for measurements"),
    ] = None
    feed: Annotated[
        Literal["live", "prefill"] | None,
        Extension(
            "how the last message is read: a token a row while the model already speaks, or all "
            "at once; default: as the layout has it"
        ),
    ] = None
    silence_penalty_output: Annotated[
        float | None, Field(ge=-100, le=100),
        Extension("taken off Output's silence logit once the user is silent; several channels"),
    ] = None  # fmt: skip
    silence_penalty_thought: Annotated[
        float | None, Field(ge=-100, le=100), Extension("the same for thoughts; several channels")
    ] = None  # fmt: skip
    max_rows: Annotated[
        int | None, Field(ge=1, le=10_000_000),
        Extension("rows of the turn at most, silent ones included"),
    ] = None  # fmt: skip
    quiet_rows: Annotated[
        int | None, Field(ge=1, le=10_000_000),
        Extension("the turn ends when all rest for so many rows; several channels"),
    ] = None  # fmt: skip
    mute_rows: Annotated[
        int | None, Field(ge=1, le=10_000_000),
        Extension("the turn ends when nobody speaks for so many rows; several channels"),
    ] = None  # fmt: skip
    ablate: Annotated[
        list[str] | None, Field(max_length=64),
        Extension("names of channels that stay silent; several channels"),
    ] = None  # fmt: skip


def settings_of(
    engine: Engine[Any], knobs: Knobs, *, seed: int | None, max_rows: int,
    top_logprobs: int | None, presence_penalty: float | None, frequency_penalty: float | None,
) -> Settings:  # fmt: skip
    """The settings that a request asks for; what it leaves out is as the model recommends.

    max_rows: room that is left in the context. Without a seed one is drawn. Raises ApiError for
    a field that makes no sense for the model, a MotetError for a value that can't be.
    """
    sent = knobs.model_dump(exclude_none=True)
    if engine.codec.layout.num_channels == 1 and (alien := [k for k in _MULTI_STREAM if k in sent]):
        raise ApiError(
            400, f"{alien[0]}: this model has one channel, and no silence",
            code="unsupported_parameter", param=alien[0],
        )  # fmt: skip
    sent |= {
        name: value
        for name, value in (
            ("presence_penalty", presence_penalty), ("frequency_penalty", frequency_penalty),
        )
        if value is not None
    }  # fmt: skip
    sampler = {name: sent[name] for name in _SAMPLER if name in sent}
    turn = {name: sent[name] for name in _TURN if name in sent}
    turn["max_rows"] = min(max_rows, turn.get("max_rows", max_rows))
    return engine.settings(
        sampling=dataclasses.replace(engine.sampling, **sampler),
        seed=secrets.randbelow(NUM_SEEDS) if seed is None else seed % NUM_SEEDS,
        feed=knobs.feed,
        ablate=frozenset(knobs.ablate or ()),
        ignore_end=bool(knobs.ignore_eos),
        top_logprobs=top_logprobs,
        **turn,
    )


def stops_of(stop: str | list[str] | None) -> tuple[str, ...]:
    """The stop strings of a request."""
    return (stop,) if isinstance(stop, str) else tuple(stop or ())
