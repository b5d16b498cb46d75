"""A process that trains, step by step as it is told: time and memory of a training of its own.

Two of them, one with LongCE and one without, are measured in turn and hold nothing of each other's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

from motet.errors import BenchError
from motet.train.objective.config import ObjectiveConfig
from motet.train.speed.setting import Setting

__all__ = ["TrainingProcess"]

_PRODUCT_SIZE = 1024
_NUM_PRODUCTS = 5


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

    def step(self) -> float:
        """Seconds of one step: counterfactual, forward, backward, optimizer."""
        return float(self._ask("step"))

    def peak_bytes(self) -> int:
        """The most memory that the process has held at once."""
        return int(self._ask("peak"))

    def products_per_s(self) -> float:
        """Multiply-adds a second of a large product of matrices, the best of some."""
        return float(self._ask("products"))

    def _ask(self, order: str) -> float:
        try:
            self._pipe.send(order)
            answer: float = self._pipe.recv()
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
    orders: dict[str, Callable[[], float]] = {
        "step": _Trainee(setting, objective).step,
        "peak": _peak,
        "products": lambda: _products_per_s(setting.bfloat16),
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

    def step(self) -> float:
        import torch

        begin = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            parts = self._model(**self._batch, num_items_in_batch=self._num_items, step=0)
        parts.total.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        return time.perf_counter() - begin


def _peak() -> float:
    import torch

    from motet.train.peak import peak_bytes

    return float(peak_bytes(torch.device("cpu")))


def _products_per_s(bfloat16: bool) -> float:
    import torch

    dtype = torch.bfloat16 if bfloat16 else torch.float32
    a, b = (torch.randn(_PRODUCT_SIZE, _PRODUCT_SIZE, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(_NUM_PRODUCTS):
        begin = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - begin)
    return _PRODUCT_SIZE**3 / min(seconds)
