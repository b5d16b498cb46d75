"""What ggml gave goes with its owner."""

import gc

from motet.runtime.native.freed import free_with


class Owner:
    """Has something that is to be freed."""


def test_the_latest_is_freed_first_when_its_owner_goes() -> None:
    freed: list[int] = []
    owner = Owner()
    free_with(owner, freed.append, 1)
    free_with(owner, freed.append, 2)
    assert freed == []
    del owner
    gc.collect()
    assert freed == [2, 1]
