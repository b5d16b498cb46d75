"""A process that trains, step by step as it is told: time and memory of a training of its own.

Two of them, one with LongCE and one without, are measured in turn and hold nothing of each other's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, NamedTuple, Self

from motet.errors import BenchError
from motet.train.objective.config import ObjectiveConfig
from motet.train.speed.setting import Setting

__all__ = ["Seconds", "TrainingProcess"]

_PRODUCT_SIZE = 1024
_NUM_PRODUCTS = 5


class Seconds(NamedTuple):
    """By the clock, and of processors at work: others slow down the one and hardly the other."""

    wall: float
    cpu: float


class TrainingProcess:
    """A model of `setting` under `objective` in a process of its own; use it in a `with`."""

    def __init__(self, setting: Setting, objective: ObjectiveConfig) -> None:
        self._setting = setting
        self._objective = objective

    def __enter__(self) -> Self:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        arguments = (theirs, self._setting, self._objective)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join()

    def step(self) -> Seconds:
        """One step: counterfactual, forward, backward, optimizer."""
        return Seconds(*self._ask("step"))

    def peak_bytes(self) -> int:
        """The most memory that the process has held at once."""
        return int(self._ask("peak")[0])

    def product_s(self) -> Seconds:
        """One multiply-add of a large product of matrices, the best of some."""
        return Seconds(*self._ask("product"))

    def _ask(self, order: str) -> tuple[float, ...]:
        try:
            self._pipe.send(order)
            answer: tuple[float, ...] = self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            raise BenchError(
                "the training process", expected=f"an answer to {order}",
                got=f"its end, exit code {self._process.exitcode}",
                fix="a model this large may not fit; see what it printed",
            ) from None  # fmt: skip
        return answer


def _serve(pipe: Connection, setting: Setting, objective: ObjectiveConfig) -> None:
    import torch

    torch.set_num_threads(setting.num_threads)
    orders: dict[str, Callable[[], tuple[float, ...]]] = {
        "step": _Trainee(setting, objective).step,
        "peak": _peak,
        "product": lambda: _product_s(setting.bfloat16),
    }
    while True:
        try:
            order = pipe.recv()
        except EOFError:
            return
        pipe.send(orders[order]())


class _Trainee:
    """The step of a trainer, without what surrounds it."""

    def __init__(self, setting: Setting, objective: ObjectiveConfig) -> None:
        import torch

        from motet.train.objective import Objective
        from motet.train.speed.random_model import random_batch, random_model
        from motet.train.step import LossModel

        torch.manual_seed(0)
        model = random_model(setting)
        self._model = LossModel(model, Objective(objective, setting.layout, seed=0)).train()
        self._batch: Any = random_batch(setting)
        self._num_items = self._model.objective.num_items(self._batch)
        self._optimizer = torch.optim.AdamW(self._model.parameters(), lr=1e-5)
        self._bfloat16 = setting.bfloat16

    def step(self) -> Seconds:
        import torch

        begin = _now()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            parts = self._model(**self._batch, num_items_in_batch=self._num_items, step=0)
        parts.total.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return _since(begin)


def _peak() -> tuple[float]:
    import torch

    from motet.train.peak import peak_bytes

    return (float(peak_bytes(torch.device("cpu"))),)


def _product_s(bfloat16: bool) -> Seconds:
    import torch

    dtype = torch.bfloat16 if bfloat16 else torch.float32
    a, b = (torch.randn(_PRODUCT_SIZE, _PRODUCT_SIZE, dtype=dtype) for _ in range(2))
    taken = []
    for _ in range(_NUM_PRODUCTS):
        begin = _now()
        a @ b
        taken.append(_since(begin))
    size = _PRODUCT_SIZE**3
    return Seconds(min(s.wall for s in taken) / size, min(s.cpu for s in taken) / size)


def _now() -> Seconds:
    return Seconds(time.perf_counter(), time.process_time())


def _since(begin: Seconds) -> Seconds:
    return Seconds(*(now - then for now, then in zip(_now(), begin, strict=True)))
