"""The first thing that a connection is told: what the session is and what can be done with it."""

from __future__ import annotations

from motet.protocol.server_events import ChannelInfo, Limits, SessionCreated
from motet.server.live.knobs import echo
from motet.server.live.story import Story
from motet.streams.layout import Layout

_ALWAYS = (
    "session.update", "input.append", "input.clear", "interrupt", "pause", "continue", "step",
    "fork", "rewind", "close",
)  # fmt: skip


def greeting(
    story: Story, model: str, layout: Layout, limits: Limits, token: str, is_new: bool
) -> SessionCreated:
    """`session.created` as the session stands."""
    return SessionCreated(
        seq=0 if is_new else story.log.published,
        row=story.row,
        session_id=story.session_id,
        resume_token=token,
        is_new=is_new,
        model=model,
        channels=tuple(ChannelInfo(name=c.name, role=c.role.value) for c in layout.channels),
        end_id=None if layout.end is None else layout.end.id,
        capabilities=capabilities(layout),
        limits=limits,
        context_rows=story.context_rows,
        context_policy=story.context_policy,
        settings=echo(story.settings, story.pace),
        is_paused=story.is_paused,
        is_held=story.is_held,
    )


def capabilities(layout: Layout) -> tuple[str, ...]:
    """Names of the client events that make sense for a model of this layout."""
    holds = ("hold", "release") if layout.silence is not None else ()
    return (*_ALWAYS, *holds, *(("inject",) if layout.thought_indices else ()))
