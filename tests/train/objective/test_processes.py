"""One gradient, however a step is divided: 1 process x 4 micro-batches = 2 x 2 = 4 x 1 = at once.

Real processes, joined by gloo, wrapped by torch's own DistributedDataParallel and FSDP2. Logits go
through the head in pieces, which the backward pass computes again.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from motet.data.token_grid import TokenGrid
from motet.runtime.torch import MultiStreamModel
from motet.train.collate import Collator
from motet.train.objective import LossParts, Objective, ObjectiveConfig
from tests.tiny import VOCAB_SIZE, Architecture, Case, make_model
from tests.train.objective.grids import partly_learned, random_grid

CONFIG = ObjectiveConfig(
    silence_weight=0.3, mean_one=True, probability=0.9, logits_bytes=4 * VOCAB_SIZE * 7
)
STEP = 3

# float32 has 6e-8; sums over 25 to 100 targets are taken in another order
TOLERANCE = 2e-6


def lines() -> list[list[TokenGrid]]:
    """Four lines of very different numbers of targets; the third has none at all."""
    no_target = random_grid(1, 4, 5)
    return [
        [random_grid(30, 4, 1)],
        [partly_learned(4, 4, 2), random_grid(6, 4, 3)],
        [no_target],
        [partly_learned(17, 4, 4)],
    ]


class Step(nn.Module):
    """The forward that a trainer wraps."""

    def __init__(self, model: MultiStreamModel) -> None:
        super().__init__()
        self.model = model
        self.objective = Objective(CONFIG, model.layout, seed=1)

    def forward(self, line: list[TokenGrid], num_items: Tensor) -> LossParts:
        batch = Collator(self.model.layout, visible=False)([line])
        return self.objective.loss(self.model, batch, num_items, STEP)


def gradient_of(rank: int, group: distributed.ProcessGroup | None) -> Tensor:
    """Of the whole step, as process `rank` of `group` has it in the end; None: of one process."""
    size = 1 if group is None else group.size()
    model = make_model(Case(Architecture.LFM2_MOE, 4)).train()
    model.base.set_experts_implementation("grouped_mm")
    step = Step(model)
    collate = Collator(model.layout, visible=False)
    mine = lines()[rank::size]
    num_items = sum((step.objective.num_items(collate([line])) for line in mine), torch.zeros(()))
    wrapped: nn.Module = step
    if group is not None:
        distributed.all_reduce(num_items, group=group)
        wrapped = DistributedDataParallel(step, process_group=group)
    for line in mine:
        (wrapped(line, num_items).total * size).backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def sharded_gradient(rank: int, size: int) -> Tensor:
    """With every parameter in pieces on all processes, gathered where it is used (FSDP2).

    Sharded as accelerate does it: each layer; embedding, final norm and head together, which stay
    gathered after the forward; what is left. The second of two steps, which finds what the first
    one left behind.
    """
    model = make_model(Case(Architecture.LFM2_MOE, 4)).train()
    model.base.set_experts_implementation("grouped_mm")
    step = Step(model)
    line = lines()[rank]
    num_items = step.objective.num_items(Collator(model.layout, visible=False)([line]))
    distributed.all_reduce(num_items)
    mesh, decoder = init_device_mesh("cpu", (size,)), model.base.get_decoder()
    for layer in decoder.layers:
        fully_shard(layer, mesh=mesh, reshard_after_forward=True)
    tail = [decoder.embedding_norm, decoder.embed_tokens, model.base.get_output_embeddings()]
    fully_shard(tail, mesh=mesh, reshard_after_forward=False)
    fully_shard(step, mesh=mesh)
    for _ in range(2):
        model.zero_grad()
        (step(line, num_items).total * size).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(isinstance(gradient, DTensor) for gradient in gradients)
    return torch.cat([gradient.full_tensor().flatten() for gradient in gradients])


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    meeting = (Path(folder) / "meeting").as_uri()
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=4)
    for size in (4, 2):
        group = distributed.new_group(list(range(size)))
        if rank < size:
            torch.save(gradient_of(rank, group), Path(folder) / f"{rank} of {size}.pt")
    torch.save(sharded_gradient(rank, 4), Path(folder) / f"{rank} sharded.pt")
    distributed.destroy_process_group()


def at_once() -> Tensor:
    """The four lines in one batch."""
    model = make_model(Case(Architecture.LFM2_MOE, 4)).train()
    objective = Objective(CONFIG, model.layout, seed=1)
    batch = Collator(model.layout, visible=False)(lines())
    objective.loss(model, batch, objective.num_items(batch), STEP).total.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def assert_same_gradient(got: Tensor, expected: Tensor) -> None:
    assert got.shape == expected.shape
    scale = expected.abs().max().item()
    assert scale > 0.1
    assert (got - expected).abs().max().item() <= TOLERANCE * scale


def test_accumulated() -> None:
    assert_same_gradient(gradient_of(0, None), at_once())


@pytest.mark.slow
def test_several_processes(tmp_path: Path) -> None:
    """Four of one line each, two of two lines each, and four that share the parameters."""
    spawn(_process, (str(tmp_path),), nprocs=4)
    names = [f"{rank} of {size}" for size in (4, 2) for rank in range(size)]
    names += [f"{rank} sharded" for rank in range(4)]
    expected = at_once()
    for name in names:
        assert_same_gradient(torch.load(tmp_path / f"{name}.pt"), expected)


def test_each_divided_by_its_own_targets_would_be_another_gradient() -> None:
    """The mistake that this normalisation avoids is far larger than the tolerance."""
    model = make_model(Case(Architecture.LFM2_MOE, 4)).train()
    step = Step(model)
    collate = Collator(model.layout, visible=False)
    for line in lines():
        (step(line, step.objective.num_items(collate([line]))).total / 4).backward()
    wrong = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    expected = at_once()
    assert (wrong - expected).abs().max() > 0.05 * expected.abs().max()


def test_a_batch_without_targets_has_gradients_of_zero() -> None:
    model = make_model(Case(Architecture.LFM2, 4)).train()
    parts = Step(model)([random_grid(1, 4)], torch.tensor(0.0))
    assert parts.total.item() == 0.0
    parts.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name
