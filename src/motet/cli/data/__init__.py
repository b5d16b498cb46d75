"""`motet data`: datasets of conversations, made, changed, checked and measured.

A subcommand is a file of this folder. What takes long to import is imported when it runs.
"""

from __future__ import annotations

import typer

from motet.cli.data.distill import distill
from motet.cli.data.generate import generate
from motet.cli.data.mix import mix
from motet.cli.data.project import project
from motet.cli.data.stats import stats
from motet.cli.data.synthesize import synthesize
from motet.cli.data.tokenize import tokenize
from motet.cli.data.verify import verify

data = typer.Typer(
    help="Make, check and measure datasets of conversations.",
    rich_markup_mode=None,
    no_args_is_help=True,
)


@data.callback()
def _family() -> None:
    """Make, check and measure datasets of conversations."""


data.command()(generate)
data.command()(synthesize)
data.add_typer(project, name="project")
data.command()(tokenize)
data.command()(distill)
data.command()(mix)
data.command()(verify)
data.command()(stats)
