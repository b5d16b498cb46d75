"""The ASGI application: the parts of one server put together, with its doors and its limits."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from motet import __version__
from motet.engine import Engine
from motet.server.config import ServerConfig
from motet.server.state import ServerState

__all__ = ["build_app"]

_ROUTERS = (
    ("motet.server.openai", "openai_router"),
    ("motet.server.sessions", "sessions_router"),
    ("motet.server.metrics", "metrics_router"),
    ("motet.server.page", "page_router"),
)


def build_app(config: ServerConfig, engine: Engine[Any]) -> FastAPI:
    """The application that serves `engine`; `app.state.motet` is its ServerState."""
    state = _build_state(config, engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(
        title="Motet", version=__version__, lifespan=lifespan,
        docs_url=None, redoc_url=None,  # their pages load scripts from elsewhere
    )  # fmt: skip
    app.state.motet = state
    for module, name in _ROUTERS:
        if importlib.util.find_spec(module) is not None:
            router = getattr(importlib.import_module(module), name)
            app.include_router(router() if name == "page_router" else router(state))
    return app


def _build_state(config: ServerConfig, engine: Engine[Any]) -> ServerState:
    def made(module: str, name: str, *arguments: Any, **options: Any) -> Any:
        if importlib.util.find_spec(module) is None:
            return None
        return getattr(importlib.import_module(module), name)(*arguments, **options)

    journal = made("motet.server.journal", "Journal", config.journal)
    decoding = made(
        "motet.server.decoding", "DecodeLoop", engine,
        max_sessions=config.max_sessions, max_waiting=config.max_waiting,
    )  # fmt: skip
    limits = config.limits(engine.runtime.context_rows)
    hub = made("motet.server.live", "Hub", decoding, journal, limits)
    metrics = made("motet.server.metrics", "Metrics")
    return ServerState(config, engine, decoding, hub, journal, metrics)
