"""How often a client may come: token buckets, one a client, of which only so many are kept."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["RateLimit", "TokenBucket", "client_of"]

_MAX_CLIENTS = 10_000
_BURST_S = 2.0


class TokenBucket:
    """`rate` tokens a second flow in, `burst` fit in; full at first. rate 0 is without limit."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic):
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._clock = clock
        self._tokens = self._burst
        self._seen_s = clock()

    def take(self) -> float:
        """Take a token; 0 if there was one, else the seconds until there is, and none is taken."""
        if not self._rate:
            return 0.0
        now_s = self._clock()
        self._tokens = min(self._burst, self._tokens + (now_s - self._seen_s) * self._rate)
        self._seen_s = now_s
        if self._tokens < 1.0:
            return (1.0 - self._tokens) / self._rate
        self._tokens -= 1.0
        return 0.0


class RateLimit:
    """A bucket a client, for two seconds' worth of requests at `rate` a second.

    The client seen longest ago is forgotten when there are 10,000.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, client: str) -> float:
        """0 if the client may come in, else the seconds until it may."""
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = TokenBucket(self._rate, self._rate * _BURST_S, self._clock)
            self._buckets[client] = bucket
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return bucket.take()


def client_of(address: str) -> str:
    """Whom an address counts for: an IPv4 address itself, of an IPv6 address its /64."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
