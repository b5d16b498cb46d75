"""Serve the page: its files are read once at start, and only their names can be asked for.

No part of a request becomes a path in the file system. The policy lets the page load nothing from
elsewhere and run nothing but its own modules; it also forbids every way of turning text into HTML.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

__all__ = ["page_router"]

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "woff2": "font/woff2",
    "txt": "text/plain; charset=utf-8",
}


@dataclass(frozen=True)
class PageFile:
    """One file of the page, ready to send."""

    content: bytes
    headers: dict[str, str]


def page_router() -> APIRouter:
    """Routes `/` and `/page/NAME`, for the files that stand beside the page when this is called."""
    files = _read(resources.files("motet.server.page"))
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    def index(request: Request) -> Response:
        return _answer(files["index.html"], request)

    @router.api_route("/page/{name:path}", methods=["GET", "HEAD"])
    def file(name: str, request: Request) -> Response:
        if name not in files:
            raise HTTPException(404, "the page has no such file")
        return _answer(files[name], request)

    return router


def _read(folder: Traversable, prefix: str = "") -> dict[str, PageFile]:
    files: dict[str, PageFile] = {}
    for entry in folder.iterdir():
        kind = KINDS.get(entry.name.rpartition(".")[2])
        if entry.is_dir() and not entry.name.startswith("__"):
            files |= _read(entry, f"{prefix}{entry.name}/")
        elif kind is not None:
            content = entry.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            files[prefix + entry.name] = PageFile(
                content, {**HEADERS, "Content-Type": kind, "ETag": tag}
            )
    return files


def _answer(file: PageFile, request: Request) -> Response:
    if request.headers.get("if-none-match") == file.headers["ETag"]:
        return Response(status_code=304, headers=file.headers)
    return Response(file.content, headers=file.headers)
