"""Augmentation while loading: changes of when things are said, never of what depends on what."""

from motet.data.augment.config import Augmentation
from motet.data.augment.sample import augment
from motet.data.augment.silence import lead_silence, shift_silence
from motet.data.augment.turns import concatenate, interrupt
from motet.data.augment.voices import Voices

__all__ = [
    "Augmentation",
    "Voices",
    "augment",
    "concatenate",
    "interrupt",
    "lead_silence",
    "shift_silence",
]
