"""The conv mode that a model was trained with is the one that measurement finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motet.cli.main import invoke
from motet.errors import InputError
from motet.eval.convmode import BLOCK_ROWS, cross_entropy, judge, output_losses
from motet.runtime.torch import MultiStreamModel, TorchRuntime
from motet.runtime.torch.checkpoint import save_model
from motet.streams import Channel, ConvMode, Layout, Role, StreamCodec
from motet.streams.codec import TOKENIZER_FILE
from tests.cli.models import CONTEXT_ROWS, THREE, lfm2_moe, own_layout, tokenizer

TEXT = "the fox and the hen and the dog ran to the red barn and sat in the sun, " * 4
LAYOUTS = {"C2": THREE[:2], "C3": THREE}


def trained(channels: tuple[Channel, ...], mode: ConvMode) -> MultiStreamModel:
    """A model that has learned TEXT on Output with this conv mode; a second or two."""
    layout = own_layout(channels, mode)
    torch.manual_seed(0)
    model = MultiStreamModel(lfm2_moe(["conv", "conv", "full_attention"]), layout)
    codec = StreamCodec(tokenizer(), layout)
    tokens_BRC = torch.from_numpy(rows_of(TEXT, codec)).long()[None]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(25):
        logits_BRV = model(tokens_BRC)[:, :-1, layout.output_index]
        targets_BR = tokens_BRC[:, 1:, layout.output_index]
        loss = torch.nn.functional.cross_entropy(logits_BRV.flatten(0, 1), targets_BR.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def rows_of(text: str, codec: StreamCodec) -> np.ndarray:
    """The text on Output after the opening, all else silent."""
    layout, ids = codec.layout, codec.encode(text)
    said = np.full((len(ids), layout.num_channels), codec.silence_id, np.int32)
    said[:, layout.output_index] = ids
    return np.concatenate([layout.opening_RC(), said])


@pytest.mark.parametrize("channels", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("mode", ConvMode)
def test_the_mode_of_training_is_found(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    channels: tuple[Channel, ...],
    mode: ConvMode,
) -> None:
    save_model(trained(channels, mode), tmp_path)
    own_layout(channels, ConvMode.COLUMN).save(tmp_path)  # whatever it was trained with
    tokenizer().save(str(tmp_path / TOKENIZER_FILE))
    capsys.readouterr()
    assert invoke(["inspect", str(tmp_path), "--text", TEXT]) == 0
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict.split(maxsplit=1) == [
        "verdict",
        "column fits"
        if mode is ConvMode.COLUMN
        else "row_boundary fits, but the layout says column: run with --conv-mode",
    ]


def random_model(layout: Layout) -> tuple[TorchRuntime, StreamCodec]:
    torch.manual_seed(1)
    runtime = TorchRuntime(MultiStreamModel(lfm2_moe(), layout))
    return runtime, StreamCodec(tokenizer(), layout)


def test_losses_are_the_cross_entropy_of_every_token_in_order() -> None:
    runtime, codec = random_model(own_layout())
    text = "a longer text than one block of rows, " * 14
    losses = output_losses(runtime, codec, text)
    rows_RC = rows_of(text, codec)
    assert BLOCK_ROWS < len(rows_RC) < CONTEXT_ROWS
    tokens_BRC = torch.from_numpy(rows_RC).long()[None]
    with torch.no_grad():
        logits_RV = runtime.model(tokens_BRC)[0, :-1, 1]
    expected = torch.nn.functional.cross_entropy(logits_RV, tokens_BRC[0, 1:, 1], reduction="none")
    assert len(losses) == len(codec.encode(text))
    np.testing.assert_allclose(losses, expected.numpy(), rtol=1e-4, atol=1e-4)


def test_a_layout_without_an_opening_leaves_the_first_token_out() -> None:
    layout = Layout(
        (Channel("Output", Role.OUTPUT),), None, None, ConvMode.COLUMN, channel_embedding=False
    )
    runtime, codec = random_model(layout)
    assert len(output_losses(runtime, codec, "hello world")) == len(codec.encode("hello world")) - 1


@pytest.mark.parametrize("text", ["", "x", "word " * CONTEXT_ROWS])
def test_texts_that_cannot_be_measured_are_refused(text: str) -> None:
    runtime, codec = random_model(own_layout())
    with pytest.raises(InputError, match=f"text: expected 2 to {CONTEXT_ROWS - 1} tokens"):
        output_losses(runtime, codec, text)


def test_cross_entropy_by_hand() -> None:
    logits = np.log(np.array([[1, 2, 5], [4, 4, 8]], np.float32)) + np.float32([[1000], [-1000]])
    got = cross_entropy(logits, np.array([2, 0], np.int32))
    np.testing.assert_allclose(got, [np.log(8 / 5), np.log(4)], atol=1e-3)


def test_a_difference_within_two_standard_errors_decides_nothing() -> None:
    base = np.zeros(100)
    noisy = np.where(np.arange(100) % 2, 1.0, -0.9)  # mean 0.05, standard error 0.095
    unclear = judge({ConvMode.COLUMN: base, ConvMode.ROW_BOUNDARY: noisy})
    assert unclear.fits is None
    assert unclear.difference == pytest.approx(0.05)
    assert unclear.standard_error == pytest.approx(0.0955, abs=1e-3)
    clear = judge({ConvMode.COLUMN: base + 0.3, ConvMode.ROW_BOUNDARY: noisy})
    assert clear.fits is ConvMode.ROW_BOUNDARY
    assert clear.losses == {
        ConvMode.COLUMN: pytest.approx(0.3),
        ConvMode.ROW_BOUNDARY: pytest.approx(0.05),
    }
    same = judge({ConvMode.COLUMN: base, ConvMode.ROW_BOUNDARY: base})
    assert (same.fits, same.difference, same.num_tokens) == (None, 0.0, 100)
