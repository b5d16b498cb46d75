"""Batches, the loss and the loop: exact in what they count, exact in going on."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy

from motet.data.tiny.conversation import Target
from motet.data.tiny.mixture import Shares, TaskSource
from motet.data.tiny.tokenizer import train_tokenizer
from motet.errors import CheckpointError
from motet.formats.directory import read_directory
from motet.runtime.torch.checkpoint import load_model
from motet.train.tiny.batches import Batch, BatchStream, Position
from motet.train.tiny.checkpoint import load_checkpoint
from motet.train.tiny.config import OptimConfig, TrainConfig
from motet.train.tiny.export import export
from motet.train.tiny.loop import CHECKPOINT_FILE, LOG_FILE, train
from motet.train.tiny.loss import batch_loss, total_weight
from motet.train.tiny.model import build_model
from motet.train.tiny.probe import probe


@cache
def small_tokenizer() -> Tokenizer:
    rng, source = Random(0), TaskSource.of_package(Shares())
    return train_tokenizer((t for _ in range(100) for t in source.draw(rng).texts), 400)


def stream_of(config: TrainConfig, num_parts: int = 2) -> BatchStream:
    source = TaskSource.of_package(Shares())
    return BatchStream(source, small_tokenizer(), config.data, 0, num_parts)


def test_batches_go_on_where_they_stopped(config: TrainConfig) -> None:
    stream = stream_of(config)
    whole = list(islice(stream.start_at(Position()), 9))
    assert len({position.pool for _, position in whole}) > 1
    for at in (3, 5):
        rest = islice(stream.start_at(whole[at - 1][1]), 9 - at)
        for (batch, position), (expected, expected_position) in zip(rest, whole[at:], strict=True):
            assert torch.equal(batch.tokens_BRC, expected.tokens_BRC)
            assert torch.equal(batch.targets_BRC, expected.targets_BRC)
            assert position == expected_position


def test_batches_are_bounded_and_split_evenly(config: TrainConfig) -> None:
    for batch, _ in islice(stream_of(config, 2).start_at(Position()), 12):
        B = len(batch.tokens_BRC)
        assert B % 2 == 0
        assert B == 2 or batch.tokens_BRC.numel() <= config.data.cells_per_step
        parts = [batch.part(rank, 2) for rank in range(2)]
        assert [len(part.tokens_BRC) for part in parts] == [B // 2, B // 2]
        assert (batch.targets_BRC[:, 0] == Target.NONE).all()
        assert (batch.targets_BRC[..., 0] == Target.NONE).all()


def test_the_loss_is_the_weighted_mean_written_out(config: TrainConfig) -> None:
    torch.manual_seed(0)
    model = build_model(config.model, small_tokenizer())
    batch, _ = next(stream_of(config).start_at(Position()))
    optim = OptimConfig(silence_weight=0.25, decision_weight=2.0)
    weight_of = {Target.NONE: 0.0, Target.SPOKEN: 1.0, Target.SILENT: 0.25, Target.DECISION: 2.0}
    logits_BRCV = model(batch.tokens_BRC).detach()
    total = weight = 0.0
    for b, r, c in np.ndindex(*batch.tokens_BRC.shape):
        if r == 0:
            continue
        w = weight_of[Target(int(batch.targets_BRC[b, r, c]))]
        total += w * float(cross_entropy(logits_BRCV[b, r - 1, c], batch.tokens_BRC[b, r, c]))
        weight += w
    result = batch_loss(model, batch, optim)
    assert result.total.item() == pytest.approx(total, rel=1e-4)
    assert total_weight(batch, optim) == pytest.approx(weight)
    assert (
        0
        < result.num_spoken
        == int(
            ((batch.targets_BRC == Target.SPOKEN) | (batch.targets_BRC == Target.DECISION)).sum()
        )
    )


def test_cells_that_are_no_targets_do_not_change_the_loss(config: TrainConfig) -> None:
    torch.manual_seed(0)
    model = build_model(config.model, small_tokenizer())
    batch, _ = next(stream_of(config).start_at(Position()))
    tokens_BRC = batch.tokens_BRC.clone()
    tokens_BRC[:, -1][batch.targets_BRC[:, -1] == Target.NONE] = 7  # read by no later row
    changed = batch_loss(model, Batch(tokens_BRC, batch.targets_BRC), OptimConfig())
    assert changed.total.item() == batch_loss(model, batch, OptimConfig()).total.item()


def weights(config: TrainConfig, folder: Path) -> dict[str, torch.Tensor]:
    model = build_model(config.model, Tokenizer.from_file(str(folder / "tokenizer.json")))
    load_checkpoint(folder / CHECKPOINT_FILE, model)
    return model.state_dict()


def test_stopped_and_resumed_is_uninterrupted(config: TrainConfig, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(config, whole)
    for stop_at in (3, 4, None):
        train(config, parts, stop_at=stop_at)
    expected, got = weights(config, whole), weights(config, parts)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[name], got[name]) for name in expected)
    other = tmp_path / "other"
    train(dataclasses.replace(config, seed=5), other)
    assert not all(torch.equal(expected[n], t) for n, t in weights(config, other).items())


def test_the_log_counts_steps_and_cells(config: TrainConfig, tmp_path: Path) -> None:
    train(config, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    stream = stream_of(config, 1)
    cells = [batch.tokens_BRC.numel() for batch, _ in islice(stream.start_at(Position()), 8)]
    assert lines[-1]["cells"] == pytest.approx(sum(cells), rel=0.2)
    assert lines[-1]["rate"] == pytest.approx(0.5)
    assert lines[0]["loss"] > 0


@pytest.mark.slow
def test_two_processes_train_like_one(config: TrainConfig, tmp_path: Path) -> None:
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, steps_per_pool=4))
    losses = []
    for num_processes in (1, 2):
        folder = tmp_path / str(num_processes)
        train(dataclasses.replace(config, num_processes=num_processes), folder, stop_at=2)
        losses.append(json.loads((folder / LOG_FILE).read_text("utf-8").splitlines()[0])["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=0.05)  # other batches, the same distribution


def test_an_export_opens_and_says_the_same(config: TrainConfig, tmp_path: Path) -> None:
    train(config, tmp_path / "run", stop_at=2)
    progress = export(config, tmp_path / "run", tmp_path / "model")
    assert progress.num_steps == 2
    exported = load_model(read_directory(tmp_path / "model")).eval()
    trained = build_model(config.model, Tokenizer.from_file(str(tmp_path / "run/tokenizer.json")))
    load_checkpoint(tmp_path / "run" / CHECKPOINT_FILE, trained)
    tokens_BRC = torch.randint(0, 300, (1, 5, 4))
    difference = (exported(tokens_BRC) - trained.eval()(tokens_BRC)).abs().max()
    assert difference.item() < 0.01  # float16 weights


def test_a_broken_checkpoint_is_told(config: TrainConfig, tmp_path: Path) -> None:
    train(config, tmp_path, stop_at=1)
    content = (tmp_path / CHECKPOINT_FILE).read_bytes()
    (tmp_path / CHECKPOINT_FILE).write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="a checkpoint of this model"):
        train(config, tmp_path)


def test_a_probe_counts_whole_columns(config: TrainConfig) -> None:
    torch.manual_seed(0)
    model = build_model(config.model, small_tokenizer())
    stream = stream_of(config)
    conversations = [conversation for batch in stream._pool(0) for conversation in batch]
    result = probe(model, conversations)
    assert result.num_conversations == len(conversations)
    assert result.think_right == 0.0
