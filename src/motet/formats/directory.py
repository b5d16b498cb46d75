"""What a model directory says about itself, before any weight is read.

Three kinds of directory open:

    own        has a layout.json, written by Motet
    published  a transformers checkpoint whose config has num_channels and channel_names, as the
               row-synchronous models of arXiv:2605.12460 and their 4-channel LFM2.5 port have
    stock      any other transformers checkpoint: an ordinary causal model, C = 1
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from motet.errors import CheckpointError, LayoutError, TokenizerError
from motet.streams.codec import TOKENIZER_FILE, read_tokenizer
from motet.streams.layout import (
    LAYOUT_FILE,
    Channel,
    ConvMode,
    Layout,
    Role,
    SpecialToken,
    single_channel,
)

EMBEDDED = "motet-tiny"
PUBLISHED_SILENCE = " -"
_ROLES = {"user": Role.INPUT, "output": Role.OUTPUT}


class Kind(StrEnum):
    """Where a directory's layout comes from."""

    OWN = "own"
    PUBLISHED = "published"
    STOCK = "stock"


@dataclass(frozen=True)
class ModelDirectory:
    """A model directory: its kind, configuration, layout and recommended sampling.

    conv_mode_known: False where nothing in the directory states the conv mode and it matters;
    `column` is then taken, as the released hybrid does, and `motet inspect` can measure it.
    """

    path: Path
    kind: Kind
    config: dict[str, Any]
    layout: Layout
    conv_mode_known: bool
    sampling: dict[str, float]

    @property
    def name(self) -> str:
        """What to call the model."""
        return self.path.resolve().name


def resolve(model: str | Path) -> Path:
    """The directory that `model` names: a path, or the embedded model `motet-tiny`."""
    path = Path(model)
    try:
        if path.is_dir():
            return path
    except OSError as error:
        raise CheckpointError("model", expected="a path", got=error.strerror) from None
    if str(model) == EMBEDDED:
        return Path(str(files("motet"))) / "models" / EMBEDDED
    raise CheckpointError(
        "model", expected=f"{EMBEDDED}, a model directory or a GGUF file", got=repr(str(model)),
        fix="give a path that exists",
    )  # fmt: skip


def read_directory(model: str | Path) -> ModelDirectory:
    """Read everything but weights; CheckpointError, LayoutError or TokenizerError if unfit."""
    path = resolve(model)
    config = _read_json(path / "config.json")
    if (path / LAYOUT_FILE).exists():
        kind, layout, known = Kind.OWN, Layout.load(path), True
    else:
        tokenizer = read_tokenizer(path / TOKENIZER_FILE)
        if "num_channels" in config or "channel_names" in config:
            kind, layout = Kind.PUBLISHED, _published_layout(config, tokenizer, path)
            layers = config.get("layer_types")
            has_no_conv = isinstance(layers, list) and "conv" not in layers
            known = "conv_mode" in config or has_no_conv
        else:
            kind, layout, known = Kind.STOCK, _stock_layout(config, tokenizer), True
    return ModelDirectory(path, kind, config, layout, known, _recommended_sampling(path))


def _published_layout(config: dict[str, Any], tokenizer: Tokenizer, path: Path) -> Layout:
    where = f"{path / 'config.json'}"
    names, num_channels = config.get("channel_names"), config.get("num_channels")
    if not isinstance(names, list) or len(names) != num_channels:
        raise LayoutError(
            f"{where}: channel_names", expected=f"num_channels = {num_channels} names", got=names
        )
    silence_ids = tokenizer.encode(PUBLISHED_SILENCE, add_special_tokens=False).ids
    if not silence_ids:
        raise TokenizerError(f"{path / TOKENIZER_FILE}", expected="a token for ' -'", got="none")
    mode = config.get("conv_mode", ConvMode.COLUMN)
    if mode not in list(ConvMode):
        raise LayoutError(f"{where}: conv_mode", expected=" or ".join(ConvMode), got=repr(mode))
    return Layout(
        channels=tuple(Channel(n, _ROLES.get(str(n).lower(), Role.THOUGHT)) for n in names),
        silence=SpecialToken(silence_ids[0], PUBLISHED_SILENCE),
        end=None,
        conv_mode=ConvMode(mode),
        channel_embedding=True,
    )


def _stock_layout(config: dict[str, Any], tokenizer: Tokenizer) -> Layout:
    eos = config.get("eos_token_id")
    eos = eos[0] if isinstance(eos, list) and eos else eos
    end = None
    if type(eos) is int and 0 <= eos < 2**32 and (text := tokenizer.id_to_token(eos)) is not None:
        end = SpecialToken(eos, text)
    return single_channel(end, opening=tuple(tokenizer.encode("", add_special_tokens=True).ids))


def _recommended_sampling(path: Path) -> dict[str, float]:
    """Sampling knobs of generation_config.json; `do_sample: false` means temperature 0."""
    file = path / "generation_config.json"
    if not file.exists():
        return {}
    data = _read_json(file)
    knobs = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    sampling = {k: data[k] for k in knobs if isinstance(data.get(k), int | float)}
    if data.get("do_sample") is False:
        sampling["temperature"] = 0.0
    return sampling


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise CheckpointError("model file", expected=str(path), got="no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise CheckpointError(str(path), expected="JSON", got=error) from None
    if not isinstance(data, dict):
        raise CheckpointError(str(path), expected="a JSON object", got=type(data).__name__)
    return data
