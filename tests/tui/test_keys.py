"""Each key says its event, or opens what it should; the composer is never locked."""

from __future__ import annotations

from textual.widgets import OptionList

from motet.protocol import client_events as said
from motet.protocol.knobs import KnobsChange, SettingsChange
from motet.tui.dials import Dials
from motet.tui.help import Help
from motet.tui.keys import ACTIONS
from motet.tui.sheet import Sheet
from motet.tui.tape import Tape
from motet.tui.venue import Kept
from motet.tui.voices import Voices
from tests.tui.conftest import Stage, on_stage
from tests.tui.scripted import KNOBS


async def speaking(stage: Stage) -> None:
    stage.line.turn()
    stage.line.rows(*[(f"u{n}", f"o{n}", None, None) for n in range(30)])
    await stage.until(lambda: "o29" in stage.pane(1).text())


async def test_enter_says_it_while_the_model_speaks() -> None:
    async with on_stage() as stage:
        await speaking(stage)
        await stage.write("Wait")
        await stage.press("ctrl+j", "!", "enter")
        assert await stage.until_said() == said.InputAppend(text="Wait\n!")
        await stage.press("enter")
        await stage.press("space", "enter")
        assert len(stage.said) == 1


EVENTS = {
    "escape": said.Interrupt(),
    "f2": said.Pause(),
    "f3": said.Step(),
    "f4": said.Hold(),
    "f7": said.Fork(),
    "ctrl+r": said.InputClear(),
}


async def test_a_key_says_its_event_wherever_the_focus_is() -> None:
    async with on_stage() as stage:
        await speaking(stage)
        for focused in (stage.composer, stage.pane(2)):
            focused.focus()
            for key, event in EVENTS.items():
                count = len(stage.said)
                await stage.press(key)
                assert await stage.until_said(count + 1) == event, key


async def test_pause_and_hold_are_undone_by_the_same_keys() -> None:
    async with on_stage() as stage:
        await speaking(stage)
        stage.line.update(is_paused=True, is_held=True)
        await stage.until_shown("‖ paused")
        await stage.until_shown("F2 go on")
        await stage.press("f2")
        assert await stage.until_said() == said.Continue()
        await stage.press("f4")
        assert await stage.until_said(2) == said.Release()
        stage.line.update(is_paused=False)
        await stage.until_shown("◆ held, turn 1")
        await stage.until_shown("held back")


async def test_a_turn_that_a_limit_cut_goes_on() -> None:
    async with on_stage() as stage:
        await speaking(stage)
        stage.line.end("max_rows")
        await stage.until_shown("turn limit")
        await stage.press("f2")
        assert await stage.until_said() == said.Continue()


async def test_say_now_interrupts_with_what_is_written() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+s")
        await stage.write("Stop")
        await stage.press("ctrl+s")
        assert await stage.until_said() == said.Interrupt(text="Stop")
        assert stage.composer.text == ""


async def test_escape_keeps_what_is_being_written() -> None:
    async with on_stage() as stage:
        await stage.write("half a thou")
        await stage.press("escape")
        assert await stage.until_said() == said.Interrupt()
        assert stage.composer.text == "half a thou"


async def test_inject_goes_through_the_thoughts_and_back() -> None:
    async with on_stage() as stage:
        await stage.press("f5")
        await stage.until_shown("put into Think")
        await stage.press("f5")
        await stage.until_shown("put into Skeptical")
        await stage.write("no!")
        await stage.press("enter")
        assert await stage.until_said() == said.Inject(channel="Skeptical", text="no!")
        assert stage.composer.target is None
        await stage.press("f5", "escape")
        assert stage.composer.target is None
        assert len(stage.said) == 1


async def test_without_thoughts_inject_says_so() -> None:
    async with on_stage(channels=[("A", "output")]) as stage:
        await stage.press("f5")
        await stage.until_shown("no thought channel")


async def test_rewind_chooses_a_row_in_the_score() -> None:
    async with on_stage() as stage:
        await stage.press("f6")
        await stage.until_shown("no rows yet")
        await speaking(stage)
        stage.line.turn()
        stage.line.rows(("x", None, None, None), ("y", None, None, None))
        await stage.until(lambda: stage.app.talk.conversation.num_rows == 32)
        await stage.press("f6")
        await stage.until_shown("row 30 │")
        sheet = stage.app.query_one(Sheet)
        for key, row in [
            ("left", 29), ("right", 30), ("pageup", 0), ("pagedown", 30), ("end", 31), ("home", 0)
        ]:  # fmt: skip
            await stage.press(key)
            assert sheet.chosen_row == row, key
        await stage.press("down")
        assert (sheet.chosen_row or 0) > 0
        await stage.press("up")
        assert sheet.chosen_row == 0
        await stage.press("right", "right", "enter")
        assert await stage.until_said() == said.Rewind(row=2)
        assert stage.composer.has_focus
        stage.line.rewind(2)
        await stage.until(lambda: stage.app.talk.conversation.num_rows == 2)


async def test_escape_leaves_the_score_without_cutting() -> None:
    async with on_stage() as stage:
        await speaking(stage)
        await stage.press("f6")
        await stage.until_shown("Esc leaves")
        await stage.press("escape")
        await stage.until(lambda: stage.composer.has_focus)
        assert stage.said == []
        await stage.press("escape")
        assert await stage.until_said() == said.Interrupt()


