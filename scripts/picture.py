"""Draw docs/run.svg: a real run of the embedded model, as a terminal shows it.

.venv/bin/python scripts/picture.py
"""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

import motet
from motet.cli.show import LivePanels, summary
from motet.engine.reply import reply_of

QUESTION = (
    "Tom has 47 apples. He buys 38 more and gives 12 to Anna. How many apples does Tom have now?"
)
TARGET = Path(__file__).parent.parent / "docs" / "run.svg"


def main() -> None:
    """Run the model and write the picture."""
    engine = motet.load()
    session = engine.open()
    session.give(QUESTION)
    console = Console(
        record=True, width=100, force_terminal=True, highlight=False, file=io.StringIO()
    )
    panels = LivePanels(console, engine.codec.layout)
    start = time.perf_counter()
    for row in engine.stream(session):
        panels.add(row)
    reply = reply_of(session, engine.name, time.perf_counter() - start)
    console.print(panels.render())
    console.print(summary(reply, engine.codec.layout), style="dim", soft_wrap=True)
    own_fonts = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    TARGET.write_text(console.export_svg(title="motet run", code_format=own_fonts), "utf-8")


if __name__ == "__main__":
    main()
