"""The journal: every event of every session in one SQLite file, before anybody sees it."""

from motet.server.journal.place import default_journal
from motet.server.journal.reader import JournalReader
from motet.server.journal.record import (
    Entry,
    SessionRecord,
    SessionSummary,
    title_of,
    token_hash,
)
from motet.server.journal.store import Journal
from motet.server.journal.writer import JournalWriter

__all__ = [
    "Entry", "Journal", "JournalReader", "JournalWriter", "SessionRecord", "SessionSummary",
    "default_journal", "title_of", "token_hash",
]  # fmt: skip
