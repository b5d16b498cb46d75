"""Sessions over HTTP: which there are, what was said in one, and to be rid of it.

Ids are looked up in the journal and nowhere else: no part of a request becomes a file name.
Tokens are not among the answers; whoever has none can read a session, but not go on with it.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, JsonValue

from motet.server.errors import RESPONSES
from motet.server.journal import SessionRecord, SessionSummary
from motet.server.state import ServerState
from motet.server.transcript_text import transcript_text
from motet.server.transcripts import Transcript, TranscriptForm, grid_bytes, transcript_of

__all__ = ["sessions_router"]

SESSION_ID = r"^[A-Za-z0-9_-]{1,64}$"
_Id = Annotated[str, Path(pattern=SESSION_ID)]


class SessionObject(BaseModel):
    """A session in the journal. created_s, changed_s: seconds since 1970; events: its last seq."""

    object: Literal["session"] = "session"
    id: str
    title: str
    model: str
    created_s: float
    changed_s: float
    rows: int
    events: int
    context_rows: int
    context_policy: Literal["end", "roll"]
    is_open: bool
    channels: list[JsonValue]


class SessionList(BaseModel):
    """The newest sessions first. has_more: ask again with `after` = the last id."""

    object: Literal["list"] = "list"
    data: list[SessionObject]
    has_more: bool


class SessionDeleted(BaseModel):
    """The session is forgotten."""

    object: Literal["session.deleted"] = "session.deleted"
    id: str
    deleted: bool = True


def sessions_router(state: ServerState) -> APIRouter:
    """The routes below `/v1/sessions`."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"], responses=RESPONSES)

    @router.get("", summary="List sessions")
    def sessions(
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        after: Annotated[str | None, Query(pattern=SESSION_ID)] = None,
    ) -> SessionList:
        """The newest sessions first; with `after`, those that are older than that one."""
        found = state.journal.sessions(limit + 1, after)
        return SessionList(data=[_object(s) for s in found[:limit]], has_more=len(found) > limit)

    @router.get("/{session_id}", summary="One session")
    def session(session_id: _Id) -> SessionObject:
        """What the list says of this session."""
        summary = state.journal.summary(session_id)
        if summary is None:
            raise _no_session()
        return _object(summary)

    @router.get(
        "/{session_id}/export",
        summary="What was said",
        response_class=Response,
        responses={
            200: {
                "description": "The session's rows, as they stand after rewinds.",
                "content": {
                    "text/plain": {"schema": {"type": "string"}},
                    "application/json": {"schema": {"type": "object"}},
                    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                },
            }
        },
    )
    def export(
        session_id: _Id,
        form: Annotated[TranscriptForm, Query(alias="format")] = TranscriptForm.TEXT,
    ) -> Response:
        """The transcript as text to read, as JSON, or as the grid of its tokens (.npz)."""
        record = state.journal.get(session_id)
        if record is None:
            raise _no_session()
        return _exported(transcript_of(record, state.journal.all_events(session_id)), form)

    @router.delete("/{session_id}", summary="Forget a session")
    async def delete(session_id: _Id) -> SessionDeleted:
        """End it if somebody is connected, and take it out of the journal."""
        if not await state.hub.delete(session_id):
            raise _no_session()
        return SessionDeleted(id=session_id)

    return router


def _no_session() -> HTTPException:
    return HTTPException(404, "there is no such session")


def _object(summary: SessionSummary) -> SessionObject:
    record: SessionRecord = summary.record
    layout: dict[str, Any] = json.loads(record.layout_json)
    return SessionObject(
        id=record.id,
        title=record.title,
        model=record.model,
        created_s=record.created_s,
        changed_s=summary.changed_s,
        rows=summary.num_rows,
        events=summary.last_seq,
        context_rows=record.context_rows,
        context_policy=record.context_policy,
        is_open=record.is_open,
        channels=layout["channels"],
    )


def _exported(transcript: Transcript, form: TranscriptForm) -> Response:
    match form:
        case TranscriptForm.TEXT:
            content = transcript_text(transcript).encode("utf-8", "replace")
            kind, ending = "text/plain; charset=utf-8", "txt"
        case TranscriptForm.JSON:
            content = json.dumps(transcript.to_json(), ensure_ascii=False).encode()
            kind, ending = "application/json", "json"
        case TranscriptForm.GRID:
            content, kind, ending = grid_bytes(transcript), "application/octet-stream", "npz"
    name = f"motet-{transcript.record.id}.{ending}"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "x-content-type-options": "nosniff",
    }
    return Response(content, media_type=kind, headers=headers)
