"""What the journal keeps: a record for each session, and the session's numbered events as JSON.

Whoever has a session's token may go on with it, so the token itself is kept nowhere: a record has
its hash, and an event that names a token is stored without it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Literal

TITLE_CHARACTERS = 80

_TOKEN_FIELD = re.compile(r'"resume_token":\s*"[^"]*"')


@dataclass(frozen=True)
class SessionRecord:
    """What a session is: fixed when it is made, but for `title` and `is_open`.

    token_hash: `token_hash(token)`. layout_json: the model's layout, to be compared when the
    session is resumed. created_s: seconds since 1970. is_open: it can be gone on with.
    """

    id: str
    token_hash: str
    model: str
    layout_json: str
    context_rows: int
    context_policy: Literal["end", "roll"]
    created_s: float
    title: str = ""
    is_open: bool = True


@dataclass(frozen=True)
class Entry:
    """One server event: its number in the session, the rows there were, its JSON (compact).

    time_s: seconds since 1970 when it was kept; 0 before that.
    """

    session_id: str
    seq: int
    row: int
    json: str
    time_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class SessionSummary:
    """A session in a list: its last event's number, row and time; 0, 0 and created_s if none."""

    record: SessionRecord
    last_seq: int
    num_rows: int
    changed_s: float


def token_hash(token: str) -> str:
    """What is stored in place of a token: SHA-256 as hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def without_token(json: str) -> str:
    """An event's JSON with its resume token, if it has one, made empty.

    A quote inside a JSON string is escaped, so no text that somebody typed looks like the field.
    """
    return _TOKEN_FIELD.sub('"resume_token":""', json) if '"resume_token"' in json else json


def title_of(message: str) -> str:
    """A session's title from its first message: one line, at most 80 characters."""
    line = " ".join(message.split())
    is_long = len(line) > TITLE_CHARACTERS
    return line[: TITLE_CHARACTERS - 1].rstrip() + "\u2026" if is_long else line
