"""Which channels of a source become which of ours: `User=0,Output=1,Think=Analytical`.

On the left a new name. User is an input, Output the output, all others are thoughts, unless a role
follows: `Reply:output=1`. On the right the channel of the source, by name or by number.
"""

from __future__ import annotations

from dataclasses import dataclass

from motet.errors import LayoutError, SettingError
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken

__all__ = ["Choice", "parse_choices"]

_ROLES = {"user": Role.INPUT, "output": Role.OUTPUT}
_OPTION = "--channels"
_EXAMPLE = "User=0,Output=1,Think=2"


@dataclass(frozen=True, slots=True)
class Choice:
    """A channel of ours, and the one of the source that it is."""

    channel: Channel
    source: str

    def __str__(self) -> str:
        return f"{self.channel.name}:{self.channel.role.value}={self.source}"


def parse_choices(text: str) -> tuple[Choice, ...]:
    """Read the option; SettingError if it is malformed, or the channels make no layout."""
    choices = tuple(_choice(part) for part in text.split(","))
    _check_layout(choices)
    return choices


def _choice(text: str) -> Choice:
    left, _, source = text.partition("=")
    name, has_role, role = left.strip().partition(":")
    if not name or not source.strip():
        raise SettingError(_OPTION, expected=f"NAME=SOURCE,... as in {_EXAMPLE}", got=repr(text))
    if has_role and role not in list(Role):
        raise SettingError(f"{_OPTION} {name}", expected=" or ".join(Role), got=repr(role))
    chosen = Role(role) if has_role else _ROLES.get(name.lower(), Role.THOUGHT)
    return Choice(Channel(name, chosen), source.strip())


def _check_layout(choices: tuple[Choice, ...]) -> None:
    try:
        layout_of([choice.channel for choice in choices], SpecialToken(0, " -"))
    except LayoutError as error:
        raise SettingError(f"{_OPTION}: {error}") from None


def layout_of(channels: list[Channel], silence: SpecialToken) -> Layout:
    """A layout with these channels, for reading tokens; LayoutError if they cannot be one."""
    return Layout(tuple(channels), silence, None, ConvMode.COLUMN, channel_embedding=False)
