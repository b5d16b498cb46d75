"""The first frame is there before the engine: by then nothing of it is imported, nor PyTorch."""

from __future__ import annotations

import json
import subprocess
import sys

PROBE = """
import asyncio, json, sys
from motet.cli.chat import chat
from motet.cli.local_venue import LocalVenue
from motet.cli.token_book import TokenBook
from motet.protocol.client_events import SessionCreate
from motet.tui.app import ChatApp
from pathlib import Path

HEAVY = ("torch", "transformers", "tokenizers", "ggml", "numpy", "uvicorn", "fastapi",
         "motet.engine", "motet.runtime", "motet.server")

class Probe(ChatApp):
    def _listen(self):  # after the first frame: the engine would be asked for here
        strips = self.screen._compositor.render_strips()
        frame = "\\n".join(strip.text for strip in strips)
        heavy = [name for name in HEAVY if name in sys.modules]
        print(json.dumps({"heavy": heavy, "frame": frame}))
        self.exit()

venue = LocalVenue(lambda: 1 / 0, Path("never"), TokenBook(Path("never")))
app = Probe(venue, SessionCreate())
asyncio.run(app.run_async(headless=True, size=(80, 24)))
"""


def test_the_first_frame_needs_no_engine() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["heavy"] == []
    assert "… opening" in told["frame"]
    assert "You can write already." in told["frame"]
    assert "say" in told["frame"]
