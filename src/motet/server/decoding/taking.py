"""Queueing texts, and saying which of a channel's tokens they became.

The tokens that a channel reads of its queue are numbered 0, 1, ... as they are read. A text that
is queued knows the numbers of its tokens beforehand, as long as nothing before it is dropped.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from motet.engine import Feed, Session
from motet.engine.message import Message, char_ends, message_tokens
from motet.engine.waiting import Queued, Waiting, given_block
from motet.errors import StateError
from motet.runtime.protocol import StateT
from motet.server.decoding.member import Member
from motet.server.decoding.messages import Taken, Unread
from motet.streams.grid import TOKEN_DTYPE
from motet.streams.layout import Layout

if TYPE_CHECKING:
    from motet.engine.chat import Chat


def give(session: Session[StateT], text: str | tuple[int, ...], feed: Feed | None) -> Taken:
    """Queue a message behind what waits."""
    num_waiting = len(session.queued_ids)
    if isinstance(text, str):
        taken = _taken(session, num_waiting, session.give(text, feed=feed), feed)
        return taken if session.chat is None else _within(taken, text)
    return _taken(session, num_waiting, session.give_ids(text, feed=feed), feed)


def interrupt(session: Session[StateT], text: str, feed: Feed | None) -> Taken:
    """Drop the messages that wait and queue this one."""
    taken = _taken(session, 0, session.interrupt(text, feed=feed), feed)
    return taken if session.chat is None else _within(taken, text)


def inject(member: Member[StateT], channel: int, text: str) -> Taken:
    """Queue words to a thought channel."""
    session = member.session
    num_waiting = len(session.waiting.queues[channel])
    session.put(session.layout.names[channel], text)
    put = list(session.waiting.queues[channel])[num_waiting:]
    ends = char_ends([queued.token_id for queued in put], session.codec)
    return Taken(channel, Feed.LIVE, member.put_read[channel] + num_waiting, tuple(ends))


def queue_again(member: Member[StateT], text: Unread) -> Taken:
    """Queue what is left of a text that was queued when the session was put away.

    It was let in then, so no limit is asked again. StateError if it is other tokens now.
    """
    session = member.session
    if session.chat is not None:
        return _turn_again(session, session.chat, text)
    codec, waiting = session.codec, session.waiting
    is_message = text.channel == session.layout.prompt_index
    ids = message_tokens(text.text, codec) if is_message else codec.encode(text.text)
    num_before = text.num_tokens - len(ids)
    before = [codec.end_id] * num_before if codec.end_id is not None else []
    if len(before) != num_before:
        raise StateError("queued text", expected=f"{text.num_tokens} tokens", got=len(ids))
    rest = [*before, *ids][text.num_read :]
    if is_message:
        first = session.num_read + len(waiting.prompt_ids)
        _append(waiting, rest, text, session.layout)
    else:
        first = member.put_read[text.channel] + len(waiting.queues[text.channel])
        waiting.put(text.channel, rest)
    ends = [0] * num_before + char_ends(ids, codec)
    return Taken(text.channel, text.feed, first, tuple(ends[text.num_read :]))


def _turn_again(session: Session[StateT], chat: Chat, text: Unread) -> Taken:
    """The same for a turn of a chat."""
    turn = chat.turn(text.text, session.num_messages - bool(text.num_read))
    if len(turn.words) != text.num_tokens:
        raise StateError("queued text", expected=f"{text.num_tokens} tokens", got=len(turn.words))
    message = session.queue_rest(chat, text.text, text.num_read)
    ends = char_ends([turn.ids[row] for row in turn.words], session.codec)[text.num_read :]
    taken = Taken(session.layout.prompt_index, text.feed, message.first, tuple(ends))
    return _within(taken, text.text)


def _within(taken: Taken, text: str) -> Taken:
    """A chat's first and last words may be one token with what its template writes beside them."""
    ends = [min(end, len(text)) for end in taken.ends]
    return dataclasses.replace(taken, ends=(*ends[:-1], len(text)))


def _append(waiting: Waiting, ids: list[int], text: Unread, layout: Layout) -> None:
    if text.num_read == 0:
        (waiting.append if text.feed is Feed.LIVE else waiting.append_prefill)(ids)
    elif text.feed is Feed.LIVE:
        waiting.queues[text.channel].extend(Queued(token_id) for token_id in ids)
    else:
        silence_id = 0 if layout.silence is None else layout.silence.id
        tokens_RC = np.full((len(ids), layout.num_channels), silence_id, TOKEN_DTYPE)
        tokens_RC[:, text.channel] = ids
        waiting.prefills.append(given_block(tokens_RC, (), range(len(ids))))


def _taken(
    session: Session[StateT], num_waiting: int, message: Message, feed: Feed | None
) -> Taken:
    """num_waiting: tokens of messages that waited before this one was queued."""
    num_before = len(session.queued_ids) - num_waiting - len(message.ids)
    return Taken(
        channel=session.layout.prompt_index,
        feed=session.settings.feed_for(session.layout, feed),
        first=session.num_read + num_waiting,
        ends=(*[0] * num_before, *char_ends(message.ids, session.codec)),
    )
