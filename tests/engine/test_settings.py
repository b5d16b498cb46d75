"""Settings are checked when they are made, and survive JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.engine import Feed, Sampling, Settings
from motet.engine.settings import as_feed
from motet.errors import LayoutError, MotetError, SettingError
from motet.streams.layout import single_channel
from tests.engine.scripted import END, OWN, dreaming_engine, engine_of, script

BAD_SAMPLING = [
    ("temperature", -0.1), ("temperature", 100.5), ("temperature", math.nan),
    ("temperature", math.inf), ("temperature", "0.6"), ("temperature", None),
    ("temperature", True), ("temperature", 10**400),
    ("top_k", -1), ("top_k", 1_000_001), ("top_k", 1.5), ("top_k", 20.0), ("top_k", False),
    ("top_k", "20"), ("top_k", math.nan),
    ("top_p", 0.0), ("top_p", 0), ("top_p", -0.5), ("top_p", 1.01), ("top_p", math.nan),
    ("min_p", -0.01), ("min_p", 1.01), ("min_p", [0.1]),
    ("repetition_penalty", 0.0), ("repetition_penalty", -1.0), ("repetition_penalty", 101.0),
    ("repetition_penalty", math.inf), ("repetition_penalty", 1j),
]  # fmt: skip

BAD_SETTINGS = [
    ("silence_penalty_output", math.nan), ("silence_penalty_output", 101.0),
    ("silence_penalty_output", "1"), ("silence_penalty_thought", -101.0),
    ("silence_penalty_thought", None),
    ("seed", -1), ("seed", 2**63), ("seed", 10**400), ("seed", 0.5), ("seed", True),
    ("max_rows", 0), ("max_rows", -5), ("max_rows", 1.0), ("max_rows", 10_000_001),
    ("quiet_rows", 0), ("quiet_rows", None),
    ("mute_rows", 0), ("mute_rows", "64"),
    ("feed", "lively"), ("feed", ""), ("feed", 1),
    ("sampling", {"temperature": 1.0}), ("sampling", None),
    ("channel_sampling", {"Think": 0.5}), ("channel_sampling", {"Think": None}),
    ("ablate", "Think"), ("ablate", {1}), ("ablate", [None]),
]  # fmt: skip


def one_line(error: pytest.ExceptionInfo[MotetError]) -> str:
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("name", "value"), BAD_SAMPLING)
def test_bad_knob(name: str, value: Any) -> None:
    with pytest.raises(SettingError) as error:
        Sampling(**{name: value})
    assert one_line(error).startswith(f"{name}: expected ")


@pytest.mark.parametrize(("name", "value"), BAD_SETTINGS)
def test_bad_setting(name: str, value: Any) -> None:
    with pytest.raises(SettingError) as error:
        Settings(**{name: value})
    assert ": expected " in one_line(error)
    assert one_line(error).startswith("Think" if name == "channel_sampling" else name)


@pytest.mark.parametrize("top_k", [0, 1, 1_000_000])
@pytest.mark.parametrize("temperature", [0, 0.0, 1, 100.0])
def test_edges_are_allowed(top_k: int, temperature: float) -> None:
    sampling = Sampling(temperature, top_k, 1.0, 1.0, 0.01)
    assert sampling.top_k == top_k
    assert sampling.temperature == temperature
    assert Settings(sampling, seed=2**63 - 1, max_rows=1, quiet_rows=1, mute_rows=1).seed > 0


def test_what_makes_no_sense_for_a_layout() -> None:
    engine = dreaming_engine()
    with pytest.raises(SettingError, match="'User', an input"):
        engine.open(engine.settings(ablate={"User"}))
    with pytest.raises(SettingError, match="'User', an input"):
        engine.open(engine.settings(channel_sampling={"User": Sampling()}))
    with pytest.raises(LayoutError, match="unknown channel: expected one of User, Output, Think"):
        engine.open(engine.settings(ablate={"Thinking"}))
    with pytest.raises(LayoutError, match="unknown channel"):
        engine.fork(engine.open(), engine.settings(channel_sampling={"think": Sampling()}))
    single = engine_of(single_channel(END), script(single_channel(END), {}, otherwise="a"))
    with pytest.raises(SettingError, match="ablate: expected a model with a silence token"):
        single.open(single.settings(ablate={"Output"}))
    with pytest.raises(SettingError, match="feed: expected prefill for a model without an input"):
        single.open(single.settings(feed=Feed.LIVE))


def test_feed_by_layout() -> None:
    single = single_channel(END)
    assert Settings().feed_for(OWN) is Feed.LIVE
    assert Settings().feed_for(single) is Feed.PREFILL
    assert Settings(feed=Feed.PREFILL).feed_for(OWN) is Feed.PREFILL


def test_a_feed_may_be_named_in_plain_text() -> None:
    by_name: Any = "prefill"
    assert Settings(feed=by_name).feed is Feed.PREFILL
    assert as_feed("live") is Feed.LIVE
    with pytest.raises(SettingError, match="feed: expected live or prefill, got 'alive'"):
        as_feed("alive")


def test_settings_are_values() -> None:
    """What the caller does to the mapping and the set afterwards changes nothing."""
    channels, ablate = {"Think": Sampling(temperature=0.1)}, {"Output"}
    settings = Settings(channel_sampling=channels, ablate=ablate)  # type: ignore[arg-type]
    channels.clear()
    ablate.clear()
    assert settings.sampling_of("Think").temperature == 0.1
    assert settings.sampling_of("Output") == Sampling()
    assert settings.ablate == {"Output"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.seed = 2  # type: ignore[misc]


samplings = st.builds(
    Sampling,
    temperature=st.floats(0, 100),
    top_k=st.integers(0, 1_000_000),
    top_p=st.floats(1e-300, 1),
    min_p=st.floats(0, 1),
    repetition_penalty=st.floats(0.01, 100),
)
all_settings = st.builds(
    Settings,
    sampling=samplings,
    channel_sampling=st.dictionaries(st.text(max_size=5), samplings, max_size=3),
    silence_penalty_output=st.floats(-100, 100),
    silence_penalty_thought=st.floats(-100, 100),
    seed=st.integers(0, 2**63 - 1),
    max_rows=st.integers(1, 10_000_000),
    quiet_rows=st.integers(1, 10_000_000),
    mute_rows=st.integers(1, 10_000_000),
    feed=st.sampled_from([None, *Feed]),
    ablate=st.frozensets(st.text(max_size=5), max_size=3),
)


@given(all_settings)
def test_json_round_trip(settings: Settings) -> None:
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.sampled_from(sorted(Settings().to_json())), json_values)
def test_a_broken_value_in_json_is_a_setting_error(key: str, value: Any) -> None:
    """Whatever stands at a key, it is either a good value or a one-line error."""
    data = {**Settings().to_json(), key: value}
    try:
        settings = Settings.from_json(data)
    except SettingError:
        with pytest.raises(SettingError) as error:
            Settings.from_json(data)
        one_line(error)
    else:
        assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize("key", sorted(Settings().to_json()))
def test_a_missing_or_unknown_key_in_json(key: str) -> None:
    data = Settings().to_json()
    with pytest.raises(SettingError):
        Settings.from_json({**data, f"{key}_too": 1})
    structured = {"sampling", "channel_sampling", "ablate", "feed"}
    if key in structured:
        del data[key]
        with pytest.raises(SettingError):
            Settings.from_json(data)


def test_numpy_integers_are_told_apart() -> None:
    """A NumPy integer is no int: it would not survive JSON."""
    with pytest.raises(SettingError, match="seed"):
        Settings(seed=np.int64(3))  # type: ignore[arg-type]
