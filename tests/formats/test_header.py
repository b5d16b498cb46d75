"""A GGUF header is read as the specification says, and nothing that is wrong gets through."""

from __future__ import annotations

import mmap
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from motet.errors import CheckpointError, MotetError
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import read_gguf
from motet.formats.header import Header, parse_header
from tests.formats import raw
from tests.formats.raw import u32, u64

HUGE = 2**64 - 1


def parse(data: bytes) -> Header:
    return parse_header(data, "model.gguf")


def test_types_are_those_of_ggml() -> None:
    """Numbers, block sizes and bytes, as gguf-py knows them."""
    theirs = {k.name: (int(k), *gguf.GGML_QUANT_SIZES[k]) for k in gguf.GGMLQuantizationType}
    ours = {k.name: (int(k), k.block_size, k.block_bytes) for k in GGMLType}
    assert ours.items() <= theirs.items()
    assert theirs.keys() - ours.keys() <= {"Q1_0", "Q2_0"}


def written(path: Path) -> Path:
    """A file by gguf-py with a value of every type and tensors of some."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("u8", 255)
    writer.add_int8("i8", -5)
    writer.add_uint16("u16", 65535)
    writer.add_int16("i16", -300)
    writer.add_uint32("u32", 2**32 - 1)
    writer.add_int32("i32", -70000)
    writer.add_float32("f32", 0.5)
    writer.add_uint64("u64", 2**63)
    writer.add_int64("i64", -(2**40))
    writer.add_float64("f64", 1e300)
    writer.add_bool("yes", True)
    writer.add_string("text", "Grüße 漢字")
    writer.add_array("words", ["a", "", "Ġ"])
    writer.add_array("numbers", [1, -2, 3])
    writer.add_array("floats", [0.25, 4.0])
    writer.add_array("flags", [True, False])
    writer.add_tensor("vector", np.arange(5, dtype=np.float32))
    writer.add_tensor("matrix", np.arange(6, dtype=np.float16).reshape(2, 3))
    blocks = gguf.quantize(np.ones((2, 3, 64), np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("experts", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_reads_what_gguf_py_writes(tmp_path: Path) -> None:
    model = read_gguf(written(tmp_path / "model.gguf"))
    assert model.architecture == "llama"
    plain = {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in model.metadata.items()
    }
    assert plain == {
        "general.architecture": "llama", "u8": 255, "i8": -5, "u16": 65535, "i16": -300,
        "u32": 2**32 - 1, "i32": -70000, "f32": 0.5, "u64": 2**63, "i64": -(2**40), "f64": 1e300,
        "yes": True, "text": "Grüße 漢字", "words": ["a", "", "Ġ"], "numbers": [1, -2, 3],
        "floats": [0.25, 4.0], "flags": [True, False],
    }  # fmt: skip
    for theirs in gguf.GGUFReader(tmp_path / "model.gguf").tensors:
        ours = model.tensors[theirs.name]
        assert (ours.type, ours.offset) == (theirs.tensor_type, theirs.data_offset)
        assert (ours.shape, ours.num_bytes) == (tuple(theirs.shape[::-1]), theirs.n_bytes)
    assert list(model.tensors) == ["vector", "matrix", "experts"]


def test_reads_versions_2_and_3_and_other_alignments() -> None:
    assert parse(raw.file(version=2)).metadata == {"general.architecture": "llama"}
    sixty_four = raw.value("general.alignment", raw.UINT32, u32(64))
    data = raw.file(
        [sixty_four], [raw.tensor("a"), raw.tensor("b", offset=64)], bytes(80), alignment=64
    )
    tensors = parse(data).tensors
    assert tensors["a"].offset % 64 == 0
    assert tensors["b"].offset == tensors["a"].offset + 64


BROKEN: dict[str, tuple[bytes, str]] = {
    "another format": (b"PK\x03\x04" + bytes(100), "magic"),
    "nothing": (b"", "magic"),
    "version 1": (raw.file(version=1), "version"),
    "version 4": (raw.file(version=4), "version"),
    "big-endian": (raw.file(version=3 << 24), "big-endian"),
    "more values than bytes": (raw.file(num_values=HUGE), "number of metadata values"),
    "fewer values than promised": (raw.file(num_values=2), "key"),
    "more tensors than bytes": (raw.file(num_tensors=HUGE), "number of tensors"),
    "a tensor that is not there": (raw.file(num_tensors=1), "tensor name"),
    "an endless key": (raw.file([u64(HUGE)]), "key"),
    "a long key": (raw.file([raw.value("k" * 65536, raw.BOOL, b"\1")]), "key"),
    "a key that is no UTF-8": (raw.file([raw.value(b"\xff\xfe", raw.BOOL, b"\1")]), "UTF-8"),
    "a key twice": (raw.file([raw.ARCHITECTURE]), "twice"),
    "an unknown type of value": (raw.file([raw.value("k", 13, bytes(8))]), "a type of metadata"),
    "a boolean of 2": (raw.file([raw.value("k", raw.BOOL, b"\2")]), "booleans"),
    "an endless string": (raw.file([raw.value("k", raw.STRING, u64(HUGE))]), "more bytes"),
    "a string that is no UTF-8": (
        raw.file([raw.value("k", raw.STRING, raw.string(b"\xc3("))]), "UTF-8",
    ),
    "an array of arrays": (
        raw.file([raw.value("k", raw.ARRAY, u32(raw.ARRAY) + u64(1) + u32(raw.BOOL) + u64(0))]),
        "no arrays of arrays",
    ),
    "an endless array": (
        raw.file([raw.value("k", raw.ARRAY, u32(raw.UINT64) + u64(HUGE // 8))]), "at most",
    ),
    "an array of endless strings": (
        raw.file([raw.value("k", raw.ARRAY, u32(raw.STRING) + u64(1) + u64(HUGE))]),
        "strings inside the file",
    ),
    "an array that wraps around": (
        raw.file([raw.value("k", raw.ARRAY, u32(raw.UINT64) + u64(2**61))]), "at most",
    ),
    "an array of half a string": (
        raw.file([raw.value("k", raw.ARRAY, u32(raw.STRING) + u64(2) + u64(24))], alignment=1)
        + bytes(28),
        "a string",
    ),
    "an array of strings that are no UTF-8": (
        raw.file([raw.value("k", raw.ARRAY, u32(raw.STRING) + u64(1) + raw.string(b"\xff"))]),
        "UTF-8",
    ),
    "no dimensions": (raw.file([], [raw.tensor("t", ())], bytes(16)), "dimensions"),
    "five dimensions": (raw.file([], [raw.tensor("t", (1,) * 5)], bytes(16)), "dimensions"),
    "a dimension of 0": (raw.file([], [raw.tensor("t", (0,))], bytes(16)), "a shape"),
    "a size that wraps around": (
        raw.file([], [raw.tensor("t", (2**32, 2**32))], bytes(16)), "a shape",
    ),
    "part of a block": (
        raw.file([], [raw.tensor("t", (33,), raw.Q8_0)], bytes(99)), "blocks of 32",
    ),
    "an unknown type of tensor": (raw.file([], [raw.tensor("t", kind=4)], bytes(16)), "known"),
    "an empty name": (raw.file([], [raw.tensor("")], bytes(16)), "at least 1"),
    "a long name": (raw.file([], [raw.tensor("t" * 65)], bytes(16)), "at most 64 bytes"),
    "a name twice": (raw.file([], [raw.tensor("t"), raw.tensor("t")], bytes(16)), "twice"),
    "an odd offset": (raw.file([], [raw.tensor("t", offset=8)], bytes(99)), "multiple of 32"),
    "data beyond the end": (raw.file([], [raw.tensor("t")], bytes(15)), "16 bytes at"),
    "an offset beyond the end": (
        raw.file([], [raw.tensor("t", offset=HUGE - 31)], bytes(16)), "16 bytes at",
    ),
    "an alignment of 0": (
        raw.file([raw.value("general.alignment", raw.UINT32, u32(0))]), "power of two",
    ),
    "an alignment of 48": (
        raw.file([raw.value("general.alignment", raw.UINT32, u32(48))]), "power of two",
    ),
    "an alignment in words": (
        raw.file([raw.value("general.alignment", raw.STRING, raw.string("32"))]), "power of two",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_refuses(data: bytes, words: str) -> None:
    with pytest.raises(CheckpointError) as refusal:
        parse(data)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("model.gguf: ")
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("data", [data for data, _ in BROKEN.values()])
def test_a_hostile_file_costs_no_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError):
            parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + 4 * len(data)
    finally:
        tracemalloc.stop()


def check_inside(header: Header, size: int) -> None:
    for info in header.tensors.values():
        kind = GGMLType(info.type)
        assert info.num_bytes == kind.num_bytes(info.shape) > 0
        assert 0 <= info.offset <= info.offset + info.num_bytes <= size


def test_any_cut_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "model.gguf").read_bytes().rstrip(b"\0")
    for size in range(len(data)):
        with pytest.raises(CheckpointError):
            parse(data[:size])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return written(tmp_path_factory.mktemp("gguf") / "model.gguf").read_bytes()


@given(data=st.data())
def test_changed_bytes_are_refused_or_read_inside(whole: bytes, data: Any) -> None:
    """Any few bytes changed, numbers preferred that hostile files have."""
    changed = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        patch = data.draw(
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.sampled_from([u64(HUGE), u64(2**63), u64(2**32), u32(9), u32(2**31), u64(0)]),
            )
        )
        place = data.draw(st.integers(0, len(changed) - len(patch)))
        changed[place : place + len(patch)] = patch
    try:
        header = parse(bytes(changed))
    except CheckpointError:
        return
    check_inside(header, len(changed))


@given(st.binary(max_size=400))
@example(b"GGUF" + u32(3) + u64(0) + u64(0))
def test_any_bytes_are_refused_or_read_inside(tail: bytes) -> None:
    data = b"GGUF" + u32(3) + tail
    try:
        header = parse(data)
    except CheckpointError:
        return
    check_inside(header, len(data))


@given(
    st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=9), max_size=5),
    st.integers(0, 3),
)
def test_metadata_survives(values: dict[str, str], num_tensors: int) -> None:
    values.pop("general.architecture", None)
    values.pop("general.alignment", None)
    entries = [raw.value(k, raw.STRING, raw.string(v)) for k, v in values.items()]
    tensors = [raw.tensor(f"t{i}", (2, 3), offset=32 * i) for i in range(num_tensors)]
    header = parse(raw.file(entries, tensors, bytes(32 * num_tensors)))
    assert header.metadata == {"general.architecture": "llama", **values}
    assert [info.shape for info in header.tensors.values()] == [(3, 2)] * num_tensors


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "nameless.gguf").write_bytes(b"GGUF" + u32(3) + u64(0) + u64(0))
    for name, words in [
        ("missing.gguf", "no such file"), ("empty.gguf", "empty"), (".", "GGUF file"),
        ("nameless.gguf", "general.architecture"),
    ]:  # fmt: skip
        with pytest.raises(MotetError, match=words):
            read_gguf(tmp_path / name)


def test_a_mapped_file_is_closed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps: list[mmap.mmap] = []

    class Map(mmap.mmap):
        def __init__(self, *_: object, **__: object) -> None:
            maps.append(self)

    monkeypatch.setattr(mmap, "mmap", Map)
    read_gguf(written(tmp_path / "model.gguf"))
    assert [m.closed for m in maps] == [True]
