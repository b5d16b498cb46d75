"""`/metrics`: what Prometheus reads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import PlainTextResponse, Response
from prometheus_client.exposition import choose_encoder

from motet.server.state import ServerState

__all__ = ["metrics_router"]


def metrics_router(state: ServerState) -> APIRouter:
    """The route `/metrics`."""
    router = APIRouter(tags=["operation"])

    @router.get("/metrics", response_class=PlainTextResponse, summary="Prometheus metrics")
    def metrics(accept: Annotated[str, Header(max_length=1000)] = "") -> Response:
        """Every metric of this server, in the format of Prometheus that the reader prefers."""
        encode, content_type = choose_encoder(accept)
        return Response(encode(state.metrics.registry), media_type=content_type)

    return router
