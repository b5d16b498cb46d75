"""Work on shards on a cluster is what it is here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from motet.data.shards_on_cluster import each_shard_on_cluster
from motet.errors import DataError
from tests.data.test_shardwise import broken, squared

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:::ray", "ignore::DeprecationWarning", "ignore::ResourceWarning"
    ),
]


@pytest.fixture(autouse=True)
def _cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")
    yield
    ray.shutdown()


def test_a_cluster_works_in_order() -> None:
    assert list(each_shard_on_cluster(squared, 7)) == [n**2 for n in range(7)]
    assert list(each_shard_on_cluster(squared, 0)) == []


def test_a_mistake_comes_back() -> None:
    with pytest.raises(DataError, match="shard 3: expected nothing of the kind"):
        list(each_shard_on_cluster(broken, 6))
