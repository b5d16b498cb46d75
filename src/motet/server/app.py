"""The ASGI application: the parts of one server put together, with its doors and its limits.

who asks -> observing -> CORS -> doors -> body limit -> routes: live, OpenAI, sessions, page
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from motet import __version__
from motet.engine import Engine
from motet.server.config import ServerConfig
from motet.server.errors import RESPONSES, handle_errors
from motet.server.health import health_router
from motet.server.limits_body import BodyLimit
from motet.server.live_socket import live_router
from motet.server.safety import Doors
from motet.server.state import ServerState

__all__ = ["build_app"]

_ROUTERS = (
    ("motet.server.openai", "openai_router"),
    ("motet.server.sessions_routes", "sessions_router"),
    ("motet.server.metrics_routes", "metrics_router"),
    ("motet.server.page_routes", "page_router"),
)


def build_app(config: ServerConfig, engine: Engine[Any]) -> FastAPI:
    """The application that serves `engine`; `app.state.motet` is its ServerState."""
    state = _build_state(config, engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield

    app = FastAPI(
        title="Motet", version=__version__, lifespan=lifespan, responses=RESPONSES,
        docs_url=None, redoc_url=None,  # their pages load scripts from elsewhere
    )  # fmt: skip
    app.state.motet = state
    app.include_router(health_router(state))
    app.include_router(live_router(state))
    for module, name in _ROUTERS:
        if importlib.util.find_spec(module) is not None:
            router = getattr(importlib.import_module(module), name)
            app.include_router(router() if name == "page_router" else router(state))
    handle_errors(app)
    app.add_middleware(BodyLimit, config=config)
    app.add_middleware(Doors, state=state)
    if config.allow_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=config.allow_origins, allow_methods=["*"],
            allow_headers=["*"], expose_headers=["retry-after", "x-request-id"],
        )  # fmt: skip
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
    metrics = made("motet.server.metrics", "ServerMetrics")
    return ServerState(config, engine, decoding, hub, journal, metrics)
