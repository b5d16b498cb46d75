"""`motet chat`: the panes, the score, the composer and the keys, over one connection.

    connection --> Talk (folds events) --> Conversation --> panes, score, status
         ^                                                        |
         '---- what is said <---- composer, keys, dials, palette -'

The first frame needs neither model nor server: the connection is opened after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Container
from textual.events import Key
from textual.screen import Screen
from textual.widgets import Static

from motet.client import Heard
from motet.errors import MotetError
from motet.protocol.client_events import ClientEvent, SessionCreate, SessionResume
from motet.protocol.printable import printable
from motet.tui.composer import Composer
from motet.tui.conducting import Conducting
from motet.tui.dials import Dials
from motet.tui.hearing import Notices
from motet.tui.help import Help
from motet.tui.key_line import KeyLine
from motet.tui.keys import ACTIONS, bindings
from motet.tui.reopening import Reopening
from motet.tui.sheet import Sheet
from motet.tui.status import Heading, Status
from motet.tui.talk import Talk
from motet.tui.tape import Tape
from motet.tui.themes import INK_DEFAULTS, THEMES, ThemeName
from motet.tui.venue import Kept, Venue
from motet.tui.voice import Voice
from motet.tui.voices import Voices

__all__ = ["ChatApp"]

_FRAMES_PER_S = 30
_LEAST_SHARE = 3  # the tape takes at most a third of the height
_VIEWS = ("both", "voices", "sheet")


class ChatApp(Conducting, App[None]):
    """The terminal of one person. opening: what the first connection asks for."""

    CSS_PATH = Path(__file__).with_name("chat.tcss")
    TITLE = "motet"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-wide")]  # noqa: RUF012 - as Textual has it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-high")]  # noqa: RUF012

    def __init__(
        self,
        venue: Venue,
        opening: SessionCreate | SessionResume,
        *,
        fresh: SessionCreate | None = None,
        theme: ThemeName = "dark",
    ) -> None:
        super().__init__(ansi_color=True if theme == "plain" else None)
        self.venue = venue
        self.talk = Talk(venue.connect(opening))
        self._fresh = fresh or (opening if isinstance(opening, SessionCreate) else SessionCreate())
        self._notices = Notices()
        self._is_stale = True
        self._view = _VIEWS[0]
        self._theme_name = theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Inks for themes that have none."""
        return INK_DEFAULTS

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Heading(id="heading", markup=False)
        with Container(id="stage"):
            yield Static(id="before", markup=False)
        yield Sheet()
        yield Tape()
        yield Composer(id="composer")
        yield Status(id="status", markup=False)
        yield KeyLine(id="keys")
        yield Dials(id="dials")

    def on_mount(self) -> None:
        """Draw, and only then open the connection."""
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES[self._theme_name].name
        self.ansi_color = None  # from now on as the theme says
        self.query_one(Composer).focus()
        self.set_interval(1 / _FRAMES_PER_S, self._draw_if_stale)
        self._draw()
        self.call_after_refresh(self._listen)

    def _listen(self) -> None:
        self.run_worker(self._follow(self.talk), group="talk", exclusive=True)

    async def _follow(self, talk: Talk) -> None:
        def heard(what: Heard) -> None:
            if talk is not self.talk:  # somebody has left it
                return
            self._is_stale = True
            for notice in self._notices.of(what, talk.conversation):
                self.notify(printable(notice.text), severity=notice.severity, markup=False)
            kept = self._notices.to_keep(what, talk.conversation)
            if kept is not None:
                self.run_worker(self._keep(kept), group="keep")

        await talk.listen(heard)
        self._is_stale = True
        if talk.failure is not None and talk is self.talk:
            self.notify(printable(str(talk.failure)), severity="error", markup=False, timeout=20)

    async def _keep(self, kept: Kept) -> None:
        try:
            await self.venue.keep(kept)
        except MotetError as error:
            self.notify(printable(str(error)), severity="warning", markup=False)

    async def _draw_if_stale(self) -> None:
        if self._is_stale and self._is_up:
            self._is_stale = False
            await self._set_stage()
            if self._is_up:
                self._draw()

    @property
    def _is_up(self) -> bool:
        """Whether the screen is there; it is not while the application is taken down."""
        return bool(self.screen_stack and self.screen_stack[0].query(Heading))

    async def _set_stage(self) -> None:
        """Put up a pane for each channel when they are known, or others than before."""
        channels = self.talk.conversation.channels
        shown = [voices.channels for voices in self.screen_stack[0].query(Voices)]
        if shown != [channels] and (channels or shown):
            stage = self.screen_stack[0].query_one("#stage")
            with self.batch_update():
                await stage.remove_children()
                await stage.mount(
                    Voices(channels) if channels else Static(id="before", markup=False)
                )

    def _draw(self) -> None:
        talk, view = self.talk, self._view
        conversation = talk.conversation
        screen = self.screen_stack[0]  # also below the help screen
        screen.query_one(Heading).show(conversation, self.venue.name, talk.failure)
        screen.query_one(Status).show(conversation)
        screen.query_one(KeyLine).show(conversation)
        screen.query_one(Dials).settings = conversation.settings
        for before in screen.query("#before").results(Static):
            said = "".join(f"\n… {typed.text}" for typed in conversation.typed)
            waiting = self.venue.notice if talk.failure is None else str(talk.failure)
            before.update(printable(f"{waiting}\n{said}"))
        if view == "sheet":
            screen.query_one(Sheet).show(conversation)
        for voices in screen.query(Voices):
            if view != "sheet" and voices.channels == conversation.channels:
                voices.show(conversation)
        tape = screen.query_one(Tape)
        num_lines = len(conversation.channels) + 2
        has_room = num_lines * _LEAST_SHARE <= self.size.height
        tape.display = view == "both" and bool(conversation.channels) and has_room
        if tape.display:
            tape.show(conversation)

    def on_resize(self) -> None:
        """Draw for another size."""
        self._is_stale = True

    async def say(self, event: ClientEvent) -> bool:
        """Say something to the session; whether it could be said. Told calmly if not."""
        session = self.talk.conversation.session
        if session is not None and event.type not in session.capabilities:
            self.notify(f"{event.type} is not possible with this model.", severity="warning")
            return False
        try:
            await self.talk.say(event)
        except MotetError as error:
            self.notify(printable(str(error)), severity="warning", markup=False)
            return False
        self._is_stale = True
        return True

    def on_key(self, event: Key) -> None:
        """Whoever writes while a pane has the focus means the composer."""
        if event.is_printable and event.character and isinstance(self.focused, Voice):
            composer = self.query_one(Composer)
            composer.focus()
            composer.insert(event.character)
            event.stop()

    def action_help(self) -> None:
        """Show the help screen."""
        self.push_screen(Help())

    def action_view(self) -> None:
        """Panes and score, panes, score."""
        self.set_view(_VIEWS[(_VIEWS.index(self._view) + 1) % len(_VIEWS)])

    def set_view(self, view: str) -> str:
        """Show that view; the one before."""
        before, self._view = self._view, view
        for name in _VIEWS:
            self.screen.set_class(name == view, f"-view-{name}")
        if view != "sheet":
            self.query_one(Sheet).chosen = None
            self.query_one(Composer).focus()
        self._is_stale = True
        return before

    def action_dials(self) -> None:
        """Open or close the live controls."""
        dials = self.query_one(Dials)
        dials.toggle_class("-open")
        (dials if dials.has_class("-open") else self.query_one(Composer)).focus()

    def action_reopen(self) -> None:
        """Show the list of conversations."""
        session = self.talk.conversation.session
        current_id = None if session is None else session.session_id
        self.push_screen(Reopening(self.venue, current_id), self._reopened)

    async def _reopened(self, kept: Kept | None) -> None:
        session = self.talk.conversation.session
        if kept is not None and (session is None or session.session_id != kept.session_id):
            await self.change_to(SessionResume(token=kept.token))

    async def action_begin(self) -> None:
        """Leave this conversation and begin another one."""
        await self.change_to(self._fresh)

    async def change_to(self, opening: SessionCreate | SessionResume) -> None:
        """Leave this conversation for another one."""
        left, self.talk = self.talk, Talk(self.venue.connect(opening))
        self._notices = Notices()
        self._is_stale = True
        self._listen()
        await left.leave()

    async def on_unmount(self) -> None:
        """Leave; the conversation is kept."""
        await self.talk.leave()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Everything that has a key, and what Textual offers besides."""
        for action in ACTIONS:
            if action.name != "command_palette":
                title = f"{action.title} ({action.shown_key})"
                yield SystemCommand(
                    title, action.meaning, lambda name=action.name: self.call_action(name)
                )
        for channel in self.talk.conversation.channels:
            if channel.role == "thought":
                name = printable(channel.name)
                yield SystemCommand(
                    f"Inject into {name}", f"write words into {name}",
                    lambda name=channel.name: self.set_target(name),
                )  # fmt: skip
        for command in super().get_system_commands(screen):
            if command.title in ("Theme", "Screenshot"):
                yield command

    def call_action(self, name: str) -> None:
        """Do what the key of an action does."""
        self.run_worker(self.run_action(f"app.{name}"), group="action")
