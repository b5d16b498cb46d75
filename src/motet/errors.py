"""The errors that a user can cause, each one line: what was expected, what came, what to do.

Every error that Motet raises on purpose derives from `MotetError`. The command line prints it
without a traceback and exits with `exit_code`; anything else that escapes is a bug.
"""

from __future__ import annotations


class MotetError(Exception):
    """Something outside Motet was wrong: an input, a file, a setting, an order of calls."""

    exit_code = 2

    def __init__(
        self, what: str, *, expected: object = None, got: object = None, fix: str | None = None
    ) -> None:
        line = what
        if expected is not None:
            line += f": expected {expected}"
        if got is not None:
            line += f"{',' if expected is not None else ':'} got {got}"
        if fix is not None:
            line += f"; {fix}"
        super().__init__(" ".join(line.splitlines()))


class LayoutError(MotetError):
    """A layout is not well-formed, or does not fit the model or the grid it is used with."""


class GridError(MotetError):
    """Tokens do not form a grid of the layout's width, or a grid file is broken."""


class TokenizerError(MotetError):
    """A tokenizer is missing, broken, or lacks a token that the layout names."""


class CheckpointError(MotetError):
    """A model directory is missing, truncated, of an unknown kind, or lacks tensors."""


class StateError(MotetError):
    """A saved state is broken or belongs to another model, or a row is out of its range."""


class ContextFullError(MotetError):
    """A session has used all rows that were reserved for it."""


class SessionError(MotetError):
    """A session was asked for something that it cannot do now."""


class SettingError(MotetError):
    """A sampling knob, option or configuration key has a value that it cannot have."""


class InputError(MotetError):
    """A text, a message or an input file is empty, too long or malformed."""


class DataError(MotetError):
    """A dataset or a corpus is broken, unfinished, of another kind, or made in another way."""


class BenchError(MotetError):
    """A measurement can't be made: an unknown shape, no room for it, or no peer to measure."""


class ProtocolError(MotetError):
    """A message on the wire is malformed, out of order, or not allowed here."""


class ServerError(MotetError):
    """A server can't start, is full, went away, or refused a request."""


class ServerFullError(ServerError):
    """All places are taken, and in line too, or the client would not wait.

    position: how many come first. retry_after_s: when it may be worth asking again.
    """

    def __init__(self, position: int, retry_after_s: float = 1.0) -> None:
        super().__init__(
            "the server is full", got=f"{position} before you", fix=f"try in {retry_after_s:g} s"
        )
        self.position = position
        self.retry_after_s = retry_after_s


class JournalError(MotetError):
    """The journal of a server is broken, of another version, or can't be written."""
