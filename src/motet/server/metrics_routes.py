"""`/metrics`: what Prometheus reads."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response
from prometheus_client.exposition import choose_encoder

from motet.server.state import ServerState

__all__ = ["metrics_router"]

_FORMATS = ("text/plain", "application/openmetrics-text")
_TEXT = {"schema": {"type": "string"}}


def metrics_router(state: ServerState) -> APIRouter:
    """The route `/metrics`."""
    router = APIRouter(tags=["operation"])

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses={200: {"description": "All metrics.", "content": dict.fromkeys(_FORMATS, _TEXT)}},
    )
    def metrics(accept: Annotated[str, Header(max_length=1000)] = "") -> Response:
        """Every metric of this server, in the format of Prometheus that the reader prefers."""
        encode, content_type = choose_encoder(accept)
        return Response(encode(state.metrics.registry), media_type=content_type)

    return router
