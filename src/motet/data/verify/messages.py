"""What a channel says, message by message, as it is meant: a message may pause.

In a channel that closes its messages, silence within one is a pause: a number whose pieces lie
apart is still one number. Where nothing is closed, silence is the end.
"""

from __future__ import annotations

from motet.data.table import Message, Table


def messages_of(table: Table, channel: int) -> list[Message]:
    """The messages of channel number `channel`, in order."""
    runs = table.said(channel)
    if not any(run.is_ended for run in runs):
        return runs
    whole: list[Message] = []
    for run in runs:
        if whole and not whole[-1].is_ended:
            whole[-1] = _joined(whole[-1], run)
        else:
            whole.append(run)
    return whole


def _joined(first: Message, second: Message) -> Message:
    starts = tuple(len(first.text) + start for start in second.starts)
    return Message(
        first.text + second.text, first.rows + second.rows, first.starts + starts, second.is_ended
    )
