"""Buckets, clients, nesting, and the options that set limits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import SettingError
from motet.server.config import ServerConfig
from motet.server.limits_body import nesting
from motet.server.limits_rate import RateLimit, TokenBucket, client_of


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(2.0, 4.0, clock)
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0, 0.5]
    clock.now_s += 0.5
    assert [bucket.take() for _ in range(2)] == [0, 0.5]
    clock.now_s += 3600
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0, 0.5]


@given(
    st.floats(0.5, 50), st.lists(st.floats(0, 2), min_size=1, max_size=60)
)  # rate, seconds between tries
def test_never_more_than_burst_and_rate_allow(rate: float, gaps_s: list[float]) -> None:
    clock = Clock()
    bucket = TokenBucket(rate, 2 * rate, clock)
    num_taken = 0
    for gap_s in gaps_s:
        clock.now_s += gap_s
        wait_s = bucket.take()
        assert 0 <= wait_s <= 1 / rate + 1e-6
        num_taken += not wait_s
    assert num_taken <= max(2 * rate, 1) + rate * sum(gaps_s) + 1e-6


def test_rate_0_is_without_limit() -> None:
    bucket = TokenBucket(0, 0)
    assert not any(bucket.take() for _ in range(1000))


def test_clients_do_not_share_a_bucket_and_only_so_many_are_kept() -> None:
    limit = RateLimit(0.5, Clock())
    assert limit.take("a") == 0
    assert limit.take("a") > 0
    assert limit.take("b") == 0
    for number in range(10_000):
        limit.take(f"{number}")
    assert limit.take("a") == 0  # was forgotten
    assert len(limit._buckets) == 10_000


@pytest.mark.parametrize(
    ("address", "client"),
    [("10.1.2.3", "10.1.2.3"), ("::ffff:10.1.2.3", "10.1.2.3"),
     ("2001:db8::1", "2001:db8::/64"), ("2001:db8::ffff:1", "2001:db8::/64"),
     ("2001:db8:0:1::1", "2001:db8:0:1::/64"), ("fe80::1%eth0", "fe80::/64"), ("", "")],
)  # fmt: skip
def test_whom_an_address_counts_for(address: str, client: str) -> None:
    assert client_of(address) == client


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(
    st.recursive(
        st.none() | st.text() | st.sampled_from(['"', "\\", '\\"[{', "]}"]),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner),
    ),
    st.booleans(),
)
def test_nesting_is_counted_as_a_parser_would(value: Any, ascii_only: bool) -> None:
    assert nesting(json.dumps(value, ensure_ascii=ascii_only).encode()) == depth_of(value)


@given(st.binary(max_size=200))
def test_nesting_of_anything_is_a_number(data: bytes) -> None:
    assert 0 <= nesting(data) <= len(data)


def test_nesting_takes_linear_time() -> None:
    assert nesting(b"[" * 1_000_000) == 1_000_000
    assert nesting(b'"' + b'\\"' * 500_000) == 0
    assert nesting(b'"\\' * 200_000) <= 1


@pytest.mark.parametrize(
    "option", [{"port": -1}, {"port": 65_536}, {"max_sessions": 0}, {"rate": float("nan")},
               {"drain_s": -1}, {"context_rows": 1}, {"context_rows": 50, "max_context_rows": 49},
               {"max_json_depth": 1000}, {"heartbeat_s": 0}],
)  # fmt: skip
def test_options_out_of_range(option: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=list(option)[-1]):
        ServerConfig(**option)


def test_limits_say_what_a_session_may_have() -> None:
    assert ServerConfig().limits(5000).context_rows == 5000
    assert ServerConfig(max_context_rows=3000).limits(5000).context_rows == 3000
    assert ServerConfig(max_context_rows=9000).limits(5000).context_rows == 5000
