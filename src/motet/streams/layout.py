"""A layout: which channels a model has, and the rules that its rows follow.

A layout belongs to a model as its weights do. It is stored beside them as `layout.json` and read
strictly: an unknown key, a missing key or a wrong type is an error. Nothing in it has a default
on disk, so that a file says everything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from motet.errors import LayoutError
from motet.streams.grid import TOKEN_DTYPE, Tokens

LAYOUT_FILE = "layout.json"
LAYOUT_VERSION = 1


class Role(StrEnum):
    """What a channel is for. `input` is always given; the others are sampled."""

    INPUT = "input"
    OUTPUT = "output"
    THOUGHT = "thought"


class ConvMode(StrEnum):
    """How a short convolution runs over a grid (see `motet.runtime.torch.shortconv`)."""

    COLUMN = "column"
    ROW_BOUNDARY = "row_boundary"


@dataclass(frozen=True)
class Channel:
    """One stream of the layout: its name on the screen and its role."""

    name: str
    role: Role


@dataclass(frozen=True)
class SpecialToken:
    """A token with a meaning of its own: its id, and its text for people and for checking."""

    id: int
    text: str


@dataclass(frozen=True)
class Layout:
    """The channels of a model and the rules of its rows.

    silence: the token that says nothing in this row. None only in a one-channel model that has
    none. end: the token that ends a message, if the model has one. warm_start: rows [R, C] of
    token ids that open every session; if empty, a session opens with one row of silence.
    """

    channels: tuple[Channel, ...]
    silence: SpecialToken | None
    end: SpecialToken | None
    conv_mode: ConvMode
    channel_embedding: bool
    warm_start: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if not names:
            raise LayoutError("layout has no channels", expected="at least one")
        printable = all(isinstance(n, str) and n and n.isprintable() for n in names)
        if len(set(names)) < len(names) or not printable:
            raise LayoutError("channel names", expected="distinct, printable names", got=names)
        outputs = [c.name for c in self.channels if c.role is Role.OUTPUT]
        if len(outputs) != 1:
            raise LayoutError("layout", expected="exactly one output channel", got=outputs)
        if self.num_channels > 1 and self.silence is None:
            raise LayoutError("layout of several channels", expected="a silence token", got="none")
        if self.num_channels > 1 and not self.input_indices:
            raise LayoutError("layout of several channels", expected="an input channel", got="none")
        if self.silence is not None and self.silence == self.end:
            raise LayoutError("end token", expected="one other than silence", got=self.end.text)
        for row in self.warm_start:
            if len(row) != self.num_channels:
                raise LayoutError(
                    "warm-start row", expected=f"{self.num_channels} tokens", got=len(row)
                )

    @property
    def num_channels(self) -> int:
        """C."""
        return len(self.channels)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Channel names in order."""
        return tuple(channel.name for channel in self.channels)

    @cached_property
    def input_indices(self) -> tuple[int, ...]:
        """Channels that are always given."""
        return tuple(i for i, c in enumerate(self.channels) if c.role is Role.INPUT)

    @cached_property
    def sampled_indices(self) -> tuple[int, ...]:
        """Channels that the model speaks on."""
        return tuple(i for i, c in enumerate(self.channels) if c.role is not Role.INPUT)

    @cached_property
    def thought_indices(self) -> tuple[int, ...]:
        """Internal channels."""
        return tuple(i for i, c in enumerate(self.channels) if c.role is Role.THOUGHT)

    @cached_property
    def output_index(self) -> int:
        """The visible reply."""
        return next(i for i, c in enumerate(self.channels) if c.role is Role.OUTPUT)

    @cached_property
    def prompt_index(self) -> int:
        """Where a message to the model goes: the first input, or the only channel there is."""
        return self.input_indices[0] if self.input_indices else self.output_index

    def index(self, name: str) -> int:
        """Index of the channel called `name`; LayoutError if there is none."""
        if name not in self.names:
            raise LayoutError(
                "unknown channel", expected=f"one of {', '.join(self.names)}", got=repr(name)
            )
        return self.names.index(name)

    def opening_RC(self) -> Tokens:
        """Rows [R, C] that open a session: warm start, or one row of silence, or nothing."""
        if self.warm_start:
            return np.array(self.warm_start, dtype=TOKEN_DTYPE)
        num_rows = 0 if self.silence is None else 1
        silence_id = 0 if self.silence is None else self.silence.id
        return np.full((num_rows, self.num_channels), silence_id, dtype=TOKEN_DTYPE)

    def to_json(self) -> dict[str, Any]:
        """The layout as plain JSON values."""
        return {
            "version": LAYOUT_VERSION,
            "channels": [{"name": c.name, "role": c.role.value} for c in self.channels],
            "silence": _special_to_json(self.silence),
            "end": _special_to_json(self.end),
            "conv_mode": self.conv_mode.value,
            "channel_embedding": self.channel_embedding,
            "warm_start": [list(row) for row in self.warm_start],
        }

    @classmethod
    def from_json(cls, data: object, *, where: str = "layout") -> Layout:
        """Build a layout from JSON values, strictly; `where` names the source in errors."""
        fields = _fields(
            data,
            {
                "version": int,
                "channels": list,
                "silence": (dict, type(None)),
                "end": (dict, type(None)),
                "conv_mode": str,
                "channel_embedding": bool,
                "warm_start": list,
            },
            where,
        )
        if fields["version"] != LAYOUT_VERSION:
            raise LayoutError(
                f"{where}: version", expected=LAYOUT_VERSION, got=fields["version"],
                fix="write the layout again with this version of Motet",
            )  # fmt: skip
        channels = []
        for i, item in enumerate(fields["channels"]):
            at = f"{where}: channels[{i}]"
            values = _fields(item, {"name": str, "role": str}, at)
            channels.append(Channel(values["name"], Role(_one_of(values["role"], Role, at))))
        rows = []
        for i, row in enumerate(fields["warm_start"]):
            if not isinstance(row, list) or not all(map(_is_token_id, row)):
                raise LayoutError(f"{where}: warm_start[{i}]", expected="a list of token ids")
            rows.append(tuple(row))
        return cls(
            channels=tuple(channels),
            silence=_special_from_json(fields["silence"], f"{where}: silence"),
            end=_special_from_json(fields["end"], f"{where}: end"),
            conv_mode=ConvMode(_one_of(fields["conv_mode"], ConvMode, f"{where}: conv_mode")),
            channel_embedding=fields["channel_embedding"],
            warm_start=tuple(rows),
        )

    def save(self, directory: Path) -> Path:
        """Write `layout.json` into a model directory."""
        path = directory / LAYOUT_FILE
        path.write_text(json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")
        return path

    @classmethod
    def load(cls, directory: Path) -> Layout:
        """Read `layout.json` of a model directory; LayoutError if missing or not well-formed."""
        path = directory / LAYOUT_FILE
        try:
            data = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise LayoutError("layout file", expected=str(path), got="no such file") from None
        except OSError as error:
            raise LayoutError("layout file", expected=str(path), got=error) from None
        except (ValueError, RecursionError) as error:
            raise LayoutError(str(path), expected="JSON", got=error) from None
        return cls.from_json(data, where=str(path))


def single_channel(end: SpecialToken | None, opening: tuple[int, ...] = ()) -> Layout:
    """The layout of an ordinary causal model: one output channel, no silence (C = 1)."""
    return Layout(
        channels=(Channel("Output", Role.OUTPUT),),
        silence=None,
        end=end,
        conv_mode=ConvMode.COLUMN,
        channel_embedding=False,
        warm_start=tuple((token,) for token in opening),
    )


def _fields(data: object, types: dict[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise LayoutError(where, expected="a JSON object", got=type(data).__name__)
    missing, unknown = sorted(types.keys() - data.keys()), sorted(data.keys() - types.keys())
    if missing or unknown:
        raise LayoutError(
            f"{where}: keys", expected=", ".join(types), got=f"missing {missing}, unknown {unknown}"
        )
    for key, kind in types.items():
        if not isinstance(data[key], kind) or (kind is int and isinstance(data[key], bool)):
            names = kind if isinstance(kind, tuple) else (kind,)
            raise LayoutError(
                f"{where}: {key}",
                expected=" or ".join(k.__name__ for k in names),
                got=repr(data[key])[:60],
            )
    return data


def _is_token_id(value: object) -> bool:
    return type(value) is int and 0 <= value <= np.iinfo(TOKEN_DTYPE).max


def _one_of(value: str, kind: type[StrEnum], where: str) -> str:
    if value not in [member.value for member in kind]:
        allowed = " or ".join(member.value for member in kind)
        raise LayoutError(where, expected=allowed, got=repr(value))
    return value


def _special_to_json(token: SpecialToken | None) -> dict[str, Any] | None:
    return None if token is None else {"id": token.id, "text": token.text}


def _special_from_json(data: object, where: str) -> SpecialToken | None:
    if data is None:
        return None
    fields = _fields(data, {"id": int, "text": str}, where)
    if not _is_token_id(fields["id"]):
        raise LayoutError(f"{where}: id", expected="a token id", got=fields["id"])
    if any("\ud800" <= character <= "\udfff" for character in fields["text"]):
        raise LayoutError(f"{where}: text", expected="no surrogates", got=repr(fields["text"]))
    return SpecialToken(fields["id"], fields["text"])
