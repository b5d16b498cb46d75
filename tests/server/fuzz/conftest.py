"""The servers of the tests of the front, for the fuzzers too."""

from tests.server.front.conftest import engine, serve

__all__ = ["engine", "serve"]
