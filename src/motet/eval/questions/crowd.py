"""Many asks to a server at once, so many and no more; the first that fails ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from motet.errors import InputError
from motet.eval.questions.asking import Hear, Refused
from motet.eval.questions.trial import Ask, Said

__all__ = ["ask_many"]


async def ask_many(
    ask_one: Callable[[Ask], Awaitable[Said]],
    asks: Iterable[Ask],
    hear: Hear,
    at_once: int,
    refused: Refused | None,
) -> None:
    """Ask everything with `at_once` workers; `hear` as the answers come.

    refused: told of asks that raise InputError. Without it, and for any other error, it raises
    what the first ask raised that failed, after the others were cancelled.
    """
    waiting = iter(asks)

    async def work() -> None:
        for ask in waiting:
            try:
                said = await ask_one(ask)
            except InputError as error:
                if refused is None:
                    raise
                refused(ask, error)
            else:
                hear(ask, said)

    tasks = [asyncio.create_task(work()) for _ in range(at_once)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
