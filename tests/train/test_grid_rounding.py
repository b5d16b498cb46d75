"""Rounding of rows, against what it says of itself."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from motet.train.grid_rounding import round_rows


class Weights(torch.nn.Module):
    """A matrix of one row and a vector of the same numbers."""

    def __init__(self, values: list[float]) -> None:
        super().__init__()
        self.matrix = torch.nn.Parameter(torch.tensor([values]))
        self.vector = torch.nn.Parameter(torch.tensor(values))


FLOATS = st.floats(-1e4, 1e4, width=32).filter(lambda x: x == 0 or abs(x) > 1e-20)


@given(st.lists(FLOATS, min_size=1, max_size=20), st.integers(2, 11))
def test_a_weight_moves_by_little_to_one_of_few_numbers(values: list[float], num_bits: int) -> None:
    weights, exact = Weights(values), torch.tensor([values], dtype=torch.float64)
    round_rows(weights, num_bits)
    rounded = weights.matrix.detach().double()
    largest = exact.abs().max()
    assert ((rounded - exact).abs() <= largest * 2.0 ** (1 - num_bits)).all()
    step = 2.0 ** (torch.frexp(largest)[1] - num_bits + 1)
    assert torch.equal(rounded / step, (rounded / step).round())
    assert (rounded.abs() <= step * 2 ** (num_bits - 1)).all()
    assert torch.equal(weights.vector.detach().double(), exact[0])


def test_each_row_has_a_grid_of_its_own_and_ties_go_to_even() -> None:
    weights = Weights([0.0])
    weights.matrix = torch.nn.Parameter(torch.tensor([[7.0, 1.0, -3.0, 0.2], [0.7, 0.1, 0.0, 0.0]]))
    round_rows(weights, 3)
    assert weights.matrix.tolist() == [[8.0, 0.0, -4.0, 0.0], [0.75, 0.0, 0.0, 0.0]]
