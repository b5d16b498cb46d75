"""What is to be asked: a model in this process, or a running server by its URL."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from motet.cli.eval_options import API_KEY, AskingOptions, ServerApi
from motet.cli.knobs import channel_changes, channel_sampling, global_sampling, silence_rules
from motet.cli.opening import open_engine
from motet.cli.provenance import model_fingerprint
from motet.client.address import http_url
from motet.engine import Sampling, Settings
from motet.errors import SettingError
from motet.eval.questions.asking import EngineAsker, Hear, Refused, check_samples
from motet.eval.questions.completions import ChatServer, first_model
from motet.eval.questions.hearing import ReplyMark
from motet.eval.questions.live import LiveServer
from motet.eval.questions.trial import Ask
from motet.protocol.knobs import KnobsChange, SettingsChange
from motet.runtime.directory import find, read_source
from motet.runtime.opening import RuntimeName
from motet.streams.layout import Layout

__all__ = ["Asker", "Subject", "subject_of"]

_KNOBS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
_RULES = ("silence_penalty_output", "silence_penalty_thought", "quiet_rows", "mute_rows")
_ENGINE_ONLY = ("plain", "dtype", "cache", "threads", "device", "conv_mode")
_SERVER_ONLY = ("api", "model_name")


class Asker(Protocol):
    """Something that answers."""

    def ask(
        self, asks: Iterable[Ask], hear: Hear, at_once: int, refused: Refused | None = None
    ) -> None:
        """Ask everything, `at_once` at a time; `hear` each answer as soon as it is there.

        refused: told of what the model can't be asked; without it that is an InputError.
        """
        ...


@dataclass(frozen=True)
class Subject:
    """meta: how its answers come about, to be written beside them."""

    name: str
    asker: Asker
    meta: dict[str, Any]


def subject_of(model: str, options: AskingOptions) -> Subject:
    """Open what `model` names; a MotetError if it is not there, or can't be asked like that."""
    is_server = "://" in model
    for name in _ENGINE_ONLY if is_server else _SERVER_ONLY:
        if getattr(options, name) not in (None, False):
            expected = "a model in this process" if is_server else "a server's URL"
            raise SettingError(_option(name), expected=f"{expected} with it", got=model)
    if is_server and options.runtime is not RuntimeName.AUTO:
        raise SettingError("--runtime", expected="a model in this process with it", got=model)
    if not is_server and options.api_key is not None and API_KEY not in os.environ:
        raise SettingError("--api-key", expected="a server's URL with it", got=model)
    asking = {"prompt": options.prompt, "answer_after": options.answer_after}
    if not is_server:
        return _in_process(model, options, asking)
    if options.api is ServerApi.CHAT:
        return _chat_server(model, options, asking)
    return _live_server(model, options, asking)


def _in_process(model: str, options: AskingOptions, asking: dict[str, Any]) -> Subject:
    _settings(read_source(model).layout, Sampling(), options)  # mistakes, before weights are read
    engine = open_engine(
        model, options.runtime, options.dtype, options.conv_mode, cache=options.cache,
        threads=options.threads, device=options.device,
    )  # fmt: skip
    settings = _settings(engine.codec.layout, engine.sampling, options)
    check_samples(settings, engine.codec.layout, options.samples)
    meta = {
        "model": engine.name,
        "model_fingerprint": model_fingerprint(find(model)),
        "dtype": None if options.dtype is None else options.dtype.value,
        "cache": None if options.cache is None else options.cache.value,
        **({} if options.device is None else {"device": options.device}),
        "conv_mode": engine.runtime.layout.conv_mode.value,
        "plain": options.plain,
        "settings": settings.to_json(),
        **asking,
    }
    asker = EngineAsker(engine, settings, options.answer_after, plain=options.plain)
    return Subject(engine.name, asker, meta)


def _settings(layout: Layout, usual: Sampling, options: AskingOptions) -> Settings:
    """The settings asked for, on top of the usual sampling of a model of `layout`."""
    base = global_sampling(usual, {name: getattr(options, name) for name in _KNOBS})
    settings = dataclasses.replace(
        Settings(),
        sampling=base,
        channel_sampling=channel_sampling(base, options.sampling or []),
        max_rows=options.max_rows,
        feed=options.feed,
        ablate=frozenset(options.ablate or ()),
        **silence_rules(layout, {name: getattr(options, name) for name in _RULES}),
    )
    settings.check_against(layout)
    return settings


def _live_server(url: str, options: AskingOptions, asking: dict[str, Any]) -> Subject:
    if options.model_name is not None:
        raise SettingError("--model-name", expected="--api chat with it", got="--api live")
    change = SettingsChange(
        sampling=KnobsChange(**{name: getattr(options, name) for name in _KNOBS}),
        channel_sampling={
            name: KnobsChange(**knobs)
            for name, knobs in channel_changes(options.sampling or []).items()
        },
        max_rows=options.max_rows,
        feed=None if options.feed is None else options.feed.value,
        ablate=None if options.ablate is None else tuple(options.ablate),
        **{name: getattr(options, name) for name in _RULES},
    )
    name = first_model(url, options.api_key)
    meta = {"server": http_url(url), "model": name, "settings": change.model_dump(), **asking}
    mark = ReplyMark(options.answer_after)
    return Subject(name, LiveServer(url, change, options.api_key, mark), meta)


def _chat_server(url: str, options: AskingOptions, asking: dict[str, Any]) -> Subject:
    if options.sampling:
        raise SettingError("--sampling", expected="--api live with it", got="--api chat")
    knobs: dict[str, Any] = {"max_tokens": options.max_rows}
    for name in (*_KNOBS, *_RULES, "feed", "ablate"):
        if (value := getattr(options, name)) is not None:
            knobs[name] = value
    name = options.model_name or first_model(url, options.api_key)
    meta = {"server": http_url(url), "model": name, "api": "chat", "settings": knobs, **asking}
    mark = ReplyMark(options.answer_after)
    return Subject(name, ChatServer(url, name, knobs, options.api_key, mark), meta)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
