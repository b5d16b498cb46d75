"""Cross-entropy in pieces equals the whole, and holds only a piece at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from motet.train.objective.cross_entropy import token_losses
from tests.runtime.test_conversations import Largest

D, V = 8, 50


def problem(num: int, seed: int = 0) -> tuple[nn.Linear, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    head = nn.Linear(D, V, dtype=torch.float64)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    hidden = torch.randn(num, D, generator=generator, dtype=torch.float64, requires_grad=True)
    return head, hidden, torch.randint(0, V, (num,), generator=generator)


@given(st.integers(0, 40), st.integers(1, 60))
def test_any_pieces_are_the_whole(num: int, cells_at_once: int) -> None:
    """Losses, and the gradients of hidden states, weight and bias, in float64."""
    head, hidden, tokens = problem(num)
    pull = torch.linspace(-1, 2, num, dtype=torch.float64)
    expected = cross_entropy(head(hidden), tokens, reduction="none")
    wanted = torch.autograd.grad((expected * pull).sum(), [hidden, *head.parameters()])
    got, is_right = token_losses(head, hidden, tokens, V, 4 * V * cells_at_once)
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(is_right, head(hidden).argmax(-1) == tokens)
    gradients = torch.autograd.grad((got * pull).sum(), [hidden, *head.parameters()])
    for gradient, want in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient, want, rtol=1e-10, atol=1e-12)


def test_one_cell_is_always_possible() -> None:
    head, hidden, tokens = problem(3)
    got, _ = token_losses(head, hidden, tokens, V, 1)
    torch.testing.assert_close(got, cross_entropy(head(hidden), tokens, reduction="none"))


@pytest.mark.parametrize("with_gradient", [True, False])
def test_never_more_logits_than_allowed(with_gradient: bool) -> None:
    head, hidden, tokens = problem(500)
    with Largest() as largest, torch.set_grad_enabled(with_gradient):
        losses, _ = token_losses(head, hidden, tokens, V, 4 * V * 100)
        if with_gradient:
            losses.sum().backward()
    assert largest.numel <= 100 * V
    with Largest() as largest:
        token_losses(head, hidden, tokens, V, 4 * V * 500)
    assert largest.numel == 500 * V


def test_pieces_are_computed_twice_the_whole_once() -> None:
    calls: list[int] = []
    head, hidden, tokens = problem(10)

    def counting(x: Tensor) -> Tensor:
        calls.append(len(x))
        out: Tensor = head(x)
        return out

    for cells_at_once, expected in ((10, [10]), (5, [5, 5, 5, 5])):
        calls.clear()
        losses, _ = token_losses(counting, hidden, tokens, V, 4 * V * cells_at_once)
        losses.sum().backward()
        assert calls == expected


def test_dropout_in_the_head_is_the_same_when_computed_again() -> None:
    """Else the gradient would be that of another loss: compare with the slope."""
    linear, hidden, tokens = problem(6)
    head = nn.Sequential(nn.Dropout(0.5), linear)

    def loss(x: Tensor) -> Tensor:
        torch.manual_seed(3)
        return token_losses(head, x, tokens, V, 4 * V * 2)[0].sum()

    (gradient,) = torch.autograd.grad(loss(hidden), [hidden])
    step = 1e-6 * torch.randn(hidden.shape, dtype=torch.float64)
    with torch.no_grad():
        slope = (loss(hidden + step) - loss(hidden - step)) / 2
    assert slope.item() == pytest.approx((gradient * step).sum().item(), rel=1e-4)


def test_low_precision_losses_are_float32() -> None:
    head, hidden, tokens = problem(4)
    losses, _ = token_losses(head.bfloat16(), hidden.detach().bfloat16(), tokens, V, 4 * V * 2)
    assert losses.dtype == torch.float32
