"""Motet: run, serve, train and measure multi-stream language models.

import motet

model = motet.load()
print(model.ask("What is 2 + 3?").channels["Output"])
"""

from typing import TYPE_CHECKING, Any

from motet.version import __version__

__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from motet.engine import load


def __getattr__(name: str) -> Any:
    """Import the engine when it is first asked for, so that `import motet` costs nothing."""
    if name == "load":
        from motet.engine import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
