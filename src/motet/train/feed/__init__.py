"""What a training reads, in an order that is a function of the configuration alone."""

from motet.train.feed.feed import Feed, Portion
from motet.train.feed.order import Order, Position
from motet.train.feed.source import open_sources, order_of

__all__ = ["Feed", "Order", "Portion", "Position", "open_sources", "order_of"]
