"""What the tests of mutants of all runtimes share: small cases, laws, and how a law notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from motet.streams import ConvMode
from tests.laws import checks
from tests.laws.test_laws import CONV_WIDTH
from tests.tiny import Architecture, Case

MOE = Case(Architecture.LFM2_MOE, 4)
DENSE = Case(Architecture.LFM2, 4)
BOUNDARY = Case(Architecture.LFM2, 4, ConvMode.ROW_BOUNDARY)
QWEN3 = Case(Architecture.QWEN3, 4)
ONE = Case(Architecture.LFM2, 1, channel_embedding=False)
CONV_ONLY = replace(DENSE, attention=False)
BOUNDARY_CONV_ONLY = replace(BOUNDARY, attention=False)
PERMUTATION = [2, 0, 3, 1]

Law = Callable[[Any, Path], None]
"""Checks a runtime; the folder is for what it saves."""

Mutant = Callable[[pytest.MonkeyPatch, Any], None]

LAWS: Mapping[str, Law] = {
    "1": lambda runtime, _: checks.check_prefill_is_decode(runtime),
    "2": lambda runtime, _: checks.check_chunking(runtime),
    "3": lambda runtime, _: checks.check_batch(runtime),
    "4": lambda runtime, _: checks.check_inactive(runtime),
    "6": lambda runtime, _: checks.check_no_peek(runtime),
    "7": lambda runtime, _: checks.check_yes_look(runtime),
    "8 (arrives)": lambda runtime, _: checks.check_channel_identity(runtime),
    "9": lambda runtime, _: checks.check_conv_streaming(runtime),
    "9 (channels)": lambda runtime, _: checks.check_conv_channels(runtime, CONV_WIDTH),
    "10": lambda runtime, _: checks.check_fork(runtime),
    "11": lambda runtime, _: checks.check_truncate(runtime),
    "12": checks.check_save_and_load,
}
"""Those that need nothing but the runtime; 5 and 8 need a second model."""


def unchanged(monkeypatch: pytest.MonkeyPatch, runtime: Any) -> None:
    """Nothing: for a law that the model itself breaks."""


def notices(mutants: Sequence[tuple[str, Case, Mutant]]) -> pytest.MarkDecorator:
    """A test for each of them, with the arguments `law`, `case` and `mutant`."""
    ids = [f"law {law}-{mutant.__name__}-{case}" for law, case, mutant in mutants]
    return pytest.mark.parametrize(("law", "case", "mutant"), mutants, ids=ids)


def check_notices(
    law: str, check: Law, runtime: Any, mutant: Mutant, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """The law holds; once the mutant has been at the runtime it does not, and says which it is."""
    if mutant is not unchanged:
        check(runtime, path)
    mutant(monkeypatch, runtime)
    with pytest.raises(AssertionError, match=rf"^law {law.split()[0]}: "):
        check(runtime, path)
