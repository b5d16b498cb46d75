"""A scripted server that answers: what it is told it reads in one turn and says back."""

from __future__ import annotations

from motet.protocol import client_events as client
from motet.protocol import server_events as server
from tests.client.scripted import ScriptedServer


class Parrot(ScriptedServer):
    """Reads a message a character a row, then says it back on Output, a character a row."""

    def react(self, event: client.ClientEvent) -> None:
        super().react(event)
        if isinstance(event, client.InputAppend):
            self.take_turn(self.events[-1].input_id, event.text)

    def take_turn(self, input_id: int, text: str) -> None:
        first, read = self.num_rows, self.num_rows + len(text)
        number = 1 + sum(isinstance(e, server.TurnStarted) for e in self.events)
        self.add(server.TurnStarted, turn=number, from_row=first)
        self.rows([(character, "", "") for character in text])
        self.add(
            server.InputRead, input_id=input_id, from_row=first, to_row=read - 1,
            chars=len(text), is_done=True,
        )  # fmt: skip
        self.rows([("", character, "") for character in text])
        self.add(
            server.TurnEnded, turn=number, reason="end", rows=2 * len(text), ttft_rows=len(text),
            seconds=0.1,
        )  # fmt: skip

    def rows(self, cells: list[tuple[str, str, str]]) -> None:
        frames = tuple(
            server.RowFrame(
                index=self.num_rows + n, ids=(1, 2, 3), text=texts,
                silent=tuple(not text for text in texts), given=(True, False, False),
            )
            for n, texts in enumerate(cells)
        )  # fmt: skip
        self.add(server.Rows, row=frames[-1].index + 1, rows=frames)

    @property
    def num_rows(self) -> int:
        return self.events[-1].row if self.events else 0
