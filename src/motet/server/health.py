"""`/health`: whether the server takes on work, for those who watch it or balance its load."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from motet import __version__
from motet.server.state import ServerState

__all__ = ["Health", "health_router"]


class Health(BaseModel):
    """How the server is. sessions: that decode now or could at once; waiting: in line."""

    status: Literal["ok", "draining"]
    model: str
    version: str
    sessions: int
    max_sessions: int
    waiting: int


def health_router(state: ServerState) -> APIRouter:
    """The route `/health`: 200 while the server takes on work, 503 while it is about to stop."""
    router = APIRouter(tags=["server"])

    @router.get(
        "/health",
        summary="Whether the server takes on work",
        responses={503: {"model": Health, "description": "The server is about to stop."}},
    )
    async def health(response: Response) -> Health:
        if state.is_draining:
            response.status_code = 503
        return Health(
            status="draining" if state.is_draining else "ok",
            model=state.engine.name,
            version=__version__,
            sessions=state.decoding.num_running,
            max_sessions=state.config.max_sessions,
            waiting=state.decoding.num_waiting,
        )

    return router
