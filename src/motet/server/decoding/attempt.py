"""The boundary: whatever goes wrong for one session becomes its error, and the others go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from motet.errors import MotetError, ServerError
from motet.server.logs import log

ResultT = TypeVar("ResultT")


def attempt(action: Callable[[], ResultT]) -> ResultT | MotetError:
    """What `action` returns, or the error that it raised; a bug is logged and told as one."""
    try:
        return action()
    except MotetError as error:
        return error
    except Exception as error:  # noqa: BLE001 - a bug fails one session, not the server
        log.error("session broke", exc_info=error)
        return ServerError("session failed", got=f"{type(error).__name__}: {error}")
