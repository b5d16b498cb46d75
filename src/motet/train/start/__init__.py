"""What a training begins with: a model, its layout and its tokenizer."""

from motet.train.start.opening import Start, open_start, write_start
from motet.train.start.vocabulary import Vocabulary

__all__ = ["Start", "Vocabulary", "open_start", "write_start"]
