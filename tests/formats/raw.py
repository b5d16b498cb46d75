"""GGUF files byte by byte, as nobody should write them."""

from __future__ import annotations

from collections.abc import Sequence

UINT32, FLOAT32, BOOL, STRING, ARRAY, UINT64 = 4, 6, 7, 8, 9, 10
F32, Q8_0 = 0, 8


def u32(number: int) -> bytes:
    return number.to_bytes(4, "little")


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def string(text: str | bytes) -> bytes:
    data = text if isinstance(text, bytes) else text.encode()
    return u64(len(data)) + data


def value(key: str | bytes, kind: int, data: bytes) -> bytes:
    return string(key) + u32(kind) + data


def tensor(name: str | bytes, ne: Sequence[int] = (4,), kind: int = F32, offset: int = 0) -> bytes:
    sizes = b"".join(map(u64, ne))
    return string(name) + u32(len(ne)) + sizes + u32(kind) + u64(offset)


ARCHITECTURE = value("general.architecture", STRING, string("llama"))


def file(
    values: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    data: bytes = b"",
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    num_values: int | None = None,
    num_tensors: int | None = None,
    alignment: int = 32,
) -> bytes:
    """A file with an architecture, these values and tensors, and `data` after the padding."""
    values = [ARCHITECTURE, *values]
    head = magic + u32(version)
    head += u64(len(tensors) if num_tensors is None else num_tensors)
    head += u64(len(values) if num_values is None else num_values)
    head += b"".join(values) + b"".join(tensors)
    return head + bytes(-len(head) % alignment) + data
