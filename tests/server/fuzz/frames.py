"""WebSocket frames as no client should make them, over a plain socket."""

from __future__ import annotations

import base64
import os
import socket
import struct

__all__ = ["BINARY", "CLOSE", "CONT", "PING", "PONG", "TEXT", "RawSocket", "frame"]

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def frame(
    payload: bytes, opcode: int = TEXT, *, is_last: bool = True, is_masked: bool = True,
    reserved: int = 0, said_bytes: int | None = None,
) -> bytes:  # fmt: skip
    """One frame; said_bytes: the length that it says it has."""
    length = len(payload) if said_bytes is None else said_bytes
    head = bytes([(is_last << 7) | (reserved << 4) | opcode])
    mask_bit = is_masked << 7
    if length < 126:
        head += bytes([mask_bit | length])
    elif length < 2**16:
        head += bytes([mask_bit | 126]) + struct.pack("!H", length)
    else:
        head += bytes([mask_bit | 127]) + struct.pack("!Q", length)
    if not is_masked:
        return head + payload
    key = os.urandom(4)
    pattern = key * (len(payload) // 4 + 1)
    return head + key + bytes(a ^ b for a, b in zip(payload, pattern, strict=False))


class RawSocket:
    """A live socket whose every byte is up to the test."""

    def __init__(self, port: int) -> None:
        self.line = socket.create_connection(("127.0.0.1", port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.line.sendall(
            "GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
            .encode()
        )  # fmt: skip
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.line.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head

    def send(self, data: bytes) -> bool:
        """False if the other side has hung up."""
        try:
            self.line.sendall(data)
        except OSError:
            return False
        return True

    def reset(self) -> None:
        """Hang up without a word."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.line.close()
