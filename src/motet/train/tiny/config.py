"""Everything that decides a training run, in one frozen value read strictly from a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from motet.data.tiny.mixture import Shares
from motet.errors import SettingError

__all__ = ["DataConfig", "ModelConfig", "OptimConfig", "TrainConfig", "read_config"]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The LFM2-MoE architecture in miniature.

    layers: one letter a layer, c = short conv, a = attention. Widths as in DESIGN.md: D, H query
    heads, G KV heads, E experts of width F with A active; the first `num_dense_layers` have a
    plain feed-forward of width `dense_width`.
    """

    layers: str = "cacaca"
    width: int = 128
    num_heads: int = 4
    num_kv_heads: int = 2
    num_dense_layers: int = 1
    dense_width: int = 384
    num_experts: int = 8
    num_active_experts: int = 2
    expert_width: int = 128
    rope_theta: float = 10_000.0
    max_rows: int = 2_048


@dataclass(frozen=True, slots=True)
class DataConfig:
    """The stream of conversations. cells_per_step: upper bound of R * C * B, padding included."""

    vocab_size: int = 2_048
    num_tokenizer_tasks: int = 30_000
    cells_per_step: int = 1_600
    steps_per_pool: int = 96
    shares: Shares = field(default_factory=Shares)


@dataclass(frozen=True, slots=True)
class OptimConfig:
    """Muon for matrices, AdamW for the rest; warm-up, stable, linear decay to zero (WSD).

    The decay takes the last `decay_steps` of `num_steps`. silence_weight, decision_weight: weights
    of such targets in the loss, where any other spoken one weighs 1. balance_rate: step of the
    sign rule that keeps the experts evenly used.
    """

    num_steps: int = 20_000
    warmup_steps: int = 200
    decay_steps: int = 4_000
    muon_lr: float = 3e-3
    adamw_lr: float = 3e-3
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    silence_weight: float = 0.15
    decision_weight: float = 3.0
    balance_rate: float = 1e-3


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """One run. num_processes: how many processes of one thread share each batch."""

    seed: int = 0
    num_processes: int = 2
    log_every_steps: int = 50
    save_every_steps: int = 500
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)


ConfigT = TypeVar("ConfigT")
_SECTIONS: dict[str, type] = {
    "model": ModelConfig,
    "data": DataConfig,
    "optim": OptimConfig,
    "shares": Shares,
}


def read_config(path: Path) -> TrainConfig:
    """Read a TOML file; SettingError names an unknown key or a wrong type and what is allowed."""
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingError("configuration file", expected=str(path), got="no such file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(str(path), expected="TOML", got=error) from None
    return config_from(TrainConfig, values, str(path))


def config_from(kind: type[ConfigT], values: dict[str, Any], where: str) -> ConfigT:
    """Build a config dataclass (with its sections) from plain values, strictly."""
    defaults = kind()
    known = {f.name: getattr(defaults, f.name) for f in fields(defaults)}  # type: ignore[arg-type]
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise SettingError(
                f"{where}: {key}", expected=f"one of {', '.join(known)}", got=repr(key)
            )
        if key in _SECTIONS:
            if not isinstance(value, dict):
                raise SettingError(f"{where}: {key}", expected="a section", got=repr(value))
            arguments[key] = config_from(_SECTIONS[key], value, f"{where}: {key}")
            continue
        wanted = type(known[key])
        is_number = wanted is float and type(value) is int
        if type(value) is not wanted and not is_number:
            raise SettingError(f"{where}: {key}", expected=wanted.__name__, got=repr(value))
        arguments[key] = wanted(value)
    return kind(**arguments)