async def test_the_mouse_chooses_a_row() -> None:
    async with on_stage() as stage:
        await speaking(stage)
        await stage.press("f6")
        await stage.until_shown("Esc leaves")
        sheet = stage.app.query_one(Sheet)
        y = next(n for n, line in enumerate(stage.screen().split("\n")) if " u0 " in line)
        x = stage.screen().split("\n")[y].index("u0")
        await stage.pilot.click(offset=(x, y))
        await stage.until(lambda: sheet.chosen_row == 0)


async def test_dials_turn_while_rows_come_and_show_what_is_in_force() -> None:
    async with on_stage() as stage:
        await stage.press("f8")
        await stage.until_shown("temperature")
        await stage.press("right")
        assert await stage.until_said() == said.SessionUpdate(
            settings=SettingsChange(sampling=KnobsChange(temperature=0.7))
        )
        assert "0.60" in stage.screen()
        stage.line.update(sampling=KNOBS.model_copy(update={"temperature": 0.7}))
        await stage.until_shown("0.70")
        await stage.press("down", "left")
        assert await stage.until_said(2) == said.SessionUpdate(
            settings=SettingsChange(silence_penalty_output=0.5)
        )
        await stage.press("down", "right")
        assert await stage.until_said(3) == said.SessionUpdate(
            settings=SettingsChange(silence_penalty_thought=1.5)
        )
        await stage.press("down", "left")
        assert await stage.until_said(4) == said.SessionUpdate(settings=SettingsChange(pace=15.0))
        await stage.press("escape")
        assert not stage.app.query_one(Dials).has_class("-open")
        assert stage.composer.has_focus


async def test_views_go_round() -> None:
    async with on_stage() as stage:
        await speaking(stage)

        def shown() -> tuple[bool, bool, bool]:
            query = stage.app.query_one
            panes = query(Voices).region.height > 0 and query("#stage").display
            return panes, query(Tape).display, query(Sheet).display

        views = []
        for _ in range(4):
            await stage.pilot.pause(0.1)
            views.append(shown())
            await stage.press("f9")
        await stage.until(lambda: shown() == (True, False, False))
        assert views == [
            (True, True, False), (True, False, False), (False, False, True), (True, True, False)
        ]  # fmt: skip


async def test_help_opens_and_closes_and_tells_every_key() -> None:
    async with on_stage((80, 60)) as stage:
        await stage.press("f1")
        await stage.until(lambda: isinstance(stage.app.screen, Help))
        for action in ACTIONS:
            await stage.until_shown(action.shown_key)
        await stage.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Help))
        assert stage.said == []


async def test_the_palette_has_everything() -> None:
    async with on_stage() as stage:
        titles = {command.title for command in stage.app.get_system_commands(stage.app.screen)}
        for action in ACTIONS:
            if action.name != "command_palette":
                assert any(action.title in title for title in titles), action
        assert {"Inject into Think", "Inject into Skeptical", "Theme"} <= titles
        await stage.press("ctrl+p")
        await stage.until(lambda: type(stage.app.screen).__name__ == "CommandPalette")
        await stage.press(*"hold", "enter")
        await stage.until(lambda: stage.said == [said.Hold()] or stage.app.screen.query(OptionList))
        await stage.press("enter")
        assert await stage.until_said() == said.Hold()


async def test_the_line_of_keys_can_be_clicked() -> None:
    async with on_stage() as stage:
        row = stage.screen().split("\n")[23]
        await stage.pilot.click(offset=(row.index("pause"), 23))
        assert await stage.until_said() == said.Pause()


async def test_what_a_server_can_not_do_is_said_calmly() -> None:
    async with on_stage(channels=None) as stage:
        stage.line.create(capabilities=("input.append",))
        await stage.until(lambda: stage.app.query("Voice"))
        await stage.press("f4")
        await stage.until_shown("hold is not possible")
        assert stage.said == []


async def test_conversations_are_kept_reopened_and_deleted() -> None:
    async with on_stage() as stage:
        stage.line.queue("What is  this?")
        await stage.until(lambda: stage.venue.book.get("s1") and stage.venue.book["s1"].title)
        assert stage.venue.book["s1"].title == "What is this?"
        stage.venue.book["s2"] = Kept("s2", "t2", "[b]older[/b]", "scripted", 5.0, 1234)
        first = stage.line
        await stage.press("ctrl+o")
        await stage.until_shown("[b]older[/b]")
        await stage.until_shown("1,234 rows")
        await stage.press("d")
        await stage.until_shown("This one is open")
        await stage.press("down", "enter")
        await stage.until(lambda: len(stage.venue.connections) == 2)
        assert stage.line.opening == said.SessionResume(token="t2")
        await stage.until(lambda: first.is_closed)

        stage.line.create([("Solo", "output")])
        await stage.until_shown("Solo")
        await stage.press("ctrl+o")
        await stage.until_shown("What is this?")
        await stage.press("down", "d")
        await stage.until_shown("Press d again")
        await stage.press("d")
        await stage.until(lambda: stage.venue.forgotten == ["s2"])
        await stage.press("escape", "ctrl+n")
        await stage.until(lambda: len(stage.venue.connections) == 3)
        assert isinstance(stage.line.opening, said.SessionCreate)


async def test_a_fork_is_kept_with_its_token() -> None:
    async with on_stage() as stage:
        stage.line.fork("s9", "t9")
        await stage.until(lambda: "s9" in stage.venue.book)
        assert stage.venue.book["s9"].token == "t9"
        await stage.until_shown("A copy is kept")


async def test_quit_leaves_the_session_in_order() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+q")
        line = stage.line
    assert line.is_closed
    assert stage.app.return_code == 0
