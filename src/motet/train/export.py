"""From a checkpoint to a model directory that everything else opens, and to GGUF files.

What was learned is put over where the run started, LoRA is merged into the weights, and tokenizer,
layout, recommended sampling and a card with the measured figures are written beside them. The
directory appears whole.
"""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

from torch.distributed.checkpoint.state_dict_loader import load as load_sharded
from transformers import GenerationConfig

from motet.formats.convert import convert
from motet.formats.tensors import WEIGHTS_FILE
from motet.runtime.torch.checkpoint import DTYPES, save_model
from motet.streams.codec import TOKENIZER_FILE
from motet.train.card import write_card
from motet.train.checkpoints import Checkpoints
from motet.train.config import TrainConfig
from motet.train.folder import RunFolder
from motet.train.grid_rounding import round_rows
from motet.train.lora import adapt
from motet.train.objective import Objective
from motet.train.start import open_start
from motet.train.start.opening import to_dtype
from motet.train.step import LossModel
from motet.train.weights import LEARNED_FILE, learned_names, load_learned

__all__ = ["Exported", "export", "export_all", "load_checkpoint"]

_BESIDE = ("chat_template.jinja", "tokenizer_config.json", "special_tokens_map.json")
_SHARDED = "pytorch_model_fsdp_0"


@dataclass(frozen=True)
class Exported:
    """A model directory and the step that it is of."""

    path: Path
    step: int


def export_all(
    config: TrainConfig, folder: RunFolder, checkpoints: Checkpoints, best_step: int | None
) -> list[Exported]:
    """Write `last` and, if there is a best one, `best`."""
    steps = {"last": checkpoints.steps()[-1]}
    if best_step is not None:
        steps["best"] = best_step
    exported = []
    for name, step in steps.items():
        target = folder.path / name
        export(config, folder, checkpoints.path(step), step, target)
        exported.append(Exported(target, step))
    return exported


def export(
    config: TrainConfig, folder: RunFolder, checkpoint: Path, step: int, target: Path
) -> None:
    """Write the model of `checkpoint` to the directory `target`, in place of what is there."""
    start = open_start(config)
    model = start.model
    adapted = None
    if config.method.kind == "lora":
        adapted = adapt(model, config.method.lora, start.added_ids)
    load_checkpoint(
        checkpoint, LossModel(model, Objective(config.objective, model.layout, config.seed))
    )
    if adapted is not None:
        adapted.merge()
    if config.export.greedy:
        end = None if model.layout.end is None else model.layout.end.id
        model.base.generation_config = GenerationConfig(do_sample=False, eos_token_id=end)
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    if config.export.row_bits:
        round_rows(model, config.export.row_bits)
    to_dtype(model, DTYPES[config.export.dtype])
    save_model(model, partial)
    (partial / WEIGHTS_FILE).chmod(0o644)
    (partial / TOKENIZER_FILE).write_bytes(start.tokenizer)
    if start.directory is not None and model.layout.num_channels == 1:
        for name in _BESIDE:
            if (start.directory.path / name).exists():
                shutil.copyfile(start.directory.path / name, partial / name)
    if config.export.chat_template is not None:
        shutil.copyfile(config.export.chat_template, partial / _BESIDE[0])
    write_card(partial, config, folder, model, step)
    for quant in config.export.gguf:
        convert(partial, partial / f"{config.name}-{quant}.gguf", quant)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(checkpoint: Path, model: LossModel) -> None:
    """Fill `model` with what a checkpoint holds, be it one file or one of each process (FSDP)."""
    if (checkpoint / LEARNED_FILE).exists() or not (checkpoint / _SHARDED).is_dir():
        load_learned(checkpoint / LEARNED_FILE, model)
        return
    tensors = model.state_dict()
    wanted = {name: tensors[name] for name in learned_names(model)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that one process alone reads is meant
        load_sharded({"model": wanted}, checkpoint_id=checkpoint / _SHARDED, no_dist=True)
