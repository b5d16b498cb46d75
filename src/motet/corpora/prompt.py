"""A prompt: what a language model is told so that it writes a conversation, as a versioned file.

    problem.v1.toml   messages (`system`, `user`) with places to fill in, the channels, limits that
                      a conversation must keep to, and lists from which the places are filled
    rows.v1.txt       a piece that prompts share, by `{% include %}`

A version that has been used never changes: what it is changed into is the next version. Two
conversations have the same prompt if its digest, over all files it is made of, is the same.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Self

import jinja2
from jinja2 import meta
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from motet.corpora.asking import Message
from motet.data.dice import Dice
from motet.errors import InputError
from motet.streams.layout import Channel, Role

__all__ = ["Limits", "Prompt", "load_prompt", "packaged_prompts", "packaged_text"]

_FILE = re.compile(r"(?P<name>[a-z_]+)\.v(?P<version>\d+)\.toml")
_REFERENCE = re.compile(r"(?P<name>[a-z_]+)(?:@(?P<version>\d+))?")
_GIVEN = frozenset({"channels", "max_cell_words", "question", "answer"})


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(_Strict):
    """What a conversation must keep to.

    max_cell_words: asked for in one cell. must_speak: channels that say something. must_reply: the
    User does not have the last word. min_overlap: least share of the rows with words in which two
    channels or more have them.
    """

    min_rows: Annotated[int, Field(ge=1)] = 2
    max_rows: Annotated[int, Field(ge=1)]
    max_cell_words: Annotated[int, Field(ge=1)]
    must_speak: tuple[str, ...] = ()
    must_reply: bool = True
    min_overlap: Annotated[float, Field(ge=0, le=1)] = 0.0


class _Entry(_Strict):
    """A channel."""

    name: Annotated[str, Field(min_length=1)]
    role: Role


class Planting(_Strict):
    """Where the place `slot` says something, `channel` is asked to calculate wrongly, once."""

    slot: str
    channel: str


class _File(_Strict):
    """The file. takes_question: it can be given a question, and with it the right answer."""

    name: Annotated[str, Field(pattern=r"^[a-z_]+$")]
    version: Annotated[int, Field(ge=1)]
    purpose: Annotated[str, Field(min_length=1)]
    takes_question: bool = False
    system: str
    user: str
    channels: Annotated[tuple[_Entry, ...], Field(min_length=1)]
    limits: Limits
    planting: Planting | None = None
    slots: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            raise ValueError("channels must have distinct names")
        if alien := set(self.limits.must_speak) - set(names):
            raise ValueError(f"must_speak names no channel: {', '.join(sorted(alien))}")
        planting = self.planting
        if planting and not (planting.slot in self.slots and planting.channel in names):
            raise ValueError("planting must name a slot and a channel")
        roles = [channel.role for channel in self.channels]
        if roles.count(Role.OUTPUT) != 1 or Role.INPUT not in roles:
            raise ValueError("channels must have an input and exactly one output")
        if reserved := _GIVEN & self.slots.keys():
            raise ValueError(f"slots may not be called {', '.join(sorted(reserved))}")
        return self


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read and found whole. digest: SHA-256 over the files it is made of."""

    file: _File
    digest: str
    environment: SandboxedEnvironment

    @property
    def label(self) -> str:
        """Name and version, as `problem@1`."""
        return f"{self.file.name}@{self.file.version}"

    @cached_property
    def channels(self) -> tuple[Channel, ...]:
        """The channels of the conversations."""
        return tuple(Channel(entry.name, entry.role) for entry in self.file.channels)

    def draw(self, dice: Dice) -> dict[str, str]:
        """A value for every slot."""
        return {name: dice.choice(values) for name, values in sorted(self.file.slots.items())}

    def messages(
        self, values: Mapping[str, str], question: str | None = None, answer: str | None = None
    ) -> tuple[Message, ...]:
        """What the model is told. values: of the slots."""
        given = {
            "channels": [
                {"name": entry.name, "role": entry.role.value} for entry in self.file.channels
            ],
            "max_cell_words": self.file.limits.max_cell_words,
            "question": question,
            "answer": answer,
        }
        parts = (("system", self.file.system), ("user", self.file.user))
        return tuple(
            {"role": role, "content": self._rendered(text, {**values, **given})}
            for role, text in parts
        )

    def _rendered(self, text: str, values: Mapping[str, object]) -> str:
        return self.environment.from_string(text).render(values).strip()


def packaged_prompts() -> dict[str, list[int]]:
    """Names of the prompts that come with Motet, and their versions in order."""
    found: dict[str, list[int]] = {}
    for entry in files("motet.corpora").joinpath("prompts").iterdir():
        if match := _FILE.fullmatch(entry.name):
            found.setdefault(match["name"], []).append(int(match["version"]))
    return {name: sorted(found[name]) for name in sorted(found)}


