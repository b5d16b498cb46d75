"""FSDP2 as accelerate sets it up, on two real processes: the loss and the gradients of one.

accelerate itself offers FSDP on GPUs only, so its function that shards is called here, with gloo.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.utils import FullyShardedDataParallelPlugin
from accelerate.utils.fsdp_utils import fsdp2_prepare_model
from torch import distributed
from torch.distributed import checkpoint
from torch.distributed.checkpoint.state_dict import get_model_state_dict
from torch.multiprocessing.spawn import spawn

from motet.train.collate import Collator
from motet.train.export import load_checkpoint
from motet.train.objective import Objective
from motet.train.optimization import build_optimizer
from motet.train.start import open_start
from motet.train.step import LossModel
from tests.train.run import little

NUM_PROCESSES = 2
SHARDS = "checkpoint/pytorch_model_fsdp_0"


def loss_model(folder: Path) -> LossModel:
    config = little.config(folder, model={"gradient_checkpointing": True})
    objective = config.objective.model_copy(update={"logits_bytes": 30_000})  # several pieces
    start = open_start(config)
    return LossModel(start.model, Objective(objective, start.layout, 0)).train()


def batches(model: LossModel) -> list[Any]:
    from random import Random

    rng = Random(0)
    collate = Collator(model.model.layout, visible=False)
    return [collate([[little.grid(i, rng)] for i in range(2)]) for _ in range(NUM_PROCESSES)]


def member(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=(folder / "meeting").as_uri(), rank=rank, world_size=NUM_PROCESSES
    )
    try:
        model = loss_model(folder)
        plugin = FullyShardedDataParallelPlugin(
            fsdp_version=2, auto_wrap_policy="transformer_based_wrap", reshard_after_forward=True,
            cpu_ram_efficient_loading=False, state_dict_type="SHARDED_STATE_DICT",
        )  # fmt: skip
        accelerator = SimpleNamespace(
            state=SimpleNamespace(fsdp_plugin=plugin), mixed_precision="no", is_main_process=True,
            device=torch.device("cpu"), torch_device_mesh=None, parallelism_config=None,
        )  # fmt: skip
        sharded = fsdp2_prepare_model(accelerator, model)
        optimizer = build_optimizer(sharded, little.config(folder).optimizer)
        every = batches(model)
        count = torch.stack([model.objective.num_items(batch) for batch in every]).sum()
        parts = sharded(**every[rank], num_items_in_batch=count, step=0)
        (parts.total * NUM_PROCESSES).backward()
        gradients = {name: p.grad.full_tensor() for name, p in sharded.named_parameters()}
        total = parts.total.detach()
        distributed.all_reduce(total)
        sizes = {name: p.to_local().numel() for name, p in sharded.named_parameters()}
        optimizer.step()
        weights = {name: p.full_tensor() for name, p in sharded.named_parameters()}
        # as accelerate's save_fsdp_model does for SHARDED_STATE_DICT
        state = {"model": get_model_state_dict(sharded)}
        checkpoint.save(state, storage_writer=checkpoint.FileSystemWriter(folder / SHARDS))
        if rank == 0:
            torch.save((total, gradients, sizes, weights), folder / "sharded.pt")
    finally:
        distributed.destroy_process_group()


@pytest.mark.slow
def test_a_sharded_model_has_the_loss_and_gradients_of_a_whole_one(folder: Path) -> None:
    spawn(member, (folder,), nprocs=NUM_PROCESSES)
    total, gradients, sizes, weights = torch.load(folder / "sharded.pt")
    model = loss_model(folder)
    optimizer = build_optimizer(model, little.config(folder).optimizer)
    every = batches(model)
    count = torch.stack([model.objective.num_items(batch) for batch in every]).sum()
    losses = [model(**batch, num_items_in_batch=count, step=0).total for batch in every]
    sum(losses).backward()
    torch.testing.assert_close(total, sum(losses).detach())
    parameters = dict(model.named_parameters())
    assert gradients.keys() == parameters.keys()
    for name, parameter in parameters.items():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-4, atol=1e-6)
        assert sizes[name] < parameter.numel(), name
    optimizer.step()
    for name, parameter in parameters.items():
        torch.testing.assert_close(weights[name], parameter.detach(), rtol=1e-3, atol=1e-4)
    fresh = loss_model(folder)
    load_checkpoint(folder / "checkpoint", fresh)
    for name, parameter in fresh.named_parameters():
        assert torch.equal(parameter, weights[name])
