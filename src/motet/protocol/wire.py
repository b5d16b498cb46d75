"""What every message on the live socket has in common: strict fields, JSON text, one line.

Unknown fields, wrong types and values out of range are errors, never ignored.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["PROTOCOL_VERSION", "Message"]

PROTOCOL_VERSION = 1


class Message(BaseModel):
    """A frozen JSON object with exactly the fields of its class."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
