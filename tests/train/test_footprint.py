"""The computed memory is what models have and what autograd keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Lfm2MoeConfig, Lfm2MoeForCausalLM

from motet.bench.shape import SHAPES
from motet.cli.main import invoke
from motet.formats.directory import EMBEDDED, resolve
from motet.formats.hyperparameters import Architecture, Hyperparameters
from motet.runtime.torch.multistream import MultiStreamModel
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken
from motet.train.config import read_config
from motet.train.config.method import LoRAConfig
from motet.train.config.model import Precision
from motet.train.footprint import Memory, Sharding, Trained, memory_of
from motet.train.footprint.activations import activation_bytes
from motet.train.lora import adapt
from motet.train.start import open_start

D, H, G, K, F, E, A, FE, V = 64, 4, 2, 16, 96, 8, 2, 48, 50
MIXED, BFLOAT16, FLOAT32 = Precision.MIXED_BFLOAT16, Precision.BFLOAT16, Precision.FLOAT32
LAYOUT = Layout(
    tuple(
        Channel(name, role)
        for name, role in (
            ("User", Role.INPUT), ("Output", Role.OUTPUT), ("Think", Role.THOUGHT),
            ("Skeptical", Role.THOUGHT),
        )
    ),
    SpecialToken(0, "s"), SpecialToken(1, "e"), ConvMode.COLUMN, True,
)  # fmt: skip


def tiny(layers: str, num_dense: int) -> tuple[MultiStreamModel, Hyperparameters]:
    types = {"c": "conv", "a": "full_attention"}
    config = Lfm2MoeConfig(
        vocab_size=V, hidden_size=D, intermediate_size=F, moe_intermediate_size=FE,
        num_hidden_layers=len(layers), layer_types=[types[x] for x in layers],
        num_attention_heads=H, num_key_value_heads=G, num_dense_layers=num_dense, num_experts=E,
        num_experts_per_tok=A, pad_token_id=None, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    base = Lfm2MoeForCausalLM(config)
    base.set_experts_implementation("grouped_mm")
    numbers = Hyperparameters(
        architecture=Architecture.LFM2_MOE, vocab_size=V, context_rows=1_000, width=D, num_heads=H,
        head_width=K, num_kv_heads=tuple(G if x == "a" else 0 for x in layers), ffn_width=F,
        norm_eps=1e-5, rope_theta=1e4, conv_width=3, num_dense_layers=num_dense, num_experts=E,
        num_active_experts=A, expert_width=FE,
    )  # fmt: skip
    return MultiStreamModel(base, LAYOUT).train(), numbers


def saved_bytes(model: MultiStreamModel, num_rows: int, *, mixed: bool = False) -> int:
    """Bytes of all tensors that autograd keeps for the backward, weights left out."""
    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    tokens_BRC = torch.randint(0, V, (2, num_rows, 4))
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed, cache_enabled=False),
    ):
        model.hidden_of_grids(tokens_BRC)
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}
    return sum(n for pointer, n in storages.items() if pointer not in parameters)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("layers", "num_dense"), [("cc", 2), ("aa", 2), ("cc", 0), ("caca", 1)])
def test_activations_are_what_autograd_keeps(
    layers: str, num_dense: int, dtype: torch.dtype
) -> None:
    model, numbers = tiny(layers, num_dense)
    num_rows, a = 100, dtype.itemsize
    measured = saved_bytes(model.to(dtype), num_rows)
    computed = activation_bytes(
        numbers, 2 * num_rows * 4, arithmetic_bytes=a, residual_bytes=a, checkpointing=False,
        shares_heads=True,
    )  # fmt: skip
    assert computed == pytest.approx(measured, rel=0.08)


def test_checkpointing_keeps_less_and_grows_by_the_layers_inputs() -> None:
    model, numbers = tiny("cacaca", 1)
    sizes: dict[str, Any] = {"arithmetic_bytes": 4, "residual_bytes": 4, "shares_heads": True}
    whole = activation_bytes(numbers, 800, checkpointing=False, **sizes)
    less = activation_bytes(numbers, 800, checkpointing=True, **sizes)
    assert less < whole / 2
    model.base.activation_checkpointing_enable({"use_reentrant": False})
    measured = saved_bytes(model, 100)
    inputs = 6 * D * 4 * 800
    assert inputs < measured < less


def test_parameters_are_those_of_models() -> None:
    model, numbers = tiny("caca", 1)
    trained = Trained.full(numbers, 4)
    assert trained.learning == sum(p.numel() for p in model.parameters())
    assert trained.total == trained.learning + 3 * E, "expert biases are buffers"
    assert Trained.full(numbers, 1).total == trained.total - 4 * D
    published = Trained.full(SHAPES["lfm2.5-8b-a1b"], 1)
    assert published.total == 8_467_856_832


@pytest.mark.parametrize("experts", [True, False])
def test_lora_learns_as_many_numbers_as_peft_makes(experts: bool) -> None:
    model, numbers = tiny("caca", 1)
    computed = Trained.lora(numbers, 4, 3, experts=experts)
    adapt(model, LoRAConfig(rank=3, experts=experts), ())
    learning = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert computed.learning == learning
    assert (computed.expert_copies > 0) is experts


def test_lora_on_experts_holds_their_sums() -> None:
    (plain, numbers), (adapted, _) = tiny("caca", 1), tiny("caca", 1)
    adapt(plain, LoRAConfig(rank=2, experts=False), ())
    adapt(adapted, LoRAConfig(rank=2, experts=True), ())
    more = saved_bytes(adapted, 2) - saved_bytes(plain, 2)
    copies = Trained.lora(numbers, 4, 2, experts=True).expert_copies * 4
    assert copies == 3 * 3 * E * D * FE * 4
    assert copies <= more < 1.2 * copies


def need(**changes: Any) -> Memory:
    numbers = SHAPES["lfm2.5-8b-a1b"]
    values: dict[str, Any] = {
        "num_cells": 4_096, "precision": BFLOAT16, "optimizer": "adamw", "checkpointing": True,
        "logits_bytes": 1 << 28,
    }  # fmt: skip
    return memory_of(numbers, changes.pop("trained", Trained.full(numbers, 4)), **values | changes)


def test_bytes_of_a_whole_training() -> None:
    num = Trained.full(SHAPES["lfm2.5-8b-a1b"], 4).learning
    assert need(precision=FLOAT32).optimizer == 8 * num
    assert need(precision=BFLOAT16).gradients == 2 * num
    assert need(optimizer="muon").optimizer < 0.55 * need().optimizer
    assert need().total == pytest.approx(69.7e9, rel=0.01)
    assert need(checkpointing=False).activations > 5 * need().activations


def test_what_devices_share_out() -> None:
    alone, zero2 = need(), need(num_devices=4, sharding=Sharding.ZERO2)
    full, copied = need(num_devices=4, sharding=Sharding.FULL), need(num_devices=4)
    assert copied == alone
    assert zero2.weights == alone.weights
    assert zero2.optimizer == alone.optimizer // 4
    assert full.weights == alone.weights // 4
    assert full.gathered > alone.gathered
    assert full.total < zero2.total < alone.total


def test_little_logits_need_little() -> None:
    assert need(num_cells=4).logits == 3 * 4 * 4 * 128_000
    assert need().logits == 3 << 28


def test_the_recipes_fit_where_their_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).parents[2] / "runs" / "lfm2.5-8b-a1b"
    for name, options, gigabytes in (("lora", [], 24), ("full", ["--devices", "8"], 40)):
        command = ["memory", str(folder / f"{name}.toml"), "--shape", "lfm2.5-8b-a1b", *options]
        assert invoke(command) == 0
        line = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert 0.5 * gigabytes < line["total_bytes"] / 1e9 < 0.9 * gigabytes


def test_a_model_that_starts_from_nothing_has_the_sizes_of_its_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokenizer = resolve(EMBEDDED) / "tokenizer.json"
    for architecture in ("lfm2", "lfm2_moe"):
        path = tmp_path / f"{architecture}.toml"
        path.write_text(
            f'output = "{tmp_path}"\n[model.new]\ntokenizer = "{tokenizer}"\nlayers = "cac"\n'
            f'architecture = "{architecture}"\nwidth = 32\n[layout]\nchannels = [{{ name = "User", '
            'role = "input" }, { name = "Output", role = "output" }]\n'
            f'[data]\ntrain = [{{ path = "none" }}]\n[schedule]\nnum_steps = 1\n'
        )
        assert invoke(["memory", str(path), "--json"]) == 0
        line = json.loads(capsys.readouterr().out)
        model = open_start(read_config(path)).model
        assert line["learning"] == sum(p.numel() for p in model.parameters())
    assert invoke(["memory", str(path), "--sharding", "some"]) == 2
