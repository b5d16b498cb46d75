"""Statistics of a dataset: fill, who speaks when, how long Output waits, lengths."""

from motet.data.stats.reading import measure
from motet.data.stats.report import statistics_json
from motet.data.stats.statistics import Statistics

__all__ = ["Statistics", "measure", "statistics_json"]
