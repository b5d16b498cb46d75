"""What `motet data verify` found: a table with examples, a file of it all, a clean dataset."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table as Printed

from motet.protocol.printable import printable

if TYPE_CHECKING:
    from motet.data.conversations import Conversations
    from motet.data.verify.finding import Finding
    from motet.data.verify.running import Report

_PLAIN_WIDTH = 100
_MOST_SHOWN = 5


def show(report: Report, name: str) -> None:
    """Say in few lines what was found, faults first, with some examples of faults."""
    from motet.data.verify.summary import lines_of

    share = report.num_faulty / max(report.num_conversations, 1)
    typer.echo(
        f"{printable(name)}: {report.num_conversations:,} conversations, "
        f"{report.num_faulty:,} with a fault ({100 * share:.1f} %)\n"
    )
    table = Printed(box=None, pad_edge=False)
    for title, justify in (("", "left"), ("", "left"), ("conversations", "right"),
                           ("places", "right"), ("", "left")):  # fmt: skip
        table.add_column(title, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for line in lines_of(report.findings):
        meaning = line.meaning if line.is_fault else f"{line.meaning} (no fault)"
        table.add_row(
            line.check.value, line.kind, f"{line.num_conversations:,}", f"{line.num_places:,}",
            meaning,
        )  # fmt: skip
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    if report.findings:
        console.print(table)
        typer.echo()
    faults = [finding for finding in report.findings if finding.is_fault]
    for finding in faults[:_MOST_SHOWN]:
        typer.echo(_line(finding))
    if len(faults) > _MOST_SHOWN:
        typer.echo(f"and {len(faults) - _MOST_SHOWN:,} more; --report FILE writes all")
    if faults:
        typer.echo()
    if sums := {kind: n for kind, n in sorted(report.claims.items()) if kind != "unhurt"}:
        counts = ", ".join(f"{number:,} {kind}" for kind, number in sums.items())
        typer.echo(f"calculations: {counts}")
    if report.num_items:
        short = f", {report.num_short_items:,} too short to tell" if report.num_short_items else ""
        typer.echo(f"held against {report.num_items:,} items of evaluation sets{short}")


def _line(finding: Finding) -> str:
    where = finding.conversation
    if finding.channel is not None:
        where += f" {finding.channel}"
    if finding.row is not None:
        where += f" row {finding.row}"
    return printable(f"{where}: {finding.kind}: {finding.what}")


def write_findings(findings: Sequence[Finding], path: Path) -> None:
    """Write every finding as a line of JSON, whole or not at all."""
    from motet.data.whole import whole_file

    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        for finding in findings:
            file.write(json.dumps(finding.to_json(), ensure_ascii=False).encode() + b"\n")


def keep_the_rest(
    conversations: Conversations,
    report: Report,
    target: Path,
    settings: dict[str, Any],
    num_processes: int,
    ray: str | None,
) -> None:
    """Write what has no fault as a dataset. settings: what decided what a fault is."""
    from motet.cli.data.making import make
    from motet.data.verify.keeping import begin_keeping

    building, part = begin_keeping(conversations, target, report.faulty, settings)
    make(building, conversations.num_shards, part, num_processes=num_processes, ray=ray)
