"""The datasets of a run: opened, and held against the model that is to read them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from motet.data.grids import GridDataset
from motet.data.mix import Mixture
from motet.data.samples import Samples
from motet.errors import DataError
from motet.streams.layout import Layout
from motet.train.config import TrainConfig
from motet.train.feed.order import Order

__all__ = ["open_sources", "order_of"]


def open_sources(paths: Sequence[str], layout: Layout, tokenizer_sha256: str) -> list[GridDataset]:
    """Open datasets of grids; DataError if one was made for another layout or tokenizer."""
    datasets = [GridDataset.open(Path(path)) for path in paths]
    for path, dataset in zip(paths, datasets, strict=True):
        dataset.check_fit(layout, tokenizer_sha256)
        if not len(dataset):
            raise DataError(path, expected="at least one conversation", got="none")
    return datasets


def order_of(config: TrainConfig, datasets: Sequence[GridDataset], layout: Layout) -> Order:
    """The order in which a run reads its training data."""
    data = config.data
    mixture = Mixture(datasets, [source.weight for source in data.train], config.seed)
    samples_of = partial(_samples, datasets, mixture, config, layout)
    return Order(
        samples_of, config.seed, data.packing, data.rows_per_sequence, data.sequences_per_step,
        data.pool_conversations,
    )  # fmt: skip


def _samples(
    datasets: Sequence[GridDataset],
    mixture: Mixture,
    config: TrainConfig,
    layout: Layout,
    epoch: int,
) -> Samples:
    return Samples(
        datasets, mixture, config.data.augmentation, layout, seed=config.seed, epoch=epoch
    )
