"""A whole training in this process: what it writes; going on is the same as not stopping."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from motet.data.dataset import MadeBy
from motet.data.grids import GridWriter, TokenGrid, tokenizer_sha256
from motet.engine import load
from motet.errors import CheckpointError, DataError, SettingError
from motet.formats.directory import read_directory
from motet.train.config import read_config
from motet.train.config.toml import to_toml
from motet.train.run import Outcome, train
from tests.train.run import little
from tests.train.run.test_start import base_model


def run(folder: Path, out: str = "out", **changes: object) -> Outcome:
    config = little.config(folder, output=str(folder / out), **changes)
    return train(config, Console(file=io.StringIO()))


def test_a_training_learns_and_leaves_everything_behind(folder: Path) -> None:
    outcome = run(folder, schedule={"num_steps": 30, "warmup_steps": 2})
    assert outcome.is_over
    assert outcome.step == 30
    out = folder / "out"
    lines = little.lines(out)
    assert [line["step"] for line in lines] == list(range(1, 31))
    assert lines[-1]["spoken_loss"] < 0.8 * lines[0]["spoken_loss"]
    first = lines[0]
    for name in ("Output", "Think"):
        assert first[f"loss/{name}"] > 0
        assert 0.3 < first[f"longce_weight/{name}"] <= 2.0
    assert "loss/User" not in first
    assert first["rows_per_s"] > 0
    assert first["memory_bytes"] > 1e7
    assert 0.25 <= first["experts/largest_share"] <= 0.5
    resolved = read_config(out / "config.toml")
    assert resolved == little.config(folder, schedule={"num_steps": 30, "warmup_steps": 2})
    versions = json.loads((out / "versions.json").read_text("utf-8"))
    assert versions["packages"]["torch"] == torch.__version__
    assert list(versions["datasets"].values()) != [None]
    engine = load(out / "last", runtime="torch")
    assert engine.codec.layout == little.layout()
    card = (out / "last/README.md").read_text("utf-8")
    assert "30 of 30" in card
    assert "LongCE" in card


def test_started_again_after_the_end_it_trains_no_more(folder: Path) -> None:
    run(folder)
    before = (folder / "out/metrics.jsonl").read_bytes()
    assert run(folder).is_over
    assert (folder / "out/metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    "kind",
    ["adamw", *(pytest.param(k, marks=pytest.mark.slow) for k in ("muon", "lora with dropout"))],
)
def test_a_run_that_was_cut_goes_on_to_the_last_bit(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: dict[str, Any] = {
        "optimizer": {"name": "muon" if kind == "muon" else "adamw"},
        "experts": {"balance_rate": 1e-3},
        "evaluation": {"every_steps": 4, "data": [str(folder / "data")], "num_conversations": 5},
        "log": {"every_steps": 2},
    }
    if kind == "lora with dropout":  # whose random numbers must go on, too
        changes["model"] = {"new": None, "start": str(base_model(folder))}
        changes["method"] = {"kind": "lora", "lora": {"dropout": 0.3, "experts": False}}
    run(folder, "whole", **changes)

    class PowerCutError(Exception):
        pass

    def cut(*_: object) -> None:
        raise PowerCutError

    from motet.train import trainer

    with monkeypatch.context() as patch:
        patch.setattr(trainer.StreamTrainer, "_save_run", cut)
        with pytest.raises(PowerCutError):
            run(folder, "parts", **changes)
    steps = []
    whole = trainer.StreamTrainer._maybe_log_save_evaluate
    for stop in (3, 6, 7):

        def stop_at(
            self: trainer.StreamTrainer, *args: object, _stop: int = stop, **kwargs: object
        ) -> None:
            whole(self, *args, **kwargs)
            if self.state.global_step == _stop:
                raise PowerCutError

        with monkeypatch.context() as patch:
            patch.setattr(trainer.StreamTrainer, "_maybe_log_save_evaluate", stop_at)
            with pytest.raises(PowerCutError):
                run(folder, "parts", **changes)
        steps.append(max(p.name for p in (folder / "parts/checkpoints").glob("checkpoint-*")))
    assert steps == ["checkpoint-3", "checkpoint-6", "checkpoint-6"]
    assert run(folder, "parts", **changes).step == 8
    assert little.figures(folder / "parts") == little.figures(folder / "whole")
    expected, got = (
        little.weights(folder / name / "last/model.safetensors") for name in ("whole", "parts")
    )
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    run(folder, "other", seed=4, **changes)
    other = little.weights(folder / "other/last/model.safetensors")
    assert not all(torch.equal(expected[name], other[name]) for name in expected)


def test_another_configuration_may_not_go_on_in_the_folder(folder: Path) -> None:
    run(folder)
    with pytest.raises(SettingError, match=r"another optimizer\.lr"):
        run(folder, optimizer={"lr": 1e-4})
    run(folder, checkpoints={"every_steps": 3, "keep": 5})


def test_accumulated_micro_batches_give_the_same_run(folder: Path) -> None:
    run(folder, "whole")
    run(folder, "parts", data={"sequences_at_once": 1})
    for one, four in zip(
        little.figures(folder / "whole"), little.figures(folder / "parts"), strict=True
    ):
        for key in ("loss", "spoken_loss", "grad_norm", "longce_weight"):
            assert four[key] == pytest.approx(one[key], rel=2e-3)
        assert four["conversations"] == one["conversations"]


def test_early_stop_and_the_best_checkpoint(folder: Path) -> None:
    outcome = run(
        folder,
        schedule={"num_steps": 40, "warmup_steps": 0},
        optimizer={"lr": 3.0},  # nothing gets better with it
        checkpoints={"every_steps": 2, "keep": 1},
        evaluation={
            "every_steps": 2, "data": [str(folder / "data")], "num_conversations": 5,
            "patience": 3,
        },
    )  # fmt: skip
    losses = {
        line["step"]: line["eval_loss"]
        for line in little.lines(folder / "out")
        if "eval_loss" in line
    }
    best = min(losses, key=losses.__getitem__)
    assert outcome.step == best + 6 < 40
    assert {model.path.name: model.step for model in outcome.models} == {
        "last": outcome.step, "best": best,
    }  # fmt: skip
    kept = {path.name for path in (folder / "out/checkpoints").iterdir()}
    assert kept == {f"checkpoint-{best}", f"checkpoint-{outcome.step}"}
    assert f"{best} of 40" in (folder / "out/best/README.md").read_text("utf-8")


def test_replies_are_decoded_while_it_trains(folder: Path) -> None:
    questions = folder / "questions.jsonl"
    items = [{"question": f"{n} apples", "answer": str(n)} for n in range(5)]
    questions.write_text("\n".join(map(json.dumps, items)), "utf-8")
    run(
        folder,
        evaluation={
            "every_steps": 4, "questions": str(questions), "num_questions": 3, "max_rows": 12,
            "best": "accuracy",
        },
    )  # fmt: skip
    line = next(line for line in little.lines(folder / "out") if "eval_accuracy" in line)
    assert line["eval_num_questions"] == 3
    assert 0 <= line["eval_accuracy"] <= 1
    assert 0 < line["eval_rows_per_reply"] <= 24


def test_data_for_another_tokenizer_is_refused(folder: Path) -> None:
    file = folder / "data/tokenizer.json"
    file.write_text(file.read_text("utf-8") + " ", "utf-8")
    with pytest.raises(DataError, match="tokenizer"):
        run(folder)


def test_one_training_at_a_time(folder: Path) -> None:
    from motet.train.folder import RunFolder

    with (
        RunFolder(folder / "out").claimed(),
        pytest.raises(SettingError, match="in use by process"),
    ):
        run(folder)


def test_a_broken_checkpoint_is_told(folder: Path) -> None:
    run(folder)
    out = folder / "out"
    file = out / "checkpoints/checkpoint-8/learned.safetensors"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="what a run has learned"):
        train(little.config(folder), Console(file=io.StringIO()), only_export=True)


def test_export_without_training(folder: Path) -> None:
    config = little.config(folder)
    console = Console(file=io.StringIO())
    with pytest.raises(CheckpointError, match="no checkpoint"):
        train(config, console, only_export=True)
    run(folder)
    again = little.config(folder, export={"dtype": "float16", "gguf": ["q8_0"], "row_bits": 5})
    train(again, console, only_export=True)
    model = little.weights(folder / "out/last/model.safetensors")
    is_bias = {name: name.endswith("expert_bias") for name in model}
    assert {t.dtype for name, t in model.items() if not is_bias[name]} == {torch.float16}
    assert {t.dtype for name, t in model.items() if is_bias[name]} == {torch.float32}
    for tensor in (tensor.double() for tensor in model.values() if tensor.ndim > 1):
        step = 2.0 ** (torch.frexp(tensor.abs().amax(dim=-1, keepdim=True))[1] - 5)
        assert torch.equal(tensor / step, (tensor / step).round())
    assert load(folder / "out/last/trained-q8_0.gguf").codec.layout == little.layout()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["mixed_bfloat16", "bfloat16"])
def test_lower_precision_trains(folder: Path, precision: str) -> None:
    run(folder, "full", schedule={"num_steps": 20, "warmup_steps": 2})
    run(
        folder, "low", schedule={"num_steps": 20, "warmup_steps": 2},
        model={"precision": precision},
    )  # fmt: skip
    full, low = (little.lines(folder / name) for name in ("full", "low"))
    assert low[0]["spoken_loss"] == pytest.approx(full[0]["spoken_loss"], rel=0.02)
    assert low[0]["spoken_loss"] != full[0]["spoken_loss"]
    assert low[-1]["spoken_loss"] == pytest.approx(full[-1]["spoken_loss"], rel=0.1)
    stored = little.weights(folder / "low/checkpoints/checkpoint-20/learned.safetensors")
    dtypes = {tensor.dtype for name, tensor in stored.items() if "expert_bias" not in name}
    assert dtypes == {torch.bfloat16 if precision == "bfloat16" else torch.float32}
    biases = {tensor.dtype for name, tensor in stored.items() if "expert_bias" in name}
    assert biases == {torch.float32}


def test_checkpointed_activations_change_no_bit(folder: Path) -> None:
    run(folder, "kept")
    run(folder, "again", model={"gradient_checkpointing": True})
    keys = ("loss", "grad_norm", "experts/largest_share")
    kept, again = (
        [[line[key] for key in keys] for line in little.figures(folder / name)]
        for name in ("kept", "again")
    )
    assert kept == again


@pytest.mark.parametrize("packing", ["none", "visible"])
def test_other_packings_train(folder: Path, packing: str) -> None:
    run(folder, data={"packing": packing}, schedule={"num_steps": 20, "warmup_steps": 2})
    lines = little.lines(folder / "out")
    assert lines[-1]["spoken_loss"] < lines[0]["spoken_loss"]
    if packing == "none":
        assert [line["conversations"] for line in lines] == [4 * n for n in range(1, 21)]


def test_one_channel_is_the_ordinary_case(folder: Path) -> None:
    base = base_model(folder)
    layout = read_directory(base).layout
    grids = folder / "one"
    sha256 = tokenizer_sha256(base)
    with GridWriter(grids, layout, little.vocab_size(), sha256, MadeBy(command=("x",))) as writer:
        for n in range(20):
            tokens = np.arange(2, 2 + 8 + n % 5, dtype=np.int32)[:, None]
            writer.write(TokenGrid(str(n), tokens))
    run(
        folder, model={"new": None, "start": str(base)}, layout=None,
        data={"train": [{"path": str(grids)}]}, optimizer={"lr": 0.02},
        schedule={"num_steps": 30, "warmup_steps": 0},
    )  # fmt: skip
    lines = little.lines(folder / "out")
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    assert "longce_weight" not in lines[0]
    engine = load(folder / "out/last", runtime="torch")
    assert engine.codec.layout.num_channels == 1


def test_muon_is_refused_where_weights_are_sharded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from motet.train.trainer import StreamTrainer

    monkeypatch.setattr(StreamTrainer, "is_sharded", True)
    with pytest.raises(SettingError, match="adamw, where weights are sharded, got muon"):
        run(folder, optimizer={"name": "muon"})


def test_a_loss_that_is_no_number_ends_the_run_and_is_not_saved(folder: Path) -> None:
    changes = {"optimizer": {"lr": 1e30, "clip_norm": 0.0}, "checkpoints": {"every_steps": 1}}
    with pytest.raises(SettingError, match=r"loss in step \d: expected a finite number, got"):
        run(folder, **changes)
    last = max((folder / "out/checkpoints").glob("checkpoint-*"))
    step = int(last.name.rpartition("-")[2])
    assert step < 8
    assert all(np.isfinite(line["loss"]) for line in little.lines(folder / "out"))


@pytest.mark.parametrize(
    "name",
    ["run_state.json", "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"],
)
def test_a_checkpoint_that_was_damaged_is_told(folder: Path, name: str) -> None:
    run(folder, schedule={"num_steps": 3, "warmup_steps": 0, "decay_steps": 0})
    changes = {"schedule": {"num_steps": 4, "warmup_steps": 0, "decay_steps": 0}}
    out = folder / "out"
    (out / "config.toml").write_text(
        to_toml(little.config(folder, output=str(out), **changes)), "utf-8"
    )
    file = out / "checkpoints/checkpoint-3" / name
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="a checkpoint of this run"):
        run(folder, **changes)
