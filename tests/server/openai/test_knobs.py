"""Every knob of a request changes the settings that a session is opened with."""

from __future__ import annotations

from typing import Any

import pytest

from motet.engine import Engine, Settings
from motet.errors import MotetError
from motet.server.errors import ApiError
from motet.server.openai.knobs import Knobs, settings_of
from tests.server.openai.engines import one_channel_engine, three_voices

VALUES: dict[str, Any] = {
    "temperature": 0.5, "top_p": 0.5, "top_k": 7, "min_p": 0.25, "repetition_penalty": 1.5,
    "ignore_eos": True, "feed": "prefill", "silence_penalty_output": 3.0,
    "silence_penalty_thought": 4.0, "max_rows": 9, "quiet_rows": 5, "mute_rows": 6,
    "ablate": ["Think"],
}  # fmt: skip
ENGINE = three_voices("", "", "")


def settings(engine: Engine[Any] = ENGINE, **fields: Any) -> Settings:
    direct = {"seed": 1, "top_logprobs": None, "presence_penalty": None, "frequency_penalty": None}
    direct |= {name: fields.pop(name) for name in direct if name in fields}
    return settings_of(engine, Knobs(**fields), max_rows=100, **direct)  # type: ignore[arg-type]


def test_has_a_value_for_every_knob() -> None:
    assert VALUES.keys() == Knobs.model_fields.keys()


@pytest.mark.parametrize("name", VALUES)
def test_every_knob_turns_something(name: str) -> None:
    assert settings(**{name: VALUES[name]}) != settings()


def test_values_arrive() -> None:
    got = settings(**VALUES, presence_penalty=0.5, frequency_penalty=-1.0, top_logprobs=2, seed=8)
    for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty"):
        assert getattr(got.sampling, name) == VALUES[name]
    assert (got.sampling.presence_penalty, got.sampling.frequency_penalty) == (0.5, -1.0)
    assert (got.silence_penalty_output, got.silence_penalty_thought) == (3.0, 4.0)
    assert (got.max_rows, got.quiet_rows, got.mute_rows) == (9, 5, 6)
    assert (got.ignore_end, got.feed, got.ablate) == (True, "prefill", {"Think"})
    assert (got.top_logprobs, got.seed) == (2, 8)


def test_what_is_left_out_is_as_the_model_recommends() -> None:
    got = settings()
    assert got.sampling == ENGINE.sampling
    assert got.max_rows == 100


def test_seeds() -> None:
    assert settings(seed=None).seed != settings(seed=None).seed
    assert settings(seed=-1).seed == 2**63 - 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("ablate", ["Think"]), ("quiet_rows", 3), ("mute_rows", 3), ("silence_penalty_output", 1.0)],
)
def test_one_channel_has_no_silence(field: str, value: Any) -> None:
    with pytest.raises(ApiError, match=field):
        settings(one_channel_engine("x"), **{field: value})


def test_nonsense_for_the_layout() -> None:
    with pytest.raises(MotetError, match="feed"):
        settings(one_channel_engine("x"), feed="live").check_against(
            one_channel_engine("x").codec.layout
        )
    with pytest.raises(MotetError, match="Nobody"):
        settings(ablate=["Nobody"]).check_against(ENGINE.codec.layout)
