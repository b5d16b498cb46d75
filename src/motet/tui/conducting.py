"""What the keys do to the session: each one says one event, or prepares to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.protocol.client_events import (
    ClientEvent,
    Continue,
    Fork,
    Hold,
    Inject,
    InputAppend,
    InputClear,
    Interrupt,
    Pause,
    Release,
    Rewind,
    SessionUpdate,
    Step,
)  # fmt: skip
from motet.tui.composer import Composer
from motet.tui.dials import Dials
from motet.tui.sheet import Sheet
from motet.tui.status import Status

if TYPE_CHECKING:
    from textual.app import App

    from motet.tui.talk import Talk

    _Base = App[None]
else:
    _Base = object

__all__ = ["Conducting"]

_GOES_ON_AFTER = ("max_rows", "mute", "repetition")
_WHERE = "row {row} │ ←→ ↑↓ Ctrl+←→ choose │ Enter goes back to before it │ Esc leaves"


class Conducting(_Base):
    """The part of the application that speaks to the session."""

    talk: Talk
    _view_before: str | None = None

    async def say(self, event: ClientEvent) -> bool:
        """Say something to the session; whether it could be said."""
        raise NotImplementedError

    def set_view(self, view: str) -> str:
        """Show that view; the one before."""
        raise NotImplementedError

    async def on_composer_said(self, message: Composer.Said) -> None:
        """Say it, or put it into a thought; what can't be said goes back."""
        event: ClientEvent = InputAppend(text=message.text)
        if message.target is not None:
            event = Inject(channel=message.target, text=message.text)
            self.set_target(None)
        if not await self.say(event):
            self.query_one(Composer).insert(message.text)

    async def action_interrupt(self) -> None:
        """Leave what is open; else end the turn now."""
        composer = self.query_one(Composer)
        if self.query_one(Dials).has_class("-open"):
            self.on_dials_left()
        elif self._view_before is not None:
            self._leave_score()
        elif composer.target is not None:
            self.set_target(None)
        else:
            await self.say(Interrupt())

    async def action_say_now(self) -> None:
        """Interrupt with what has been written."""
        composer = self.query_one(Composer)
        if composer.text.strip():
            text = composer.finish()
            if not await self.say(Interrupt(text=text)):
                composer.insert(text)

    async def action_unsay(self) -> None:
        """Drop what is queued."""
        await self.say(InputClear())

    async def action_pause(self) -> None:
        """Pause, or go on: also with a turn that a limit has ended."""
        conversation = self.talk.conversation
        ending = None if conversation.turn is None else conversation.turn.ending
        is_cut = ending is not None and ending.reason in _GOES_ON_AFTER
        await self.say(Continue() if conversation.is_paused or is_cut else Pause())

    async def action_step(self) -> None:
        """One row."""
        await self.say(Step())

    async def action_hold(self) -> None:
        """Keep the reply silent, or let it speak again."""
        await self.say(Release() if self.talk.conversation.is_held else Hold())

    async def action_fork(self) -> None:
        """Keep a copy."""
        await self.say(Fork())

    def action_inject(self) -> None:
        """Write into the next thought channel; after the last one, say again."""
        channels = self.talk.conversation.channels
        targets = [None, *(c.name for c in channels if c.role == "thought")]
        if len(targets) == 1:
            self.notify("This model has no thought channel.", severity="warning")
            return
        target = self.query_one(Composer).target
        at = targets.index(target) if target in targets else 0
        self.set_target(targets[(at + 1) % len(targets)])

    def set_target(self, target: str | None) -> None:
        """What is written next goes into the thought channel `target`, or is said."""
        composer = self.query_one(Composer)
        composer.target = target
        composer.focus()

    def action_rewind(self) -> None:
        """Choose a row in the score."""
        if not self.talk.conversation.rows:
            self.notify("There are no rows yet.", severity="warning")
        elif self._view_before is None:
            sheet = self.query_one(Sheet)
            self._view_before = self.set_view("sheet")
            sheet.show(self.talk.conversation)
            sheet.focus()
            sheet.choose_turn()

    def on_sheet_chose(self) -> None:
        """Say what Enter would do."""
        row, status = self.query_one(Sheet).chosen_row, self.query_one(Status)
        status.hint = "" if row is None else _WHERE.format(row=row)
        status.show(self.talk.conversation)

    async def on_sheet_cut(self, message: Sheet.Cut) -> None:
        """Go back to before the row."""
        self._leave_score()
        await self.say(Rewind(row=message.row))

    def _leave_score(self) -> None:
        self.query_one(Sheet).chosen = None
        if self._view_before is not None:
            view, self._view_before = self._view_before, None
            self.set_view(view)
        self.query_one(Composer).focus()

    async def on_dials_turned(self, message: Dials.Turned) -> None:
        """Change the setting; the panel shows it when the server has."""
        await self.say(SessionUpdate(settings=message.change))

    def on_dials_left(self) -> None:
        """Close the panel."""
        self.query_one(Dials).remove_class("-open")
        self.query_one(Composer).focus()
