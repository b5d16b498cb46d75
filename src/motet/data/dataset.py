"""A dataset: a directory of shards, and `dataset.json`, which says what they are.

    dataset.json            what is in it, how it was made, the hash of every shard
    tables-00000.jsonl.gz   tables: text for people, one conversation a line (`motet.data.tables`)
    grids-00000.parquet     or grids: tokens for training (`motet.data.grids`)

`dataset.json` is written last, so a directory without it is not finished (`motet.data.building`).
It is read strictly: an unknown key, a missing one or a wrong type is an error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from motet.data.whole import whole_file
from motet.errors import DataError
from motet.streams.layout import Channel, Role
from motet.version import __version__

DATASET_FILE = "dataset.json"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]


class Kind(StrEnum):
    """What a dataset holds."""

    TABLES = "motet-tables"
    GRIDS = "motet-grids"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ChannelEntry(_Strict):
    """A channel as the file names it."""

    name: Annotated[str, Field(min_length=1)]
    role: Role


def channel_entries(channels: Iterable[Channel]) -> tuple[ChannelEntry, ...]:
    """The channels of a layout as the file names them."""
    return tuple(ChannelEntry(name=channel.name, role=channel.role) for channel in channels)


class Shard(_Strict):
    """One file of a dataset: its name in the directory, what it holds, its SHA-256."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]
    num_conversations: Count
    num_rows: Count
    sha256: Digest


class MadeBy(_Strict):
    """How a dataset was made, so that it can be made again and is not mixed with another.

    command: what makes it, without what changes nothing in it (how many processes, where to).
    sources: what it was made from, by name; version: of Motet.
    """

    command: tuple[str, ...]
    sources: tuple[dict[str, Any], ...] = ()
    version: str = __version__


class Description(_Strict):
    """`dataset.json` of tables, and what that of grids has as well.

    left_out: how many conversations of the sources are not in it, by reason.
    """

    format: Kind
    version: Literal[1] = 1
    channels: Annotated[tuple[ChannelEntry, ...], Field(min_length=1)]
    num_conversations: Count = 0
    shards: tuple[Shard, ...] = ()
    left_out: dict[str, Count] = {}
    made_by: MadeBy

    @property
    def layout_channels(self) -> tuple[Channel, ...]:
        """The channels as a layout has them."""
        return tuple(Channel(entry.name, entry.role) for entry in self.channels)

    @property
    def num_rows(self) -> int:
        """Rows of all conversations together."""
        return sum(shard.num_rows for shard in self.shards)

    def check(self, where: Path) -> None:
        """DataError if its parts contradict each other."""
        names = [entry.name for entry in self.channels]
        if len(set(names)) < len(names):
            raise DataError(f"{where}: channels", expected="distinct names", got=names)
        files = [shard.file for shard in self.shards]
        if len(set(files)) < len(files):
            raise DataError(f"{where}: shards", expected="distinct files", got=files)
        total = sum(shard.num_conversations for shard in self.shards)
        if total != self.num_conversations:
            raise DataError(
                f"{where}: num_conversations", expected=f"{total}, as the shards have together",
                got=self.num_conversations,
            )  # fmt: skip

    def write(self, directory: Path) -> None:
        """Write `dataset.json`, whole or not at all."""
        with whole_file(directory / DATASET_FILE) as file:
            text = json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False)
            file.write(text.encode("utf-8") + b"\n")

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read and check `dataset.json`; DataError if it is missing, broken or of another kind."""
        path = directory / DATASET_FILE
        found = read_kind(directory)
        expected = kind_of(cls)
        if found is not expected:
            fix = {
                Kind.GRIDS: "motet data tokenize makes grids of tables",
                Kind.TABLES: "give the tables that the grids were made from",
            }[expected]
            raise DataError(f"{path}: format", expected=expected.value, got=found.value, fix=fix)
        description = parse_strictly(cls, path.read_bytes(), str(path))
        description.check(path)
        return description


class TableDescription(Description):
    """`dataset.json` of tables."""

    format: Literal[Kind.TABLES] = Kind.TABLES


class GridDescription(Description):
    """`dataset.json` of grids: which tokenizer made the tokens, and its special ones."""

    format: Literal[Kind.GRIDS] = Kind.GRIDS
    tokenizer_sha256: Digest
    vocabulary: Annotated[int, Field(ge=1)]
    num_opening_rows: Count
    silence_id: Count | None
    end_id: Count | None


def kind_of(description: type[Description]) -> Kind:
    """The kind that a class of descriptions is for."""
    return Kind.GRIDS if issubclass(description, GridDescription) else Kind.TABLES


def read_kind(directory: Path) -> Kind:
    """Whether `directory` holds tables or grids; DataError if it is no finished dataset."""
    path = directory / DATASET_FILE
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        got = "no such file" if directory.is_dir() else "no such directory"
        raise DataError(
            "dataset", expected=str(path), got=got,
            fix="give a dataset, or run the command that makes it to its end",
        ) from None  # fmt: skip
    except OSError as error:
        raise DataError("dataset", expected=str(path), got=error.strerror) from None
    except (ValueError, RecursionError) as error:
        raise DataError(str(path), expected="JSON", got=error) from None
    found = data.get("format") if isinstance(data, dict) else None
    if found not in list(Kind):
        raise DataError(f"{path}: format", expected=" or ".join(Kind), got=repr(found)[:60])
    return Kind(found)


AnyModel = TypeVar("AnyModel", bound=BaseModel)


def parse_strictly(model: type[AnyModel], content: bytes, where: str) -> AnyModel:
    """JSON text as `model`; DataError that names the first field that is wrong."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        got = "" if first["type"] == "missing" else f", got {first['input']!r}"[:80]
        raise DataError(f"{where}: {field or 'the whole'}: {first['msg']}{got}") from None


def check_shards(directory: Path, description: Description) -> None:
    """DataError if a file of the dataset is not there."""
    for shard in description.shards:
        if not (directory / shard.file).is_file():
            raise DataError(
                "shard", expected=str(directory / shard.file), got="no such file",
                fix="copy the whole directory, or make the dataset again",
            )  # fmt: skip


def check_hashes(directory: Path, description: Description) -> None:
    """DataError if the content of a shard is not what it was when it was made."""
    for shard in description.shards:
        if (got := file_sha256(directory / shard.file)) != shard.sha256:
            raise DataError(
                f"{directory / shard.file}: SHA-256", expected=shard.sha256, got=got,
                fix="the file was changed or damaged: make the dataset again",
            )  # fmt: skip


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
