"""Begin a larger run from a smaller one: more layers, more experts.

    python -m motet.train.tiny.grow OLD_CONFIG OLD_FOLDER CONFIG FOLDER

New layers stand behind the first two thirds. Each copies the last layer of its kind before it, with
outputs of zero, so that at first it changes nothing. New experts are noisy copies of old ones,
chosen at random. The optimizers start afresh.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from motet.errors import MotetError, SettingError
from motet.train.tiny.checkpoint import Progress, load_checkpoint, save_checkpoint
from motet.train.tiny.config import TrainConfig, read_config
from motet.train.tiny.loop import CHECKPOINT_FILE
from motet.train.tiny.model import build_model
from motet.train.tiny.optimizers import build_optimizers
from motet.train.tiny.team import Team
from motet.train.tiny.vocabulary import TOKENIZER_FILE, prepare_tokenizer

__all__ = ["grow", "layer_sources", "widen_experts"]

EXPERT_NOISE = 0.3
"""Standard deviation of the noise on a copied expert, as a share of the weights' own."""

_OUTPUTS = re.compile(r"\.(conv\.out_proj|self_attn\.out_proj|experts\.down_proj|w2)\b")
_LAYER = re.compile(r"(?<=\.layers\.)\d+(?=\.)")


def layer_sources(old: str, new: str, num_dense: int = 0) -> list[tuple[int, bool]]:
    """For each letter of `new`: the layer of `old` to copy, and whether it is an added one.

    SettingError if `new` is not `old` with copies of layers (not of the first `num_dense`)
    behind its first two thirds.
    """
    place = len(old) * 2 // 3
    num_added = len(new) - len(old)
    added = new[place : place + num_added]
    fits = new == old[:place] + added + old[place:] and set(added) <= set(old[num_dense:place])
    if num_added < 0 or not fits:
        raise SettingError(
            "layers", expected=f"{old} with copies of its layers behind place {place}", got=new
        )
    sources = [(index, False) for index in range(place)]
    sources += [(old.rindex(letter, 0, place), True) for letter in added]
    return sources + [(index, False) for index in range(place, len(old))]


def widen_experts(weights_E: Tensor, chosen: Sequence[int]) -> Tensor:
    """`weights_E` with noisy copies of the chosen experts behind (of biases, plain copies)."""
    copies = weights_E[list(chosen)].clone()
    if copies.ndim > 1:
        copies += torch.randn_like(copies) * weights_E.std() * EXPERT_NOISE
    return torch.cat([weights_E, copies])


def grow(old_config: TrainConfig, old_folder: Path, config: TrainConfig, folder: Path) -> None:
    """Write the first checkpoint of the run `config` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(old_folder / TOKENIZER_FILE, folder / TOKENIZER_FILE)
    tokenizer = prepare_tokenizer(config, folder)
    old = build_model(old_config.model, tokenizer)
    load_checkpoint(old_folder / CHECKPOINT_FILE, old)
    torch.manual_seed(config.seed)
    model = build_model(config.model, tokenizer)
    shapes, old_shapes = config.model, old_config.model
    sources = layer_sources(old_shapes.layers, shapes.layers, shapes.num_dense_layers)
    num_old = old_shapes.num_experts
    num_added = shapes.num_experts - num_old
    if not 0 <= num_added <= num_old:
        raise SettingError(
            "num_experts", expected=f"{num_old} to {2 * num_old}", got=shapes.num_experts
        )
    chosen = [torch.randperm(num_old)[:num_added].tolist() for _ in sources]
    old_weights = old.state_dict()
    weights = {}
    for name, like in model.state_dict().items():
        layer = _LAYER.search(name)
        if layer is None:
            weights[name] = old_weights[name]
            continue
        source, is_added = sources[int(layer.group())]
        weight = old_weights[_LAYER.sub(str(source), name)]
        if weight.shape != like.shape:
            weight = widen_experts(weight, chosen[int(layer.group())])
        weights[name] = weight * 0 if is_added and _OUTPUTS.search(name) else weight
    model.load_state_dict(weights)
    optimizers = build_optimizers(model, config.optim, Team())
    save_checkpoint(folder / CHECKPOINT_FILE, model, optimizers, Progress())


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    try:
        if len(arguments) != 4:
            expected = "OLD_CONFIG OLD_FOLDER CONFIG FOLDER"
            raise SettingError("arguments", expected=expected, got=" ".join(arguments))
        old_config, old_folder, config, folder = (Path(argument) for argument in arguments)
        grow(read_config(old_config), old_folder, read_config(config), folder)
    except MotetError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