def packaged_text(name: str) -> str:
    """A piece that comes with Motet, such as `again.v1.txt`."""
    return files("motet.corpora").joinpath("prompts", name).read_text("utf-8")


def load_prompt(reference: str) -> Prompt:
    """A prompt by name (`problem`, the newest; `problem@1`), or by the path of its file.

    InputError if there is none, or if it is not well-formed, with the file and the place in it.
    """
    if reference.endswith(".toml"):
        return _read(Path(reference))
    there = packaged_prompts()
    match = _REFERENCE.fullmatch(reference)
    versions = there.get(match["name"], []) if match else []
    version = int(match["version"]) if match and match["version"] else max(versions, default=0)
    if match is None or version not in versions:
        raise InputError(
            "prompt", got=repr(reference),
            expected=", ".join(f"{n}@{v}" for n in there for v in there[n]) + ", or a .toml file",
        )  # fmt: skip
    resource = files("motet.corpora").joinpath("prompts", f"{match['name']}.v{version}.toml")
    with as_file(resource) as path:
        return _read(path)


def _read(path: Path) -> Prompt:
    where = str(path)
    try:
        content = path.read_bytes()
        file = _File.model_validate(tomllib.loads(content.decode("utf-8")))
    except OSError as error:
        raise InputError("prompt", expected=where, got=error.strerror) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise InputError(f"{where}: {place}", got=first["msg"]) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(where, expected="TOML", got=error) from None
    environment = _environment(path.parent)
    prompt = Prompt(file, _digest(content, file, environment, where), environment)
    _check_places(prompt, where)
    return prompt


def _environment(folder: Path) -> SandboxedEnvironment:
    """Templates that can reach the files beside them and the packaged pieces, and nothing else."""
    loaders = [jinja2.FileSystemLoader(folder), jinja2.PackageLoader("motet.corpora", "prompts")]
    return SandboxedEnvironment(
        loader=jinja2.ChoiceLoader(loaders), undefined=jinja2.StrictUndefined, autoescape=False
    )


def _digest(content: bytes, file: _File, environment: SandboxedEnvironment, where: str) -> str:
    digest = hashlib.sha256(content)
    for name in sorted(_pieces(file, environment, where)):
        digest.update(f"\0{name}\0{_source(name, environment, where)}".encode())
    return digest.hexdigest()


def _pieces(file: _File, environment: SandboxedEnvironment, where: str) -> set[str]:
    """Names of all templates that the messages include, directly or not."""
    seen: set[str] = set()
    waiting = [file.system, file.user]
    while waiting:
        for name in meta.find_referenced_templates(_parsed(waiting.pop(), environment, where)):
            if name is None:
                raise InputError(where, expected="includes by their plain name", got="one by value")
            if name not in seen:
                seen.add(name)
                waiting.append(_source(name, environment, where))
    return seen


def _check_places(prompt: Prompt, where: str) -> None:
    """InputError if a place has nothing to be filled with, or a slot has no place."""
    file = prompt.file
    texts = [file.system, file.user]
    texts += [
        _source(name, prompt.environment, where)
        for name in _pieces(file, prompt.environment, where)
    ]
    places: set[str] = set()
    for text in texts:
        places |= meta.find_undeclared_variables(_parsed(text, prompt.environment, where))
    if alien := places - _GIVEN - file.slots.keys():
        raise InputError(f"{where}: slots", expected=f"a list for {sorted(alien)[0]!r}", got="none")
    if unused := file.slots.keys() - places:
        raise InputError(f"{where}: slots", expected="only such as are used", got=min(unused))
    if ("question" in places) != file.takes_question:
        raise InputError(
            f"{where}: takes_question", expected="question" in places, got=file.takes_question
        )
    try:
        prompt.messages(prompt.draw(Dice(0)))
        prompt.messages(prompt.draw(Dice(0)), "How many?", "7")
    except jinja2.TemplateError as error:
        raise InputError(where, expected="templates that can be filled in", got=error) from None


def _source(name: str, environment: SandboxedEnvironment, where: str) -> str:
    assert environment.loader is not None
    try:
        return environment.loader.get_source(environment, name)[0]
    except jinja2.TemplateNotFound:
        raise InputError(where, expected=f"the file {name} beside it", got="none") from None


def _parsed(text: str, environment: SandboxedEnvironment, where: str) -> jinja2.nodes.Template:
    try:
        return environment.parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise InputError(where, expected="templates of Jinja", got=error) from None
