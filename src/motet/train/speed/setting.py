"""What is measured: a model known by its shape, and the batch of a step."""

from __future__ import annotations

from dataclasses import dataclass

from motet.formats.hyperparameters import Hyperparameters
from motet.streams.layout import Layout

__all__ = ["Setting"]


@dataclass(frozen=True)
class Setting:
    """A step on `num_lines` lines of `num_rows` rows, each of `num_conversations` conversations.

    Every cell of a sampled channel is a target, but for first rows. The model has random weights
    in float32; with `bfloat16` it computes in that, as training in mixed precision does.
    checkpointing: activations of layers are computed again in the backward pass.
    """

    numbers: Hyperparameters
    layout: Layout
    num_lines: int
    num_rows: int
    num_conversations: int = 1
    bfloat16: bool = False
    checkpointing: bool = False
    num_threads: int = 1

    @property
    def num_cells(self) -> int:
        """Cells of a step."""
        return self.num_lines * self.num_rows * self.layout.num_channels

    @property
    def conversation_rows(self) -> tuple[int, ...]:
        """Rows of each conversation of a line: as equal as can be."""
        whole, rest = divmod(self.num_rows, self.num_conversations)
        return tuple(whole + (i < rest) for i in range(self.num_conversations))

    @property
    def num_targets(self) -> int:
        """Cells that are to be predicted."""
        rows = self.num_rows - self.num_conversations
        return self.num_lines * rows * len(self.layout.sampled_indices)
