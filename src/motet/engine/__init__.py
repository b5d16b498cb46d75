"""The engine: sampling, silence penalties, stop rules, sessions, and one row step for many."""

from motet.engine.engine import Engine, Stepped
from motet.engine.history import Past, history_rows
from motet.engine.message import Message
from motet.engine.opening import load
from motet.engine.reply import Reply
from motet.engine.session import Session
from motet.engine.settings import Feed, Sampling, Settings
from motet.engine.turn import StopReason

__all__ = [
    "Engine", "Feed", "Message", "Past", "Reply", "Sampling", "Session", "Settings", "Stepped",
    "StopReason", "history_rows", "load",
]  # fmt: skip
