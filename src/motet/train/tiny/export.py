"""A checkpoint of a run as a model directory that `motet.load` opens.

    python -m motet.train.tiny.export CONFIG FOLDER MODEL_DIRECTORY

Weights are stored as float16, half the size; the figures of the model card are those of the stored
weights. The model is measured with greedy decoding, so that is what it recommends.
"""

from __future__ import annotations

import sys
from pathlib import Path

from transformers import GenerationConfig

from motet.errors import MotetError, SettingError
from motet.formats.tensors import WEIGHTS_FILE
from motet.runtime.torch.checkpoint import save_model
from motet.train.tiny.checkpoint import Progress, load_checkpoint
from motet.train.tiny.config import TrainConfig, read_config
from motet.train.tiny.loop import CHECKPOINT_FILE
from motet.train.tiny.model import build_model
from motet.train.tiny.vocabulary import TOKENIZER_FILE, prepare_tokenizer

__all__ = ["export"]


def export(config: TrainConfig, folder: Path, directory: Path) -> Progress:
    """Write the model of the run in `folder` to `directory`; how far it was trained."""
    tokenizer = prepare_tokenizer(config, folder)
    model = build_model(config.model, tokenizer)
    progress = load_checkpoint(folder / CHECKPOINT_FILE, model)
    directory.mkdir(parents=True, exist_ok=True)
    model.base.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=model.config.eos_token_id
    )
    save_model(model.half(), directory)
    tokenizer.save(str(directory / TOKENIZER_FILE))
    (directory / WEIGHTS_FILE).chmod(0o644)
    return progress


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    try:
        if len(arguments) != 3:
            expected = "CONFIG FOLDER MODEL_DIRECTORY"
            raise SettingError("arguments", expected=expected, got=" ".join(arguments))
        config, folder, directory = (Path(argument) for argument in arguments)
        progress = export(read_config(config), folder, directory)
        print(f"{directory}: {progress.num_steps} steps, {progress.num_cells} cells")
    except MotetError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
