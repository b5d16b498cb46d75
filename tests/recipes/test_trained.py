"""Laws 14 and 15 on models that the pipeline has trained: data, training, export, runtimes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from motet.cli.main import invoke
from motet.data.grids import GridDataset, TokenGrid
from motet.formats.directory import ModelDirectory, read_directory
from motet.runtime.directory import read_source
from motet.runtime.opening import CacheType, Dtype, RuntimeName, open_runtime
from motet.runtime.torch import TorchRuntime
from motet.runtime.torch.checkpoint import load_model
from motet.train.collate import Collator
from tests.laws.checks import decode, read_alone
from tests.laws.tolerance import assert_same, assert_seen

CHANNELS = {
    "streams": ("User:input", "Output:output", "Think:thought", "Skeptical:thought"),
    "sequence": ("Output:output",),
}
NUM_STEPS = 12
NUM_ROWS = 160


@dataclass(frozen=True)
class Trained:
    """A model of the pipeline, and conversations that it learned from."""

    folder: Path
    grids: list[TokenGrid]

    @property
    def directory(self) -> ModelDirectory:
        return read_directory(self.folder / "last")


@pytest.fixture(
    scope="module", params=["streams lfm2_moe", "streams lfm2", "streams qwen3", "sequence lfm2"]
)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    arrangement, architecture = request.param.split()
    folder = tmp_path_factory.mktemp(arrangement)
    sums = ["--share", "sum=1", "--share", "second_turn=0"]
    data = ["data", "generate", str(folder / "data"), "--num-conversations", "40", *sums]
    assert invoke([*data, "--arrangement", arrangement, "--learn-tokenizer", "320"]) == 0
    channels = ", ".join(
        '{{ name = "{}", role = "{}" }}'.format(*channel.split(":"))
        for channel in CHANNELS[arrangement]
    )
    config = folder / "config.toml"
    config.write_text(
        f"""
        output = "{folder}/run"
        seed = 3
        [model.new]
        tokenizer = "{folder}/data/tokenizer.json"
        architecture = "{architecture}"
        layers = "{"aaa" if architecture == "qwen3" else "cac"}"
        width = 32
        num_heads = 2
        num_kv_heads = 1
        dense_width = 48
        num_experts = 4
        expert_width = 32
        [layout]
        channels = [{channels}]
        channel_embedding = {str(len(CHANNELS[arrangement]) > 1).lower()}
        [data]
        train = [{{ path = "{folder}/data" }}]
        rows_per_sequence = {NUM_ROWS}
        sequences_per_step = 4
        sequences_at_once = 2
        packing = "separate"
        [objective]
        silence_weight = 0.3
        mix = 0.4
        [optimizer]
        name = "muon"
        lr = 5e-3
        muon_lr = 5e-3
        [schedule]
        num_steps = {NUM_STEPS}
        [log]
        every_steps = 3
        """,
        "utf-8",
    )
    assert invoke(["train", str(config)]) == 0
    return Trained(folder / "run", list(GridDataset.open(folder / "data").read()))


def test_it_learned_something(trained: Trained) -> None:
    lines = (trained.folder / "metrics.jsonl").read_text("utf-8").splitlines()
    losses = [json.loads(line)["loss"] for line in lines]
    assert losses[-1] < losses[0]


def test_law_14_on_packed_conversations(trained: Trained) -> None:
    """The forward that trained it == decoding each conversation alone."""
    model = load_model(trained.directory).eval()
    runtime = TorchRuntime(model)
    line, num_rows = list[TokenGrid](), 0
    for grid in trained.grids:
        if num_rows + grid.num_rows > NUM_ROWS:
            break
        line.append(grid)
        num_rows += grid.num_rows
    assert len(line) > 1
    batch = Collator(model.layout, visible=False)([line])
    with torch.no_grad():
        packed_RCV = model(batch["tokens_BRC"], batch["conversations_BR"])[0].numpy()
    begin = 0
    for grid in line:
        rows = slice(begin, begin + grid.num_rows)
        decoded = decode(runtime, runtime.open(NUM_ROWS), grid.tokens_RC)
        assert_same(packed_RCV[rows], decoded, f"law 14: {grid.id}")
        begin = rows.stop
    assert_seen(packed_RCV[5], packed_RCV[6], "law 14: rows differ")


def test_law_15_on_its_own_conversations(trained: Trained) -> None:
    """native == torch, in float32, on what it learned from."""
    source = read_source(trained.folder / "last")
    mine = open_runtime(
        source, RuntimeName.NATIVE, dtype=Dtype.FLOAT32, cache=CacheType.F32, threads=1
    )
    torchs = open_runtime(source, RuntimeName.TORCH)
    for grid in (grid for grid in trained.grids[:12] if grid.num_rows <= NUM_ROWS):
        expected = read_alone(torchs, grid.tokens_RC)
        assert_same(read_alone(mine, grid.tokens_RC), expected, f"law 15: {grid.id}")
        decoded = decode(mine, mine.open(NUM_ROWS), grid.tokens_RC)
        assert_same(decoded, expected, f"law 15: {grid.id}, decoded")
    first, second = (read_alone(torchs, grid.tokens_RC[:20]) for grid in trained.grids[:2])
    assert_seen(first, second, "law 15: what is read arrives")
