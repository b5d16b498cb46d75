"""`motet sessions`: list, export and delete what a server's journal holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from motet.errors import InputError, JournalError
from motet.protocol.printable import printable
from motet.server.journal import Journal, JournalReader, SessionSummary, default_journal
from motet.server.transcript_text import transcript_text
from motet.server.transcripts import Transcript, TranscriptForm, transcript_of

sessions = typer.Typer(
    help="List, export and delete the sessions of a journal.", rich_markup_mode=None
)

JournalOption = Annotated[
    Path | None,
    typer.Option(
        "--journal", metavar="PATH", help="The journal of `motet serve`.",
        show_default="the one that it takes if told nothing",
    ),
]  # fmt: skip
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="A session's id.")]


@sessions.command(name="list")
def list_sessions(
    journal: JournalOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line a session.")] = False,
) -> None:
    """List all sessions, the newest first; also while a server runs."""
    with JournalReader(journal or default_journal()) as reader:
        after: str | None = None
        while found := reader.sessions(after=after):
            for summary in found:
                typer.echo(_json(summary) if as_json else _line(summary))
            after = found[-1].record.id


@sessions.command()
def export(
    session_id: SessionArgument,
    journal: JournalOption = None,
    form: Annotated[
        TranscriptForm, typer.Option("--format", help="What to write.")
    ] = TranscriptForm.TEXT,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write here; else to the standard output."),
    ] = None,
) -> None:
    """Write what was said in a session; also while a server runs."""
    if form is TranscriptForm.GRID and out is None:
        raise InputError("--format grid", expected="a file to write it to", fix="add --out FILE")
    with JournalReader(journal or default_journal()) as reader:
        record = reader.get(session_id)
        if record is None:
            raise _no_session(session_id)
        transcript = transcript_of(record, reader.all_events(session_id))
    if form is TranscriptForm.GRID and out is not None:
        transcript.grid.save(out)
    elif out is None:
        typer.echo(_text(transcript, form), nl=False)
    else:
        out.write_text(_text(transcript, form), "utf-8", errors="replace")


@sessions.command()
def delete(session_id: SessionArgument, journal: JournalOption = None) -> None:
    """Forget a session for good. While a server runs, ask it: DELETE /v1/sessions/ID."""
    with JournalReader(
        journal or default_journal()
    ) as reader:  # no journal is made where there is none
        if reader.get(session_id) is None:
            raise _no_session(session_id)
    with Journal(journal or default_journal()) as opened:
        opened.delete(session_id)


def _no_session(session_id: str) -> JournalError:
    return JournalError(
        "session", expected="one that `motet sessions list` names", got=repr(session_id)
    )


def _line(summary: SessionSummary) -> str:
    record = summary.record
    changed = datetime.fromtimestamp(summary.changed_s, UTC)
    title = printable(record.title).replace("\n", " ") or "(nothing said)"
    return f"{record.id}  {changed:%Y-%m-%d %H:%M}  {summary.num_rows:>7,} rows  {title}"


def _json(summary: SessionSummary) -> str:
    record = summary.record
    return json.dumps(
        {
            "id": record.id, "title": record.title, "model": record.model,
            "created_s": record.created_s, "changed_s": summary.changed_s,
            "rows": summary.num_rows, "events": summary.last_seq, "is_open": record.is_open,
        }
    )  # fmt: skip


def _text(transcript: Transcript, form: TranscriptForm) -> str:
    if form is TranscriptForm.TEXT:
        return transcript_text(transcript)
    return json.dumps(transcript.to_json()) + "\n"
