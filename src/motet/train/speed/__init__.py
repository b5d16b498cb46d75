"""How fast a step of training is, what it takes in memory, and what the arithmetic alone takes."""

from motet.train.speed.comparison import Comparison, Side
from motet.train.speed.process import Seconds, TrainingProcess
from motet.train.speed.setting import Setting
from motet.train.speed.work import StepWork, step_work

__all__ = [
    "Comparison",
    "Seconds",
    "Setting",
    "Side",
    "StepWork",
    "TrainingProcess",
    "step_work",
]
