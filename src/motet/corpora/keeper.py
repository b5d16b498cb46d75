"""What turns rollouts into conversations: grids where tokens are known, else tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from motet.corpora.attempts import Attempts
from motet.data.dataset import Description, MadeBy
from motet.data.table import Table
from motet.protocol.row import Row

__all__ = ["Keeper"]


class Keeper(Protocol):
    """Keeps rollouts in one form."""

    @property
    def form(self) -> str:
        """What decides how rollouts are kept, for the attempts file."""
        ...

    def keep(self, id_: str, rows: Sequence[Row], meta: Mapping[str, Any]) -> Any:
        """What stands of a rollout in the attempts file: JSON values."""
        ...

    def table(self, kept: Any, where: str) -> Table:
        """What `keep` made, as text; DataError, naming `where`, for anything else."""
        ...

    def collect(
        self,
        attempts: Attempts,
        numbers: Sequence[int],
        left_out: Mapping[str, int],
        path: Path,
        made_by: MadeBy,
    ) -> Description:
        """Write the dataset of the attempts `numbers`; left_out: other right ones, by reason."""
        ...
