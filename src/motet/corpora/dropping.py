"""Why something that a model wrote is not kept: a short name that is counted, and what exactly."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["MEANINGS", "Dropped", "DroppedError"]


class Dropped(StrEnum):
    """Reasons; `MEANINGS` says each in a few words."""

    NOT_TAKEN = "not_taken"
    REFUSED = "refused"
    CUT_OFF = "cut_off"
    NO_ROWS = "no_rows"
    BROKEN_ROW = "broken_row"
    UNKNOWN_CHANNEL = "unknown_channel"
    WRONG_WIDTH = "wrong_width"
    BAD_CELL = "bad_cell"
    END_INSIDE = "end_inside"
    TOO_FEW_ROWS = "too_few_rows"
    TOO_MANY_ROWS = "too_many_rows"
    CROWDED = "crowded"
    MUTE = "mute"
    EARLY = "early"
    UNANSWERED = "unanswered"
    SEQUENTIAL = "sequential"
    FORESEEN = "foreseen"
    WRONG_SUM = "wrong_sum"
    NOT_PLANTED = "not_planted"
    OTHER_QUESTION = "other_question"
    WRONG_ANSWER = "wrong_answer"


MEANINGS = {
    Dropped.NOT_TAKEN: "the server does not take the request",
    Dropped.REFUSED: "the model would not write it",
    Dropped.CUT_OFF: "the answer is longer than allowed",
    Dropped.NO_ROWS: "nothing in the answer reads as rows",
    Dropped.BROKEN_ROW: "a row is not well-formed JSON",
    Dropped.UNKNOWN_CHANNEL: "there is no such stream",
    Dropped.WRONG_WIDTH: "a row has another number of cells than there are streams",
    Dropped.BAD_CELL: "a cell is no text, or holds control characters",
    Dropped.END_INSIDE: "text stands behind the <end> of a message",
    Dropped.TOO_FEW_ROWS: "there are too few rows",
    Dropped.TOO_MANY_ROWS: "there are too many rows",
    Dropped.CROWDED: "a cell holds too many words",
    Dropped.MUTE: "a stream that has to speak says nothing",
    Dropped.EARLY: "a stream speaks before the User has begun",
    Dropped.UNANSWERED: "the last message of the User gets no reply",
    Dropped.SEQUENTIAL: "the streams take turns instead of speaking at the same time",
    Dropped.FORESEEN: "a stream says what it cannot know yet",
    Dropped.WRONG_SUM: "a calculation is wrong",
    Dropped.NOT_PLANTED: "there is no wrong calculation, though one was asked for",
    Dropped.OTHER_QUESTION: "the User does not say what was given, word for word",
    Dropped.WRONG_ANSWER: "Output comes to another answer than the right one",
}


class DroppedError(Exception):
    """Raised inside this package where something is found that cannot be kept."""

    def __init__(self, reason: Dropped, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
