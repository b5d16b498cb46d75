"""The token of a fork follows from its parent's, so that it need not be kept anywhere.

    token of the parent + id of the copy --HMAC-SHA256--> token of the copy

The journal has tokens as hashes only. Whoever comes back to the parent with its token is told the
copy's again; from the copy's token nothing leads to the parent's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from motet.protocol.server_events import SessionForked, read_server_event
from motet.server.journal import Journal, token_hash

_MARK = '"type":"session.forked"'
_TOKEN_BYTES = 24


def fork_token(parent_token: str, session_id: str) -> str:
    """The token of the copy called `session_id`."""
    key, text = parent_token.encode("utf-8", "surrogatepass"), f"fork {session_id}".encode()
    digest = hmac.new(key, text, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:_TOKEN_BYTES]).decode()


def with_token(json: str, parent_token: str, journal: Journal) -> str:
    """An event of the journal as it was said: `session.forked` with the token of the copy.

    It stays empty where the copy is gone, or is one of another session that this one is a copy of.
    """
    if _MARK not in json[:64]:
        return json
    event = read_server_event(json)
    if not isinstance(event, SessionForked):
        return json
    token, record = fork_token(parent_token, event.session_id), journal.get(event.session_id)
    if record is None or record.token_hash != token_hash(token):
        return json
    return event.model_copy(update={"resume_token": token}).model_dump_json()
