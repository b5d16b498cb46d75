"""What is read, in which portions, and what is changed while loading."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from motet.data.augment import Augmentation
from motet.train.config.section import Count, Positive, Section

__all__ = ["DataConfig", "Packing", "SourceConfig"]


class Packing(StrEnum):
    """none: a conversation a sequence; else several, which don't see each other or do."""

    NONE = "none"
    SEPARATE = "separate"
    VISIBLE = "visible"


class SourceConfig(Section):
    """A dataset of grids and how often it is drawn from, relative to the others."""

    path: str
    weight: Positive = 1.0


class DataConfig(Section):
    """rows_per_sequence: rows that a sequence holds at most; longer conversations are cut there.

    sequences_per_step: of all processes and accumulated micro-batches together; it decides the
    result. sequences_at_once: in one forward of one process; it decides memory and speed.
    pool_conversations: how many are looked at together to pack and to mix well. background: read
    in a process of its own.
    """

    train: Annotated[tuple[SourceConfig, ...], Field(min_length=1)]
    rows_per_sequence: Annotated[int, Field(ge=2)] = 1_024
    sequences_per_step: Count = 8
    sequences_at_once: Count = 1
    packing: Packing = Packing.SEPARATE
    pool_conversations: Count = 1_024
    background: bool = False
    augmentation: Augmentation = Augmentation()
