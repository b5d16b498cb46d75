"""The card of a trained model: what it is, from what it was made and how, what was measured."""

from __future__ import annotations

import json
from pathlib import Path

from motet.data.dataset import GridDescription
from motet.runtime.torch.multistream import MultiStreamModel
from motet.train.config import TrainConfig
from motet.train.folder import RunFolder
from motet.train.measured import figures_at, measured

__all__ = ["CARD_FILE", "write_card"]

CARD_FILE = "README.md"


def write_card(
    directory: Path, config: TrainConfig, folder: RunFolder, model: MultiStreamModel, step: int
) -> None:
    """Write README.md for the model of `step`."""
    parts = [
        f"# {config.name}",
        _what_it_is(config, model),
        "## Trained\n\n" + _table(_training(config, folder, step)),
        "## Read\n\n" + _data(config),
    ]
    if figures := measured(figures_at(folder.metrics_file, step), model.layout.names):
        parts.append("## Measured while training\n\n" + figures)
    parts.append(
        "All settings: `config.toml` and `versions.json` of the run, here as it was.\n\n"
        f"```toml\n{folder.config_file.read_text('utf-8').strip()}\n```"
    )
    (directory / CARD_FILE).write_text("\n\n".join(parts) + "\n", "utf-8")


def _what_it_is(config: TrainConfig, model: MultiStreamModel) -> str:
    layout, base = model.layout, model.config
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    rows = {
        "architecture": f"`{type(model.base).__name__}`, {base.num_hidden_layers} layers, "
        f"width {base.hidden_size}",
        "parameters": f"{num_parameters:,}, stored as {config.export.dtype}",
        "channels": ", ".join(f"{c.name} ({c.role})" for c in layout.channels),
        "silence": "none" if layout.silence is None else f"`{layout.silence.text}`",
        "end of a message": "none" if layout.end is None else f"`{layout.end.text}`",
        "short conv": f"{layout.conv_mode} mode",
        "begun from": f"`{config.model.start}`" if config.model.start else "random weights",
    }
    return _table(rows)


def _training(config: TrainConfig, folder: RunFolder, step: int) -> dict[str, str]:
    objective = config.objective
    plain = f"cross-entropy, silence weighs {objective.silence_weight:g}"
    if objective.mix < 1:
        plain += f"; {1 - objective.mix:.0%} LongCE-channel, gamma {objective.gamma:g}"
    versions = json.loads((folder.path / "versions.json").read_text("utf-8"))
    packages = versions["packages"]
    return {
        "steps": f"{step} of {config.schedule.num_steps}, "
        f"{config.data.sequences_per_step} sequences of at most "
        f"{config.data.rows_per_sequence} rows each",
        "objective": plain,
        "what learned": "everything" if config.method.kind == "full" else "LoRA, merged",
        "optimizer": _optimizer(config),
        "with": ", ".join(f"{n} {packages[n]}" for n in ("motet", "torch", "transformers")),
    }


def _optimizer(config: TrainConfig) -> str:
    rates = f"adamw, peak rate {config.optimizer.lr:g}"
    if config.optimizer.name == "muon":
        rates = f"muon, peak rate {config.optimizer.muon_lr:g}, for matrices; else {rates}"
    return rates


def _data(config: TrainConfig) -> str:
    lines = ["| dataset | conversations | weight | made by |", "|---|---|---|---|"]
    for source in config.data.train:
        found = GridDescription.read(Path(source.path))
        command = " ".join(found.made_by.command).replace("|", "\\|")
        lines.append(
            f"| `{source.path}` | {found.num_conversations:,} | {source.weight:g} | `{command}` |"
        )
    return "\n".join(lines)


def _table(rows: dict[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {text} |" for key, text in rows.items())])
