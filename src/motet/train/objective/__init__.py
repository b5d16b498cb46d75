"""What a training minimises: cross-entropy of the next row, weighted by what channels tell."""

from motet.train.objective.config import ObjectiveConfig
from motet.train.objective.objective import Objective
from motet.train.objective.parts import LossParts

__all__ = ["LossParts", "Objective", "ObjectiveConfig"]
