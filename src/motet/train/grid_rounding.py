"""Weights that are rounded to a coarse grid, so that a file of them compresses better."""

from __future__ import annotations

import torch

__all__ = ["round_rows"]


def round_rows(model: torch.nn.Module, num_bits: int) -> None:
    """Round the rows of every matrix to integers of `num_bits`, sign included, times a power of 2.

    In place. A row is what the last dimension goes along; its power of 2 is the smallest with which
    its largest weight is no more than 2^(num_bits - 1), so a weight w of a row whose largest is m
    moves by less than m / 2^(num_bits - 1). Ties go to the even neighbour. Vectors and buffers
    (norms, biases) stay as they are.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim < 2:
                continue
            exact = parameter.double()
            exponent = torch.frexp(exact.abs().amax(dim=-1, keepdim=True))[1] - (num_bits - 1)
            parameter.copy_(torch.ldexp(torch.round(torch.ldexp(exact, -exponent)), exponent))
