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


class _Counting(nn.Module):
    """A head that remembers how many cells went through it at once."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        out: Tensor = self.head(x)
        return out


@pytest.mark.parametrize(("cells_at_once", "sizes"), [(10, [10]), (5, [5, 5, 5, 5])])
def test_pieces_are_computed_twice_the_whole_once(cells_at_once: int, sizes: list[int]) -> None:
    linear, hidden, tokens = problem(10)
    head = _Counting(linear)
    losses, _ = token_losses(head, hidden, tokens, V, 4 * V * cells_at_once)
    losses.sum().backward()
    assert head.sizes == sizes


@pytest.mark.parametrize("cells_at_once", [10, 3])
def test_the_head_is_called_once(cells_at_once: int) -> None:
    """Whatever the pieces: what gathers sharded parameters hangs on the call."""
    head, hidden, tokens = problem(10)
    calls: list[str] = []
    head.register_forward_pre_hook(lambda *_: calls.append("before"))
    head.register_forward_hook(lambda *_: calls.append("after"))
    losses, _ = token_losses(head, hidden, tokens, V, 4 * V * cells_at_once)
    losses.sum().backward()
    assert calls == ["before", "after"]


@pytest.mark.parametrize("patched", [False, True])
def test_the_head_is_itself_again(patched: bool) -> None:
    """Also after an error, and if its forward had been set by someone else."""
    head, hidden, tokens = problem(4)
    if patched:
        own = head.forward
        head.forward = lambda x: own(x)  # type: ignore[method-assign]
    expected = head(hidden)
    before = dict(vars(head))
    token_losses(head, hidden, tokens, V, 4 * V * 2)
    with pytest.raises(RuntimeError):
        token_losses(head, hidden[:, :3], tokens, V, 4 * V * 2)
    assert vars(head) == before
    assert torch.equal(head(hidden), expected)


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
