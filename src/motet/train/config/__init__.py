"""Everything that decides a training, read strictly from a TOML file."""

from motet.train.config.reading import read_config
from motet.train.config.root import TrainConfig

__all__ = ["TrainConfig", "read_config"]
