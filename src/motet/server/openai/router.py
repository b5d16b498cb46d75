"""All routes of OpenAI's API as one router."""

from __future__ import annotations

from fastapi import APIRouter

from motet.server.openai.chat import chat_router
from motet.server.openai.completions import completions_router
from motet.server.openai.models import models_router
from motet.server.openai.responses import responses_router
from motet.server.openai.serving import Service
from motet.server.openai.tokenize import tokenize_router
from motet.server.state import ServerState

__all__ = ["openai_router"]


def openai_router(state: ServerState) -> APIRouter:
    """The routes that serve `state.engine`; CheckpointError if its chat template is broken."""
    service = Service(state)
    router = APIRouter()
    for part in (chat_router, completions_router, responses_router, models_router, tokenize_router):
        router.include_router(part(service))
    return router
