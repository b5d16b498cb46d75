"""The folder of a run: what made it, where things are, and that only one training writes there.

A run holds the folder's `lock` and writes:

    config.toml      every key with its value        versions.json   of everything that matters
    metrics.jsonl    a line for every few steps      checkpoints/    to go on from
    last/  best/     models, when the run is done
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from motet import __version__
from motet.data.dataset import DATASET_FILE, file_sha256
from motet.data.whole import whole_file
from motet.errors import SettingError
from motet.train.config import TrainConfig, read_config
from motet.train.config.toml import to_toml

__all__ = ["RunFolder"]

_PACKAGES = ("torch", "transformers", "accelerate", "peft", "datasets", "numpy", "pyarrow")
_FREE = (  # what may change from one start of a run to the next: it does not change the result
    "output", "checkpoints", "log.report_to", "export", "data.sequences_at_once",
)  # fmt: skip


@dataclass(frozen=True)
class RunFolder:
    """The folder at `path`."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The configuration, resolved."""
        return self.path / "config.toml"

    @property
    def metrics_file(self) -> Path:
        """The lines of figures."""
        return self.path / "metrics.jsonl"

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints are."""
        return self.path / "checkpoints"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Keep other trainings out; SettingError if one is at work here."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise SettingError("output", expected="a folder to write to", got=error) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise SettingError(
                    f"output {self.path}", expected="a folder that no training writes to",
                    got=f"one in use by process {lock.read().strip() or 'unknown'}",
                    fix="wait for it, stop it, or give another --output",
                ) from None  # fmt: skip
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            yield

    def begin(self, config: TrainConfig) -> None:
        """Write what makes this run, or check that it is what made it so far."""
        versions = versions_of(config)
        if self.config_file.exists():
            earlier = read_config(self.config_file)
            changed = [key for key in _differences(earlier, config) if not _is_free(key)]
            if changed:
                raise SettingError(
                    f"output {self.path}", expected="the configuration that it was begun with",
                    got=f"another {', '.join(changed)}", fix="give another --output",
                )  # fmt: skip
        with whole_file(self.config_file) as file:
            file.write(to_toml(config).encode("utf-8"))
        with whole_file(self.path / "versions.json") as file:
            file.write(json.dumps(versions, indent=2).encode("utf-8") + b"\n")

    def cut_metrics(self, step: int) -> None:
        """Drop the lines of steps after `step`: they are about to be taken once more."""
        if not self.metrics_file.exists():
            return
        kept = []
        for line in self.metrics_file.read_bytes().splitlines(keepends=True):
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except ValueError:  # the last line of a run that was killed while it wrote
                break
        with whole_file(self.metrics_file) as file:
            file.writelines(kept)

    def add_metrics(self, figures: dict[str, Any]) -> None:
        """Append a line."""
        with self.metrics_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")


def versions_of(config: TrainConfig) -> dict[str, Any]:
    """What a result may depend on besides the configuration."""
    packages = {"motet": __version__}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    sources = [source.path for source in config.data.train] + list(config.evaluation.data)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "packages": packages,
        "command": sys.argv,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "datasets": {path: _digest(Path(path) / DATASET_FILE) for path in sources},
    }


def _digest(path: Path) -> str | None:
    return file_sha256(path) if path.is_file() else None


def _is_free(key: str) -> bool:
    return any(key == free or key.startswith(f"{free}.") for free in _FREE)


def _differences(earlier: TrainConfig, config: TrainConfig) -> list[str]:
    old, new = (_flat(c.model_dump(mode="json")) for c in (earlier, config))
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
