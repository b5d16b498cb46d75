"""Several datasets as one stream, by weight: 2 : 1 : 0.5.

A weight is a share of the conversations that are read, whatever the sizes: of 3.5 conversations 2
come from the first dataset, 1 from the second, half a one from the third. An epoch is as long as
all datasets together. Each dataset is gone through in an order of its own, wholly before one of its
conversations comes again; where an epoch ends the next one goes on.

    epoch 0:  b4 a1 a7 c2 a3 b0 a2 ...      place -> (dataset, conversation), computed by place

The order is a function of (seed, epoch, place), so that a training resumes at any place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Sized
from typing import overload

import numpy as np

from motet.data.permutation import Permutation, Places
from motet.errors import SettingError

Place = tuple[int, int]
"""Which dataset, and which conversation in it."""


class Mixture:
    """`datasets` read by `weights`, in an order that `seed` decides.

    quotas: how many conversations of each dataset an epoch has; they sum up to `num_places`, which
    is the number of all conversations unless it is given. Raises SettingError.
    """

    def __init__(
        self,
        datasets: Sequence[Sized],
        weights: Sequence[float],
        seed: int,
        *,
        num_places: int | None = None,
    ) -> None:
        self.sizes = tuple(map(len, datasets))
        self.weights = tuple(weights)
        self.seed = seed
        if len(self.weights) != len(self.sizes) or not self.sizes:
            raise SettingError(
                "weights", expected=f"one for each of {len(self.sizes)} datasets, at least one",
                got=len(self.weights),
            )  # fmt: skip
        for weight, size in zip(self.weights, self.sizes, strict=True):
            if not (math.isfinite(weight) and weight > 0):
                raise SettingError("weight", expected="a number above 0", got=weight)
            if size == 0:
                raise SettingError("mixed dataset", expected="at least one conversation", got=0)
        self.num_places = sum(self.sizes) if num_places is None else num_places
        if self.num_places < 1:
            raise SettingError("length of an epoch", expected="at least 1", got=self.num_places)
        self.quotas = quotas(self.weights, self.num_places)

    def epoch(self, number: int) -> EpochOrder:
        """What is read in epoch `number` (from 0), in order."""
        return EpochOrder(self, number)


class EpochOrder(Sequence[Place]):
    """The places of one epoch of a mixture."""

    def __init__(self, mixture: Mixture, number: int) -> None:
        self._mixture = mixture
        self.number = number
        self._shuffled = Permutation(mixture.num_places, "mixture", mixture.seed, number)
        self._starts = np.cumsum((0, *mixture.quotas))

    def __len__(self) -> int:
        return self._mixture.num_places

    @overload
    def __getitem__(self, place: int) -> Place: ...
    @overload
    def __getitem__(self, place: slice) -> list[Place]: ...
    def __getitem__(self, place: int | slice) -> Place | list[Place]:
        places = range(len(self))[place]
        if isinstance(places, int):
            return self[place : place + 1 or None][0]  # type: ignore[operator]
        datasets_N, conversations_N = self.at(np.array(places, dtype=np.int64))
        return list(zip(datasets_N.tolist(), conversations_N.tolist(), strict=True))

    def at(self, places_N: Places) -> tuple[Places, Places]:
        """Dataset [N] and conversation [N] at each of these places."""
        tickets_N = self._shuffled(places_N)
        datasets_N = np.searchsorted(self._starts, tickets_N, side="right") - 1
        conversations_N = np.empty_like(tickets_N)
        for dataset, (quota, size) in enumerate(
            zip(self._mixture.quotas, self._mixture.sizes, strict=True)
        ):
            here = np.flatnonzero(datasets_N == dataset)
            drawn = tickets_N[here] - self._starts[dataset] + self.number * quota
            for turn in np.unique(drawn // size):
                of_turn = drawn // size == turn
                order = Permutation(size, "dataset", self._mixture.seed, dataset, int(turn))
                conversations_N[here[of_turn]] = order(drawn[of_turn] % size)
        return datasets_N, conversations_N


def quotas(weights: Sequence[float], total: int) -> tuple[int, ...]:
    """`total` in whole parts as near to `weights` as can be (largest remainders)."""
    exact = [weight / math.fsum(weights) * total for weight in weights]
    parts = [math.floor(part) for part in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (parts[i] - exact[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return tuple(parts)
