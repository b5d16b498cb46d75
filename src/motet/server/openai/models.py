"""`/v1/models`: what is served here."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from motet.protocol.server_events import ChannelInfo
from motet.server.errors import RESPONSES, ApiError
from motet.server.openai.serving import Service

__all__ = ["models_router"]


class ModelCard(BaseModel):
    """A model. channels: its streams; max_model_len: rows that a session may reserve."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["motet"] = "motet"
    channels: tuple[ChannelInfo, ...]
    max_model_len: int


class ModelList(BaseModel):
    """All models of this server: one."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


def models_router(service: Service) -> APIRouter:
    """The routes that tell of models."""
    router = APIRouter(tags=["openai"])
    channels = service.codec.layout.channels
    card = ModelCard(
        id=service.model, created=service.created, max_model_len=service.context_rows,
        channels=tuple(ChannelInfo(name=c.name, role=c.role.value) for c in channels),
    )  # fmt: skip

    @router.get("/v1/models", responses=RESPONSES, summary="List the models")
    async def models() -> ModelList:
        """The one that is served."""
        return ModelList(data=[card])

    @router.get("/v1/models/{model}", responses=RESPONSES, summary="Tell of one model")
    async def model(model: str) -> ModelCard:
        """404 for any other than the one that is served."""
        if model != service.model:
            raise ApiError(
                404, f"the model {model[:200]!r} is not served here, only {service.model!r}",
                code="model_not_found", param="model",
            )  # fmt: skip
        return card

    return router
