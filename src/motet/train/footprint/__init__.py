"""What a training needs of a device's memory, computed from the sizes of the model."""

from motet.train.footprint.needs import Memory, Sharding, memory_of
from motet.train.footprint.trained import Trained

__all__ = ["Memory", "Sharding", "Trained", "memory_of"]
