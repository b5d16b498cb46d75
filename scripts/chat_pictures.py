"""Draw docs/chat*.svg: `motet chat` with the embedded model, as a terminal shows it.

.venv/bin/python scripts/chat_pictures.py [FOLDER]
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable
from pathlib import Path

import motet
from motet.cli.local_venue import LocalVenue
from motet.cli.token_book import TokenBook
from motet.client import Conversation
from motet.protocol.client_events import InputAppend, SessionCreate
from motet.protocol.knobs import SettingsChange
from motet.tui.app import ChatApp
from motet.tui.composer import Composer
from motet.tui.themes import ThemeName

FIRST = "Mia has 84 cards and shares them equally with 3 friends. How many cards does each get?"
SECOND = "Tom has 47 apples. He buys 38 more and gives 12 to Anna. How many apples has Tom now?"
NEXT = "And how many apples has Anna?"
TYPED = "Wait, Tom finds"
FOLDER = Path(__file__).parent.parent / "docs"
PACE = 20.0


async def play(
    folder: Path, name: str, size: tuple[int, int], theme: ThemeName, keys: tuple[str, ...]
) -> None:
    """One conversation, stopped while Output speaks, and the picture of it."""
    venue = LocalVenue(motet.load, None, TokenBook(folder / "none"))
    app = ChatApp(venue, SessionCreate(settings=SettingsChange(pace=PACE)), theme=theme)

    def now() -> Conversation:
        return app.talk.conversation

    try:
        async with app.run_test(size=size) as pilot:

            async def until(holds: Callable[[], object]) -> None:
                while not holds():
                    await pilot.pause(0.005)

            await pilot.press(*FIRST, "enter")
            await until(lambda: now().turns and now().is_at_rest)
            rows = now().num_rows
            await pilot.press(*SECOND, "enter")
            await until(lambda: any(not row.silent[1] for row in now().rows[rows + 3 :]))
            spoken = len(now().texts[1])
            await until(lambda: len(now().texts[1]) > spoken or now().is_at_rest)
            app.query_one(Composer).insert(TYPED)
            await app.say(InputAppend(text=NEXT))
            await until(lambda: now().waiting and now().waiting[0].num_chars_read > 6)
            await pilot.pause(0.05)
            for key in keys:
                await pilot.press(key)
                await pilot.pause(0.3)
            picture = app.export_screenshot(title="motet chat")
    finally:
        await venue.close()
    own_fonts = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (folder / f"{name}.svg").write_text(own_fonts, "utf-8")


async def main(folder: Path) -> None:
    """All pictures."""
    await play(folder, "chat", (100, 30), "dark", ())
    await play(folder, "chat-score", (100, 30), "dark", ("f6", "left", "left", "left"))
    await play(folder, "chat-dials", (80, 24), "dark", ("f8", "down"))
    await play(folder, "chat-light", (140, 40), "light", ())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER))
