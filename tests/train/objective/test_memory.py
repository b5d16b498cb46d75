"""What pieces are for: the memory of a process that learns a vocabulary of 128,000 words."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

LEARN = """
import sys, torch
from motet.bench.hardware import peak_resident_bytes
from motet.train.objective.cross_entropy import token_losses
torch.set_num_threads(1)
V, D = 128_000, 16
head = torch.nn.Linear(D, V, bias=False)

def learn(num, logits_bytes):
    hidden = torch.randn(num, D, requires_grad=True)
    tokens = torch.randint(0, V, (num,))
    losses, _ = token_losses(head, hidden, tokens, V, logits_bytes)
    losses.sum().backward()

learn(2, 1)  # what libraries load when they are first asked
before = peak_resident_bytes()
for logits_bytes in sys.argv[1:]:
    learn(256, int(logits_bytes))
    print(peak_resident_bytes() - before)
"""


def added_bytes(*logits_bytes: int) -> list[int]:
    """Peaks beyond the weights, one after the other; what is freed goes back to the system."""
    words = [sys.executable, "-c", LEARN, *map(str, logits_bytes)]
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1000000"}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=env)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.slow
def test_pieces_take_a_fraction_of_the_memory() -> None:
    """All logits of 256 cells are 131 MB, and almost three times that exists at once."""
    logits = 256 * 128_000 * 4
    pieces, whole = added_bytes(8_000_000, logits)
    assert whole > 2 * logits
    assert pieces < 5 * 8_000_000
