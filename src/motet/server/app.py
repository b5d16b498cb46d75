"""The ASGI application: the parts of one server put together, with its doors and its limits.

who asks -> observing -> CORS -> doors -> body limit -> routes: live, OpenAI, sessions, page
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from motet import __version__
from motet.engine import Engine
from motet.server.config import ServerConfig
from motet.server.decoding import DecodeLoop
from motet.server.errors import RESPONSES, handle_errors
from motet.server.health import health_router
from motet.server.journal import Journal
from motet.server.limits_body import BodyLimit
from motet.server.live import Hub
from motet.server.live_socket import live_router
from motet.server.metrics import ServerMetrics
from motet.server.metrics_routes import metrics_router
from motet.server.observing import ObserveRequests
from motet.server.openai import openai_router
from motet.server.page_routes import page_router
from motet.server.safety import Doors
from motet.server.sessions_routes import sessions_router
from motet.server.state import ServerState

__all__ = ["build_app"]


def build_app(config: ServerConfig, engine: Engine[Any]) -> FastAPI:
    """The application that serves `engine`; `app.state.motet` is its ServerState.

    Raises JournalError if the journal can't be opened.
    """
    state = _build_state(config, engine)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        state.start()
        try:
            yield
        finally:
            await state.close()

    app = FastAPI(
        title="Motet", version=__version__, lifespan=lifespan, responses=RESPONSES,
        docs_url=None, redoc_url=None,  # their pages load scripts from elsewhere
    )  # fmt: skip
    app.state.motet = state
    app.include_router(health_router(state))
    app.include_router(live_router(state))
    app.include_router(openai_router(state))
    app.include_router(sessions_router(state))
    app.include_router(metrics_router(state))
    app.include_router(page_router())
    handle_errors(app)
    app.add_middleware(BodyLimit, config=config)
    app.add_middleware(Doors, state=state)
    if config.allow_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=config.allow_origins, allow_methods=["*"],
            allow_headers=["*"], expose_headers=["retry-after", "x-request-id"],
        )  # fmt: skip
    app.add_middleware(ObserveRequests, metrics=state.metrics)
    return app


def _build_state(config: ServerConfig, engine: Engine[Any]) -> ServerState:
    journal = Journal(config.journal)
    metrics = ServerMetrics(engine.codec.layout.names)
    decoding = DecodeLoop(
        engine, max_sessions=config.max_sessions, max_waiting=config.max_waiting,
        observe=metrics.step,
    )  # fmt: skip
    hub = Hub(
        decoding, journal, config.limits(engine.runtime.context_rows),
        context_rows=config.context_rows, context_policy=config.context_policy,
        idle_s=config.idle_s, metrics=metrics,
    )  # fmt: skip
    metrics.watch(lambda: decoding.num_running, lambda: decoding.num_waiting)
    return ServerState(config, engine, decoding, hub, journal, metrics)
