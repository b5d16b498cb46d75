"""What it takes to open a session: its record for the journal, its request to the decode loop."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from motet.engine import Engine, Settings
from motet.engine.history import Past as Message
from motet.engine.history import history_rows
from motet.engine.message import check_message
from motet.errors import SessionError, SettingError
from motet.protocol.client_events import SessionCreate
from motet.protocol.server_events import Limits
from motet.server.decoding import Kept, OpenRequest
from motet.server.decoding.messages import ContextPolicy
from motet.server.journal import SessionRecord, token_hash
from motet.server.live.asking import check_size
from motet.server.live.forks import fork_token
from motet.server.live.knobs import changed
from motet.server.live.past import Past


@dataclass(frozen=True)
class Openings:
    """What sessions of one server are opened with; rows and policy: of one that does not say."""

    engine: Engine[Any]
    limits: Limits
    context_rows: int
    context_policy: ContextPolicy

    @property
    def layout_json(self) -> str:
        """The model's layout as records have it."""
        return json.dumps(self.engine.codec.layout.to_json())

    def new(self, event: SessionCreate, token: str) -> tuple[SessionRecord, OpenRequest]:
        """A session that a client asks for; MotetError if it can't be."""
        most, num_rows = self.limits.context_rows, event.context_rows
        if num_rows is not None and num_rows > most:
            raise SettingError("context_rows", expected=f"at most {most}", got=num_rows)
        if event.system is not None:
            check_size(event.system, self.limits.max_text_bytes)
            check_message(event.system)
        settings = changed(self.engine.settings(), event.settings)
        settings.check_against(self.engine.codec.layout)
        record = self._record(
            _fresh_id(), token, num_rows or min(self.context_rows, most),
            event.context_policy or self.context_policy, "",
        )  # fmt: skip
        return record, self._request(
            record, settings, event.settings.pace or 0.0, event.system, None
        )

    def again(self, record: SessionRecord, past: Past) -> OpenRequest:
        """The session of a record."""
        return self._request(record, past.settings, past.pace, past.system, past.kept)

    def twin(self, record: SessionRecord, token: str) -> tuple[SessionRecord, str]:
        """The record of a fork of the session with this record and token, and the fork's token."""
        session_id = _fresh_id()
        its_token = fork_token(token, session_id)
        policy, title = record.context_policy, record.title
        return self._record(session_id, its_token, record.context_rows, policy, title), its_token

    def check_fits(self, record: SessionRecord) -> None:
        """SessionError if the session is another model's."""
        name = self.engine.name
        if record.model != name or record.layout_json != self.layout_json:
            raise SessionError(
                "resume", expected=f"a session of {name}", got=f"one of {record.model}",
                fix="start the server with that model",
            )  # fmt: skip

    def _record(
        self, session_id: str, token: str, context_rows: int, policy: ContextPolicy, title: str
    ) -> SessionRecord:
        return SessionRecord(
            id=session_id, token_hash=token_hash(token), model=self.engine.name,
            layout_json=self.layout_json, context_rows=context_rows, context_policy=policy,
            created_s=time.time(), title=title,
        )  # fmt: skip

    def _request(
        self,
        record: SessionRecord,
        settings: Settings,
        pace: float,
        system: str | None,
        kept: Kept | None,
    ) -> OpenRequest:
        chat = self.engine.new_chat(system)
        messages = [] if system is None else [Message("system", system)]
        rows_RC = history_rows(self.engine.codec, messages)
        beginning = rows_RC if chat is None else chat.beginning_RC
        return OpenRequest(
            settings=settings, context_rows=record.context_rows, beginning=beginning,
            pinned_rows=len(beginning), chat=chat, policy=record.context_policy, pace=pace,
            kept=kept,
        )  # fmt: skip


def _fresh_id() -> str:
    return secrets.token_hex(8)
