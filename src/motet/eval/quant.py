"""What quantisation costs: every variant of a model held against its float32 self.

A variant goes the way that a user's model goes: converted into a GGUF file and opened from there,
its cache in half precision. The reference is the float32 file on ggml's own operations, its cache
in float32 too. Where own kernels take part, the same file is also measured without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from motet.data.tiny.lines import Task
from motet.engine import Engine, load
from motet.errors import SettingError
from motet.eval.answers import Answers, Attempt, attempt
from motet.eval.divergence import Cells, Divergence, Reference, compare
from motet.eval.intervals import Interval, bootstrap_mean
from motet.eval.passages import Passage
from motet.formats.convert import convert, plan
from motet.formats.directory import ModelDirectory
from motet.formats.gguf import read_gguf
from motet.formats.quantize import Quant
from motet.runtime.native import KVType, NativeRuntime, map_gguf
from motet.runtime.native.paths import Kernels
from motet.runtime.opening import CacheType, RuntimeName

QUANTS = (
    Quant.F32, Quant.F16, Quant.Q8_0, Quant.Q6_K, Quant.Q5_K, Quant.Q4_K, Quant.Q4_0,
    Quant.IQ4_XS,
)  # fmt: skip
"""What is measured if nothing is chosen, as far as the shapes of a model allow."""

Begin = Callable[[str, int], Callable[[], None]]
"""Told what is about to be done in how many parts; what it returns is called after each."""


@dataclass(frozen=True)
class OverStock:
    """Mean KL with own kernels minus that without, cell by cell; with a 95 % interval."""

    difference: float
    interval: Interval

    @classmethod
    def of(cls, own: Cells, stock: Cells) -> OverStock:
        """Both must have read the same passages."""
        difference_N = own.divergence_N - stock.divergence_N
        interval = bootstrap_mean(difference_N, own.passage_N)
        return cls(float(difference_N.mean()), interval)


@dataclass(frozen=True)
class Measured:
    """One variant. num_bytes: of its weights. over_stock: where own kernels take part.

    answers: None if no problems were asked.
    """

    quant: Quant
    kernels: Kernels
    num_bytes: int
    divergence: Divergence
    over_stock: OverStock | None
    answers: Answers | None


class Study:
    """A model's float32 self and its variants, in files that vanish when the context is left.

    num_threads: of each runtime; None means all cores.
    """

    def __init__(self, directory: ModelDirectory, num_threads: int | None = None) -> None:
        self.directory = directory
        self.reference: Engine[Any]
        self._num_threads = num_threads
        self._folder = TemporaryDirectory(prefix="motet-quant-")

    def __enter__(self) -> Self:
        try:
            file = self._converted(Quant.F32)
            base = load(file, runtime=RuntimeName.NATIVE, cache=CacheType.F32)
        except BaseException:
            self._folder.cleanup()
            raise
        runtime = self._opened(file, Kernels.STOCK, KVType.F32)
        self.reference = Engine(self.directory.name, runtime, base.codec, base.sampling)
        self._expected = Reference(runtime, base.codec.vocab_size)
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def measure(
        self,
        quant: Quant,
        passages: Sequence[Passage],
        tasks: Sequence[Task],
        answered: Sequence[Attempt],
        begin: Begin,
    ) -> Iterator[Measured]:
        """The variants of `quant`: on ggml's operations, then with own kernels if any fits.

        answered: what the reference made of `tasks`.
        """
        stock = None
        num_bytes = plan(self.directory, quant).num_bytes
        for kernels, engine in self.variants(quant):
            advance = begin(f"{quant}, {kernels} kernels", len(passages) + len(tasks))
            cells = compare(self._expected, engine.runtime, passages, advance)
            attempts = attempt(engine, tasks, advance=advance)
            yield Measured(
                quant=quant,
                kernels=kernels,
                num_bytes=num_bytes,
                divergence=Divergence.of(cells),
                over_stock=None if stock is None else OverStock.of(cells, stock),
                answers=Answers.of(attempts, answered) if attempts else None,
            )
            stock = cells

    def variants(self, quant: Quant) -> Iterator[tuple[Kernels, Engine[Any]]]:
        """The model as `quant`, without own kernels and, if any fits, with them."""
        file = self._converted(quant)
        for kernels in (Kernels.STOCK, Kernels.OWN):
            runtime = self._opened(file, kernels, KVType.F16)
            if kernels is Kernels.STOCK or any(path.is_own for path in runtime.paths.values()):
                codec, sampling = self.reference.codec, self.reference.sampling
                yield kernels, Engine(self.directory.name, runtime, codec, sampling)

    def _converted(self, quant: Quant) -> Path:
        file = Path(self._folder.name) / f"{quant.value}.gguf"
        if not file.exists():
            convert(self.directory.path, file, quant)
        return file

    def _opened(self, file: Path, kernels: Kernels, cache: KVType) -> NativeRuntime:
        model = map_gguf(read_gguf(file))
        return NativeRuntime(
            model,
            kv_type=cache,
            num_threads=self._num_threads,
            kernels=kernels,
            tiles_folder=Path(self._folder.name),
        )


def fits(directory: ModelDirectory, quant: Quant) -> bool:
    """Whether any matrix of a model can be written as `quant`, or all would become another type."""
    return any(tensor.type is quant.type for tensor in plan(directory, quant).tensors)


def check_fit(directory: ModelDirectory, quant: Quant) -> None:
    """SettingError if no matrix of a model can be written as `quant`."""
    if not fits(directory, quant):
        raise SettingError(
            f"{quant.value} weights", expected=f"rows of a multiple of {quant.type.block_size}",
            got=f"none in {directory.name}", fix="measure another type",
        )  # fmt: skip
