"""How much of what is changed while a training reads its data. All shares are 0 at first."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0, strict=False)]
Rows = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LeadSilence(_Section):
    """Rest before anybody speaks. share: of all samples; max_rows: of rest."""

    share: Share = 0.0
    max_rows: Rows = 16


class ShiftSilence(_Section):
    """Pauses of the User and delays of the others. max_places: how many in one sample."""

    share: Share = 0.0
    max_rows: Rows = 8
    max_places: Annotated[int, Field(ge=1)] = 2


class Concatenate(_Section):
    """Several conversations as turns of one.

    share: of all conversations, how many follow the one before in the same sample; max_gap_rows:
    of rest between two turns.
    """

    share: Share = 0.0
    max_turns: Annotated[int, Field(ge=2)] = 4
    max_gap_rows: Rows = 8


class Interrupt(_Section):
    """The User cuts in. share: of the turns that follow another one."""

    share: Share = 0.0


class Augmentation(_Section):
    """What is done to the conversations of an epoch.

    max_rows: no sample becomes longer by a change; None: no limit.
    """

    max_rows: Rows | None = None
    lead_silence: LeadSilence = LeadSilence()
    shift_silence: ShiftSilence = ShiftSilence()
    concatenate: Concatenate = Concatenate()
    interrupt: Interrupt = Interrupt()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.interrupt.share and not self.concatenate.share:
            raise ValueError("interrupt.share needs concatenate.share: one turn is not cut off")
        return self

    @property
    def is_none(self) -> bool:
        """Whether nothing is ever changed."""
        parts = (self.lead_silence, self.shift_silence, self.concatenate)
        return not any(part.share for part in parts)
