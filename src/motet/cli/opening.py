"""From the options of a command to an engine, and to a session with room for one turn."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.text import Text

from motet.engine import Engine, Session, Settings, load
from motet.protocol.printable import printable
from motet.runtime.opening import CacheType, Dtype, RuntimeName
from motet.streams.layout import ConvMode


def open_engine(
    model: str,
    runtime: RuntimeName = RuntimeName.AUTO,
    dtype: Dtype | None = None,
    conv_mode: ConvMode | None = None,
    *,
    cache: CacheType | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Engine[Any]:
    """Load a model as `motet.load` does; a terminal is told so meanwhile."""
    console = Console(stderr=True)
    with ExitStack() as stack:
        if console.is_terminal and not console.is_dumb_terminal:
            stack.enter_context(console.status(Text(f"loading {printable(model)} ...")))
        return load(
            model, runtime=runtime, dtype=dtype, conv_mode=conv_mode, cache=cache, threads=threads,
            device=device,
        )  # fmt: skip


def open_session(engine: Engine[Any], settings: Settings) -> Session[Any]:
    """A session with room for one turn of `settings.max_rows`, or for all that the model has."""
    num_rows, chat = len(engine.codec.layout.opening_RC()) + settings.max_rows, engine.new_chat()
    if chat is not None:
        num_rows += len(chat.beginning_RC) + len(chat.closing_ids)
    context_rows = min(num_rows, engine.runtime.context_rows)
    return engine.open(settings, context_rows=context_rows, chat=chat)
