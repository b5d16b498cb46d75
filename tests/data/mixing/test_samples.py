"""What a training reads: everything once, the same whoever asks, in whatever order."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from motet.data.augment import Augmentation
from motet.data.dataset import MadeBy
from motet.data.grids import GridDataset, GridWriter
from motet.data.mix import Mixture
from motet.data.samples import Samples
from motet.data.token_grid import TokenGrid
from motet.errors import SettingError
from motet.streams.layout import Channel, ConvMode, Layout, Role
from tests.data.mixing.scores import FIRST_WORD, LAYOUT, SILENCE, grid_of

JOINED = Augmentation.model_validate(
    {
        "max_rows": 40,
        "concatenate": {"share": 0.6, "max_turns": 3, "max_gap_rows": 2},
        "interrupt": {"share": 0.5},
        "lead_silence": {"share": 0.5, "max_rows": 4},
        "shift_silence": {"share": 0.5},
    }
)
SIZES = (23, 9)


def write(path: Path, num_grids: int, name: str, layout: Layout = LAYOUT) -> GridDataset:
    with GridWriter(
        path, layout, 256, "0" * 64, MadeBy(command=("test",)), shard_rows=60
    ) as writer:
        for number in range(num_grids):
            length = 1 + number % 5
            user, output = ".ab$", "......" + "xyzuv"[:length] + "$"
            writer.write(grid_of(user, output, "....1$", name=f"{name}{number}"))
    return GridDataset.open(path)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> list[GridDataset]:
    folder = tmp_path_factory.mktemp("datasets")
    return [write(folder / name, size, name) for name, size in zip("ab", SIZES, strict=True)]


def samples_of(
    datasets: list[GridDataset],
    augmentation: Augmentation = JOINED,
    *,
    seed: int = 0,
    epoch: int = 0,
) -> Samples:
    mixture = Mixture(datasets, [2, 1], seed)
    return Samples(datasets, mixture, augmentation, LAYOUT, seed=seed, epoch=epoch)


def content(grid: TokenGrid) -> tuple[str, bytes]:
    return grid.id, grid.tokens_RC.tobytes()


def test_every_conversation_of_the_epoch_is_in_one_sample(datasets: list[GridDataset]) -> None:
    samples = samples_of(datasets)
    order = Mixture(datasets, [2, 1], 0).epoch(0)[:]
    places = [samples.places(i) for i in range(len(samples))]
    assert [place for group in places for place in group] == order
    ids = [name for sample in samples for name in sample.id.split("+")]
    assert Counter(ids) == Counter(f"{'ab'[d]}{i}" for d, i in order)
    assert {len(group) for group in places} == {1, 2, 3}


def test_a_sample_does_not_depend_on_what_was_read_before(datasets: list[GridDataset]) -> None:
    in_order = [content(sample) for sample in samples_of(datasets)]
    backwards = samples_of(pickle.loads(pickle.dumps(datasets)))
    again = [content(backwards[i]) for i in reversed(range(len(backwards)))]
    assert again[::-1] == in_order
    assert content(backwards[-1]) == in_order[-1]
    assert [content(sample) for sample in backwards[2:5]] == in_order[2:5]


def test_epochs_and_seeds_differ(datasets: list[GridDataset]) -> None:
    kinds = [samples_of(datasets, seed=s, epoch=e) for s in (0, 1) for e in (0, 1)]
    assert len({tuple(map(content, samples)) for samples in kinds}) == 4


def test_joined_samples_stay_within_their_rows(datasets: list[GridDataset]) -> None:
    for epoch in range(4):
        samples = samples_of(datasets, epoch=epoch)
        assert max(sample.num_rows for sample in samples) <= 40
        assert all((sample.tokens_RC[0] == SILENCE).all() for sample in samples)


def test_without_augmentation_a_sample_is_a_conversation(datasets: list[GridDataset]) -> None:
    samples = samples_of(datasets, Augmentation())
    assert len(samples) == sum(SIZES)
    dataset, conversation = samples.places(5)[0]
    assert content(samples[5]) == content(datasets[dataset][conversation])
    with pytest.raises(IndexError):
        samples[len(samples)]


def test_a_layout_without_silence_is_read_as_it_is(tmp_path: Path) -> None:
    layout = Layout((Channel("Text", Role.OUTPUT),), None, None, ConvMode.COLUMN, False)
    with GridWriter(tmp_path / "c", layout, 9, "0" * 64, MadeBy(command=("test",))) as writer:
        writer.write(TokenGrid("t", np.array([[FIRST_WORD], [3]], np.int32)))
    datasets = [GridDataset.open(tmp_path / "c")]
    mixture = Mixture(datasets, [1], 0)
    plain = Samples(datasets, mixture, Augmentation(), layout, seed=0, epoch=0)
    assert plain[0].tokens_RC.tolist() == [[2], [3]]
    with pytest.raises(SettingError, match="silence"):
        Samples(datasets, mixture, JOINED, layout, seed=0, epoch=0)
